"""EX-33: Thread end cleans up.

Rules: H-05, H-06, N-01, G-01, G-02
"""

import scheduler, sys, threading

ch = scheduler.channel()
keep = {}
log = []
def suspended():
    try:
        scheduler.schedule()
        log.append("wrong")
    except scheduler.TaskletExit:
        log.append("exit")
def thread_main():
    keep["new"] = scheduler.tasklet(log.append)("wrong")
    keep["suspended"] = scheduler.tasklet(suspended)()
    keep["blocked"] = scheduler.tasklet(ch.receive)()
    keep["suspended"].run()
    print(ch.balance, scheduler.get_number_of_active_schedule_managers())
th = threading.Thread(target=thread_main)
scheduler.getmain()
th.start(); th.join()
print(log, ch.balance, scheduler.get_number_of_active_schedule_managers())
for name in keep:
    print(name, keep[name].alive, keep[name].thread_id, sys.getrefcount(keep[name]))
