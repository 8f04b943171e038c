"""The raw format: a header, then chunks of events as core/trace_event.h has them.

A file of them is what is left when a program is aborted in the middle of a trace.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple, NoReturn

MAGIC = b"SCHEDTRC"
_VERSION = 1
# magic, version, length of the program's name, ticks, nanoseconds
_HEADER = struct.Struct("<8sIIQQ")
# magic, thread, count, lost, ticks, nanoseconds
_CHUNK = struct.Struct("<IIIIQQ")
_CHUNK_MAGIC = 0x4B435254
# kind, why, length of a text, value, time, tasklet, other
_EVENT = struct.Struct("<BBHIQQQ")
_TEXT_BYTES = 24

TEXT, THREAD, THREAD_ENDS, KNOWN, CREATED, NAMED, TURN_BEGINS, TURN_ENDS = range(1, 9)
READY, TRANSFER, TIMER, THROWN, REMOVED, DIED, LOOP_OPENS, LOOP_CLOSES = range(9, 17)
PARKS, UNPARKS, STACK_TAKEN, MARK, MADE, NAME = range(17, 23)


class Event(NamedTuple):
    time: int  # in nanoseconds of the monotonic clock
    thread: int
    kind: int
    why: int
    value: int
    tasklet: int
    other: int
    text: str


@dataclass(slots=True)
class Recording:
    """What a raw file has: the chunks of each thread, oldest first."""

    program: str
    chunks: dict[int, list[memoryview]] = field(default_factory=dict)
    lost: dict[int, int] = field(default_factory=dict)  # by thread
    first: tuple[int, int] = (0, 0)  # ticks, nanoseconds
    last: tuple[int, int] = (0, 0)
    is_cut: bool = False  # the last chunk is not complete

    def events(self, thread: int) -> Iterator[Event]:
        """Those of a thread, in their order."""
        to_nanoseconds = self._clock()
        event: tuple[int, ...] | None = None
        text = bytearray()
        for fields in self._fields(thread):
            if fields[0] == TEXT:
                text += _EVENT.pack(*fields)[-_TEXT_BYTES:]
                continue
            if event is not None:
                yield _make(event, thread, to_nanoseconds, text)
                text.clear()
            elif text:
                text.clear()  # what it belongs to has been overwritten
            event = fields
        if event is not None:
            yield _make(event, thread, to_nanoseconds, text)

    def _fields(self, thread: int) -> Iterator[tuple[int, ...]]:
        for chunk in self.chunks.get(thread, ()):
            yield from _EVENT.iter_unpack(chunk)

    def _clock(self) -> _Clock:
        ticks = self.last[0] - self.first[0]
        rate = (self.last[1] - self.first[1]) / ticks if ticks > 0 else 1.0
        return _Clock(*self.first, rate)


class _Clock(NamedTuple):
    ticks: int
    nanoseconds: int
    rate: float

    def __call__(self, ticks: int) -> int:
        return self.nanoseconds + int((ticks - self.ticks) * self.rate)


def _make(fields: tuple[int, ...], thread: int, clock: _Clock, text: bytearray) -> Event:
    kind, why, length, value, time, tasklet, other = fields
    words = text[:length].decode("utf-8", "replace") if length else ""
    return Event(clock(time), thread, kind, why, value, tasklet, other, words)


def make_header(program: str, ticks: int, nanoseconds: int) -> bytes:
    """What a raw file begins with: both clocks as they stand."""
    name = program.encode("utf-8", "backslashreplace")
    return _HEADER.pack(MAGIC, _VERSION, len(name), ticks, nanoseconds) + name


def make_end(ticks: int, nanoseconds: int) -> bytes:
    """An empty chunk, which tells of the clocks at the end."""
    return _CHUNK.pack(_CHUNK_MAGIC, 0, 0, 0, ticks, nanoseconds)


def parse(raw: bytes) -> Recording:
    """Take a raw file apart. One that ends in the middle of a chunk is read up to there.

    Raises:
        ValueError: it is no raw trace, or of another version.
    """
    if len(raw) < _HEADER.size or raw[: len(MAGIC)] != MAGIC:
        _refuse("it does not begin as one")
    _, version, length, ticks, nanoseconds = _HEADER.unpack_from(raw)
    if version != _VERSION:
        _refuse(f"its format has version {version}, and this package knows {_VERSION}")
    at = _HEADER.size + length
    recording = Recording(raw[_HEADER.size : at].decode("utf-8", "replace"))
    recording.first = recording.last = (ticks, nanoseconds)
    view = memoryview(raw)
    while at < len(raw):
        if at + _CHUNK.size > len(raw):
            recording.is_cut = True
            break
        magic, thread, count, lost, ticks, nanoseconds = _CHUNK.unpack_from(raw, at)
        if magic != _CHUNK_MAGIC:
            _refuse(f"what is at byte {at} is no chunk of events")
        at += _CHUNK.size
        end = at + count * _EVENT.size
        recording.is_cut = end > len(raw)
        whole = min(end, at + (len(raw) - at) // _EVENT.size * _EVENT.size)
        if whole > at:
            recording.chunks.setdefault(thread, []).append(view[at:whole])
        recording.lost[thread] = lost
        recording.last = max(recording.last, (ticks, nanoseconds))
        at = end
    return recording


def _refuse(why: str) -> NoReturn:
    raise ValueError(f"this is no raw trace of scheduler: {why}")
