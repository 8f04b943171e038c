"""Semaphore, BoundedSemaphore."""

import math
from types import TracebackType

from ._line import Line, LineBase, checked


class Semaphore(LineBase):
    """A number of turns: acquire() takes one, and waits while there is none; release() gives some.

    Example:
        >>> import scheduler
        >>> semaphore = scheduler.sync.Semaphore(2)
        >>> [semaphore.acquire(blocking=False) for _ in range(3)]
        [True, True, False]
    """

    _most = math.inf

    def __init__(self, value: int = 1) -> None:
        if value < 0:
            raise ValueError("semaphore initial value must be >= 0")
        self._line = Line(free=value, most=self._most)

    def acquire(self, blocking: bool = True, timeout: float | None = None) -> bool:
        """Takes a turn. Returns False if none is free in time, or at once with `blocking` false.

        Raises ValueError for a negative timeout, and for one without `blocking`; RuntimeError where a
        channel would refuse to wait (a trap, Deadlock).
        """
        if not blocking:
            if timeout is not None:
                raise ValueError("can't specify timeout for non-blocking acquire")
            timeout = 0
        return self._line.take(checked(timeout))

    def release(self, n: int = 1) -> None:
        """Gives `n` turns, the first of them to those who wait; does not switch.

        Raises ValueError for `n` less than 1.
        """
        if n < 1:
            raise ValueError("n must be one or more")
        if not self._line.give(n):
            raise ValueError("Semaphore released too many times")

    def __enter__(self) -> bool:
        return self.acquire()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.release()

    def _describe(self) -> str:
        return f"value={self._line.free} {super()._describe()}"


class BoundedSemaphore(Semaphore):
    """A semaphore that refuses to have more turns than at first: release() raises ValueError."""

    def __init__(self, value: int = 1) -> None:
        self._most = value
        super().__init__(value)
