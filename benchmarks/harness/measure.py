"""Clocks, the floor that costs are compared with, memory, and what the machine is."""

from __future__ import annotations

import gc
import importlib.metadata
import itertools
import os
import platform
import re
import statistics
import sys
import sysconfig
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

MAX_FLOOR_CALLS = 1_000_000


@dataclass
class Stopwatch:
    """Seconds between the beginning and the end of a `with` block."""

    seconds: float = 0.0

    def ns_each(self, operations: int) -> float:
        return self.seconds * 1e9 / operations


@contextmanager
def stopwatch(clock: Callable[[], float] = time.process_time) -> Iterator[Stopwatch]:
    """Processor time: what others do on the machine meanwhile does not count."""
    watch = Stopwatch()
    start = clock()
    yield watch
    watch.seconds = clock() - start


def floor(calls: int) -> float:
    """Nanoseconds of one call of gc.isenabled(): the least that any call from a loop costs."""
    call = gc.isenabled
    with stopwatch() as watch:
        for _ in range(calls):
            call()
    return watch.ns_each(calls)


def beside_floor(job: Callable[[int], float], operations: int, runs: int) -> dict[str, float]:
    """Medians of some runs of a job, which takes a number of operations and returns ns of one."""
    job(operations)  # warm-up: stacks are made, the interpreter has specialised the code
    calls = min(operations, MAX_FLOOR_CALLS)
    times, bases = [], [floor(calls)]
    for _ in range(runs):
        times.append(job(operations))
        bases.append(floor(calls))
    # What the floor costs in the middle of a run: between those before and after it.
    beside = [(before + after) / 2 for before, after in itertools.pairwise(bases)]
    return {
        "figure": statistics.median(ns / base for ns, base in zip(times, beside, strict=True)),
        "ns": statistics.median(times),
        "floor_ns": statistics.median(beside),
        "operations": operations,
        "runs": runs,
    }


def memory_bytes() -> int:
    """Resident memory and page tables of this process."""
    lines = Path("/proc/self/status").read_text().splitlines()
    sizes = dict(line.split(":", 1) for line in lines)
    return sum(int(sizes[key].split()[0]) * 1024 for key in ("VmRSS", "VmPTE"))


def mappings() -> int:
    return len(Path("/proc/self/maps").read_text().splitlines())


def blocked(
    block: Callable[[int, int], Callable[[], None]], count: int, levels: int
) -> dict[str, float]:
    """What `count` who wait take. `block` lets them wait and returns what lets them go."""
    gc.collect()
    bytes_before, mappings_before = memory_bytes(), mappings()
    with stopwatch() as watch:
        serve = block(count, levels)
    result = {
        "bytes_each": (memory_bytes() - bytes_before) / count,
        "gigabytes": (memory_bytes() - bytes_before) / 1e9,
        "mappings": mappings() - mappings_before,
        "us_each": watch.seconds * 1e6 / count,
    }
    serve()
    return result


def machine() -> dict[str, str | int | float | None]:
    cpuinfo = Path("/proc/cpuinfo").read_text().splitlines()
    models = [line.split(":", 1)[1].strip() for line in cpuinfo if line.startswith("model name")]
    return {
        "processor": models[0] if models else platform.machine(),
        "architecture": platform.machine(),
        "cores": len(os.sched_getaffinity(0)),
        "system": f"{platform.system()} {'.'.join(platform.release().split('.')[:2])}",
        "load": round(os.getloadavg()[0], 1),
    }


def interpreter() -> str:
    """Its version, and whether it was built for speed: what that changes most is the floor."""
    free_threaded = "t" if sysconfig.get_config_var("Py_GIL_DISABLED") else ""
    options = sysconfig.get_config_var("CONFIG_ARGS") or ""
    guided = "with" if "--enable-optimizations" in options else "without"
    return f"{platform.python_version()}{free_threaded} ({guided} PGO)"


def versions(tools: list[str]) -> dict[str, str]:
    import _scheduler
    import scheduler

    found = {"CPython": interpreter()}
    # GCC signs what it compiles.
    signature = re.search(rb"GCC: \([^)]*\) ([\d.]+)", Path(_scheduler.__file__).read_bytes())
    if signature is not None:
        found["gcc"] = signature[1].decode()
    found["scheduler"] = scheduler.__version__
    for tool in tools:
        if tool not in ("scheduler", *sys.stdlib_module_names, "threads"):
            found[tool] = importlib.metadata.version(tool)
    return found
