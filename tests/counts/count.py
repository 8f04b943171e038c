"""Counts instructions, allocations and mappings, and compares them with baseline.json.

    python count.py                     # fails when a figure is more than 5% over the baseline
    python count.py --update            # makes what is counted now the baseline of this Python
    python count.py --profile spawn     # the functions of the module that a job spends most in

The interpreter that runs this is the one that is measured, with the module that it imports.
"""

from __future__ import annotations

import argparse
import mmap
import os
import platform
import re
import shutil
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import callgrind_file
import gate
import measure

BASELINE = Path(__file__).with_name("baseline.json")
JOBS = (
    "yield",
    "send_receive_prefer_receiver",
    "send_receive_prefer_neither",
    "send_receive_prefer_sender",
    "spawn",
    "wake",
)
BLOCKED = "blocked"
VERSION = f"{sys.version_info.major}.{sys.version_info.minor}"
HOW_TO_UPDATE = (
    "If that is meant to be so:\n"
    "    make counts COUNTS_ARGS=--update\n"
    "and say why in the message of the commit that changes tests/counts/baseline.json."
)
PROFILED_FUNCTIONS = 15


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--update", action="store_true")
    what.add_argument("--profile", nargs="+", metavar="JOB", choices=JOBS)
    options = parser.parse_args()
    try:
        return do(options)
    except (measure.MeasureError, callgrind_file.FormatError) as error:
        print(f"{error}\ncounts: could not be counted, see above")
        return 1


def do(options: argparse.Namespace) -> int:
    """Returns the exit code."""
    if not shutil.which("valgrind"):
        print("counts: Valgrind is missing (Debian, Ubuntu: apt-get install valgrind)")
        return 1
    if options.profile:
        for job, counted in measure.instructions(options.profile).items():
            print_profile(job, counted)
        return 0

    figures, totals = count_all()
    print_table(figures, totals)
    if options.update:
        return update(figures)
    return compare(figures, facts(), gate.load(BASELINE), in_ci=bool(os.environ.get("CI")))


def count_all() -> tuple[gate.Figures, dict[str, float]]:
    """The figures, and for each job the instructions outside the module as well."""
    with ThreadPoolExecutor(os.cpu_count()) as pool:  # each run is a process, on one core
        instructions = pool.submit(measure.instructions, JOBS)
        memory = pool.submit(measure.memory, JOBS)
        blocked = pool.submit(measure.memory_to_the_end, BLOCKED)
        mappings = pool.submit(measure.added_mappings)

    figures: gate.Figures = {}
    for job, counted in (memory.result() | {BLOCKED: blocked.result()}).items():
        figures[job] = {
            "allocations": counted.allocations,
            "memory_calls": counted.memory_calls,
        }
    for job, executed in instructions.result().items():
        figures[job]["instructions"] = executed.module
    figures[BLOCKED]["mappings"] = mappings.result()
    for numbers in figures.values():
        for kind, number in numbers.items():
            numbers[kind] = gate.rounded(kind, number)
    return figures, {job: executed.total for job, executed in instructions.result().items()}


def print_table(figures: gate.Figures, totals: dict[str, float]) -> None:
    """What was counted; the column in brackets is not compared."""
    columns = ("instructions", "(with Python's)", "allocations", "memory_calls", "mappings")
    print(f"{VERSION} {'':<28}" + "".join(f"{column:>16}" for column in columns))
    for job, numbers in figures.items():
        shown = numbers | ({columns[1]: round(totals[job], 1)} if job in totals else {})
        cells = [shown.get(column, "") for column in columns]
        print(f"{job:<32}" + "".join(f"{cell:>16}" for cell in cells))


def print_profile(job: str, counted: measure.Instructions) -> None:
    print(f"{job}: {counted.module:.1f} instructions per operation, {counted.total:.1f} in all")
    largest = sorted(counted.functions.items(), key=lambda item: -item[1])
    for function, count in largest[:PROFILED_FUNCTIONS]:
        print(f"{count:10.1f}  {function}")


def facts() -> dict[str, str]:
    """What figures depend on beside the source."""
    return {
        "compiler": compiler(Path(measure.MODULE).read_bytes()),
        "machine": platform.machine(),
        "guard_pages": "madvise" if has_guard_install() else "mprotect",
    }


def compiler(module: bytes) -> str:
    """Which compiler made the module: compilers leave their names in what they make."""
    for name, pattern in (("Clang", rb"clang version (\d+)"), ("GCC", rb"GCC: \([^)]*\) (\d+)")):
        if match := re.search(pattern, module):
            return f"{name} {int(match[1])}"
    return "unknown"


def has_guard_install() -> bool:
    """Whether the kernel can make a guard page without splitting the mapping."""
    with mmap.mmap(-1, mmap.PAGESIZE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS) as memory:
        try:
            memory.madvise(102)  # MADV_GUARD_INSTALL, since Linux 6.13
        except OSError:
            return False
        return True


def update(figures: gate.Figures) -> int:
    versions = gate.load(BASELINE)
    versions[VERSION] = {"facts": facts(), "figures": figures}
    gate.save(BASELINE, versions)
    print(f"counts: {BASELINE.name} has these figures for {VERSION} now; commit it, and say why")
    return 0


def compare(
    figures: gate.Figures, present: dict[str, str], versions: dict[str, Any], in_ci: bool
) -> int:
    """Says what differs from the baseline; the last line is the result, the exit code too.

    In CI figures that cannot be compared are a failure: the gate would stand open unnoticed.
    """
    if VERSION not in versions:
        print(f"counts: not compared, the baseline has no figures for {VERSION}")
        return int(in_ci)
    entry = versions[VERSION]
    obstacles = gate.comparable(present, entry["facts"])
    not_compared = {kind: why for kind, why in obstacles.items() if why}
    kinds = [kind for kind in gate.KINDS if kind not in not_compared]
    found = gate.changes(figures, entry["figures"], kinds)
    rises = [change for change in found if change.is_rise]
    for kind, why in not_compared.items():
        print(f"{kind}: not compared, {why}")
    for change in found:
        print(f"{'RISE' if change.is_rise else 'fall'} {change}")
    if found or (not_compared and in_ci):
        print(HOW_TO_UPDATE)

    compared = sum(kind in kinds for numbers in figures.values() for kind in numbers)
    result = f"{compared} figures, {len(rises)} more than {gate.TOLERANCE:.0%} over the baseline"
    if not_compared:
        result += f"; NOT COMPARED: {', '.join(not_compared)}, see above"
    print(f"counts: {result}")
    return int(bool(rises) or (in_ci and bool(not_compared)))


if __name__ == "__main__":
    sys.exit(main())
