"""EX-02: bind with arguments makes alive and paused; switch acts like a call.

Rules: T-12, T-13, T-14, T-16, T-19, T-20, T-51
"""

import scheduler

t = scheduler.tasklet()
print(t.alive, t.paused)
print(t.bind(print) is t, t.alive)
t.bind(None, ("ore",), {"end": "!\n"})
print(t.alive, t.paused, t.scheduled, scheduler.getruncount())
t.switch()
print(t.alive, t.times_switched_to, scheduler.getruncount())
t.bind(print, ("second", "life"))        # a dead tasklet can be bound again
t.insert()
t.bind(print, ("replaced", "life"))      # not started yet: keeps its place
print(scheduler.getruncount())
scheduler.run()
try:
    t.bind(func=print)
except TypeError:
    print("unknown keyword")
