"""EX-22: throw: never-run tasklet, and withdrawal from a channel.

Rules: E-15, E-16, C-50, P-18
"""

import scheduler

fresh = scheduler.tasklet(print)("never printed")
try:
    fresh.throw(OSError)
except OSError:
    print("raised to the thrower", scheduler.getruncount())

ch = scheduler.channel()
def retry(name):
    try:
        print(name, ch.receive())
    except RuntimeError:
        print(name, "again:", ch.receive())
a = scheduler.tasklet(retry)("a")
b = scheduler.tasklet(retry)("b")
scheduler.run()
a.raise_exception(RuntimeError)
print(ch.balance, ch.queue is b)
ch.send(1)
ch.send(2)
