"""EX-25: dont_raise, handler, context manager.

Rules: X-01, X-02, X-04, X-07, X-08, X-09, X-10
"""

import scheduler, sys

class Span:
    def __init__(self, t):
        self.t = t
    def __enter__(self):
        print("enter", self.t.method_name)
    def __exit__(self, *exc):
        print("exit", exc)

def job():
    raise ValueError("lost")
def handler(text):
    print(text)
    print("handling", sys.exc_info()[0].__name__)

t = scheduler.tasklet()
t.dont_raise = True
t.context = "night shift"
t.bind(job)
t.context_manager_getter = Span
t.exception_handler = handler
t.setup()
print(scheduler.run(), t.alive)
try:
    t.dont_raise = False
except RuntimeError:
    print("too late")

u = scheduler.tasklet()
u.dont_raise = True
u.bind(job)
u.exception_handler = lambda text: 1 // 0     # reported on stderr only
u.setup()
print(scheduler.run())
u.bind(job, ())
try:
    u.raise_exception(OSError)
except OSError:
    print("never started, so not contained")
