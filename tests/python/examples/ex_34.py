"""EX-34: Counters.

Rules: N-01, N-02, N-03, N-04, N-05, C-44, G-07
"""

import scheduler, sys, gc

print(scheduler.get_number_of_active_schedule_managers())
main = scheduler.getmain()
print(sys.getrefcount(scheduler.get_schedule_manager()),
      scheduler.get_number_of_active_schedule_managers())
def lonely(ch):
    ch.receive()
scheduler.tasklet(lonely)(scheduler.channel())
scheduler.run()
gc.collect()
print(scheduler.get_number_of_active_channels(), scheduler.get_active_tasklet_count(),
      scheduler.get_all_time_tasklet_count())
print(scheduler.unblock_all_channels(), scheduler.unblock_all_channels())
gc.collect()
print(scheduler.get_number_of_active_channels(), scheduler.get_active_tasklet_count(),
      scheduler.get_all_time_tasklet_count())
