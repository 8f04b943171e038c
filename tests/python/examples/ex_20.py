"""EX-20: kill and raise_exception on the current tasklet.

Rules: E-10, E-15, E-22
"""

import scheduler

def f():
    me = scheduler.getcurrent()
    try:
        me.raise_exception(ZeroDivisionError)
    except ZeroDivisionError:
        print("raised here")
    me.kill()
    print("not reached")

t = scheduler.tasklet(f)()
t.run()
print(t.alive, t.thread_id == scheduler.getmain().thread_id)
try:
    scheduler.getcurrent().kill()
except scheduler.TaskletExit as e:
    print("main:", type(e).__name__, isinstance(e, Exception))
