"""From the recorder's events to what a trace tells: who ran, was ready and waited, from when to when.

Each event changes the state of a tasklet. A flight recorder has forgotten what came first, and a trace may
have no room for what came last: so an event may be about a tasklet of which nothing is known.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from heapq import merge
from operator import attrgetter
from typing import TypeVar

from . import _raw
from ._model import Arrow, Mark, Park, Sample, Slice, Tasklet, Thread, Trace
from ._raw import Event, Recording

# By the numbers in core/trace_event.h.
_WHY = ("", "yielded", "blocked", "sleeps", "joins", "selects", "removed", "ended", "failed", "killed")
_WAITS = {"blocked", "sleeps", "joins", "selects"}
_STATES = ("", "", "ready", "running", "driving", "blocked")
_SENDS = 1
_REMOTE = 2

# It runs others: in no slice.
_DRIVING = "driving"
_MOST_SAMPLES = 2000  # of a thread

_Point = TypeVar("_Point", Mark, Sample)


@dataclass(slots=True)
class _Life:
    """A tasklet from when it is given something to do until that has ended."""

    tasklet: Tasklet
    state: str = ""  # "": neither runs, nor is ready, nor waits
    since: int = 0
    channel: int = 0
    is_known: bool = True  # False: nothing is known of what it did before its next event
    is_over: bool = False
    thrown: str = ""  # what waits to be raised in it
    handed_over: Arrow | None = None  # by another thread, on its way


@dataclass(slots=True)
class _Thread:
    number: int
    begin: int  # of what is known of it
    current: _Life | None = None
    ready: int = 0
    blocked: int = 0
    stacks: int = 0
    sampled: int = -1  # when
    parked: int | None = None  # since when


def read(recording: Recording, seconds: float | None = None) -> Trace:
    """Make a trace of a recording.

    Parameters:
        seconds: only the last of it, so long.
    """
    return _Reader(recording).read(seconds)


class _Reader:
    def __init__(self, recording: Recording) -> None:
        self._recording = recording
        self._trace = Trace(0, recording.program)
        self._threads: dict[int, _Thread] = {}
        self._lives: dict[int, _Life] = {}  # by address: the present one
        self._all: list[_Life] = []
        self._channels: dict[int, int] = {}
        self._last_channel = 0
        self._sample_every = max((recording.last[1] - recording.first[1]) // _MOST_SAMPLES, 1)
        self._actions: dict[int, Callable[[Event, _Thread], None]] = {
            _raw.THREAD: self._thread_begins,
            _raw.THREAD_ENDS: self._thread_ends,
            _raw.KNOWN: self._is_known,
            _raw.CREATED: self._is_created,
            _raw.NAMED: self._is_named,
            _raw.TURN_BEGINS: self._turn_begins,
            _raw.TURN_ENDS: self._turn_ends,
            _raw.READY: self._is_ready,
            _raw.TRANSFER: self._transfers,
            _raw.TIMER: self._times_out,
            _raw.THROWN: self._is_thrown_at,
            _raw.REMOVED: self._is_removed,
            _raw.DIED: self._dies,
            _raw.LOOP_OPENS: self._loop_opens,
            _raw.LOOP_CLOSES: self._loop_closes,
            _raw.PARKS: self._parks,
            _raw.UNPARKS: self._unparks,
            _raw.STACK_TAKEN: self._takes_stack,
            _raw.MARK: self._marks,
            _raw.MADE: self._channel_made,
        }

    def read(self, seconds: float | None) -> Trace:
        trace, recording = self._trace, self._recording
        end = recording.last[1]
        for event in self._events():
            thread = self._threads.get(event.thread)
            if thread is None:
                thread = self._threads[event.thread] = _Thread(event.thread, event.time)
                trace.threads.append(Thread(event.thread, f"thread {event.thread}"))
            end = max(end, event.time)
            action = self._actions.get(event.kind)
            if action is not None:
                action(event, thread)
        for event in recording.events(0):
            self._is_there_at_last(event)
        self._finish(end)
        begin = recording.first[1]
        if self._threads and any(recording.lost.values()):
            begin = max(begin, min(thread.begin for thread in self._threads.values()))
        if seconds is not None:
            begin = max(begin, end - int(seconds * 1e9))
        trace.lost = sum(recording.lost.values())
        _sort(trace)
        _cut(trace, begin, end)
        return trace

    def _events(self) -> Iterator[Event]:
        threads = sorted(number for number in self._recording.chunks if number != 0)
        each = [self._recording.events(number) for number in threads]
        return each[0] if len(each) == 1 else merge(*each, key=attrgetter("time"))

    # ---- tasklets, threads and channels

    def _new_life(self, address: int, thread: int, text: str) -> _Life:
        tasklet = Tasklet(len(self._all) + 1, "", "", thread)
        _rename(tasklet, text)
        life = _Life(tasklet)
        self._all.append(life)
        self._lives[address] = life
        self._trace.tasklets.append(tasklet)
        return life

    def _life(self, address: int, thread: _Thread) -> _Life:
        life = self._lives.get(address)
        if life is None or life.is_over:
            life = self._new_life(address, thread.number, "")
            life.is_known = False
            life.since = thread.begin
        return life

    def _channel(self, address: int) -> int:
        if address == 0:
            return 0
        number = self._channels.get(address)
        if number is None:
            self._last_channel += 1
            number = self._channels[address] = self._last_channel
        return number

    def _channel_made(self, event: Event, thread: _Thread) -> None:
        self._channels.pop(event.other, None)

    def _thread_begins(self, event: Event, thread: _Thread) -> None:
        if event.text:
            self._trace.threads[-1].name = event.text
        self._new_life(event.tasklet, thread.number, "main")

    def _thread_ends(self, event: Event, thread: _Thread) -> None:
        for life in self._all:
            if life.tasklet.thread == thread.number and not life.is_over:
                self._change(life, thread, event.time, "", "thread over")
                life.is_over = True

    def _is_known(self, event: Event, thread: _Thread) -> None:
        life = self._lives.get(event.tasklet)
        if life is None or life.tasklet.name != "main" or life.state:
            life = self._new_life(event.tasklet, thread.number, event.text)
        state = _STATES[event.why]
        self._change(life, thread, event.time, state, "", self._channel(event.other))
        if state == "running":
            thread.current = life

    def _is_created(self, event: Event, thread: _Thread) -> None:
        life = self._lives.get(event.tasklet)
        if life is not None and not life.is_over and life.state == "ready":
            _rename(life.tasklet, event.text)  # another thing to do, in the same place of the queue
        else:
            self._new_life(event.tasklet, thread.number, event.text)

    def _is_named(self, event: Event, thread: _Thread) -> None:
        life = self._lives.get(event.tasklet)
        if life is not None:
            _rename(life.tasklet, event.text)

    def _is_there_at_last(self, event: Event) -> None:
        """If nothing else is known of it, it has been like that all the time."""
        life = self._lives.get(event.tasklet)
        if event.kind != _raw.NAME:
            return
        if life is not None and not life.is_over:
            _rename(life.tasklet, event.text)
            return
        thread = self._threads.get(event.value)
        if thread is not None:
            life = self._new_life(event.tasklet, thread.number, event.text)
            self._change(life, thread, thread.begin, _STATES[event.why], "", self._channel(event.other))

    # ---- states

    def _change(
        self, life: _Life, thread: _Thread, time: int, state: str, why: str, channel: int = 0
    ) -> None:
        """The present state ends, because of `why`, and another one begins."""
        self._count(life.state, thread, -1)
        has_slice = life.state not in ("", _DRIVING)
        if has_slice and (time > life.since or life.state == "running"):
            owner = life.tasklet
            part = Slice(owner.number, owner.thread, life.state, life.since, time, why, life.channel)
            self._trace.slices.append(part)
        life.state, life.since, life.channel, life.is_known = state, time, channel, True
        self._count(state, thread, 1)

    def _count(self, state: str, thread: _Thread, change: int) -> None:
        if state == "ready":
            thread.ready += change
        elif state == "blocked":
            thread.blocked += change

    def _turn_begins(self, event: Event, thread: _Thread) -> None:
        life = self._life(event.tasklet, thread)
        life.tasklet.thread = thread.number
        self._leave_current(thread, event.time, life)
        self._change(life, thread, event.time, "running", "turn")
        life.thrown = ""
        thread.current = life
        thread.stacks = event.value
        self._sample(thread, event.time)

    def _leave_current(self, thread: _Thread, time: int, following: _Life) -> None:
        """There may be no room for the end of a turn in the trace, but for the begin of a later one."""
        current = thread.current
        if current is not None and current is not following and current.state == "running":
            self._change(current, thread, time, "", "")

    def _turn_ends(self, event: Event, thread: _Thread) -> None:
        life = self._life(event.tasklet, thread)
        life.tasklet.thread = thread.number
        if not life.is_known and thread.current is None:
            self._change(life, thread, thread.begin, "running", "")
        why = _WHY[event.why]
        thread.current = None
        if why == "yielded":
            self._change(life, thread, event.time, "ready", why)
        elif why in _WAITS:
            self._change(life, thread, event.time, "blocked", why, self._channel(event.other))
        else:
            self._change(life, thread, event.time, "", why)
            life.is_over = why != "removed"

    def _make_ready(self, life: _Life, thread: _Thread, time: int, why: str) -> bool:
        if life.state in ("running", "ready", _DRIVING):
            return False
        self._change(life, thread, time, "ready", life.thrown or why)
        return True

    def _is_ready(self, event: Event, thread: _Thread) -> None:
        life = self._life(event.tasklet, thread)
        if not self._make_ready(life, thread, event.time, "woken"):
            return
        arrow, life.handed_over = life.handed_over, None
        if arrow is not None:
            self._add_arrows(arrow, event.time)
            return
        by = self._lives.get(event.other)  # perhaps over by now, which is how it wakes those who join it
        if by is not None and by.is_known:
            self._arrow("wake", by, event.time, life, event.time)

    def _times_out(self, event: Event, thread: _Thread) -> None:
        self._make_ready(self._life(event.tasklet, thread), thread, event.time, "timed out")

    def _is_thrown_at(self, event: Event, thread: _Thread) -> None:
        self._life(event.tasklet, thread).thrown = "killed" if event.why else "thrown"

    def _is_removed(self, event: Event, thread: _Thread) -> None:
        life = self._life(event.tasklet, thread)
        if life.state == "ready":
            self._change(life, thread, event.time, "", "removed")

    def _dies(self, event: Event, thread: _Thread) -> None:
        life = self._life(event.tasklet, thread)
        self._change(life, thread, event.time, "", "killed")
        life.is_over = True

    def _loop_opens(self, event: Event, thread: _Thread) -> None:
        life = self._life(event.tasklet, thread)
        if not life.is_known:
            self._change(life, thread, thread.begin, "running", "")
        if life.state == "running":
            self._change(life, thread, event.time, _DRIVING, "runs others")
        thread.current = None

    def _loop_closes(self, event: Event, thread: _Thread) -> None:
        life = self._life(event.tasklet, thread)
        if life.state == _DRIVING or not life.is_known:
            self._leave_current(thread, event.time, life)
            self._change(life, thread, event.time, "running", "")
            thread.current = life

    # ---- transfers

    def _arrow(
        self, kind: str, source: _Life, begin: int, target: _Life, end: int, channel: int = 0
    ) -> Arrow:
        arrow = Arrow(kind, source.tasklet.number, begin, target.tasklet.number, end, channel)
        self._trace.arrows.append(arrow)
        return arrow

    def _add_arrows(self, arrow: Arrow, time: int) -> None:
        """What another thread has handed over, or taken, arrives."""
        arrow.target_time = max(arrow.source_time, time)
        self._trace.arrows.append(arrow)

    def _transfers(self, event: Event, thread: _Thread) -> None:
        caller = thread.current
        partner = self._life(event.tasklet, thread)
        channel = self._channel(event.other)
        is_remote = bool(event.why & _REMOTE)
        if not is_remote:
            self._make_ready(partner, thread, event.time, "woken")
        if caller is None:
            return
        time = event.time
        sends = bool(event.why & _SENDS)
        wake = Arrow("wake", caller.tasklet.number, time, partner.tasklet.number, time)
        if not sends:
            self._arrow("transfer", partner, time, caller, time, channel)
        elif is_remote:
            wake.kind, wake.channel = "transfer", channel
        else:
            self._arrow("transfer", caller, time, partner, time, channel)
        if is_remote:
            partner.handed_over = wake
        else:
            self._trace.arrows.append(wake)

    # ---- threads

    def _parks(self, event: Event, thread: _Thread) -> None:
        thread.parked = event.time

    def _unparks(self, event: Event, thread: _Thread) -> None:
        begin = thread.begin if thread.parked is None else thread.parked
        self._trace.parks.append(Park(thread.number, begin, event.time))
        thread.parked = None

    def _takes_stack(self, event: Event, thread: _Thread) -> None:
        thread.stacks = event.value

    def _marks(self, event: Event, thread: _Thread) -> None:
        self._trace.marks.append(Mark(thread.number, event.time, event.text))

    def _sample(self, thread: _Thread, time: int) -> None:
        if thread.sampled >= 0 and time - thread.sampled < self._sample_every:
            return
        thread.sampled = time
        sample = Sample(thread.number, time, thread.ready, thread.blocked, thread.stacks)
        self._trace.samples.append(sample)

    def _finish(self, end: int) -> None:
        for life in self._all:
            thread = self._threads[life.tasklet.thread]
            if life.handed_over is not None:
                self._trace.arrows.append(life.handed_over)
            if life.is_known:
                self._change(life, thread, end, "", "trace over")
        for thread in self._threads.values():
            if thread.parked is not None:
                self._trace.parks.append(Park(thread.number, thread.parked, end))


def _rename(tasklet: Tasklet, text: str) -> None:
    tasklet.name, _, tasklet.location = text.partition("\0")


def _sort(trace: Trace) -> None:
    trace.slices.sort(key=attrgetter("begin", "end"))
    trace.arrows.sort(key=attrgetter("target_time"))
    trace.parks.sort(key=attrgetter("begin"))


def _cut(trace: Trace, begin: int, end: int) -> None:
    """Leave out what came before `begin`, which becomes the time 0."""
    trace.duration = max(end - begin, 0)
    trace.slices = [part for part in trace.slices if part.end >= begin]
    for part in trace.slices:
        part.begin = max(part.begin - begin, 0)
        part.end -= begin
    trace.arrows = [arrow for arrow in trace.arrows if arrow.source_time >= begin]
    for arrow in trace.arrows:
        arrow.source_time -= begin
        arrow.target_time -= begin
    trace.parks = [park for park in trace.parks if park.end >= begin]
    for park in trace.parks:
        park.begin = max(park.begin - begin, 0)
        park.end -= begin
    trace.marks = list(_later(trace.marks, begin))
    trace.samples = list(_later(trace.samples, begin))
    seen = {part.tasklet for part in trace.slices}
    seen.update(number for arrow in trace.arrows for number in (arrow.source, arrow.target))
    trace.tasklets = [tasklet for tasklet in trace.tasklets if tasklet.number in seen]


def _later(points: Iterable[_Point], begin: int) -> Iterator[_Point]:
    for point in points:
        if point.time >= begin:
            point.time -= begin
            yield point
