"""EX-12: A drive covers only what was queued when it began.

Rules: C-24, C-20, C-23, R-14
"""

import scheduler

log = []
ch = scheduler.channel()
rx = scheduler.tasklet(lambda: log.append("received " + ch.receive()))()
scheduler.run()
tx = scheduler.tasklet(lambda: (ch.send("parcel"), log.append("sender done")))()
tx.run()
print(log, rx.blocked, rx.scheduled, tx.scheduled, scheduler.getmain().next is rx)
scheduler.run()
print(log)

log = []
a = scheduler.tasklet(log.append)("a")
b = scheduler.tasklet(lambda: a.run())()
c = scheduler.tasklet(log.append)("c")
b.run()
print(log, c.scheduled)
scheduler.run()

rx = scheduler.tasklet(lambda: log.append("received " + ch.receive()))()
scheduler.run()
scheduler.switch_trap(1)
try:
    ch.send("letter")              # would have to yield: refused, and nothing is transferred
except RuntimeError:
    print(ch.balance, rx.blocked, rx.scheduled)
scheduler.switch_trap(-1)
ch.send("letter")
print(log[-1])
