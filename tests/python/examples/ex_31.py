"""EX-31: Thread rules.

Rules: H-01, H-04, A-04, E-06, S-06
"""

import scheduler, threading

t = scheduler.tasklet(print)("done by its owner")
def foreign():
    print(scheduler.getruncount(), scheduler.getcurrent().is_main, t.run())
    print(t.switch())                   # queued on its own thread, where it is already
    for op in (t.kill, t.setup, lambda: t.bind(len), lambda: t.throw(OSError)):
        try:
            op()
        except RuntimeError:
            print("refused")
    print(t.remove() is t, t.scheduled, t.insert() is t, t.scheduled)
    print(scheduler.getruncount(), t.thread_id == threading.get_ident())
th = threading.Thread(target=foreign)
th.start(); th.join()
print(scheduler.getruncount())
scheduler.run()
