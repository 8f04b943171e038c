"""EX-10: switch to a queued tasklet pauses the caller.

Rules: T-52, T-53, T-25
"""

import scheduler

log = []
def target(caller, wake):
    log.append(("caller paused", caller.paused))
    if wake:
        caller.insert()
def client(wake):
    t = scheduler.tasklet(target)(scheduler.getcurrent(), wake)
    t.switch()
    log.append("client goes on")

c1 = scheduler.tasklet(client)(True)
scheduler.tasklet(log.append)("bystander")
scheduler.run()
print(log)
del log[:]
c2 = scheduler.tasklet(client)(False)
scheduler.run()
print(log, c2.alive, c2.scheduled, c2.paused)
c2.run()
print(log, c2.alive)
