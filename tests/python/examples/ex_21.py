"""EX-21: throw: forms and errors (immediate).

Rules: E-02, E-04, E-05, E-15, C-50
"""

import scheduler

def sponge():
    while True:
        try:
            scheduler.schedule_remove()
        except Exception as e:
            print("  in tasklet:", type(e).__name__, e.args)
t = scheduler.tasklet(sponge)()
t.run()
t.throw(ValueError)
t.throw(ValueError, (1, 2))
t.throw(ValueError, "text")
t.throw(ValueError(7))
t.raise_exception(KeyError)
dead = scheduler.tasklet()
for args in ((), (None,), ("x",), (ValueError(1), 2)):
    try:
        t.throw(*args)
    except Exception as e:
        print(type(e).__name__)
try:
    dead.throw(ValueError)
except Exception as e:
    print(type(e).__name__)
print(dead.throw(scheduler.TaskletExit))
