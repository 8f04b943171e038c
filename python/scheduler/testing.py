"""A clock for tests: what waits for a time has it come at once, in the order of the deadlines.

>>> import scheduler.testing
>>> with scheduler.testing.virtual_time() as clock:
...     scheduler.sleep(3600)
...     clock.now
3600.0
"""

from __future__ import annotations

import math
import threading
from types import TracebackType
from typing import Self

from _scheduler import _advance_clock, _clock, _stop_clock, getmain, tasklet

from .timeouts import check_timeout

__all__ = ["virtual_time"]


class _Entered(threading.local):
    """Those that the calling thread is in, and how long it waits for other threads."""

    def __init__(self) -> None:
        self.clocks: list[virtual_time] = []

    def update(self) -> None:
        if self.clocks:
            _stop_clock(self.clocks[-1]._patience)
        else:
            _stop_clock(None)


_entered = _Entered()


class virtual_time:
    """`with virtual_time() as clock:` makes the times of this thread's tasklets virtual.

    In the block time stands still as long as a tasklet of the thread is runnable. When all of them wait,
    and the main tasklet does as well (in run(threadblock=True), sleep(), receive(), join() and the like),
    it jumps to the next deadline, and nobody sleeps. So a program goes through its times in their order,
    whatever it computes in between, and takes no longer than that. If nobody waits for a time, what is a
    deadlock without this is one here.

    Virtual are the times of sleep(), timeout(), select(), join(), result(), of channels and of
    `scheduler.sync`, for tasklets of the thread that has entered the block. Real ones stay that of
    `run(timeout=)`, which so still ends a program that sleeps again and again; that after which waiting for
    other threads is a deadlock; `startTime`, `start_time` and their like; and what the module `time` says.

    What waits for a time when the block is entered waits for the rest of it in virtual time. What still
    does when the block is left, be it by an exception, waits for the rest in real time.

    Blocks nest: time stands still until the last one is left, and each clock counts from its own beginning.

    Where an event loop, or another one that calls pump(), hosts the thread's tasklets, it is the loop that
    sleeps: time does not jump there, and moves by advance() only.

    Parameters:
        patience: real seconds. When all tasklets of the thread wait, other threads have so long to send
            something, or end what they wait for in another way, before time jumps. What has been sent
            before goes first in any case. Each jump takes that long.

    Raises:
        TypeError, ValueError: patience is no number, negative, nan, or infinite.
        RuntimeError: it is entered twice, or used on another thread.

    Threads:
        Other threads have times of their own, and are virtual where they enter a block themselves.

    Example:
        >>> import scheduler
        >>> from scheduler.testing import virtual_time
        >>> def tick(name, seconds):
        ...     for _ in range(2):
        ...         scheduler.sleep(seconds)
        ...         print(name, clock.now)
        >>> with virtual_time() as clock:
        ...     tasks = [scheduler.tasklet(tick)(*args) for args in (("hour", 3600), ("day", 86400))]
        ...     scheduler.run(threadblock=True)
        hour 3600.0
        hour 7200.0
        day 86400.0
        day 172800.0
    """

    _main: tasklet | None = None  # of the thread that is in the block
    _begin = 0
    _end: int | None = None  # of the block, when it is over

    def __init__(self, patience: float = 0) -> None:
        if patience is None:
            raise TypeError("patience must be a number of seconds, not None")
        check_timeout("patience", patience)
        if patience > 1e9:
            raise ValueError("patience must be finite: without end no time would ever come")
        self._patience = math.ceil(patience * 1e9)

    def __repr__(self) -> str:
        state = "left" if self._end is not None else "new" if self._main is None else "entered"
        return f"<scheduler.testing.virtual_time({self._patience / 1e9}) {state}>"

    @property
    def now(self) -> float:
        """Virtual seconds since the block began; after its end, when it did."""
        if self._end is None:
            self._check_entered("now")
        return ((_clock() if self._end is None else self._end) - self._begin) / 1e9

    def advance(self, seconds: float) -> None:
        """Moves time on by so many seconds, as if somebody had computed for so long.

        Does not switch. Whose time is over by then goes on when the thread's tasklets have their turns, in
        the order of the deadlines. To let them do so at their own times, let the main tasklet sleep().

        Raises TypeError or ValueError if `seconds` is no number, negative, nan or infinite, RuntimeError
        outside of the block and on another thread.
        """
        if seconds is None:
            raise TypeError("seconds must be a number of seconds, not None")
        check_timeout("seconds", seconds)
        if seconds > 1e9:
            raise ValueError("seconds must be finite, and less than 30 years")
        self._check_entered("advance()")
        _advance_clock(math.ceil(seconds * 1e9))

    def __enter__(self) -> Self:
        if self._main is not None or self._end is not None:
            raise RuntimeError("a virtual_time() is entered once: make a new one")
        self._main = getmain()
        _entered.clocks.append(self)
        _entered.update()
        self._begin = _clock()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._check_entered("__exit__()")
        self._end = _clock()
        self._main = None
        _entered.clocks.remove(self)
        _entered.update()

    def _check_entered(self, what: str) -> None:
        if self._main is None:
            raise RuntimeError(f"{what} is for inside the `with` block of a virtual_time()")
        if self._main is not getmain():
            raise RuntimeError(f"{what} is for the thread that has entered the virtual_time()")
