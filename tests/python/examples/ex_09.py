"""EX-09: schedule_remove, insert, remove, next, prev.

Rules: R-05, T-24, T-26, A-02, A-05, S-02
"""

import scheduler

def nap():
    scheduler.schedule_remove()
    print("awake")

m = scheduler.getmain()
t = scheduler.tasklet(nap)()
u = scheduler.tasklet(len)("")
print(m.next is t, t.prev is m, t.next is u, u.next, m.prev)
scheduler.run()
print(t.alive, t.scheduled, t.paused, t.next, t.prev)
print(t.insert() is t, t.scheduled, t.paused)
print(t.remove() is t, t.scheduled, t.paused, scheduler.getruncount())
t.run()
print(t.alive, m.next)
