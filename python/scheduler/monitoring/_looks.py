"""What a monitored program's tasklets do: looked at some times a second, told once a second.

Nothing counts the processor time of a tasklet. That of a thread is known exactly. A look sees which tasklet
of it has its turn, and how much the thread uses at this moment; what the thread has used in a second is
divided among its tasklets as the looks of the last seconds have seen it. So it is an estimate, which is the
better the longer they go on.
"""

from __future__ import annotations

import sys
import time
import weakref
from dataclasses import dataclass
from typing import Any

from _scheduler import _live_tasklets, _tasklets, tasklet

from .._debugging import (
    _SEES_FRAMES_OF_OTHERS,
    _get_frame,
    _get_name,
    _get_thread_id,
    _is_blocked,
    _is_main,
    _state,
)
from ._moment import MOMENT, moment
from ._processor import FADING, Use, processor_time, thread_name

MOST_TOLD = 500  # tasklets: those that use the most time, and those that have waited longest

_Entry = tuple[tasklet, str | None]
_count_turns = vars(tasklet)["times_switched_to"].__get__


@dataclass(slots=True)
class _Record:
    """What is known of a tasklet from earlier looks."""

    number: int
    tasklet: weakref.ref[tasklet]
    told_turns: int
    since: float  # when it was first seen in this state, without a turn since then
    new_turns: int = 0
    state: str = ""
    seen: float = 0.0  # seconds that looks have seen it use, the later the more they count
    share: float = 0.0  # of a processor, in the second before it was told
    processor: float = 0.0  # seconds since the first look


class Looks:
    """Keeps the records. Used by the monitor's thread alone."""

    def __init__(self) -> None:
        self._records: dict[int, _Record] = {}  # by id()
        self._last_number = 0
        self._uses: dict[int, Use] = {}  # by thread
        self._told_at: float | None = None

    def look(self) -> None:
        """Sees who has a turn, and how much of the processor that takes."""
        with moment():
            before = {thread: (turn, processor_time(thread)) for thread, turn in _turns().items()}
            time.sleep(MOMENT)
        after = _turns()
        now = time.monotonic()
        for thread, (first, since) in before.items():
            use = self._uses.setdefault(thread, Use(since))
            used = processor_time(thread) - since
            users = _users(first, after.get(thread, first))
            if used > 0 and users:
                use.seen += used
                for task in users:
                    self._record(task, now).seen += used / len(users)

    def tell(self, name: str, pid: int) -> dict[str, Any]:
        """The state of the program, as what is sent: plain values."""
        self.look()
        now = time.monotonic()
        seconds = now - self._told_at if self._told_at is not None else 0.0
        self._told_at = now
        entries = _live_tasklets()
        self._divide([task for task, _ in entries], now, seconds)
        for task, _ in entries:
            self._update(task, now)
        self._forget_the_dead({id(task) for task, _ in entries})
        told = self._select(entries)
        counts: dict[str, int] = {}
        for record in self._records.values():
            counts[record.state] = counts.get(record.state, 0) + 1
        threads = sorted({_get_thread_id(task) for task, _ in entries})
        return {
            "name": name,
            "pid": pid,
            "seconds": seconds,
            "threads": [
                {"ident": thread, "name": thread_name(thread), "processor": processor_time(thread)}
                for thread in threads
            ],
            "counts": counts,
            "left_out": len(entries) - len(told),
            "tasklets": [self._describe(task, wait, now, seconds) for task, wait in told],
        }

    def _record(self, task: tasklet, now: float) -> _Record:
        record = self._records.get(id(task))
        if record is None or record.tasklet() is not task:  # another one had that address
            self._last_number += 1
            record = _Record(self._last_number, weakref.ref(task), _count_turns(task), now)
            self._records[id(task)] = record
        return record

    def _divide(self, tasks: list[tasklet], now: float, seconds: float) -> None:
        """Gives what each thread has used since it was told last to those whom looks have seen use it."""
        factors = {thread: use.factor(thread) for thread, use in self._uses.items()}
        for task in tasks:
            record = self._record(task, now)
            used = record.seen * factors.get(_get_thread_id(task), 0.0)
            record.share = used / seconds if seconds else 0.0
            record.processor += used
            record.seen *= FADING

    def _update(self, task: tasklet, now: float) -> None:
        record = self._record(task, now)
        state, turns = _state(task), _count_turns(task)
        record.new_turns = turns - record.told_turns
        record.told_turns = turns
        if record.new_turns or state != record.state:
            record.state, record.since = state, now

    def _select(self, entries: list[_Entry]) -> list[_Entry]:
        """Those that use most, and those that have waited longest."""
        if len(entries) <= MOST_TOLD:
            return entries

        def use(entry: _Entry) -> tuple[float, float, int]:
            record = self._records[id(entry[0])]
            return -record.share, -record.processor, -record.new_turns

        def since(entry: _Entry) -> float:
            return self._records[id(entry[0])].since

        half = MOST_TOLD // 2
        chosen = (*sorted(entries, key=use)[:half], *sorted(entries, key=since)[:half])
        return list({id(entry[0]): entry for entry in chosen}.values())

    def _describe(self, task: tasklet, wait: str | None, now: float, seconds: float) -> dict[str, Any]:
        record = self._records[id(task)]
        return {
            "number": record.number,
            "name": _get_name(task),
            "thread": _get_thread_id(task),
            "main": _is_main(task),
            "state": record.state,
            "wait": wait or "",
            "since": now - record.since,
            "processor": record.processor,
            "share": record.share,
            "turns": record.told_turns,
            "turns_a_second": record.new_turns / seconds if seconds else 0.0,
            "place": _place_of(task),
        }

    def _forget_the_dead(self, alive: set[int]) -> None:
        for key in self._records.keys() - alive:
            del self._records[key]


_Turn = tuple[tasklet, int]  # whose, and the how manieth


def _turns() -> dict[int, _Turn]:
    """For each thread the turn that is on."""
    running: dict[int, list[tasklet]] = {}
    for task in _tasklets():
        if not _is_blocked(task) and _state(task) == "running":
            running.setdefault(_get_thread_id(task), []).append(task)
    chosen = {thread: _innermost(thread, tasks) for thread, tasks in running.items()}
    return {thread: (task, _count_turns(task)) for thread, task in chosen.items()}


def _innermost(thread: int, tasks: list[tasklet]) -> tasklet:
    """Of those that have a turn: who drives others by run() has one as well. Where frames of other threads
    cannot be read, the one that was made last."""
    if len(tasks) > 1 and _SEES_FRAMES_OF_OTHERS:
        frame = sys._current_frames().get(thread)
        for task in tasks:
            if _get_frame(task) is frame:
                return task
    return tasks[-1]


def _users(first: _Turn, last: _Turn) -> list[tasklet]:
    """Whose was the time between two looks. If it was more than one turn, the main tasklet is none of them:
    it may have slept since then, or until then."""
    if first == last:
        return [first[0]]
    return [task for task, _ in (first, last) if not _is_main(task)]


def _place_of(task: tasklet) -> str:
    """The file and line at which it stands; "" if that cannot be seen from here."""
    if not _SEES_FRAMES_OF_OTHERS:
        return ""
    frame = _get_frame(task)
    if frame is None or frame.f_lineno is None:
        return ""
    return f"{frame.f_code.co_filename}:{frame.f_lineno}"
