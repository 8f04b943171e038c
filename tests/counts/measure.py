"""Runs jobs.py under Valgrind and counts."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TypeVar

import _scheduler
import callgrind_file

MODULE = _scheduler.__file__
JOBS = Path(__file__).with_name("jobs.py")
OPERATIONS = 5_000  # and then twice as many
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

# What jobs.py does where a job begins and ends, and how often for each job.
MARK, MARKS = "getppid", 4
MARKED = re.compile(rf"^SYSCALL.*? sys_{MARK}\b.*", re.M)
ALLOCATION = re.compile(r"^--\d+-- (?:realloc\(0x0,\d+\))?(?:malloc|calloc|memalign|_Zn\w+)\(", re.M)
MEMORY_CALL = re.compile(r"^SYSCALL.*? sys_(?:mmap|munmap|mremap|mprotect|madvise) ", re.M)


Part = TypeVar("Part")


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


def instructions(jobs: Sequence[str]) -> dict[str, Instructions]:
    """Of one run for all jobs: Valgrind takes longer for the start of Python than for them."""
    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory) / "callgrind.out"
        options = (*callgrind_file.OPTIONS, f"--dump-before={MARK}", f"--callgrind-out-file={file}")
        _run((*_valgrind(), "--tool=callgrind", *options), str(OPERATIONS), *jobs)
        # Numbered from 1; what comes after the last mark is in `file` itself.
        parts = [Path(f"{file}.{number + 1}") for number in range(len([*file.parent.iterdir()]) - 1)]
        return {
            job: _instructions(*(_executed(part) for part in pair))
            for job, pair in _parts_of(jobs, parts).items()
        }


def _instructions(once: Counter[tuple[bool, str]], twice: Counter[tuple[bool, str]]) -> Instructions:
    """Of as many operations, and of twice as many."""
    more = {key: (twice[key] - once[key]) / OPERATIONS for key in twice | once}
    own = {function: count for (is_own, function), count in more.items() if is_own}
    return Instructions(sum(own.values()), sum(more.values()), own)


def _executed(part: Path) -> Counter[tuple[bool, str]]:
    """{(whether the module's, function): instructions}."""
    is_own = callgrind_file.executed_in(MODULE, callgrind_file.code_of)
    counts: Counter[tuple[bool, str]] = Counter()
    with part.open() as lines:
        for cost in callgrind_file.costs(lines):
            counts[is_own(cost), cost.function] += cost.times
    if not any(is_own for is_own, _ in counts):
        raise MeasureError(f"callgrind has seen no instruction of {MODULE}")
    return counts


def memory(jobs: Sequence[str]) -> dict[str, Memory]:
    """Of one run for all jobs."""
    parts = MARKED.split(_memory_log(OPERATIONS, *jobs))[:-1]
    return {job: _memory(*pair) for job, pair in _parts_of(jobs, parts).items()}


def memory_to_the_end(job: str) -> Memory:
    """The end of the program included: two runs."""
    return _memory(_memory_log(OPERATIONS, job), _memory_log(2 * OPERATIONS, job))


def _memory(once: str, twice: str) -> Memory:
    def more(what: re.Pattern[str]) -> float:
        return (len(what.findall(twice)) - len(what.findall(once))) / OPERATIONS

    return Memory(allocations=more(ALLOCATION), memory_calls=1000 * more(MEMORY_CALL))


def _memory_log(operations: int, *jobs: str) -> str:
    """Each call of the heap and of the system in a run."""
    options = ("--tool=massif", f"--massif-out-file={os.devnull}")
    tracing = ("--trace-malloc=yes", "--trace-syscalls=yes")
    # Python's own allocator would hide what is allocated from it.
    prefix = (*_valgrind(), *options, *tracing)
    log = _run(prefix, str(operations), *jobs, PYTHONMALLOC="malloc").stderr
    if not ALLOCATION.search(log) or not MEMORY_CALL.search(log):
        raise MeasureError(f"Valgrind has not said what was allocated:\n{log[-2000:]}")
    return log


def _parts_of(jobs: Sequence[str], parts: Sequence[Part]) -> dict[str, tuple[Part, Part]]:
    """Of what lies before each mark: what the job did between the first two, and the second two."""
    if len(parts) != MARKS * len(jobs):
        raise MeasureError(f"{len(parts)} calls of {MARK}() seen; jobs.py makes {MARKS} for each job")
    return {
        job: (parts[MARKS * place + 1], parts[MARKS * place + 3]) for place, job in enumerate(jobs)
    }


def added_mappings() -> int:
    """By BLOCKED_TASKLETS at the same time."""
    return int(_run((), str(BLOCKED_TASKLETS), "blocked").stdout)


def _run(
    prefix: tuple[str, ...], *arguments: str, **variables: str
) -> subprocess.CompletedProcess[str]:
    command = (*_fixed_addresses(), *prefix, *PYTHON, str(JOBS), *arguments)
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
