"""Condition."""

from collections.abc import Callable
from types import TracebackType
from typing import TypeVar

from _scheduler import getcurrent, switch_trap

from ..queue_channel import QueueChannel
from ..timeouts import deadline_after, seconds_until
from ._line import Line, LineBase, Waiter, checked
from ._locks import Lock, RLock

_T = TypeVar("_T")


class Condition(LineBase):
    """A lock, an RLock unless you give one, and a line of tasklets that wait to be notified.

    Example:
        >>> import scheduler
        >>> condition, items = scheduler.sync.Condition(), []
        >>> def consumer():
        ...     with condition:
        ...         condition.wait_for(lambda: items)
        ...         print("got", items.pop())
        >>> task = scheduler.tasklet(consumer)()
        >>> scheduler.run()
        >>> with condition:
        ...     items.append("iron")
        ...     condition.notify()
        >>> scheduler.run()
        got iron
    """

    def __init__(self, lock: Lock | None = None) -> None:
        if lock is None:
            lock = RLock()
        elif not isinstance(lock, Lock):
            raise TypeError(
                f"lock must be a Lock or an RLock of scheduler.sync, not {type(lock).__name__}: "
                "another one would stop the whole thread"
            )
        self._lock = lock
        self._line = Line()

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        """acquire() of the lock."""
        return self._lock.acquire(blocking, timeout)

    def release(self) -> None:
        """release() of the lock."""
        self._lock.release()

    def locked(self) -> bool:
        """locked() of the lock."""
        return self._lock.locked()

    def __enter__(self) -> bool:
        return self._lock.__enter__()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._lock.release()

    def wait(self, timeout: float | None = None) -> bool:
        """Releases the lock, waits for notify(), and has the lock again when it returns or raises.

        Returns False if nobody has notified it within `timeout` seconds. Raises RuntimeError when the
        caller does not have the lock; what else is raised in a tasklet that waits comes once it has the
        lock again, and a notification that it had got goes to the next in line.

        If even the wait for the lock is ended by an exception (a second kill(), the end of the thread),
        the lock is lost: the release() at the end of the `with` block does nothing then.
        """
        checked(timeout)
        lock = self._lock
        if not lock._is_owned():
            raise RuntimeError("cannot wait on un-acquired lock")
        if getcurrent().block_trap or switch_trap(0) != 0:
            QueueChannel().receive(1)  # refused, before the lock is another one's
        depth = lock._depth()
        waiter = Waiter()
        with self._line.guard:
            self._line.waiters.append(waiter)
        try:
            try:
                lock._release_all()
                return self._line.wait(waiter, timeout)
            finally:
                self._line.leave(waiter)
                lock._take_back(depth)
        except BaseException:
            if waiter.granted:
                self._line.serve(1)
            raise

    def wait_for(self, predicate: Callable[[], _T], timeout: float | None = None) -> _T:
        """Waits until `predicate()`, called with the lock held, is true; returns its last value.

        That is a false one if it has not become true within `timeout` seconds.
        """
        end = deadline_after(checked(timeout))
        while not (result := predicate()) and (left := seconds_until(end)) != 0:
            self.wait(left)
        return result

    def notify(self, n: int = 1) -> None:
        """Lets the first `n` who wait go on, once they have the lock again; does not switch.

        Raises RuntimeError when the caller does not have the lock.
        """
        if not self._lock._is_owned():
            raise RuntimeError("cannot notify on un-acquired lock")
        self._line.serve(n)

    def notify_all(self) -> None:
        """As notify(), for all who wait."""
        self.notify(len(self._line.waiters))

    def _describe(self) -> str:
        return f"{self._lock!r} {super()._describe()}"
