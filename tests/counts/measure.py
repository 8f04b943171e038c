"""Runs jobs.py under Valgrind and counts."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import _scheduler
import callgrind_file

MODULE = _scheduler.__file__
JOBS = Path(__file__).with_name("jobs.py")
OPERATIONS = 5_000  # and twice as many in the second run
BLOCKED_TASKLETS = 10_000  # whose mappings are counted
TIMEOUT = 600  # seconds for one run

# Nothing of the caller's environment, settings or current directory has a part in what is counted.
ENVIRONMENT = {
    "PATH": os.environ.get("PATH", os.defpath),
    "PYTHONPATH": os.path.dirname(MODULE),
    "PYTHONHASHSEED": "0",
    "PYTHONDONTWRITEBYTECODE": "1",  # the first of two runs would do what the second need not
}
PYTHON = (sys.executable, "-S", "-s", "-P")

DHAT_TOTAL = re.compile(r"Total: +[\d,]+ bytes in ([\d,]+) blocks")
MEMORY_CALL = re.compile(r"^SYSCALL.*? sys_(?:mmap|munmap|mremap|mprotect|madvise) ", re.M)


class MeasureError(Exception):
    """A run failed or said something unexpected."""


@dataclass(frozen=True)
class Instructions:
    """Per operation."""

    module: float
    total: float
    functions: dict[str, float]  # of the module, without what they call


@dataclass(frozen=True)
class Memory:
    """Calls of the heap and of the system."""

    allocations: float  # per operation
    memory_calls: float  # per 1000 operations


def instructions(job: str) -> Instructions:
    """Start-up cancels out: it is the same in a run with twice as many operations."""
    once, twice = (_instructions(job, OPERATIONS * times) for times in (1, 2))
    more = {key: (twice[key] - once[key]) / OPERATIONS for key in twice | once}
    own = {function: count for (is_own, function), count in more.items() if is_own}
    return Instructions(sum(own.values()), sum(more.values()), own)


def _instructions(job: str, operations: int) -> Counter[tuple[bool, str]]:
    """{(whether the module's, function): instructions} of a whole run."""
    is_own = callgrind_file.executed_in(MODULE, callgrind_file.code_of)
    counts: Counter[tuple[bool, str]] = Counter()
    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory) / "callgrind.out"
        options = (*callgrind_file.OPTIONS, f"--callgrind-out-file={file}")
        _run((*_valgrind(), "--tool=callgrind", *options), job, operations)
        with file.open() as lines:
            for cost in callgrind_file.costs(lines):
                counts[is_own(cost), cost.function] += cost.times
    if not any(is_own for is_own, _ in counts):
        raise MeasureError(f"callgrind has seen no instruction of {MODULE}")
    return counts


def memory(job: str) -> Memory:
    once, twice = (_memory(job, OPERATIONS * times) for times in (1, 2))
    allocations, calls = twice[0] - once[0], twice[1] - once[1]
    return Memory(allocations / OPERATIONS, calls / (OPERATIONS / 1000))


def _memory(job: str, operations: int) -> tuple[int, int]:
    """Blocks from the heap, and calls that concern mappings, of a whole run."""
    options = ("--tool=dhat", f"--dhat-out-file={os.devnull}", "--trace-syscalls=yes")
    # Python's own allocator would hide what is allocated from it.
    done = _run((*_valgrind(), *options), job, operations, PYTHONMALLOC="malloc")
    blocks = DHAT_TOTAL.search(done.stderr)
    calls = MEMORY_CALL.findall(done.stderr)
    if not blocks or not calls:
        raise MeasureError(f"dhat has not said what was allocated:\n{done.stderr[-2000:]}")
    return int(blocks[1].replace(",", "")), len(calls)


def added_mappings() -> int:
    """By BLOCKED_TASKLETS at the same time."""
    return int(_run((), "blocked", BLOCKED_TASKLETS).stdout)


def _run(
    prefix: tuple[str, ...], job: str, operations: int, **variables: str
) -> subprocess.CompletedProcess[str]:
    command = (*_fixed_addresses(), *prefix, *PYTHON, str(JOBS), job, str(operations))
    with tempfile.TemporaryDirectory() as directory:
        done = subprocess.run(
            command,
            cwd=directory,  # the caller's may hold settings of Valgrind
            env=ENVIRONMENT | variables,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=TIMEOUT,
        )
    if done.returncode != 0:
        raise MeasureError(
            f"{' '.join(command)}\nexit code {done.returncode}\n{done.stderr[-4000:]}"
        )
    return done


@cache
def _valgrind() -> tuple[str, ...]:
    """Newer ones know guard pages, and end a program that has more than 500. A stack has 256."""
    known = subprocess.run(["valgrind", "--help"], capture_output=True, text=True).stdout
    option = "--max-guard-pages="
    return ("valgrind", f"{option}{4 * OPERATIONS * 256}") if option in known else ("valgrind",)


@cache
def _fixed_addresses() -> tuple[str, ...]:
    """Without randomised addresses, where that is allowed."""
    prefix = ("setarch", "-R")
    if not shutil.which(prefix[0]):
        return ()
    return prefix if subprocess.run([*prefix, "true"], capture_output=True).returncode == 0 else ()
