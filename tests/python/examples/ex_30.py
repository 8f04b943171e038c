"""EX-30: run_n_tasklets.

Rules: L-00, L-01, L-02, L-03
"""

import scheduler

log = []
def step(n):
    log.append(n)
    scheduler.schedule()
    log.append(-n)
def nest():
    k = scheduler.tasklet(log.append)("n1")
    scheduler.tasklet(log.append)("n2")
    k.run()
scheduler.tasklet(step)(1)
scheduler.tasklet(nest)()
while scheduler.getruncount() > 1:
    scheduler.run_n_tasklets(1)
    print(log, scheduler.getruncount())
try:
    scheduler.run_n_tasklets(0)
except RuntimeError:
    print("at least one")

def inner():
    scheduler.run_n_tasklets(1)      # no limit inside a tasklet
    print("inner", scheduler.getruncount())
scheduler.tasklet(inner)()
for n in range(3):
    scheduler.tasklet(print)(n)
scheduler.run_n_tasklets(1)
