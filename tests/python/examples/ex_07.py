"""EX-07: Flat mode: run() from main empties the queue; exceptions go to the driver.

Rules: F-01, F-04, F-05
"""

import scheduler
scheduler.set_use_nested_tasklets(False)

log = []
q = [scheduler.tasklet(log.append)(c) for c in "xyz"]
q[1].run()
print(log, scheduler.getruncount())

def broken():
    raise LookupError("gone")

def boss():
    t = scheduler.tasklet(broken)()
    try:
        t.run()
    except LookupError:
        log.append("boss saw it")
    log.append("boss done")

del log[:]
b = scheduler.tasklet(boss)()
try:
    scheduler.run()
except LookupError as e:
    print("main saw", e, log, b.alive, scheduler.getruncount())
scheduler.run()
print(log)
