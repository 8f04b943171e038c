"""EX-19: Pending kill.

Rules: E-10, C-52, P-20
"""

import scheduler

ch = scheduler.channel()
log = []
def waiter():
    try:
        ch.send("unsent")
    finally:
        log.append("unwound")
t = scheduler.tasklet(waiter)()
t.run()
scheduler.tasklet(log.append)("earlier")
print(ch.balance, t.blocked, t.scheduled)
t.kill(pending=True)
print(ch.balance, t.blocked, t.scheduled, t.alive, log)
scheduler.run()
print(t.alive, log)
