"""Lock, RLock."""

from types import TracebackType

from _scheduler import getcurrent, tasklet

from ._line import Line, LineBase, checked


class Lock(LineBase):
    """A lock that one tasklet at a time has; any tasklet may release it, as a `threading.Lock`.

    Released, it belongs to the first who waits, even before that tasklet goes on. Use it in a `with`
    statement: then it is released when the tasklet is killed, too.

    Example:
        >>> import scheduler
        >>> lock = scheduler.sync.Lock()
        >>> def visit(name):
        ...     with lock:
        ...         print(name, "comes")
        ...         scheduler.schedule()
        ...         print(name, "goes")
        >>> for name in ("Ada", "Grace"):
        ...     task = scheduler.tasklet(visit)(name)
        >>> scheduler.run()
        Ada comes
        Ada goes
        Grace comes
        Grace goes
    """

    def __init__(self) -> None:
        self._line = Line(free=1, most=1)
        # Tasklets that Condition.wait() could not give the lock back to, and how often they had it:
        # their `with` blocks have nothing to release.
        self._lost: dict[tasklet, int] = {}

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        """Waits until the lock is the caller's; -1 is no limit.

        Returns whether it is: False with `blocking` false if it is somebody else's, and when it is
        still so after `timeout` seconds. Raises ValueError for a negative timeout, and for one without
        `blocking`; RuntimeError where a channel would refuse to wait (a trap, Deadlock).
        """
        taken = self._line.take(_lock_limit(blocking, timeout))
        if taken and self._lost:
            self._lost.pop(getcurrent(), None)
        return taken

    def release(self) -> None:
        """Gives the lock to the first who waits, else to whoever comes; does not switch.

        Raises RuntimeError when nobody has it.
        """
        if self._lost and self._release_lost(getcurrent()):
            return
        if not self._line.give():
            raise RuntimeError("release unlocked lock")

    def __enter__(self) -> bool:
        return self.acquire()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.release()

    def locked(self) -> bool:
        """Does somebody have the lock?"""
        return self._line.free == 0

    def _describe(self) -> str:
        return f"{'locked' if self.locked() else 'unlocked'} {super()._describe()}"

    def _release_lost(self, me: tasklet) -> bool:
        count = self._lost.pop(me, 0)
        if count > 1:
            self._lost[me] = count - 1
        return count > 0

    # For Condition: is it the current tasklet's, and how often has that got it? Release all of that, and
    # get all of it back.
    def _is_owned(self) -> bool:
        return self.locked() and getcurrent() not in self._lost

    def _depth(self) -> int:
        return 1

    def _release_all(self) -> None:
        self._line.give()

    def _take_back(self, depth: int) -> None:
        try:
            self._line.take(None)
        except BaseException:
            self._lost[getcurrent()] = depth
            raise


class RLock(Lock):
    """A lock that its owner, a tasklet, may take again; free when it is released as often.

    For a `threading.RLock` all tasklets of a thread are one owner.

    Example:
        >>> import scheduler
        >>> lock = scheduler.sync.RLock()
        >>> with lock, lock:
        ...     scheduler.tasklet(lambda: print(lock.acquire(blocking=False)))().run()
        False
    """

    def __init__(self) -> None:
        super().__init__()
        self._owner: tasklet | None = None
        self._count = 0

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        """As Lock.acquire(); True at once when the lock is the caller's already."""
        limit = _lock_limit(blocking, timeout)
        me = getcurrent()
        if self._owner is me:
            self._count += 1
            return True
        if not self._line.take(limit):
            return False
        self._own(me, 1)
        return True

    def release(self) -> None:
        """Undoes one acquire(). Raises RuntimeError when the lock is not the caller's."""
        me = getcurrent()
        if self._owner is not me:
            if self._release_lost(me):
                return
            raise RuntimeError("cannot release un-acquired lock")
        self._count -= 1
        if self._count == 0:
            self._release_all()

    def _describe(self) -> str:
        return f"{super()._describe()} owner={self._owner} count={self._count}"

    def _own(self, me: tasklet, count: int) -> None:
        self._owner = me
        self._count = count
        self._lost.pop(me, None)

    def _is_owned(self) -> bool:
        return self._owner is getcurrent()

    def _depth(self) -> int:
        return self._count

    def _release_all(self) -> None:
        self._owner = None
        self._count = 0
        self._line.give()

    def _take_back(self, depth: int) -> None:
        if not self._is_owned():  # else it was not even released
            super()._take_back(depth)
        self._own(getcurrent(), depth)


def _lock_limit(blocking: bool, timeout: float) -> float | None:
    if not blocking:
        if timeout != -1:
            raise ValueError("can't specify a timeout for a non-blocking call")
        return 0
    if timeout is None:
        raise TypeError("timeout must be a number of seconds, or -1 for no limit")
    return None if timeout == -1 else checked(timeout)
