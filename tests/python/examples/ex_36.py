"""EX-36: Values leave no references behind.

Rules: G-09, C-14
"""

import scheduler, sys

class Box: pass
box = Box()
base = sys.getrefcount(box)
ch = scheduler.channel()
def ping(v):
    for _ in range(20):
        ch.send(v)
        v = ch.receive()
def pong():
    for _ in range(20):
        v = ch.receive()
        ch.send(v)
for pref in (-1, 0, 1):
    ch.preference = pref
    scheduler.tasklet(ping)(box)
    scheduler.tasklet(pong)()
    scheduler.run()
    print(pref, ch.balance, sys.getrefcount(box) - base)
t = scheduler.tasklet(ch.send)(box)
t.run()
t.kill()
del t
print(sys.getrefcount(box) - base)
