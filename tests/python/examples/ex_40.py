"""EX-40: Subclassing, names.

Rules: M-02, M-03, M-04, M-05, M-06, M-09, M-10
"""

import scheduler, weakref

class Bad(scheduler.tasklet):
    def __init__(self): pass
class BadChannel(scheduler.channel):
    def __init__(self): pass
for op in (Bad().run, BadChannel().send):
    try:
        op()
    except RuntimeError:
        print("RuntimeError")

registry = weakref.WeakKeyDictionary()
class Tracked(scheduler.tasklet):
    def __new__(cls, *a, **k):
        self = scheduler.tasklet.__new__(cls, *a, **k)
        registry[self] = "known"
        return self
t = Tracked(print)
t.note = "has a __dict__"
t("hello")
scheduler.run()
print(len(registry), t.alive)
del t
print(len(registry))

print(scheduler.tasklet, scheduler.channel, scheduler.TaskletExit.__mro__[1].__name__)
print(scheduler.enable_softswitch(None))
print(hasattr(scheduler, "_C_API"), hasattr(scheduler, "current"))
