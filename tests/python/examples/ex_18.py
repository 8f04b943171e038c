"""EX-18: Killing: new, suspended, blocked, dead.

Rules: E-01, E-10, E-11, E-12, C-53, R-11, R-20, P-22
"""

import scheduler

log = []
first = scheduler.tasklet(log.append)("never")
scheduler.tasklet(log.append)("next one runs too")
first.kill()
print(log, first.alive, first.times_switched_to, scheduler.getruncount())

ch = scheduler.channel()
def stubborn():
    try:
        ch.receive()
    except scheduler.TaskletExit:
        log.append("refused")
    scheduler.schedule()
t = scheduler.tasklet(stubborn)()
t.run()
t.kill()
print(log[-1], t.alive, t.scheduled, ch.balance)
t.kill()
print(t.alive, scheduler.getruncount())
print(t.kill(), t.kill(pending=True), scheduler.tasklet().kill())

def giver():
    ch.send("taken")
    log.append("never logged")
g = scheduler.tasklet(giver)()
g.run()
print(ch.receive(), g.scheduled)
g.kill()                      # the transfer is done, the rest of g is not
print(log[-1], g.alive)
