"""EX-11: Channel preferences.

Rules: C-04, C-10, C-11, C-20, C-21
"""

import scheduler

def waiting_receiver(pref):
    log = []
    ch = scheduler.channel()
    ch.preference = pref
    scheduler.tasklet(lambda: log.append("got " + ch.receive()))()
    scheduler.run()
    scheduler.tasklet(log.append)("other")
    ch.send("mail")
    log.append("send returned, rc %d" % scheduler.getruncount())
    scheduler.run()
    return log

def waiting_sender(pref):
    log = []
    ch = scheduler.channel()
    ch.preference = pref
    def giver():
        ch.send("coin")
        log.append("giver done")
    scheduler.tasklet(giver)()
    scheduler.run()
    scheduler.tasklet(log.append)("other")
    log.append("main has " + ch.receive())
    log.append("rc %d" % scheduler.getruncount())
    scheduler.run()
    return log

for p in (-1, 0, 1):
    print(p, waiting_receiver(p))
for p in (-1, 0, 1):
    print(p, waiting_sender(p))

ch = scheduler.channel()
ch.preference = 5
print(ch.preference)
try:
    ch.preference = "sender"
except TypeError:
    print("int only")
