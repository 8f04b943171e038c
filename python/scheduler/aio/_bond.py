"""Bond: a tasklet whose code runs inside the steps of an asyncio Task.

The Task awaits the bond, which gives the tasklet one turn after the other. A coroutine that the tasklet
awaits is stepped on the tasklet's own stack, so inside the Task's step, as if the Task had called it. What it
yields goes the same way back: to the bond's __await__(), which yields it to the Task. What the Task answers
(it goes on, or is cancelled) goes to the tasklet in the next turn.
"""

from __future__ import annotations

from asyncio import CancelledError, Future, Task
from collections.abc import Callable, Coroutine, Generator
from typing import TYPE_CHECKING, Any

from _scheduler import TaskletExit, _get_timeout_scope, _step, schedule_remove, tasklet

from ..timeouts import deadline_after
from ._host import bonds
from ._wait import Spot, Wait

if TYPE_CHECKING:
    from ._host import Host

_NOTHING = object()


def _cancel(wanted: Any) -> bool:
    """Cancels what a coroutine has yielded; False if that cannot be, or is too late."""
    cancel = getattr(wanted, "cancel", None)
    return cancel is not None and bool(cancel())


class Bond:
    """Of one tasklet to a Task, until the tasklet ends or, if the Task `is_own`, has no use for it."""

    __slots__ = (
        "depth", "error", "has_ended", "host", "idle", "is_answered", "is_closed", "is_inside",
        "is_own", "reply", "spot", "task", "tasklet", "thrown", "value", "wanted",
    )

    def __init__(self, host: Host, task: tasklet, is_own: bool) -> None:
        self.host = host
        self.tasklet = task
        self.is_own = is_own
        self.task: Task[Any] | None = None
        self.spot = Spot(host, task)
        self.wanted: Any = _NOTHING  # what the tasklet's coroutine has yielded
        self.reply: BaseException | None = None  # what the Task has answered
        self.is_answered = False  # it has
        self.depth = 0  # coroutines that the tasklet runs, one inside the other
        self.thrown: BaseException | None = None  # the last cancellation
        self.is_inside = False  # the tasklet has a turn inside the Task's step
        self.is_closed = False  # the Task is gone
        self.idle: Future[None] | None = None  # the Task waits here until the tasklet needs a turn
        self.has_ended = False
        self.value: Any = None
        self.error: BaseException | None = None
        bonds[task] = self

    # ---- in the Task

    def __await__(self) -> Generator[Any, None, None]:
        """Returns when the tasklet has ended, or goes on without the Task."""
        spot, resume = self.spot, self.tasklet.resume
        try:
            spot.serve()
            while True:
                # In line, and not by functions: this is the path of each await_() that suspends.
                if self.wanted is _NOTHING:
                    self.is_inside = True
                    try:
                        resume()
                    except BaseException as error:
                        self.host.report(error, f"in {self.tasklet!r}")
                    finally:
                        self.is_inside = False
                if self.wanted is not _NOTHING and not self.has_ended:
                    wanted, self.wanted = self.wanted, _NOTHING
                    try:
                        yield wanted
                    except GeneratorExit:
                        raise
                    except BaseException as error:
                        if spot.is_waiting:
                            self.reply = error
                        else:
                            self._throw(error)
                    finally:
                        self.is_answered = True
                        del wanted
                    if spot.serve():
                        continue
                if self.has_ended or (self.is_own and not self.depth):
                    break
                yield from self._wait_idle()
                if self.has_ended:
                    break  # type: ignore[unreachable]  # _wait_idle() may have changed it
                if self.wanted is _NOTHING:
                    self.spot.serve()
            if self.thrown is not None and self.thrown.__traceback__ is None:
                raise self.thrown  # the tasklet has ended without noticing
        finally:
            self.thrown = None
            self._end()

    def _wait_idle(self) -> Generator[Any, None, None]:
        future = self.idle = self.host.loop.create_future()
        self.host.idle_bonds += 1
        try:
            yield from future
        except CancelledError as error:
            self._throw(error)
        finally:
            self.idle = None
            self.host.idle_bonds -= 1
            del future

    def _throw(self, error: BaseException) -> None:
        self.thrown = type(error)(*error.args)  # without a traceback
        if self.tasklet.alive:
            self.tasklet.throw(self.thrown, pending=True)

    def _end(self) -> None:
        bonds.pop(self.tasklet, None)
        if self.has_ended or (self.is_own and not self.depth and not self.spot.is_waiting):
            return
        self.is_closed = True
        if self.tasklet.alive:
            self.tasklet.kill(pending=True)
            self.host.give_turn(self.tasklet)

    def forsake(self, _: Future[Any]) -> None:
        """The Task has been cancelled before its first step."""
        if self.spot.is_waiting:
            self._throw(CancelledError())
            self.host.give_turn(self.tasklet)

    def wake(self) -> None:
        """Has the Task give the tasklet a turn."""
        if self.idle is not None and not self.idle.done() and not self.host.loop.is_closed():
            self.idle.set_result(None)

    def take_outcome(self) -> Any:
        """What the function has returned, or raises what it has raised."""
        error, value = self.error, self.value
        self.error = self.value = None
        try:
            if isinstance(error, TaskletExit):
                # A SystemExit, which a Task would let out of the loop.
                raise CancelledError("the tasklet has been killed") from error
            if error is not None:
                raise error
            return value
        finally:
            del error, value, self

    # ---- in the tasklet

    def run(self, function: Callable[..., Any], args: Any, kwargs: Any) -> None:
        """The tasklet's callable."""
        try:
            self.value = function(*args, **kwargs)
        except BaseException as error:
            self.error = error
        finally:
            self.has_ended = True
            self.wake()

    def enter(self) -> None:
        """Waits for a turn inside the Task's step."""
        self.wake()
        try:
            self.spot.wait()
        except BaseException:
            if self.is_own:
                bonds.pop(self.tasklet, None)
                if self.task is not None:
                    self.task.cancel()
            raise

    def step(
        self, coro: Coroutine[Any, Any, Any], timeout: float | None, wanted: Any = _NOTHING
    ) -> Any:
        """Runs the coroutine to its end; it may have begun, and have yielded `wanted`."""
        wait: Wait | None = None
        deadline = deadline_after(timeout)
        spot, task = self.spot, self.tasklet
        error: BaseException | None = None
        value = None
        self.depth += 1
        try:
            while wait is None or not wait.is_hopeless:
                if wanted is _NOTHING:
                    try:
                        if error is None:
                            has_ended, wanted = _step(coro)
                            if has_ended:
                                value = wanted
                                break
                        else:
                            wanted = coro.throw(error)
                    except StopIteration as stop:
                        value, error = stop.value, None
                        break
                    except BaseException as raised:
                        error = raised
                        break
                is_simple = wait is None and timeout is None and self.is_inside
                if is_simple and not task.block_trap and _get_timeout_scope(task) is None:
                    # What most waits are: as _wait_for(), in line, and a Wait only for those that fail.
                    self.is_answered = spot.is_served = False
                    self.wanted, spot.is_waiting = wanted, True
                    try:
                        while not spot.is_served:
                            schedule_remove()
                        spot.is_waiting = False
                        self.wanted = _NOTHING
                        error, self.reply = self.reply, None
                    except BaseException as raised:
                        spot.is_waiting = False
                        wait = Wait(task, None, None)
                        error = self._wait_for(wanted, wait, raised)
                else:
                    wait = wait or Wait(task, timeout, deadline)
                    error = self._wait_for(wanted, wait)
                wanted = _NOTHING
            else:
                coro.close()
            if wait is not None:
                return wait.conclude(value, error)
            if error is not None:
                raise error
            return value
        finally:
            self.depth -= 1
            del error, value, wait, wanted, coro, spot, task, self  # for what is raised has this frame

    def _wait_for(
        self, wanted: Any, wait: Wait, error: BaseException | None = None
    ) -> BaseException | None:
        """Has the Task wait for `wanted`; returns what is to be raised in the coroutine.

        `error` has ended this wait, which had begun, already.
        """
        has_to_cancel = False
        if error is None:
            self.is_answered = False
            if wait.may_begin():
                self.wanted = wanted
                if not self.is_inside:
                    self.wake()
        while not wait.is_hopeless:
            if error is None:
                try:
                    self.spot.wait(wait.left())
                    break
                except BaseException as raised:
                    error = raised
            wait.note(error, self.is_closed or self.host.loop.is_closed())
            error = None
            if not wait.is_hopeless:
                has_to_cancel = not _cancel(wanted) or has_to_cancel
            if self.is_answered:
                break
        self.wanted = _NOTHING
        reply, self.reply = self.reply, None
        return CancelledError() if has_to_cancel else reply
