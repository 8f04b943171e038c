"""Processor time of threads, and their names: what `threading` knows, without its functions, which lock."""

from __future__ import annotations

import time
from dataclasses import dataclass

from .._debugging import _find_thread


def thread_name(ident: int) -> str:
    thread = _find_thread(ident)
    return "" if thread is None else str(vars(thread).get("_name"))


def processor_time(ident: int) -> float:
    """Seconds, of a thread that `threading` knows; 0.0 of others.

    time.pthread_getcpuclockid() may crash if it has just ended. Linux's clocks of threads are named by their
    numbers, and asking for one that is gone is an error.
    """
    number = getattr(_find_thread(ident), "native_id", None)
    if number is None:
        return 0.0
    try:
        return time.clock_gettime((~int(number) << 3) | 6)
    except OSError:
        return 0.0


FADING = 0.8  # what a look still counts for, each second later


@dataclass(slots=True)
class Use:
    """Of the processor, by one thread."""

    total: float  # what had been used when it was last divided among tasklets
    seen: float = 0.0  # what looks have seen being used, the later the more it counts

    def factor(self, thread: int) -> float:
        """What has been used since the last call, for each second that looks have seen; 0.0 without any."""
        if self.seen <= 0:
            return 0.0
        total = processor_time(thread)
        factor = max(0.0, total - self.total) / self.seen
        self.total = total
        self.seen *= FADING
        return factor
