"""What the plots show: cost of schedule() against the number of tasklets, memory against depth."""

from __future__ import annotations

from typing import Any

from .processes import WAIT_BELOW_C, Harness, MeasurementFailed, progress
from .rows import KIB, OWN, Blocked

YIELDERS = (2, 10, 100, 1_000, 10_000, 100_000)
QUICK_YIELDERS = YIELDERS[:3]
RUNS = 5

LEVELS = (0, 10, 25, 50, 100)
COUNT = 2_000
STACK_SIZES = (None, 256 * KIB)  # None: the default

# Points (x, y) by the name of the line.
Lines = dict[str, list[tuple[int, float]]]


def measure(harness: Harness) -> dict[str, Lines]:
    return {"yields": yields(harness), "memory": memory(harness)}


def yields(harness: Harness) -> Lines:
    lines: Lines = {}
    for tool in harness.tools:
        if tool == "threads":  # the kernel chooses who is next
            continue
        for count in QUICK_YIELDERS if harness.quick else YIELDERS:
            found = harness.timed(tool, runs=RUNS, yields=count)
            lines.setdefault(tool, []).append((count, found["figure"]))
            progress(f"{count} take turns: {tool}: {found['figure']:.5g} f")
    return lines


def memory(harness: Harness) -> Lines:
    """A line ends where a stack is too small."""
    lines: Lines = {}
    for tool in harness.tools:
        for stack_bytes in STACK_SIZES if tool == OWN else (None,):
            name = tool
            if tool == OWN:
                size = "default size" if stack_bytes is None else f"{stack_bytes // KIB} KiB"
                name = f"{tool}, stacks of {size}"
            for levels in LEVELS if tool in WAIT_BELOW_C else (0,):
                found = waiting(harness, tool, Blocked(COUNT, levels, stack_bytes, runs=1))
                if "bytes_each" not in found:
                    break
                lines.setdefault(name, []).append((levels, found["bytes_each"]))
                progress(f"{levels} C-level frames: {name}: {found['bytes_each']:.0f} B")
    return lines


def waiting(harness: Harness, tool: str, what: Blocked) -> dict[str, Any]:
    try:
        return harness.blocked(tool, what)
    except MeasurementFailed as failure:
        if "RecursionError" not in str(failure):
            raise
        return {}
