"""EX-26: Schedule callback.

Rules: B-02, B-03, R-02, P-06
"""

import scheduler

names = {scheduler.getmain(): "main"}
log = []
def watch(prev, nxt):
    log.append(names[prev] + ">" + names[nxt])
    assert scheduler.getcurrent() is prev

def child():
    scheduler.schedule()
def top():
    k = scheduler.tasklet(child)()
    names[k] = "kid"
    k.run()
t = scheduler.tasklet(top)()
names[t] = "top"
print(scheduler.get_schedule_callback(), scheduler.set_schedule_callback(watch))
scheduler.run()
print(log)
print(scheduler.get_schedule_callback() is watch)
