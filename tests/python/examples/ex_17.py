"""EX-17: Closing, iterating, clearing.

Rules: C-40, C-41, C-42, C-43, E-10, E-21
"""

import scheduler

ch = scheduler.channel()
for n in (10, 20, 30):
    scheduler.tasklet(ch.send)(n)
scheduler.run()
ch.close()
print(ch.closing, ch.closed)
print(list(ch), ch.closing, ch.closed)
for op in (ch.receive, lambda: ch.send(1), lambda: next(ch)):
    try:
        op()
    except Exception as e:
        print(type(e).__name__)
ch.open()
print(ch.closing, ch.closed)

out = []
def waiter(n):
    try:
        ch.receive()
    except scheduler.TaskletExit:
        out.append(n)
        raise
ts = [scheduler.tasklet(waiter)(n) for n in (1, 2, 3)]
scheduler.run()
print(ch.balance)
ch.clear()
print(out, ch.balance, [t.alive for t in ts], [t.blocked for t in ts])
