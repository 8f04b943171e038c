"""Lines of tasklets that wait for their turn: what everything in `scheduler.sync` stands on.

Whoever waits does so at a gate of its own, a QueueChannel. That a waiter has its turn is written in
its record (`granted`); the message through the gate only wakes it. So nothing is lost when a tasklet
is killed, or its time is up, between its being granted a turn and having it: it finds that in the
record, and keeps the turn or passes it on.

The guard of a line is held for a few steps of its own: never across a switch, a wake-up, a callback.
Signal handlers, and `__del__` of what the collector finds, may still come between two steps, and use
the same object. So the guard is an RLock, which never makes a thread wait for itself, and whoever
comes between finds everything right: what belongs together is done without a call in between.
"""

import math
import threading
from collections import deque
from collections.abc import Iterable
from typing import TYPE_CHECKING, NoReturn

from _scheduler import getcurrent

from ..queue_channel import QueueChannel
from ..timeouts import check_timeout


def checked(timeout: float | None) -> float | None:
    """Raises TypeError or ValueError for what is neither None nor a number of seconds."""
    check_timeout("timeout", timeout)
    return timeout


class Waiter:
    """The record of one wait."""

    __slots__ = ("gate", "granted", "tasklet")

    def __init__(self) -> None:
        self.gate = QueueChannel()
        self.granted = False
        self.tasklet = getcurrent()


def wake(waiters: Iterable[Waiter]) -> None:
    """Lets those go on that have been granted what they wait for; does not switch."""
    try:
        for waiter in waiters:
            waiter.gate.send(None)
    except BaseException:
        # What an earlier wait holds back is raised before anything is sent; what a signal handler
        # raises may come anywhere. To send twice does no harm.
        for waiter in waiters:
            waiter.gate.send(None)
        raise


class Line:
    """Free turns, and who waits for one, first come first served."""

    __slots__ = ("free", "guard", "most", "waiters")

    def __init__(
        self, free: float = 0, most: float = math.inf, guard: "threading.RLock | None" = None
    ) -> None:
        self.free = free
        self.most = most
        self.waiters: deque[Waiter] = deque()
        self.guard = guard or threading.RLock()

    def take(self, timeout: float | None) -> bool:
        """Takes a turn; False if none is free in time. With 0 it does not wait."""
        taken = False
        waiter = None
        try:
            with self.guard:
                if self.free > 0:
                    self.free -= 1
                    taken = True
            if taken or timeout == 0:
                return taken
            waiter = Waiter()
            with self.guard:
                self.waiters.append(waiter)
            self.give(0)  # one has perhaps become free meanwhile
            return self.wait(waiter, timeout)
        except BaseException:
            if waiter is not None:
                self.leave(waiter)
            if taken or (waiter is not None and waiter.granted):
                self.give()
            raise

    def give(self, count: float = 1) -> bool:
        """Gives turns to the first in line, or to whoever comes; False if those are too many."""
        woken: list[Waiter] = []
        try:
            with self.guard:
                if self.free + count > self.most:
                    return False
                self.free += count
                while self.grant_first(woken, 1):
                    pass
        finally:
            if woken:
                wake(woken)
        return True

    def serve(self, count: float = math.inf) -> None:
        """Grants the first `count` in line what they wait for."""
        woken: list[Waiter] = []
        try:
            with self.guard:
                while len(woken) < count and self.grant_first(woken, 0):
                    pass
        finally:
            if woken:
                wake(woken)

    def grant_first(self, woken: list[Waiter], cost: int) -> bool:
        """Under the guard: the first in line gets a turn for `cost` free ones, and is to be woken.

        False if there is nothing to do.
        """
        if not self.waiters or self.free < cost:
            return False
        waiter = self.waiters[0]
        # One of another thread is dead after a fork.
        if waiter.tasklet.alive and not waiter.granted:
            self.free -= cost
            self.grant(waiter, woken)
        else:
            self.leave(waiter)
        return True

    def grant(self, waiter: Waiter, woken: list[Waiter]) -> None:
        waiter.granted = True
        woken.append(waiter)
        self.leave(waiter)

    def wait(self, waiter: Waiter, timeout: float | None) -> bool:
        """Waits, in the line, until `waiter` is granted its turn; False if it is not in time.

        If anything else is raised the waiter is out of the line: look whether it has been granted.
        """
        try:
            waiter.gate.receive(timeout)
        except BaseException as error:
            self.leave(waiter)
            # The error of this wait names the gate. Others are somebody else's to catch.
            if isinstance(error, TimeoutError) and f"{id(waiter.gate):#x}" in str(error):
                return waiter.granted
            raise
        return True

    def leave(self, waiter: Waiter) -> None:
        with self.guard:
            try:
                self.waiters.remove(waiter)
            except ValueError:  # it is out already
                pass


class Base:
    """What no object of `scheduler.sync` can do, and says so."""

    _first = "_line"  # the attribute that tells an instance from one without __init__()

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> NoReturn:
            kind = type(self).__name__
            if self._first not in self.__dict__ and not name.startswith("__"):
                raise RuntimeError(f"{kind} is not initialised: its __init__() must call super().__init__()")
            raise AttributeError(f"{kind!r} object has no attribute {name!r}", name=name, obj=self)

    def __reduce__(self) -> NoReturn:
        raise TypeError(f"cannot pickle {type(self).__name__!r} object")


class LineBase(Base):
    _line: Line

    def _describe(self) -> str:
        return f"waiting={len(self._line.waiters)}"

    def __repr__(self) -> str:
        kind = type(self)
        if "_line" not in self.__dict__:
            return object.__repr__(self)
        return f"<{kind.__module__}.{kind.__qualname__} {self._describe()} at {id(self):#x}>"
