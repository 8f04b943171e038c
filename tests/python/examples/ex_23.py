"""EX-23: throw with pending=True.

Rules: E-15, E-17
"""

import scheduler

def f():
    try:
        scheduler.schedule_remove()
    except IndexError:
        print("arrived")
t = scheduler.tasklet(f)()
t.run()
t.throw(IndexError, pending=True)
print("thrown", t.alive, t.scheduled)
scheduler.run()
print(t.alive)
new = scheduler.tasklet(print)("never")
new.throw(KeyError, None, None, True)
try:
    scheduler.run()
except KeyError:
    print("out of run", scheduler.getruncount())
