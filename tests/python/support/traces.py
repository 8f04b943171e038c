"""Made-up traces, of any size and with any names, for tests of what writes and shows them."""

from __future__ import annotations

import random
from collections.abc import Sequence

from scheduler.tracing._model import Arrow, Mark, Sample, Slice, Tasklet, Thread, Trace

NAMES = ("main", "smith", "guard", "path finder", "merchant", "wolf", "ferryman", "bard")
FRAME = 2_000_000  # nanoseconds from mark to mark


def make_trace(slices: int, *, names: Sequence[str] = NAMES, threads: int = 2, seed: int = 1) -> Trace:
    """One of exactly that many slices, as if a tasklet of each name ran on each thread."""
    trace = Trace(0, "game.py")
    for thread in range(1, threads + 1):
        trace.threads.append(Thread(thread, "MainThread" if thread == 1 else f"worker {thread}"))
        end = slices * thread // threads
        _play(trace, thread, names, end, random.Random(seed * 100 + thread))
    trace.duration = max(entry.end for entry in trace.slices)
    trace.slices.sort(key=lambda entry: entry.begin)
    trace.arrows.sort(key=lambda entry: entry.target_time)
    trace.samples.sort(key=lambda entry: entry.time)
    return trace


def _play(trace: Trace, thread: int, names: Sequence[str], end: int, dice: random.Random) -> None:
    first = len(trace.tasklets) + 1
    members = range(first, first + len(names))
    for number, name in zip(members, names, strict=True):
        trace.tasklets.append(Tasklet(number, name, f"game.py:{10 + number}", thread))
    since = dict.fromkeys(members, 0)
    waits: dict[int, int] = {}  # who is blocked, and on which channel
    now = frame = 0

    def add(member: int, state: str, begin: int, why: str, channel: int = 0) -> None:
        if len(trace.slices) < end:
            trace.slices.append(Slice(member, thread, state, begin, now, why, channel))
        since[member] = now

    while len(trace.slices) < end:
        member = dice.choice(members)
        if member in waits:
            other = dice.choice([one for one in members if one != member])
            channel = waits.pop(member)
            trace.arrows.append(
                Arrow(dice.choice(("transfer", "wake")), other, max(0, now - 300), member, now, channel)
            )
            add(member, "blocked", since[member], "woken", channel)
        now += dice.randrange(0, 3000)
        add(member, "ready", since[member], "turn")
        now += dice.randrange(1000, 60_000)
        is_to_wait = dice.random() < 0.6
        add(member, "running", since[member], "blocked" if is_to_wait else "yielded")
        if is_to_wait:
            waits[member] = dice.randrange(1, 5)
        trace.samples.append(
            Sample(thread, now, len(names) - len(waits), len(waits), len(names) - 1)
        )
        if thread == 1 and now // FRAME != frame:
            frame = now // FRAME
            trace.marks.append(Mark(thread, now, f"frame {frame}"))
