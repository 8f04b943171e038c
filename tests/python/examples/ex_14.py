"""EX-14: Deadlock of main.

Rules: R-03, P-16, C-12, H-03, E-23
"""

import scheduler

ch = scheduler.channel()
for n in range(3):
    scheduler.tasklet(print)("ran", n)
try:
    ch.receive()
except RuntimeError as e:
    print("Deadlock" in str(e), ch.balance, scheduler.getmain().blocked)

import threading
release = threading.Event()
late = threading.Thread(target=release.wait)
late.start()
try:
    ch.receive()             # does not wait for other threads
except RuntimeError:
    print("again")
release.set()
late.join()

scheduler.tasklet(lambda: 1 // 0)()
try:
    ch.send("lost")
except ZeroDivisionError:
    print("the drive failed", ch.balance)
