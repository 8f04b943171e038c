"""EX-03: Errors of the life cycle.

Rules: T-15, T-17, T-23, T-24, T-27
"""

import scheduler

def show(f, *a):
    try:
        f(*a)
        print("ok")
    except Exception as e:
        print(type(e).__name__)

t = scheduler.tasklet(len)
show(t.run)                              # bound, no arguments: dead
show(t.insert)                           # dead
show(t.bind, 17)                         # not callable
t(["x"])
show(t.setup, ["y"])                     # callable already used up
show(t.bind, None)                       # queued: cannot be unbound
show(scheduler.getcurrent().bind, None)  # current: cannot be unbound
scheduler.run()
show(t.bind, None)
