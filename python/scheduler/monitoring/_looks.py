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
from operator import itemgetter
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

_count_turns = vars(tasklet)["times_switched_to"].__get__


@dataclass(slots=True)
class _Record:
    """What is known of a tasklet from earlier looks."""

    number: int
    tasklet: weakref.ref[tasklet]
    turns: int
    since: float  # when it was first seen in this state, with this number of turns
    told_turns: int
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
        described = [self._describe(task, wait, now, seconds) for task, wait in entries]
        self._forget_the_dead({id(task) for task, _ in entries})
        counts: dict[str, int] = {}
        for entry in described:
            counts[entry["state"]] = counts.get(entry["state"], 0) + 1
        told = _select(described)
        objects = {id(task): task for task, _ in entries}
        for entry in told:
            entry["place"] = _place_of(objects[entry.pop("key")])
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
            "left_out": len(described) - len(told),
            "tasklets": told,
        }

    def _record(self, task: tasklet, now: float) -> _Record:
        record = self._records.get(id(task))
        if record is None or record.tasklet() is not task:  # another one had that address
            self._last_number += 1
            turns = _count_turns(task)
            record = _Record(self._last_number, weakref.ref(task), turns, now, turns)
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

    def _describe(self, task: tasklet, wait: str | None, now: float, seconds: float) -> dict[str, Any]:
        record = self._record(task, now)
        state, turns = _state(task), _count_turns(task)
        if (state, turns) != (record.state, record.turns):
            record.state, record.turns, record.since = state, turns, now
        new_turns, record.told_turns = turns - record.told_turns, turns
        return {
            "key": id(task),
            "number": record.number,
            "name": _get_name(task),
            "thread": _get_thread_id(task),
            "main": _is_main(task),
            "state": state,
            "wait": wait or "",
            "since": now - record.since,
            "processor": record.processor,
            "share": record.share,
            "turns": turns,
            "turns_a_second": new_turns / seconds if seconds else 0.0,
        }

    def _forget_the_dead(self, alive: set[int]) -> None:
        for key in self._records.keys() - alive:
            del self._records[key]


def _select(described: list[dict[str, Any]]) -> list[dict[str, Any]]:
    if len(described) <= MOST_TOLD:
        return described
    busy = sorted(described, key=itemgetter("share", "processor", "turns_a_second"), reverse=True)
    waiting = sorted(described, key=itemgetter("since"), reverse=True)
    half = MOST_TOLD // 2
    return list({entry["key"]: entry for entry in (*busy[:half], *waiting[:half])}.values())


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
