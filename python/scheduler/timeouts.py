"""`timeout`: a time for all that a tasklet waits for in a `with` block.

What is raised where the tasklet waits is no TimeoutError yet, but a BaseException that carries the
deadline which has passed: so a handler for TimeoutError inside the block, meant for another time, does
not take it. The scope to which that deadline belongs turns it into its TimeoutError.
"""

from __future__ import annotations

import math
from types import TracebackType
from typing import Any, Self

from _scheduler import _clock, _get_timeout_scope, _ScopeExpired, _set_timeout_scope, getcurrent, tasklet


class timeout:
    """`with scheduler.timeout(seconds) as scope:` raises TimeoutError when the time is over.

    It is noticed where the tasklet waits: in send(), receive(), select(), join(), sleep(), and what is
    made of these. The wait ends, having transferred nothing, and the exception comes out of the `with`
    statement as TimeoutError; inside of the block it cannot be caught as one. Waiting once more in the
    block ends at once. What can be done without waiting is done, and a tasklet that only computes is
    not interrupted.

    Scopes nest; of two whose times are both over the inner one raises first.

    Parameters:
        seconds: how long, from the beginning of the block; None or math.inf for no limit, to be set
            later by reschedule().

    Raises:
        TypeError, ValueError: seconds is no number, negative or nan.
        TimeoutError: by the `with` statement.
        RuntimeError: it is entered twice, or left by another tasklet than the one that entered it, or
            before a scope inside of it is left.

    Threads:
        A scope belongs to the tasklet that has entered it. Only tasklets of the same thread may
        reschedule it.

    Example:
        >>> import scheduler
        >>> channel = scheduler.channel()
        >>> try:
        ...     with scheduler.timeout(0.01) as scope:
        ...         channel.receive()
        ... except TimeoutError as error:
        ...     print(error, scope.expired)
        the time of scheduler.timeout(0.01) is over True
    """

    __module__ = "scheduler"

    _task: tasklet | None = None
    _deadline: int | None = None  # by _clock(); None: no limit
    _outer: timeout | None = None
    _expired = False
    _left = False

    def __init__(self, seconds: float | None) -> None:
        check_timeout("seconds", seconds)
        self._seconds = seconds

    def __repr__(self) -> str:
        state = "entered" if self._task is not None else "left" if self._left else "new"
        if self._expired:
            state = "expired"
        return f"<scheduler.timeout({self._seconds}) {state}>"

    @property
    def expired(self) -> bool:
        """Whether it has raised its TimeoutError."""
        return self._expired

    def reschedule(self, seconds: float | None) -> None:
        """The time is over so many seconds from now; None or math.inf for no limit.

        Raises TypeError or ValueError as the constructor does, RuntimeError outside of the `with` block
        and on another thread.
        """
        check_timeout("seconds", seconds)
        if self._task is None:
            raise RuntimeError("the scope is not entered: reschedule() is for inside its `with` block")
        deadline, self._deadline = self._deadline, deadline_after(seconds)
        try:
            _arm(self._task, _get_timeout_scope(self._task))
        except BaseException:
            self._deadline = deadline
            raise
        self._seconds = seconds

    def __enter__(self) -> Self:
        if self._task is not None or self._left:
            raise RuntimeError("a scope can be entered only once: make another one")
        self._deadline = deadline_after(self._seconds)
        self._task = getcurrent()
        self._outer = _get_timeout_scope(self._task)
        _arm(self._task, self)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        task = self._task
        if task is not getcurrent():
            raise RuntimeError("a scope must be left by the tasklet that has entered it")
        self._task = None
        self._left = True
        innermost = _get_timeout_scope(task)
        outer = self._outer
        while outer is not None and outer._task is None:  # left before this one
            outer = outer._outer
        _arm(task, outer)
        if innermost is not self:
            raise RuntimeError("a scope is left before one that was entered after it")
        if isinstance(error, _ScopeExpired) and self._is_of(error):
            self._expired = True
            raise TimeoutError(f"the time of scheduler.timeout({self._seconds}) is over") from error

    def _is_of(self, error: BaseException) -> bool:
        return self._deadline is not None and self._deadline <= error.args[0]


def check_timeout(name: str, seconds: Any) -> None:
    """Raises TypeError or ValueError, in the words of the extension."""
    if seconds is None:
        return
    kind = type(seconds)
    if not hasattr(kind, "__float__") and not hasattr(kind, "__index__"):
        raise TypeError(f"{name} must be a number of seconds or None, not {kind.__name__}")
    number = float(seconds)
    if math.isnan(number) or number < 0:
        raise ValueError(f"{name} must be 0 or more seconds, or None for no limit")


def deadline_after(seconds: float | None) -> int | None:
    """So many seconds from now, by the clock of this thread's timers; None: never."""
    if seconds is None or (seconds := float(seconds)) > 1e9:  # more than 30 years
        return None
    return _clock() + math.ceil(seconds * 1e9)


def seconds_until(deadline: int | None) -> float | None:
    """How long a wait that begins now may take: 0 if the time is over."""
    return None if deadline is None else max(deadline - _clock(), 0) / 1e9


def suspend(task: tasklet) -> None:
    """What the tasklet waits for until rearm() has no limit by its scopes."""
    _set_timeout_scope(task, _get_timeout_scope(task), None)


def rearm(task: tasklet) -> None:
    if (innermost := _get_timeout_scope(task)) is not None:
        _arm(task, innermost)


def _arm(task: tasklet, innermost: timeout | None) -> None:
    """The tasklet is in this scope and those around it."""
    deadlines = []
    scope = innermost
    while scope is not None:
        if scope._deadline is not None:
            deadlines.append(scope._deadline)
        scope = scope._outer
    _set_timeout_scope(task, innermost, min(deadlines, default=None))
