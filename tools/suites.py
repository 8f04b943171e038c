"""Which tests make up the smaller suites, and the table of what all suites said.

By hand: nox says which session failed, but not what pytest, ctest and the like said last.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Sequence
from pathlib import Path

from interpreters import ROOT

PYTHON_TESTS = ROOT / "tests" / "python"
RESULTS = ROOT / "build" / "results"  # what each suite printed; of a failed one with this suffix:
FAILED = ".failed"
# What is tried with CPython's JIT: tasklets that are switched while traces are made and run.
# Not `monitoring`: with the JIT CPython 3.15 itself loses events, see docs/guides/debugging.md.
WITH_JIT = """channels frames kill leaks propagation python_state recursion references run_and_switch
    run_loops scenarios storm switching_anywhere threads throw tracing unwinding""".split()
# The part of the suites that meets most of the module's C++, for interpreters that take long.
MAIN_PART = """attributes buffered callbacks channel_closing channels collecting cxx_exceptions
    exceptions frames garbage_storm groups join kill leaks lifecycle monitoring python_state
    queue_channel recording references run_loops select select_meanwhile served_waits stack_size
    switching_anywhere sync_waits thread_end threads throw timeout_scopes timeouts tracing unwinding
    waits""".split()
# What a wheel has to pass: what is in it, and programs that use all of it.
SMOKE = "architecture module info examples example_programs".split()
# Of pytest, ctest, tests/counts and the fuzz: the closing line, and how each names one thing that failed.
CLOSING_LINE = re.compile(r"\d+ \w+.* in [\d.]+s\b|no tests ran|\d+% tests passed|(counts|fuzz|NOT RUN): ")
FAILED_LINE = re.compile(r"(FAILED|ERROR) \S+|\[  FAILED  \] \S+ \(|\s*\d+ - \S+ \(|RISE |repeat: ")
LINES_SHOWN = 10


def test_files(names: Sequence[str]) -> list[str]:
    """The file of each name, in whichever folder of tests/python it is."""
    found = {path.stem: str(path.relative_to(ROOT)) for path in PYTHON_TESTS.rglob("test_*.py")}
    return [found[f"test_{name}"] for name in names]


def halves() -> list[list[str]]:
    """All test files, in two lists."""
    files = sorted(str(path.relative_to(ROOT)) for path in PYTHON_TESTS.rglob("test_*.py"))
    return [files[::2], files[1::2]]


def at_once() -> int:
    """How many suites: one more than there are cores, if memory is enough. pytest uses less than one core,
    for it waits for what it has started. Tests make 100,000 tasklets, one heavy test at a time a million."""
    available = re.search(r"MemAvailable: *(\d+)", Path("/proc/meminfo").read_text())
    left = (int(available[1]) >> 20) - (11 if os.environ.get("FULL_TESTS_ON") else 0)
    return max(1, min((os.cpu_count() or 1) + 1, left))


def forget_results() -> None:
    shutil.rmtree(RESULTS, ignore_errors=True)
    RESULTS.mkdir(parents=True)


def report() -> bool:
    """Prints a line for each suite, and what those that failed said of that; whether all passed."""
    details = []
    for path in sorted(RESULTS.glob("*")):
        lines = [line.strip("\n= ")[:500] for line in path.read_text(errors="replace").splitlines()]
        closing = next(filter(CLOSING_LINE.search, reversed(lines)), "")
        ok = path.suffix != FAILED and bool(closing)
        print(f"{path.stem:<24} {'ok  ' if ok else 'FAIL'}  {closing or 'no closing line'}")
        if not ok:
            named = [line for line in lines if FAILED_LINE.match(line)][:LINES_SHOWN]
            details += [f"{path.stem}: {line}" for line in named or lines[-LINES_SHOWN:] or ["no output"]]
    print(*details, sep="\n", flush=True)
    return not details
