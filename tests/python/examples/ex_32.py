"""EX-32: A channel between two threads.

Rules: H-02, C-20
"""

import scheduler, threading

ch = scheduler.channel()
got = []
def consumer():
    while True:
        item = ch.receive()
        if item is None:
            return
        got.append(item)
def producer():
    for item in ("salt", "tea", None):
        ch.send(item)
def thread_main(f):
    t = scheduler.tasklet(f)()
    while t.alive:
        scheduler.run()
th = threading.Thread(target=thread_main, args=(producer,))
th.start()
thread_main(consumer)
th.join()
print(got, ch.balance)
