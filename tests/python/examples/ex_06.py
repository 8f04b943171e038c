"""EX-06: Nested and flat order.

Rules: F-01, F-02, F-06, P-02, S-07
"""

import scheduler

def demo():
    log = []
    def crew():
        scheduler.tasklet(log.append)("deck")
        hold = scheduler.tasklet(log.append)("hold")
        scheduler.tasklet(log.append)("mast")
        hold.run()
        log.append("crew done")
    scheduler.tasklet(log.append)("anchor")
    scheduler.tasklet(crew)()
    scheduler.tasklet(log.append)("flag")
    scheduler.run()
    return log

print(scheduler.get_use_nested_tasklets(), demo())
scheduler.set_use_nested_tasklets(False)
print(scheduler.get_use_nested_tasklets(), demo())
