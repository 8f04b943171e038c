"""EX-37: QueueChannel.

Rules: Q-01, Q-02, Q-03, Q-04, Q-05, Q-06, Q-07
"""

import scheduler

q = scheduler.QueueChannel()
print(q.preference, q.balance, len(q))
q.send_sequence(["a", "b"])
q.send_exception(KeyError, "c")
print(q.balance, len(q), q.data_queue[0])
print(q.receive(), next(q))
try:
    q.receive()
except KeyError:
    print("KeyError")
log = []
t = scheduler.tasklet(lambda: log.append(q.receive()))()
scheduler.run()
print(q.balance)
q.send("direct")
print(log, t.blocked, t.scheduled, scheduler.getruncount())
scheduler.run()
print(log)
q.send("left over")
q.close()
print(q.closed, q.balance, q.receive())
try:
    q.send("too late")
except ValueError:
    print("closed")
