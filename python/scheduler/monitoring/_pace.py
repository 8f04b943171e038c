"""When a monitored program may be looked at, so that it does not notice."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

REST = 100  # times as long as a look has taken there is none: 1 %
WAKING = 0.0002  # seconds that a look costs beside: it wakes three times and takes the GIL as often
PAUSE = 0.1  # seconds from one look to the next if they are cheap
SECOND = 1.0


class Pace:
    """`clock` tells seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._free_from = clock()
        self._next_telling = self._free_from

    def until_look(self) -> float:
        """Seconds until there may be one."""
        return max(0.0, self._free_from - self._clock())

    def is_to_tell(self) -> bool:
        """Whether a second has passed since readers were told."""
        return self._clock() >= self._next_telling

    def note_look(self, took: float) -> None:
        self._free_from = self._clock() + max(PAUSE, REST * (took + WAKING))

    def note_telling(self) -> None:
        self._next_telling = self._clock() + SECOND


def cost_of(work: Callable[[], T]) -> tuple[T, float]:
    """What it returns, and the seconds of processor time that it took."""
    begin = time.thread_time()
    result = work()
    return result, time.thread_time() - begin
