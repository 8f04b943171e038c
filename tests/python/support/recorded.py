"""Traces for tests: recorded, read, and looked at for what must hold of every trace."""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import scheduler
from scheduler.tracing import _raw, _reading
from scheduler.tracing._model import Slice, Trace


def read(path: Path) -> Trace:
    """What a raw file tells."""
    return _reading.read(_raw.parse(path.read_bytes()))


class Recorded:
    """`trace` is what happened in the block, once that is over."""

    trace: Trace

    def named(self, name: str) -> list[int]:
        """The numbers of the tasklets of that name."""
        return [task.number for task in self.trace.tasklets if task.name == name]

    def slices(self, name: str, state: str | None = None) -> list[Slice]:
        numbers = set(self.named(name))
        found = [part for part in self.trace.slices if part.tasklet in numbers]
        return [part for part in found if state is None or part.state == state]

    def whys(self, name: str, state: str = "running") -> list[str]:
        return [part.why for part in self.slices(name, state)]


@contextmanager
def recorded(directory: Path, **options: int) -> Iterator[Recorded]:
    """`with recorded(tmp_path) as done:`"""
    done = Recorded()
    path = directory / "recorded.raw"
    with scheduler.trace(path, **options):
        yield done
    done.trace = read(path)


def check(trace: Trace) -> None:
    """What holds of every trace."""
    _check_slices(trace)
    _check_arrows(trace)
    numbers = {task.number for task in trace.tasklets}
    assert len(numbers) == len(trace.tasklets)
    assert {part.tasklet for part in trace.slices} <= numbers
    threads = {thread.number for thread in trace.threads}
    assert {task.thread for task in trace.tasklets} <= threads
    for times in (trace.marks, trace.samples):
        assert [one.time for one in times] == sorted(one.time for one in times)
        assert all(0 <= one.time <= trace.duration and one.thread in threads for one in times)


def by_tasklet(trace: Trace) -> dict[int, list[Slice]]:
    found: dict[int, list[Slice]] = defaultdict(list)
    for part in trace.slices:
        found[part.tasklet].append(part)
    return found


def turns(trace: Trace, thread: int) -> list[Slice]:
    return [part for part in trace.slices if part.thread == thread and part.state == "running"]


def _check_slices(trace: Trace) -> None:
    assert [part.begin for part in trace.slices] == sorted(part.begin for part in trace.slices)
    for part in trace.slices:
        assert 0 <= part.begin <= part.end <= trace.duration, part
        assert part.state in ("running", "ready", "blocked")
    for parts in by_tasklet(trace).values():
        _check_order(parts)
        assert len({part.thread for part in parts}) == 1
    for thread in trace.threads:
        _check_order(turns(trace, thread.number))


def _check_order(parts: list[Slice]) -> None:
    for before, after in zip(parts, parts[1:]):
        assert before.end <= after.begin, (before, after)


def _check_arrows(trace: Trace) -> None:
    of_each = by_tasklet(trace)
    ends = {number: [part.begin for part in parts] for number, parts in of_each.items()}
    for arrow in trace.arrows:
        assert arrow.kind in ("transfer", "wake")
        assert arrow.source_time <= arrow.target_time, arrow
        for number, time in ((arrow.source, arrow.source_time), (arrow.target, arrow.target_time)):
            assert 0 <= time <= trace.duration
            place = bisect_right(ends[number], time) - 1
            assert place >= 0, arrow
            assert any(
                part.begin <= time <= part.end for part in of_each[number][max(place - 1, 0) : place + 1]
            ), (arrow, number)
