"""Runs scenarios again and again; each time one allocation more succeeds before one fails.

    python -m support.memory_sweep KIND SCENARIO...    in tests/python

KIND is "object" (what CPython allocates), or "new", "mmap", "madvise", "mprotect" with the library of
failing_memory preloaded. Ends when a run needed no more allocations. The result of each run must be success
or MemoryError, nothing may be left over, and the module must be usable afterwards. Prints how many failed
of each scenario, which has a process of its own: no stacks are kept that another one has used.
"""

from __future__ import annotations

import _thread
import gc
import os
import sys
import time

import scheduler
from support.failing_memory import Calls, Objects

# ---- what is tried: each leaves nothing behind, whatever fails -----------------------------------


def wait_and_count(channel, results):
    results.append(channel.receive())


def spawn():
    for number in range(5):
        scheduler.tasklet(len)(str(number))
    scheduler.run()


def transfer():
    channel = scheduler.channel()
    results = []
    for preference in (-1, 0, 1):
        channel.preference = preference
        scheduler.tasklet(wait_and_count)(channel, results)
        scheduler.run()
        channel.send(preference)
        scheduler.run()
    scheduler.tasklet(channel.send)("value")
    assert channel.receive() == "value"


def kill_and_throw():
    channel = scheduler.channel()
    tasks = [scheduler.tasklet(channel.receive)() for _ in range(4)]
    tasks[0].kill(pending=True)  # has not started
    scheduler.run()
    tasks[1].kill()
    tasks[2].kill(pending=True)
    scheduler.run()
    try:
        tasks[3].throw(KeyError, "thrown")
    except KeyError:
        pass


def describe():
    channel = scheduler.channel()
    task = scheduler.tasklet(channel.receive)()
    scheduler.run()
    assert "blocked" in repr(task)
    assert "balance=-1" in repr(channel)
    repr(scheduler.get_schedule_manager())


def deadlock():
    channel = scheduler.channel()
    scheduler.tasklet(channel.receive)()
    try:
        scheduler.channel().receive()
    except RuntimeError as error:
        assert str(error).startswith("Deadlock")  # noqa: PT017
    else:
        raise AssertionError("no deadlock")


def join():
    task = scheduler.tasklet(scheduler.schedule)()
    task.join(1)
    task = scheduler.tasklet(scheduler.schedule_remove)()
    try:
        task.join(0.001)
    except TimeoutError:
        pass


def sizes():
    before = scheduler.get_stack_size()
    try:
        for size in (256, 320, 384):
            scheduler.set_stack_size(size * 1024)
            scheduler.tasklet(scheduler.schedule_remove)()
            scheduler.run()
    finally:
        scheduler.set_stack_size(before)
    scheduler.trim_stacks()


def crowd():
    tasks = [scheduler.tasklet(scheduler.schedule_remove)() for _ in range(100)]
    scheduler.run()
    for task in tasks:
        task.run()
    scheduler.trim_stacks()


def orphans():
    """Nobody refers to them any more: they are unwound."""
    for _ in range(5):
        scheduler.tasklet(scheduler.schedule_remove)()
    scheduler.run()


def ending_thread():
    """A thread that ends with tasklets in all states."""
    channel = scheduler.channel()
    tasks = [scheduler.tasklet(channel.receive)() for _ in range(3)]
    tasks += [scheduler.tasklet(scheduler.schedule_remove)() for _ in range(3)]
    scheduler.run()
    tasks += [scheduler.tasklet(len)("") for _ in range(100)]


def select():
    """More cases than fit into what is allocated at once; what is sent is counted."""
    channels = [scheduler.channel() for _ in range(20)]
    cases = [channel.sending(scheduler.channel()) for channel in channels]
    scheduler.tasklet(channels[3].receive)()
    scheduler.run()
    scheduler.select(*cases)
    # A list that is not empty from the start is what CPython 3.13t crashes on when there is no memory.
    cases.append(scheduler.QueueChannel())
    try:
        scheduler.select(*cases, timeout=0.0001)
    except TimeoutError:
        pass
    scheduler.select(scheduler.QueueChannel(), scheduler.tasklet(len)(""))


