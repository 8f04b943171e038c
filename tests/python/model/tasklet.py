"""Sections 3, 8 and 12 of the specification: tasklets."""

from __future__ import annotations

import enum
from builtins import callable as is_callable
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from .errors import TaskletExit, exception_to_throw
from .stack import Stack

if TYPE_CHECKING:
    from .channel import Channel, Parcel
    from .manager import Manager

UNWINDING_TRIES = 100
NOT_GIVEN: Any = object()


class Leaving(enum.Enum):
    """What a tasklet that suspends asks the driver to do with it."""

    WAIT = enum.auto()  # it waits on a channel: nothing
    REQUEUE = enum.auto()  # the end of the queue
    BEHIND_NEXT = enum.auto()  # F-02: behind the tasklet that is to have the next turn
    STAY_OUT = enum.auto()  # off the queue, paused


class Tasklet:
    """A tasklet of the model. Plain attributes are its state; methods are those of the module."""

    def __init__(self, manager: Manager, callable: Callable[..., Any] | None = None) -> None:
        self.manager = manager
        self.thread_id = manager.thread_id
        self.alive = False
        self.paused = False
        self.times_switched_to = 0
        self._block_trap = False
        self._remembered: Callable[..., Any] | None = None
        # The present incarnation.
        self.stack: Stack | None = None
        self.started = False
        self.parent: Tasklet | None = None
        self.ended_by: BaseException | None = None  # how the callable ended; None: it returned
        self.leaving: Leaving | None = None  # set while it is suspending
        self.insert_asked = False  # T-25: insert() was called during its turn
        self.pending: BaseException | None = None
        self._pending_kill = False
        self.unwinding = False
        self._unwinding_tries = 0
        # The channel that it waits on, and what is being transferred.
        self.channel: Channel | None = None
        self.parcel: Parcel | None = None
        self.served = False  # since it last began to wait
        if callable is not None:
            self.bind(callable)

    # -------------------------------------------------------------------------------- attributes

    @property
    def is_main(self) -> bool:
        return self.manager.main is self

    @property
    def is_current(self) -> bool:
        return self.manager.current is self

    @property
    def blocked(self) -> bool:
        return self.channel is not None

    @property
    def scheduled(self) -> bool:
        return self.is_main or (self in self.manager.ready and not self.blocked)

    @property
    def next(self) -> Tasklet | None:
        return self.manager.ready.after(self)

    @property
    def prev(self) -> Tasklet | None:
        return self.manager.ready.before(self)

    @property
    def block_trap(self) -> bool:
        return self._block_trap

    @block_trap.setter
    def block_trap(self, trap: bool) -> None:
        if not isinstance(trap, bool):
            raise RuntimeError
        self._block_trap = trap

    # ------------------------------------------------------------------- bind, setup (3.2, 3.3)

    def bind(
        self, callable: Any = NOT_GIVEN, args: Any = NOT_GIVEN, kwargs: Any = NOT_GIVEN
    ) -> Tasklet:
        """T-12 to T-21."""
        no_args = args is NOT_GIVEN and kwargs is NOT_GIVEN
        unbinding = callable is None and no_args
        function = None if callable is NOT_GIVEN else callable
        args = () if args in (NOT_GIVEN, None) else args
        kwargs = {} if kwargs in (NOT_GIVEN, None) else kwargs
        if function is not None and not is_callable(function):
            raise TypeError("callable")
        if not isinstance(args, tuple) or not isinstance(kwargs, dict):
            raise TypeError
        if unbinding:
            return self._unbind()
        if self.is_main:
            raise RuntimeError
        if no_args:
            self._remembered = function or self._remembered
        else:
            self._refuse_new_incarnation(function or self._remembered)
            if self.started and self in self.manager.ready:
                self.manager.ready.remove(self)
            self._incarnate(function or self._remembered, args, kwargs)
            self.paused = True
        self.times_switched_to = 0
        return self

    def _unbind(self) -> Tasklet:
        """T-17."""
        if self.is_current:
            raise RuntimeError("current tasklet")
        if self in self.manager.ready:
            raise RuntimeError("" if self.is_main else "scheduled")
        paused = self.paused
        self._discard()
        self.die()
        self.paused = paused  # whatever its own code did while it was unwound
        self._remembered = None
        return self

    def setup(self, /, *args: Any, **kwargs: Any) -> Tasklet:
        """T-22, T-23."""
        self._refuse_new_incarnation(self._remembered)
        self._incarnate(self._remembered, args, kwargs)
        self.paused = False
        if self not in self.manager.ready:
            self.manager.ready.append(self)
        return self

    __call__ = setup

    def _refuse_new_incarnation(self, function: Callable[..., Any] | None) -> None:
        if function is None or self.manager.having_turn(self):
            raise RuntimeError

    def _incarnate(self, function: Callable[..., Any], args: tuple, kwargs: dict) -> None:
        self._discard()
        self.die()  # D-28, D-47: a pending exception was meant for the old incarnation
        self._remembered = None
        self.alive = True
        self.stack = Stack(lambda: self._live(function, args, kwargs))

    def _live(self, function: Callable[..., Any], args: tuple, kwargs: dict) -> None:
        """What runs on the tasklet's stack."""
        try:
            function(*args, **kwargs)
        except BaseException as error:
            self.ended_by = error

    # ------------------------------------------------------------------------------------- ending

    def die(self) -> None:
        """E-20: the present incarnation has ended; a callable bound meanwhile is remembered."""
        if self.stack is not None:
            self.stack.abandon()
        self.alive = False
        self.started = False
        self.stack = None
        self.parent = None
        self.ended_by = None
        self.pending = None
        self._pending_kill = False
        self.parcel = None

    def _discard(self) -> None:
        """T-18, DEC-8: unwinds a suspended coroutine. No schedule callback, no trap."""
        if self.blocked:
            self.channel.withdraw(self)
        if not self.started:
            return
        manager = self.manager
        interrupted, manager.current = manager.current, self
        self.parent = interrupted
        self.pending = TaskletExit()
        self.unwinding = True
        self._unwinding_tries = 0
        self.stack.parent = interrupted.stack
        self.stack.switch()
        self.unwinding = False
        manager.current = interrupted

    def refuse_to_suspend(self) -> None:
        """A tasklet that is being unwound may not suspend any more."""
        self._unwinding_tries += 1
        if self._unwinding_tries <= UNWINDING_TRIES:
            raise TaskletExit
        self.parent.stack.switch()  # abandoned: nobody comes back

    def take_pending(self) -> BaseException:
        error, self.pending = self.pending, None
        self._pending_kill = False
        return error

    # -------------------------------------------------------------- insert, remove, run, switch

    def insert(self) -> Tasklet:
        """T-24, T-25."""
        if self.blocked:
            raise RuntimeError("blocked")
        if not self.alive:
            raise RuntimeError("dead")
        if self not in self.manager.ready:
            self.manager.ready.append(self)
            self.paused = False
        elif self.manager.having_turn(self):
            self.insert_asked = True
        return self

    def remove(self) -> Tasklet:
        """T-26."""
        if self.is_main or self.manager.having_turn(self):
            raise RuntimeError
        if self in self.manager.ready:
            self.manager.ready.remove(self)
            self.paused = True
        return self

    def run(self) -> None:
        """T-27 to T-29."""
        self.manager.raise_held()
        self._refuse_dead_or_blocked()
        if self.is_current and self.manager.nested:
            return
        if self.is_main:
            raise RuntimeError
        self.manager.refuse_go(self)
        self.manager.go(self)

    def switch(self) -> None:
        """T-50 to T-54."""
        self.manager.raise_held()
        self._refuse_dead_or_blocked()
        if self.is_current:
            return
        if self.is_main:
            raise RuntimeError
        self.manager.refuse_ancestor(self)
        self.manager.refuse_if_trapped()
        caller = self.manager.current
        caller.paused = True
        was_queued = self in self.manager.ready
        if not was_queued:
            self.manager.ready.append(self)
        try:
            self.manager.drive(self)
            if was_queued:
                self.manager.suspend(Leaving.STAY_OUT)
        finally:
            caller.paused = False

    def _refuse_dead_or_blocked(self) -> None:
        if not self.alive:
            raise RuntimeError("dead")
        if self.blocked:
            raise RuntimeError("blocked")

    # ------------------------------------------------------------------ kill, throw (section 8)

    def kill(self, pending: bool = False) -> None:
        """E-10. A kill on its way is enough, unless the tasklet has left the queue since (D-53)."""
        if not pending:
            self.manager.raise_held()
        on_its_way = self._pending_kill and self.scheduled and not self.is_current
        if self.alive and not on_its_way:
            self._deliver(TaskletExit(), pending, pending_kill=bool(pending))

    def throw(
        self, exc: Any = None, val: Any = None, tb: Any = None, pending: bool = False
    ) -> None:
        """E-15."""
        error = exception_to_throw(exc, val, tb)
        if not pending:
            self.manager.raise_held()
        if self.alive:
            self._deliver(error, pending)
        elif not isinstance(error, TaskletExit):
            raise RuntimeError

    def raise_exception(self, exc: Any, args: Any = None) -> None:
        """E-03."""
        self.throw(exc, args)

    def _deliver(self, error: BaseException, pending: bool, pending_kill: bool = False) -> None:
        if self.is_current:
            raise error
        if self.is_main:
            raise RuntimeError
        if not pending:
            self.manager.refuse_go(self)
        if self.blocked:
            self.channel.withdraw(self)  # C-50, C-52
        self.pending = error
        self._pending_kill = pending_kill
        if not pending:
            self.manager.go(self)
        elif self not in self.manager.ready:
            self.manager.ready.append(self)
