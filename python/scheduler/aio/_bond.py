"""Bond: a tasklet whose code runs inside the steps of an asyncio Task.

The Task awaits the bond, which gives the tasklet one turn after the other. A coroutine that the tasklet
awaits is stepped on the tasklet's own stack, so inside the Task's step, as if the Task had called it. What it
yields goes the same way back: to the bond, which yields it to the Task. What the Task answers (it goes on, or
is cancelled) goes to the tasklet in the next turn.

What each step goes through is in C (src/binding/aio), the class that Bond is derived from: the iterator that
the Task awaits, and run_coroutine(). They call the methods here where something is not as usual.
"""

from __future__ import annotations

from asyncio import CancelledError, Future, Task
from collections.abc import Callable, Coroutine
from typing import Any

from _scheduler import TaskletExit, _Bond

from ..timeouts import deadline_after
from ._wait import Spot, Wait

_NOTHING = object()


def _cancel(wanted: Any) -> bool:
    """Cancels what a coroutine has yielded; False if that cannot be, or is too late."""
    cancel = getattr(wanted, "cancel", None)
    return cancel is not None and bool(cancel())


class Bond(_Bond, Spot):
    """Of one tasklet to a Task, until the tasklet ends or, if the Task `is_own`, has no use for it.

    Where it waits inside the Task's step is the bond as its Spot.
    """

    __slots__ = ()

    task: Task[Any] | None
    reply: BaseException | None  # what the Task has answered
    thrown: BaseException | None  # the last cancellation
    idle: Future[None] | None  # the Task waits here until the tasklet needs a turn
    value: Any
    error: BaseException | None

    # ---- in the Task, called from C

    def begin_idle(self) -> Any:
        """The tasklet waits for something else than its Task, which is to wait for what is returned."""
        future = self.idle = self.host.loop.create_future()
        self.host.idle_bonds += 1
        return next(future.__await__())

    def end_idle(self) -> None:
        self.idle = None
        self.host.idle_bonds -= 1

    def report(self, error: BaseException) -> None:
        """The tasklet's turn has ended in an error."""
        self.host.report(error, f"in {self.tasklet!r}")

    def forward(self, error: BaseException) -> None:
        """The Task has been cancelled while the tasklet does not wait for its answer."""
        self.thrown = type(error)(*error.args)  # without a traceback
        if self.tasklet.alive:
            self.tasklet.throw(self.thrown, pending=True)

    def leave(self, error: BaseException | None) -> None:
        """The Task is done with the tasklet; raises what the Task is to get."""
        if self.idle is not None:
            self.end_idle()
        thrown, self.thrown = self.thrown, None
        if error is None and thrown is not None and thrown.__traceback__ is None:
            error = thrown  # the tasklet has ended without noticing
        try:
            self._end()
            if error is not None:
                raise error
        finally:
            del error, thrown

    def _end(self) -> None:
        self.forget()
        if self.has_ended or (self.is_own and not self.depth and not self.is_waiting):
            return
        self.is_closed = True
        if self.tasklet.alive:
            self.tasklet.kill(pending=True)
            self.host.give_turn(self.tasklet)

    # ---- in the loop

    def forget(self) -> None:
        """The tasklet has no bond any more."""
        self.unbind()
        self.host.bonds.discard(self)

    def forsake(self, _: Future[Any]) -> None:
        """The Task has been cancelled before its first step."""
        if self.is_waiting:
            self.forward(CancelledError())
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
            self.wait()
        except BaseException:
            if self.is_own:
                self.forget()
                if self.task is not None:
                    self.task.cancel()
            raise

    def run_carefully(
        self,
        coro: Coroutine[Any, Any, Any],
        timeout: float | None,
        error: BaseException | None = None,
        wanted: Any = _NOTHING,
    ) -> Any:
        """As run_coroutine(), with a time-out, and goes on where that has stopped: what the coroutine has
        yielded is `wanted`, and `error` has ended the wait for it, or is to be raised in the coroutine."""
        wait = Wait(self.tasklet, timeout, deadline_after(timeout))
        value = None
        self.depth += 1
        try:
            while not wait.is_hopeless:
                if wanted is _NOTHING:
                    try:
                        wanted = coro.send(None) if error is None else coro.throw(error)
                    except StopIteration as stop:
                        value, error = stop.value, None
                        break
                    except BaseException as raised:
                        error = raised
                        break
                    error = None
                error = self._wait_for(wanted, wait, error)
                wanted = _NOTHING
            else:
                coro.close()
            return wait.conclude(value, error)
        finally:
            self.depth -= 1
            del error, value, wait, wanted, coro, self  # for what is raised has this frame

    def _wait_for(
        self, wanted: Any, wait: Wait, error: BaseException | None
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
                    self.wait(wait.left())
                    break
                except BaseException as raised:
                    error = raised
            wait.note(error, self.is_closed or self.host.loop.is_closed())
            error = None
            if not wait.is_hopeless:
                has_to_cancel = not _cancel(wanted) or has_to_cancel
            if self.is_answered:
                break
        del self.wanted
        reply, self.reply = self.reply, None
        return CancelledError() if has_to_cancel else reply
