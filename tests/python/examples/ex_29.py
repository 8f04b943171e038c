"""EX-29: block_trap.

Rules: B-10, Q-08, C-12, C-13
"""

import scheduler

ch = scheduler.channel()
def eager():
    with scheduler.block_trap():
        for op in (ch.receive, lambda: ch.send(1)):
            try:
                op()
            except RuntimeError as e:
                print("block_trap" in str(e), ch.balance)
        scheduler.schedule()
    print("free again", scheduler.getcurrent().block_trap)
scheduler.tasklet(eager)()
scheduler.run()

scheduler.tasklet(lambda: print("received", ch.receive()))()
scheduler.run()
with scheduler.block_trap():
    ch.send("anyway")
try:
    scheduler.getcurrent().block_trap = 1
except RuntimeError:
    print("bool only")
