"""Tasklets on two threads, as JSON: items a second, waiting, waking, running in parallel.

    python threads.py

README.md tells how to read the result.
"""

import gc
import json
import os
import platform
import queue
import statistics
import sys
import sysconfig
import threading
import time
from collections.abc import Callable
from typing import Any

import scheduler

RUNS = 5
ITEMS = 40_000  # of one timed exchange, in all
PAIRS = 100
WAKE_UPS = 2_000
TURNS = 3_000  # of each tasklet in a parallel run
YIELDERS = 100
CALLS = 5_000_000  # of the control of a parallel run, by each thread
WAIT_SECONDS = 2.0


def together(*works: Callable[[], Any]) -> float:
    """Runs each function on a thread of its own, all at once: seconds until the last one is done."""
    start = threading.Barrier(len(works) + 1)

    def thread_main(work: Callable[[], Any]) -> None:
        start.wait()
        work()

    threads = [threading.Thread(target=thread_main, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    start.wait()
    begin = time.perf_counter()
    for thread in threads:
        thread.join()
    return time.perf_counter() - begin


# ---- items a second between two threads: each item that is sent comes back ------------------------


def echo(take: Callable[[], Any], give: Callable[[Any], None], items: int) -> None:
    for _ in range(items // 2):
        give(take())


def ask(give: Callable[[Any], None], take: Callable[[], Any], items: int) -> None:
    for number in range(items // 2):
        give(number)
        take()


def simple_queues() -> float:
    """The control: two threads with queue.SimpleQueue and no scheduler."""
    there, back = queue.SimpleQueue(), queue.SimpleQueue()
    seconds = together(
        lambda: echo(there.get, back.put, ITEMS), lambda: ask(there.put, back.get, ITEMS)
    )
    return ITEMS / seconds


Drive = Callable[[list[scheduler.tasklet]], None]


def threadblock(_: list[scheduler.tasklet]) -> None:
    scheduler.run(threadblock=True)


def loop_around_run(tasks: list[scheduler.tasklet]) -> None:
    while any(task.alive for task in tasks):
        scheduler.run()


def pairs(count: int, drive: Drive, items: int = ITEMS) -> float:
    """`count` tasklets on each of two threads exchange `items` items."""
    channels = [(scheduler.channel(), scheduler.channel()) for _ in range(count)]
    each = items // count

    def asking() -> None:
        drive([scheduler.tasklet(ask)(there.send, back.receive, each) for there, back in channels])

    def echoing() -> None:
        drive([scheduler.tasklet(echo)(there.receive, back.send, each) for there, back in channels])

    return items / together(asking, echoing)


def main_tasklets() -> float:
    """The same by the main tasklets of two threads."""
    there, back = scheduler.channel(), scheduler.channel()
    seconds = together(
        lambda: echo(there.receive, back.send, ITEMS), lambda: ask(there.send, back.receive, ITEMS)
    )
    return ITEMS / seconds


EXCHANGES: dict[str, Callable[[], float]] = {
    "simple_queues": simple_queues,
    "one_pair_threadblock": lambda: pairs(1, threadblock),
    "one_pair_loop_around_run": lambda: pairs(1, loop_around_run),
    "two_main_tasklets": main_tasklets,
    "hundred_pairs_threadblock": lambda: pairs(PAIRS, threadblock, ITEMS * 10),
}


def exchanges() -> dict[str, float]:
    """Items a second; every job right beside the control."""
    rates: dict[str, list[float]] = {name: [] for name in EXCHANGES}
    for _ in range(RUNS):
        for name, job in EXCHANGES.items():
            rates[name].append(job())
    return {name: round(statistics.median(values)) for name, values in rates.items()}


# ---- waiting and waking ---------------------------------------------------------------------------


def processor_share_while_waiting() -> float:
    """Processor time of the process, in percent of one core, while eight threads wait for work."""
    channel = scheduler.channel()

    def thread_main() -> None:
        task = scheduler.tasklet(channel.receive)()
        scheduler.run(threadblock=True, timeout=WAIT_SECONDS)
        task.kill()

    before = time.process_time()
    seconds = together(*[thread_main] * 8)
    return round(100 * (time.process_time() - before) / seconds, 3)


def wake_up_microseconds() -> dict[str, float]:
    """From send() to the moment when a tasklet of another thread, which was asleep, goes on."""
    channel, asleep = scheduler.channel(), queue.SimpleQueue()
    channel.preference = 0
    latencies: list[float] = []

    def receiver() -> None:
        for _ in range(WAKE_UPS):
            asleep.put(None)
            sent = channel.receive()
            latencies.append((time.perf_counter() - sent) * 1e6)

    def sender() -> None:
        for _ in range(WAKE_UPS):
            asleep.get()
            time.sleep(0.0005)  # the other thread falls asleep meanwhile
            channel.send(time.perf_counter())

    def waiting() -> None:
        scheduler.tasklet(receiver)()
        scheduler.run(threadblock=True)

    together(waiting, sender)
    latencies.sort()
    return {
        "median": round(latencies[len(latencies) // 2], 1),
        "percentile_99": round(latencies[len(latencies) * 99 // 100], 1),
    }


# ---- running in parallel --------------------------------------------------------------------------


def call_built_in() -> None:
    call = gc.isenabled
    for _ in range(CALLS):
        call()


def yielding() -> None:
    def work() -> None:
        schedule = scheduler.schedule
        for _ in range(TURNS):
            schedule()

    for _ in range(YIELDERS):
        scheduler.tasklet(work)()
    scheduler.run()


shared = scheduler.channel()


def use_one_lock() -> None:
    """What takes the lock of a channel that all threads share, and does nothing else."""
    for _ in range(ITEMS * 10):
        _ = shared.closing


def use_own_lock() -> None:
    own = scheduler.channel()
    for _ in range(ITEMS * 10):
        _ = own.closing


def speed_ups() -> dict[str, float]:
    """How much more two threads do than one in the same time: 2.0 is all that two cores can give."""
    jobs = {
        "control": call_built_in,
        "yield": yielding,
        "lock_of_one_channel": use_one_lock,
        "lock_of_two_channels": use_own_lock,
    }
    found: dict[str, list[float]] = {name: [] for name in jobs}
    for _ in range(RUNS):
        for name, job in jobs.items():
            found[name].append(2 * together(job) / together(job, job))
    return {name: round(statistics.median(values), 3) for name, values in found.items()}


def main() -> None:
    result = {
        "python": platform.python_version(),
        "gil": not sysconfig.get_config_var("Py_GIL_DISABLED"),
        "cores": os.cpu_count(),
        "load": os.getloadavg()[0],
        "runs": RUNS,
        "items_per_second": exchanges(),
        "processor_percent_while_waiting": processor_share_while_waiting(),
        "wake_up_microseconds": wake_up_microseconds(),
        "speed_up_of_two_threads": speed_ups(),
    }
    json.dump(result, sys.stdout, indent=4)
    print()


if __name__ == "__main__":
    main()
