"""TaskletGroup: tasklets that end before a `with` block does.

The extension knows of the failure of a member first, whatever the member ends by, and does three things at
once: the exception goes into the group's list instead of to the driver, it is kept for `result()`, and the
first one interrupts the tasklet that is to leave the group, wherever that waits. All the rest is here.
"""

from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

from _scheduler import (
    TaskletExit,
    _can_wait,
    _discard_interrupt,
    _interrupt,
    _report_to,
    _ScopeExpired,
    getcurrent,
    tasklet,
)

from .timeouts import rearm, suspend

# How often members that wait for what cannot come are killed before they are given up.
_DEADLOCKS = 10
# How often killing them may fail: one that is left out would be waited for without end.
_FAILED_KILLS = 10
# The list of members is looked through for dead ones when it has grown to that many, and twice as many.
_MEMBERS = 100


class _Interrupt(BaseException):
    """Ends what the body of a group waits for, when a member has failed. Derived from BaseException, so
    that `except Exception` in the body lets it pass."""


class TaskletGroup:
    """Tasklets that have all ended when the `with` block is left.

    start() makes a member. Leaving the block waits until all members are dead, those included that are
    started meanwhile. When a member raises, or the block itself does, the other members are killed
    and waited for; then an ExceptionGroup of all that was raised comes out of the block (a
    BaseExceptionGroup if not all are Exceptions). KeyboardInterrupt and SystemExit come out as they are.
    The failure of a member goes to the group, not to whoever runs the member; `result()` raises it too.

    A failure does not wait for the end of the block: where the block waits (on a channel, in schedule(),
    in run()), a BaseException is raised there to end it, which the group takes back.

    A member that is killed has not failed. When the tasklet that is in the block is killed, the
    members are killed and waited for, and TaskletExit goes on. A second kill does not end the wait.

    Threads:
        Members run on the thread that has entered the group, and only tasklets of that thread can
        start them. kill() works from any thread.

    Example:
        >>> import scheduler
        >>> def double(number):
        ...     scheduler.schedule()
        ...     return 2 * number
        >>> with scheduler.TaskletGroup() as group:
        ...     members = [group.start(double, number) for number in (1, 2)]
        >>> [member.result() for member in members]
        [2, 4]
    """

    __module__ = "scheduler"

    def __init__(self) -> None:
        self._owner: tasklet | None = None  # who has entered it
        self._is_over = False
        self._is_ending = False  # the members have been killed
        self._members: list[tasklet] = []  # and some that are dead
        self._limit = _MEMBERS
        self._errors: list[BaseException] = []  # the extension adds those of members
        self._passed_on: BaseException | None = None
        self._own_interrupt = _Interrupt("a member of the TaskletGroup has failed")

    def __enter__(self) -> Self:
        if self._owner is not None or self._is_over:
            raise RuntimeError("a TaskletGroup is entered once: make a new one")
        self._owner = getcurrent()
        return self

    def start(self, callable: Callable[..., object], /, *args: Any, **kwargs: Any) -> tasklet:
        """Makes a tasklet of `callable`, gives it these arguments, and returns it: a member of the group.

        It is queued, and has its first turn when the tasklets of the thread next run. Raises RuntimeError
        when the group is not entered yet, is over, or ends because of a failure, and on another
        thread than that of the group; TypeError for what is not callable.
        """
        if self._is_over:
            raise RuntimeError("the TaskletGroup is over: make a new one")
        if self._owner is None:
            raise RuntimeError("the TaskletGroup is not entered yet: use it in `with`")
        if self._is_ending or self._errors:
            raise RuntimeError("the TaskletGroup is ending, and takes no new members")
        if getcurrent().thread_id != self._owner.thread_id:
            raise RuntimeError(
                "the TaskletGroup belongs to another thread: its members are started there"
            )
        if callable is None:
            raise TypeError("the member's callable must be callable, not None")
        member = tasklet(callable)
        _report_to(member, (self._owner, self._own_interrupt, self._errors))
        member(*args, **kwargs)
        if len(self._members) >= self._limit:
            self._members = [other for other in self._members if other.alive]
            self._limit = max(_MEMBERS, 2 * len(self._members))
        self._members.append(member)
        return member

    def kill(self) -> None:
        """Kills all members that there are, by `kill(pending=True)`: the group stays as it is, and goes on.

        Works from any thread. When a member calls it, that one is killed last, by TaskletExit out of the
        call.
        """
        caller = getcurrent()
        is_member = False
        for member in self._members.copy():
            if member is caller:
                is_member = True
            else:
                member.kill(pending=True)
        if is_member:
            caller.kill()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> bool:
        if self._owner is None:
            raise RuntimeError("the TaskletGroup is left without having been entered")
        if getcurrent() is not self._owner:
            raise RuntimeError("a TaskletGroup is left by the tasklet that has entered it")
        if error is not None:
            self._note(error)
            self._end()
        try:
            self._wait()
        finally:
            rearm(self._owner)
        self._is_over = True
        for member in self._members:  # that could not be waited for
            _report_to(member, None)
        _discard_interrupt(self._own_interrupt)
        errors, passed_on = self._errors, self._passed_on
        self._owner, self._errors, self._passed_on = None, [], None
        self._own_interrupt.__traceback__ = None
        fatal = next((e for e in errors if isinstance(e, (KeyboardInterrupt, SystemExit))), None)
        try:
            if errors and isinstance(passed_on, _Interrupt):
                _interrupt(passed_on)  # of a group around this one, which has failed too
            if fatal is not None and fatal is not error:
                raise fatal
            if errors and fatal is None:
                raise BaseExceptionGroup("a TaskletGroup has failed", errors) from None
            if not errors and passed_on is not None and passed_on is not error:
                raise passed_on
            return error is self._own_interrupt
        finally:
            # What is raised has this frame in its traceback.
            del errors, passed_on, fatal, error, trace

    def _wait(self) -> None:
        """Returns when all members are dead. What comes out of the wait counts as raised by the block."""
        deadlocks = 0
        while self._members and deadlocks < _DEADLOCKS:
            try:
                if self._errors:
                    self._end()
                member = self._members[-1]
                if member.alive:
                    member.join()
                else:
                    self._members.pop()
            except BaseException as error:
                self._note(error)
                is_deadlock = isinstance(error, RuntimeError) and str(error).startswith("Deadlock")
                deadlocks += is_deadlock
                # Those who wait for ever, or whom a user does not want to wait for, are killed again.
                self._end(again=is_deadlock or isinstance(error, KeyboardInterrupt))
                if not _can_wait():
                    self._end_now()
                    return

    def _note(self, error: BaseException) -> None:
        if error is self._own_interrupt:
            return
        if isinstance(error, _ScopeExpired) and self._owner is not None:
            suspend(self._owner)  # it is to wait for its members
        if not isinstance(error, (TaskletExit, _Interrupt, _ScopeExpired)):
            self._errors.append(error)
        elif not isinstance(self._passed_on, TaskletExit):
            self._passed_on = error

    def _end(self, again: bool = False) -> None:
        if self._is_ending and not again:
            return
        self._is_ending = True
        left = self._members[::-1]
        failures = 0
        while left and failures < _FAILED_KILLS:
            try:
                while left:
                    left[-1].kill(pending=True)
                    left.pop()
            except BaseException as error:  # a signal handler's, or for want of memory
                self._note(error)
                failures += 1

    def _end_now(self) -> None:
        """A trap, a callback, or its own end, keeps the owner from waiting: members get a turn, if that
        is possible, or die at their next one."""
        for member in self._members.copy():
            try:
                member.kill()
            except BaseException as error:
                if not _can_wait() and isinstance(error, (RuntimeError, ValueError)):
                    member.kill(pending=True)
                else:
                    self._note(error)
