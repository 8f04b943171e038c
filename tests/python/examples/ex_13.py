"""EX-13: A blocked main drives the queue only until it is served.

Rules: R-03, C-22, R-10
"""

import scheduler

def trial(pref):
    log = []
    ch = scheduler.channel()
    ch.preference = pref
    def giver():
        ch.send("key")
        log.append("giver done")
    scheduler.tasklet(log.append)("one")
    scheduler.tasklet(giver)()
    scheduler.tasklet(log.append)("two")
    log.append(ch.receive())
    return log, scheduler.getruncount()

for p in (-1, 0, 1):
    print(p, *trial(p))
    scheduler.run()
