"""EX-24: Uncaught exceptions, isolation.

Rules: E-20, E-21, R-16, S-08
"""

import scheduler

log = []
def bad():
    raise ArithmeticError("boom")
def guard():
    t = scheduler.tasklet(bad)()
    try:
        t.run()
    except ArithmeticError as e:
        log.append("guard caught %s, alive %s" % (e, t.alive))
scheduler.tasklet(guard)()
scheduler.run()
print(log)

t = scheduler.tasklet(bad)()
scheduler.tasklet(log.append)("kept waiting")
try:
    scheduler.run()
except ArithmeticError:
    print(t.alive, t.scheduled, scheduler.getruncount(), log)
scheduler.run()
print(log[-1])

def quiet():
    raise scheduler.TaskletExit
scheduler.tasklet(quiet)()
print(scheduler.run())

import contextvars, sys
colour = contextvars.ContextVar("colour", default="none")
colour.set("red")
def isolated():                # own copy of the context, no handled exception
    print(colour.get(), sys.exc_info()[0])
try:
    bad()
except ArithmeticError:
    scheduler.tasklet(isolated)()
    scheduler.run()
