"""EX-08: A running tasklet keeps its place.

Rules: S-04, S-05, R-12, R-13, P-08
"""

import scheduler

log = []
def inner():
    log.append(("inner", scheduler.getruncount(), scheduler.calculateruncount()))
def outer():
    log.append(("outer", scheduler.getruncount()))
    scheduler.tasklet(inner)()
    scheduler.run()
    log.append(("outer again", scheduler.getruncount()))

scheduler.tasklet(log.append)("before")
o = scheduler.tasklet(outer)()
scheduler.tasklet(log.append)("after")
o.run()
print(log)
print(scheduler.getruncount(), scheduler.getmain().next is not None)
scheduler.run()
