"""EX-05: run() does not resume, scheduler.run() does.

Rules: T-28, R-04, R-12, 18-3, 18-4
"""

import scheduler

def two_steps(log):
    log.append("first")
    scheduler.schedule()
    log.append("second")

log = []
t = scheduler.tasklet(two_steps)(log)
t.run()
print(log, t.scheduled, scheduler.getruncount())
t.run()
print(log, t.alive)
log = []
scheduler.tasklet(two_steps)(log)
scheduler.run()
print(log, scheduler.getruncount())
