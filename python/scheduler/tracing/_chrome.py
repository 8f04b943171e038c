"""A trace in the JSON format of Chrome's tracing, which ui.perfetto.dev and chrome://tracing open.

The process is the program. Each thread has a track with its turns, and each tasklet one with what it does.
Flow arrows lead from who sends to who receives, and from who wakes to who is woken.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, TextIO

from ._model import Arrow, Slice, Trace

_PROCESS = 1
# Threads go by their numbers, and below them tasklets by theirs and this.
_FIRST_TASKLET = 1_000_000

_Event = dict[str, Any]


def write_chrome(trace: Trace, file: TextIO) -> None:
    """Write a trace as JSON, in ASCII."""
    about = json.dumps({"program": trace.program, "lost events": trace.lost})
    file.write(f'{{"displayTimeUnit": "ns", "otherData": {about}, "traceEvents": [\n')
    before = ""
    for event in _events(trace):
        file.write(before + json.dumps(event))
        before = ",\n"
    file.write("\n]}\n")


def _events(trace: Trace) -> Iterator[_Event]:
    yield from _describe(trace)
    names = {tasklet.number: tasklet.name or f"tasklet {tasklet.number}" for tasklet in trace.tasklets}
    for part in trace.slices:
        yield from _slice(part, names[part.tasklet])
    for park in trace.parks:
        yield _span(park.thread, park.begin, park.end, "parked", "parked", {})
    for number, arrow in enumerate(trace.arrows):
        yield from _flow(arrow, number)
    for mark in trace.marks:
        yield _event("i", mark.thread, mark.time, mark.name, s="t")
    thread_names = {thread.number: thread.name for thread in trace.threads}
    for sample in trace.samples:
        counts = {"runnable": sample.runnable, "blocked": sample.blocked, "stacks in use": sample.stacks}
        for name, count in counts.items():
            title = f"{name}: {thread_names[sample.thread]}"
            yield _event("C", sample.thread, sample.time, title, args={name: count})


def _describe(trace: Trace) -> Iterator[_Event]:
    yield _meta("process_name", 0, name=trace.program)
    for thread in trace.threads:
        yield _meta("thread_name", thread.number, name=f"{thread.name}: turns")
        yield _meta("thread_sort_index", thread.number, sort_index=thread.number)
    for tasklet in trace.tasklets:
        track = _FIRST_TASKLET + tasklet.number
        place = f" ({tasklet.location})" if tasklet.location else ""
        name = f"{tasklet.name or 'tasklet'} {tasklet.number}{place}"
        yield _meta("thread_name", track, name=name)
        yield _meta("thread_sort_index", track, sort_index=track)


def _slice(part: Slice, name: str) -> Iterator[_Event]:
    args: dict[str, object] = {"ended": part.why}
    title = part.state
    if part.channel:
        args["channel"] = part.channel
        title = f"{part.state} on channel {part.channel}"
    yield _span(_FIRST_TASKLET + part.tasklet, part.begin, part.end, title, part.state, args)
    if part.state == "running":
        yield _span(part.thread, part.begin, part.end, name, "turn", {"tasklet": part.tasklet, **args})


def _flow(arrow: Arrow, number: int) -> Iterator[_Event]:
    name = f"channel {arrow.channel}" if arrow.channel else arrow.kind
    ends = (("s", arrow.source, arrow.source_time), ("f", arrow.target, arrow.target_time))
    for phase, tasklet, time in ends:
        more = {"bp": "e"} if phase == "f" else {}
        yield _event(phase, _FIRST_TASKLET + tasklet, time, name, cat=arrow.kind, id=number, **more)


def _event(phase: str, track: int, time: int, name: str, **more: object) -> _Event:
    return {"ph": phase, "pid": _PROCESS, "tid": track, "ts": time / 1000, "name": name, **more}


def _span(track: int, begin: int, end: int, name: str, category: str, args: dict[str, object]) -> _Event:
    return _event("X", track, begin, name, dur=(end - begin) / 1000, cat=category, args=args)


def _meta(kind: str, track: int, **args: object) -> _Event:
    return {"ph": "M", "pid": _PROCESS, "tid": track, "name": kind, "args": args}
