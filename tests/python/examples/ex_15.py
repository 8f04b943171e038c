"""EX-15: Balance, queue, blocked.

Rules: C-02, C-03, A-02, A-05, C-15
"""

import scheduler

ch = scheduler.channel()
x = scheduler.tasklet(ch.send)("x")
y = scheduler.tasklet(ch.send)("y")
scheduler.run()
print(ch.balance, ch.queue is x, x.blocked, x.alive, x.next, scheduler.getruncount())
print(ch.receive(), ch.balance, ch.queue is y, x.blocked, x.scheduled)
print(ch.receive(), ch.balance, ch.queue)
scheduler.run()
print(x.alive, y.alive)
