"""What a trace costs: nanoseconds of an operation without one, with a flight recorder, into a file.

    python tracing.py
    python tracing.py --quick             # does it run at all?

The least of many short runs, taken in turn: what others do on the machine only adds to a figure. How many
events an operation makes is counted in the file.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path

import scheduler
from harness import measure, report, rows, with_scheduler

OPERATIONS = 50_000
ROUNDS = 40
JOBS = ("yield_100", "transfer_prefer_receiver", "transfer_prefer_neither", "spawn")
EVENT_BYTES = 32


def events_of_one(job: Callable[[int], float], file: Path, operations: int) -> float:
    """The beginning and the end of a trace do not count."""
    sizes = []
    for count in (operations, 2 * operations):
        with scheduler.trace(file):
            job(count)
        sizes.append(file.stat().st_size)
        file.unlink()
    return (sizes[1] - sizes[0]) / EVENT_BYTES / operations


@contextmanager
def in_flight() -> Iterator[None]:
    scheduler.flight_recorder(seconds=10)
    try:
        yield
    finally:
        scheduler.flight_recorder(None)


def line(name: str, file: Path, operations: int, rounds: int) -> list[str]:
    job = with_scheduler.TIMED[name]
    ways: list[Callable[[], AbstractContextManager]] = [
        nullcontext, in_flight, lambda: scheduler.trace(file)
    ]  # fmt: skip
    times: list[list[float]] = [[] for _ in ways]
    for _ in range(rounds):
        for way, of_way in zip(ways, times):
            with way():
                of_way.append(job(operations))
            file.unlink(missing_ok=True)
    plain, flight, recorded = map(min, times)
    events = events_of_one(job, file, operations)
    cells = [rows.BY_NAME[name].title, f"{events:.1f}", f"{plain:.1f}"]
    for traced in (flight, recorded):
        cells += [f"{traced:.1f}", f"{(traced - plain) / events:.1f}"]
    return cells


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--job", nargs="+", choices=JOBS, default=JOBS)
    options = parser.parse_args()
    operations, rounds = (5_000, 1) if options.quick else (OPERATIONS, ROUNDS)
    head = ["ns", "events", "no trace", "flight recorder", "an event", "file", "an event"]
    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory, "benchmark.raw")
        lines = [line(name, file, operations, rounds) for name in options.job]
    print(f"CPython {measure.interpreter()}, the least of {rounds} runs")
    print(report.table(head, lines))


if __name__ == "__main__":
    main()
