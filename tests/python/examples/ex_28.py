"""EX-28: switch_trap.

Rules: B-20, B-21, B-22, T-50
"""

import scheduler

t = scheduler.tasklet(print)("t ran")
parked = scheduler.tasklet(print)
parked.bind(args=("parked ran",))
print(scheduler.switch_trap(1))
for op in (scheduler.run, scheduler.schedule, t.run, t.switch, t.kill, parked.run):
    try:
        op()
        print("ok")
    except RuntimeError as e:
        print("switch_trap" in str(e))
print(parked.paused, parked.scheduled, t.paused, t.remove() is t, t.insert() is t)
print(scheduler.switch_trap(-1), scheduler.switch_trap(0))
t.remove()
parked.run()
t.run()                          # the refused kill left nothing behind
