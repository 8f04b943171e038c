"""How a tasklet waits for its thread's loop, and what becomes of a wait that ends before its time."""

from __future__ import annotations

from asyncio import CancelledError
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, TypeVar

from _scheduler import (
    TaskletExit,
    _can_wait,
    _endless_wait,
    _get_timeout_scope,
    _ScopeExpired,
    channel,
    schedule_remove,
    tasklet,
)

from ..queue_channel import QueueChannel
from ..timeouts import rearm, seconds_until, suspend

if TYPE_CHECKING:
    from ._host import Host

T = TypeVar("T")


async def wrap(awaitable: Awaitable[T]) -> T:
    """The awaitable as a coroutine."""
    return await awaitable


class Spot:
    """Where one tasklet waits until code of its thread's loop releases it."""

    __slots__ = tuple[str, ...]()  # () to a type checker would say that derived classes have none either

    host: Host
    tasklet: tasklet
    gate: channel[None] | None
    is_served: bool
    is_waiting: bool

    def wait(self, timeout: float | None = None) -> None:
        """Returns when it is served; raises what ends the wait before."""
        self.is_served = False
        self.is_waiting = True
        self.host.waiting.add(self.tasklet)
        try:
            if timeout is None and _get_timeout_scope(self.tasklet) is None:
                while not self.is_served:  # somebody else may insert the tasklet
                    schedule_remove()
            else:
                gate = self.gate = channel()
                gate.preference = 1
                gate.receive(timeout)
        finally:
            self.gate = None
            self.is_waiting = False
            self.host.waiting.discard(self.tasklet)

    def serve(self) -> bool:
        """The tasklet goes on at its next turn; False if it does not wait here any more."""
        if not self.is_waiting or self.is_served:
            return False
        if self.gate is not None:
            if self.gate.balance == 0:  # what has ended the wait waits for a turn
                return False
            self.gate.send(None)
        self.is_served = True
        return True

    def release(self) -> None:
        """Serves the tasklet, and gives it a turn."""
        if self.serve():
            self.host.wake(self.tasklet)


class LoneSpot(Spot):
    """That of a tasklet without a Task."""

    __slots__ = ("gate", "host", "is_served", "is_waiting", "tasklet")

    def __init__(self, host: Host, task: tasklet) -> None:
        self.host = host
        self.tasklet = task
        self.gate = None
        self.is_served = self.is_waiting = False


class RemoteSpot:
    """The same for the loop of another thread."""

    __slots__ = ("gate",)

    def __init__(self) -> None:
        self.gate: channel[None] = QueueChannel()

    def wait(self, timeout: float | None = None) -> None:
        # With a time it is no deadlock if a main tasklet waits for another thread's loop.
        self.gate.receive(_endless_wait if timeout is None else timeout)

    def release(self) -> None:
        self.gate.send(None)


class Wait:
    """One wait for an awaitable: until when, and what has ended it before the awaitable was done.

    Whatever that is, the awaitable is cancelled and waited for; then conclude() says what comes of both.
    """

    __slots__ = ("deadline", "is_hopeless", "is_late", "reason", "refusals", "tasklet", "timeout", "turns")

    def __init__(self, task: tasklet, timeout: float | None, deadline: int | None) -> None:
        self.tasklet = task
        self.timeout = timeout
        self.deadline = deadline
        self.reason: BaseException | None = None
        self.is_late = False
        self.is_hopeless = False  # the tasklet cannot wait any more
        self.refusals = 0
        self.turns = 0

    def may_begin(self) -> bool:
        if self.tasklet.block_trap:
            self.reason = RuntimeError(
                "block_trap is set on the current tasklet, and what it awaits is not done yet"
            )
            self.is_hopeless = True
        return not self.is_hopeless

    def left(self) -> float | None:
        """How long the next wait may take."""
        self.turns = self.tasklet.times_switched_to
        if self.deadline is None or self.reason is not None:
            return None
        return seconds_until(self.deadline)

    def note(self, error: BaseException, is_hopeless: bool = False) -> None:
        """The wait has been ended by `error`."""
        is_late = (
            isinstance(error, TimeoutError) and self.reason is None and seconds_until(self.deadline) == 0
        )
        if isinstance(error, _ScopeExpired):
            suspend(self.tasklet)  # it is to wait for the end of the awaitable
        # An exception that was pending comes without a switch, but only once.
        self.refusals = self.refusals + 1 if self.tasklet.times_switched_to == self.turns else 0
        self.is_hopeless = is_hopeless or self.refusals > 2 or not _can_wait()
        if self.reason is None or (
            isinstance(error, TaskletExit) and not isinstance(self.reason, TaskletExit)
        ):
            self.reason, self.is_late = error, is_late

    def conclude_by(self, take: Callable[[], Any]) -> Any:
        """As conclude(), of an awaitable that has come to what `take` returns or raises."""
        try:
            value = take()
        except BaseException as error:
            return self.conclude(None, error)
        return self.conclude(value, None)

    def conclude(self, value: Any, error: BaseException | None) -> Any:
        """Returns or raises what the whole wait comes to; the awaitable has come to `value` or `error`."""
        reason, self.reason = self.reason, None
        has_time_limit = self.is_late or isinstance(reason, _ScopeExpired)
        try:
            if isinstance(reason, _ScopeExpired):
                rearm(self.tasklet)
            if reason is not None and (not has_time_limit or self.is_hopeless):
                raise reason
            if error is None:
                return value
            if reason is None or not isinstance(error, CancelledError):
                raise error
            if self.is_late:
                raise TimeoutError(f"the awaitable was not done within {self.timeout} s") from error
            raise reason
        finally:  # what is raised has this frame in its traceback
            del reason, error, value, self
