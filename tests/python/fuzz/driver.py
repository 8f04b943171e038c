"""Starts workers one after the other, and says how to repeat what failed."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
import time
from collections.abc import Sequence

from support.places import PYTHON_TESTS

BATCH = 200  # programs of one worker
LONGEST = 600.0  # seconds more than it was given, after which a worker is ended
LINES = 60  # shown of what a worker said
WORKER = (sys.executable, "-X", "faulthandler", "-m", "fuzz.worker")


@dataclasses.dataclass
class Outcome:
    programs: int
    failure: str | None = None  # the line that repeats it, and what the worker said


def run(
    first: int,
    *,
    count: int | None = None,
    times: int = 1,
    seconds: float = 1e6,
    env: dict[str, str] | None = None,
    worker: Sequence[str] = WORKER,
) -> Outcome:
    """Plays `count` programs, each `times` times, or as many as there is time for."""
    end = time.monotonic() + seconds
    programs = 0
    while (left := end - time.monotonic()) > 0 and (count is None or programs < count):
        size = BATCH if count is None else min(BATCH, count - programs)
        batch = first + programs
        numbers = map(str, (batch, size, times, left))
        played, failure = _run_worker([*worker, *numbers], left + LONGEST, env)
        programs += len(played)
        if failure is not None:
            seed = int(played[-1]) if played else batch
            return Outcome(programs, f"repeat: {_command(batch, seed, times)}\n{failure}")
    return Outcome(programs)


def _command(batch: int, seed: int, times: int) -> str:
    again = f" --times {times}" if times > 1 else ""
    line = f"python -m fuzz --seed {seed} --programs 1{again}"
    if seed > batch:
        line += f"   # or its batch: --seed {batch} --programs {seed - batch + 1}"
    return line


def _run_worker(
    command: Sequence[str], timeout: float, env: dict[str, str] | None
) -> tuple[list[str], str | None]:
    """The seeds it has played, and what it said if it failed."""
    with subprocess.Popen(
        command,
        cwd=PYTHON_TESTS,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        env=env,
    ) as process:
        try:
            output, errors = process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            process.kill()
            output, errors = process.communicate()
    seeds = output.split()
    if process.returncode == 0 and not errors:
        return seeds, None
    said = errors.splitlines()[:LINES]
    return seeds, "\n".join([f"the worker ended with {process.returncode} and said:", *said])
