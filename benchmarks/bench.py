"""Times and memory of tasklets and channels, as JSON.

    python bench.py             # all jobs, 100,000 blocked tasklets
    python bench.py --million   # 1,000,000 blocked tasklets too

README.md tells how to read the result.
"""

import argparse
import gc
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable

import scheduler

RUNS = 7
OPERATIONS = 1_000_000  # of one timed run, in all
YIELDERS = 100
BATCH = 1000


def seconds(work: Callable[[], None]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


# ---- timed jobs: each does about OPERATIONS operations and returns ns per operation -----------------


def floor() -> float:
    """One call of gc.isenabled(), the cheapest thing a loop can call."""
    call = gc.isenabled

    def work() -> None:
        for _ in range(OPERATIONS):
            call()

    return seconds(work) * 1e9 / OPERATIONS


def yield_to_next() -> float:
    """schedule(), by YIELDERS tasklets in turn."""
    turns = OPERATIONS // YIELDERS

    def work() -> None:
        schedule = scheduler.schedule
        for _ in range(turns):
            schedule()

    for _ in range(YIELDERS):
        scheduler.tasklet(work)()
    return seconds(scheduler.run) * 1e9 / (turns * YIELDERS)


def transfer(preference: int) -> float:
    """One send and one receive, by a tasklet each."""
    count = OPERATIONS // 2
    channel = scheduler.channel()
    channel.preference = preference

    def sender() -> None:
        send = channel.send
        for _ in range(count):
            send(None)

    def receiver() -> None:
        receive = channel.receive
        for _ in range(count):
            receive()

    scheduler.tasklet(sender)()
    scheduler.tasklet(receiver)()
    return seconds(scheduler.run) * 1e9 / count


def life() -> float:
    """Creating, queueing, running and finishing a tasklet, in batches of BATCH."""
    tasklet, run = scheduler.tasklet, scheduler.run
    batches = OPERATIONS // (BATCH * 5)

    def nothing() -> None:
        pass

    def work() -> None:
        for _ in range(batches):
            for _ in range(BATCH):
                tasklet(nothing)()
            run()

    return seconds(work) * 1e9 / (batches * BATCH)


JOBS: dict[str, Callable[[], float]] = {
    f"yield_{YIELDERS}_tasklets": yield_to_next,
    "send_receive_prefer_receiver": lambda: transfer(-1),
    "send_receive_prefer_neither": lambda: transfer(0),
    "send_receive_prefer_sender": lambda: transfer(1),
    "create_run_finish": life,
}


def measure(job: Callable[[], float]) -> dict[str, float]:
    """Medians of RUNS runs, each beside a run of the floor."""
    job()  # warm-up
    pairs = [(floor(), job()) for _ in range(RUNS)]
    return {
        "ratio": round(statistics.median(ns / base for base, ns in pairs), 2),
        "ns": round(statistics.median(ns for _, ns in pairs), 1),
        "floor_ns": round(statistics.median(base for base, _ in pairs), 1),
    }


# ---- memory: in a process of its own, where nothing is pooled yet ----------------------------------


def memory_bytes() -> int:
    """Resident memory and page tables of this process."""
    with open("/proc/self/status") as status:
        sizes = dict(line.split(":", 1) for line in status)
    return sum(int(sizes[key].split()[0]) * 1024 for key in ("VmRSS", "VmPTE"))


def mappings() -> int:
    with open("/proc/self/maps") as maps:
        return sum(1 for _ in maps)


def blocked(count: int) -> dict[str, float]:
    """`count` tasklets that wait in receive(), one Python call deep; then all are served."""
    channel = scheduler.channel()
    channel.preference = 1
    finished = []

    def waiter() -> None:
        finished.append(channel.receive())

    tasklet, bytes_before, mappings_before = scheduler.tasklet, memory_bytes(), mappings()
    start = time.perf_counter()
    for _ in range(count):
        tasklet(waiter)()
    scheduler.run()
    blocked_after = time.perf_counter() - start
    assert channel.balance == -count
    result = {
        "tasklets": count,
        "bytes_each": round((memory_bytes() - bytes_before) / count),
        "more_mappings": mappings() - mappings_before,
        "seconds_to_block": round(blocked_after, 2),
    }
    for _ in range(count):
        channel.send(None)
    scheduler.run()
    assert len(finished) == count
    result["seconds_in_all"] = round(time.perf_counter() - start, 2)
    return result


def blocked_elsewhere(count: int) -> dict[str, float]:
    command = [sys.executable, os.path.abspath(__file__), "--blocked", str(count)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode != 0:
        raise SystemExit(f"{count} blocked tasklets: exit status {done.returncode}")
    result: dict[str, float] = json.loads(done.stdout)
    return result


def machine() -> dict[str, str | int | None]:
    with open("/proc/cpuinfo") as cpuinfo:
        models = [line.split(":", 1)[1].strip() for line in cpuinfo if line.startswith("model name")]
    return {
        "python": platform.python_version(),
        "system": platform.platform(),
        "processor": models[0] if models else platform.machine(),
        "cores": os.cpu_count(),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--million", action="store_true", help="1,000,000 blocked tasklets too")
    parser.add_argument("--blocked", type=int, metavar="N", help="only N blocked tasklets, here")
    options = parser.parse_args()
    if options.blocked is not None:
        print(json.dumps(blocked(options.blocked)))
        return
    counts = [100_000, 1_000_000] if options.million else [100_000]
    result = {
        "machine": machine(),
        "scheduler": scheduler.__version__,
        "runs": RUNS,
        "times": {name: measure(job) for name, job in JOBS.items()},
        "blocked": [blocked_elsewhere(count) for count in counts],
    }
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
