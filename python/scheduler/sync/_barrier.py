"""Barrier."""

from collections import deque
from collections.abc import Callable
from threading import BrokenBarrierError

from ._line import Line, LineBase, Waiter, checked, wake


class _Party(Waiter):
    __slots__ = ("fails", "number")

    def __init__(self) -> None:
        super().__init__()
        self.fails = False
        self.number = 0


class Barrier(LineBase):
    """A place where `parties` tasklets wait for each other; then they all go on, again and again.

    `action` is called by the last one that comes, before the others go on. `timeout` is that of wait()
    where none is given.

    Example:
        >>> import scheduler
        >>> barrier = scheduler.sync.Barrier(2, action=lambda: print("all are there"))
        >>> for _ in range(2):
        ...     task = scheduler.tasklet(barrier.wait)()
        >>> scheduler.run()
        all are there
    """

    def __init__(
        self,
        parties: int,
        action: Callable[[], object] | None = None,
        timeout: float | None = None,
    ) -> None:
        if parties < 1:
            raise ValueError("parties must be >= 1")
        if action is not None and not callable(action):
            raise TypeError(f"action must be callable or None, not {type(action).__name__}")
        self._timeout = checked(timeout)
        self._parties = parties
        self._action = action
        self._is_broken = False
        self._line = Line()

    def wait(self, timeout: float | None = None) -> int:
        """Waits until `parties` tasklets wait here. Returns the caller's number, from 0 on.

        Raises BrokenBarrierError when the barrier is broken: by abort(), reset(), a failure of `action`, or
        a tasklet whose `timeout` is over. A tasklet in which something else is raised leaves the others
        waiting for another one.
        """
        limit = checked(self._timeout if timeout is None else timeout)
        party = _Party()
        with self._line.guard:
            if self._is_broken:
                raise BrokenBarrierError("the barrier is broken; reset() makes it usable again")
            members = self._line.waiters
            members.append(party)
            is_last = len(members) >= self._parties
            if is_last:
                self._line.waiters = deque()
        if is_last:
            self._pass(members)
        else:
            self._wait(party, members, limit)
        return party.number

    def _pass(self, members: deque[Waiter]) -> None:
        try:
            if self._action is not None:
                self._action()
        except BaseException:
            self._let_go(members, fails=True)
            self.abort()
            raise
        self._let_go(members, fails=False)

    def _wait(self, party: _Party, members: deque[Waiter], limit: float | None) -> None:
        if not self._line.wait(party, limit):
            if self._line.waiters is members:
                self.abort()
                party.fails = True
            else:  # all were there in time, and `action` has still to end
                self._line.wait(party, None)
        if party.fails:
            raise BrokenBarrierError("the barrier has been broken meanwhile")

    def _let_go(self, members: deque[Waiter], fails: bool) -> None:
        for number, party in enumerate(members):
            if isinstance(party, _Party):
                party.fails = fails
                party.number = number
            party.granted = True
        wake(members)

    def _break(self, broken: bool) -> None:
        with self._line.guard:
            members, self._line.waiters = self._line.waiters, deque()
            self._is_broken = broken
        self._let_go(members, fails=True)

    def abort(self) -> None:
        """Breaks the barrier: BrokenBarrierError for all who wait, or will."""
        self._break(True)

    def reset(self) -> None:
        """As new; BrokenBarrierError for those who wait."""
        self._break(False)

    @property
    def parties(self) -> int:
        """How many tasklets it takes."""
        return self._parties

    @property
    def n_waiting(self) -> int:
        """How many wait."""
        return len(self._line.waiters)

    @property
    def broken(self) -> bool:
        """Is it broken?"""
        return self._is_broken

    def _describe(self) -> str:
        state = "broken" if self._is_broken else "whole"
        return f"{state} {super()._describe()} parties={self._parties}"
