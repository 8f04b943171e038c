"""EX-04: run() starts in the middle and takes what follows.

Rules: T-28, T-29, R-10, R-20, P-01
"""

import scheduler

log = []
jobs = [scheduler.tasklet(log.append)(n) for n in "pqrs"]
jobs[2].run()
print(log, scheduler.getruncount())
jobs[0].run()
print(log, scheduler.getruncount())

def child():
    print(scheduler.getcurrent().run())
    try:
        ancestor.run()
    except ValueError:
        print("cannot run an ancestor")
def parent():
    scheduler.tasklet(child)().run()
ancestor = scheduler.tasklet(parent)()
scheduler.run()
