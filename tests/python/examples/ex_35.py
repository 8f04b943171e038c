"""EX-35: References to tasklets.

Rules: G-01, G-04, G-05, G-06, G-08, T-18
"""

import scheduler, sys, gc, weakref

t = scheduler.tasklet(len)
base = sys.getrefcount(t)
t("")
print(sys.getrefcount(t) - base)
t.kill()
print(sys.getrefcount(t) - base)
w = weakref.ref(t)
del t
print(w() is None)

def tidy():
    try:
        scheduler.schedule_remove()
    finally:
        print("finally ran")
t = scheduler.tasklet(tidy)()
scheduler.run()
w = weakref.ref(t)
del t
print(w() is None)

loop = scheduler.tasklet(lambda x: None)
loop.bind(args=(loop,))
w = weakref.ref(loop)
del loop
gc.collect()
print(w() is None)
