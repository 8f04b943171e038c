"""EX-01: Queueing and running.

Rules: T-10, T-22, S-05, R-12, T-01, A-06
"""

import scheduler

def plant(seed, row=0):
    print("planted", seed, "row", row)

a = scheduler.tasklet(plant)("bean")
b = scheduler.tasklet(plant)("maize", row=3)
print(scheduler.getruncount(), a.alive, a.scheduled, a.paused)
scheduler.run()
print(scheduler.getruncount(), a.alive, a.scheduled)

counts = []
def counted():
    for _ in range(3):
        counts.append(scheduler.getcurrent().times_switched_to)
        scheduler.schedule()
c = scheduler.tasklet(counted)()
scheduler.run()
print(counts, c.times_switched_to, c.bind(counted).times_switched_to)