def sleep():
    task = scheduler.tasklet(scheduler.sleep)(0.0001)
    scheduler.sleep(0.0001)
    task.join()


def expire():
    with scheduler.timeout(0.0001):
        scheduler.channel().receive()


def scope():
    try:
        scheduler.tasklet(expire)().join()
    except TimeoutError:
        pass


SCENARIOS = {
    function.__name__: function
    for function in (
        spawn, transfer, kill_and_throw, describe, deadlock, join, sizes, crowd, orphans, ending_thread,
        select, sleep, scope,
    )
}  # fmt: skip


# ---- the sweep -----------------------------------------------------------------------------------


def counters():
    return (
        scheduler.get_active_tasklet_count(),
        scheduler.get_number_of_active_channels(),
        scheduler.get_number_of_active_schedule_managers(),
    )


def in_thread(scenario, memory, calls):
    """The scenario in a thread of its own, with a manager of its own: what came of it, and what failed."""
    result = [None, None]  # to put something there takes no memory
    done = _thread.allocate_lock()
    done.acquire()

    def work():
        try:
            memory.fail_after(calls)
            try:
                scenario()
            except MemoryError:
                result[0] = "MemoryError"
            except BaseException as error:  # told by who has started this
                result[0] = error
            else:
                result[0] = "success"
            if not memory.lasts:
                result[1] = memory.has_failed()
        finally:
            done.release()

    before = counters()
    _thread.start_new_thread(work, ())
    done.acquire()
    if memory.lasts:  # the end of the thread belongs to it
        deadline = time.monotonic() + 30
        while counters() != before and time.monotonic() < deadline:
            time.sleep(0.0001)
    if result[1] is None:
        result[1] = memory.has_failed()
    return result


def left_over():
    gc.collect()
    kinds = (scheduler.tasklet, scheduler.channel, scheduler.schedule_manager)
    return sum(type(thing) in kinds for thing in gc.get_objects()), *counters()


def wait_for_nothing_left(expected):
    """The thread's state is cleared after its function has returned. Before that nobody looks at all
    objects: its dictionary is one of them, and who holds that keeps it from ending its tasklets."""
    deadline = time.monotonic() + 30
    while counters() != expected[1:] or left_over() != expected:
        assert time.monotonic() < deadline, f"left over: {left_over()} instead of {expected}"
        gc.collect()
        time.sleep(0.0001)


def sweep(scenario, memory):
    unraisable = []
    sys.unraisablehook = lambda args: unraisable.append(args.exc_type)
    scheduler.set_deadlock_timeout(0.001)  # this thread might serve the other: it waits each time
    spawn()
    gc.collect()
    gc.freeze()  # so that left_over() looks at what is new
    expected = left_over()
    in_thread(scenario, memory, 1_000_000)
    wait_for_nothing_left(expected)
    calls = failures = 0
    while True:
        result, failed = in_thread(scenario, memory, calls)
        assert result in ("success", "MemoryError"), f"{calls}: {result!r}"
        assert set(unraisable) <= {MemoryError}, f"{calls}: {unraisable}"
        wait_for_nothing_left(expected)
        spawn()
        calls += 1
        failures += failed
        if not failed:
            assert result == "success"
            return failures


def main(kind, *names):
    wrong = []
    for name in names:
        pid = os.fork()
        if pid == 0:
            memory = Objects() if kind == "object" else Calls(kind)
            print(name, sweep(SCENARIOS[name], memory), flush=True)
            return
        if os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) != 0:
            wrong.append(name)
    if wrong:
        sys.exit(f"failed: {' '.join(wrong)}")


if __name__ == "__main__":
    main(*sys.argv[1:])
