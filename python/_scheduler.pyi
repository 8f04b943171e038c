# The extension module. Its types are declared with the package `scheduler`, which is their
# `__module__` and the name that programs import.
from typing import Final

from scheduler import (
    _C_API as _C_API,
    TaskletExit as TaskletExit,
    _live_tasklets as _live_tasklets,
    calculateruncount as calculateruncount,
    callable_wrapper as callable_wrapper,
    channel as channel,
    enable_softswitch as enable_softswitch,
    get_active_tasklet_count as get_active_tasklet_count,
    get_all_time_tasklet_count as get_all_time_tasklet_count,
    get_channel_callback as get_channel_callback,
    get_deadlock_timeout as get_deadlock_timeout,
    get_number_of_active_channels as get_number_of_active_channels,
    get_number_of_active_schedule_managers as get_number_of_active_schedule_managers,
    get_schedule_callback as get_schedule_callback,
    get_schedule_manager as get_schedule_manager,
    get_stack_size as get_stack_size,
    get_thread_info as get_thread_info,
    get_use_nested_tasklets as get_use_nested_tasklets,
    getcurrent as getcurrent,
    getmain as getmain,
    getruncount as getruncount,
    run as run,
    run_n_tasklets as run_n_tasklets,
    schedule as schedule,
    schedule_manager as schedule_manager,
    schedule_remove as schedule_remove,
    select as select,
    set_channel_callback as set_channel_callback,
    set_deadlock_timeout as set_deadlock_timeout,
    set_schedule_callback as set_schedule_callback,
    set_stack_size as set_stack_size,
    set_use_nested_tasklets as set_use_nested_tasklets,
    sleep as sleep,
    stack_stats as stack_stats,
    switch_trap as switch_trap,
    tasklet as tasklet,
    trim_stacks as trim_stacks,
    unblock_all_channels as unblock_all_channels,
)

# Such as "Boost.Context 1_74": for `python -m scheduler --info`.
_jump_library: Final[str]
