"""Sections 2, 4, 5, 6 and 15 of the specification: who runs next.

A drive is a Python loop on the stack of the tasklet that drives, as the specification writes it.
The tasklets' stacks are those of stack.py; `stack.switch()` is "control goes to" of the rules.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from .errors import TaskletExit
from .ready_list import ReadyList
from .stack import Stack
from .tasklet import Leaving, Tasklet

if TYPE_CHECKING:
    from .channel import Channel

Callback = Callable[..., Any]


class Manager:
    """The scheduling state of one thread."""

    def __init__(self) -> None:
        self.nested = True
        self.thread_id = threading.get_ident()
        self.trap_level = 0
        self.schedule_callback: Callback | None = None
        self.channel_callback: Callback | None = None
        self.channels: list[Channel] = []  # in the order of their creation
        self.main = Tasklet(self)
        self.main.alive = True
        self.main.stack = Stack.current()
        self.current = self.main
        self.ready = ReadyList(self.main)
        self._turns_left: int | None = None
        self._limit_reached = False
        self._holder: Tasklet | None = None

    def having_turn(self, tasklet: Tasklet) -> bool:
        """Is `tasklet` current, or a driver that waits for the current one?"""
        runner: Tasklet | None = self.current
        while runner is not None and runner is not tasklet:
            runner = runner.parent
        return runner is tasklet

    def refuse_if_trapped(self) -> None:
        """B-20."""
        if self.trap_level != 0:
            raise RuntimeError("switch_trap")

    # ------------------------------------------------------------------ the drive loop (section 5)

    def drive(self, first: Tasklet | None = None) -> None:
        """R-10: hands out turns to `first` and what stands behind it, or behind the caller."""
        driver = self.current
        anchor, last = driver, None
        if first is not None:
            anchor, last = self.ready.before(first), self.ready.last
        waking = driver.is_main and driver.blocked
        while (turn := self._next_turn(driver, anchor)) is not None:
            turn.parent = driver
            if driver.is_main:
                self._charge_one_turn()
            error = self._give_turn(turn)
            if self.current is not driver:  # it ended; one that suspends has done this itself
                self._make_current(driver)
            self.ready.remove(turn)
            self._requeue(turn, driver)
            if error is not None:
                raise error
            if turn is last or (waking and not driver.blocked):
                return

    def _next_turn(self, driver: Tasklet, anchor: Tasklet) -> Tasklet | None:
        turn = self.ready.after(anchor)
        if driver.is_main and self._limit_reached:
            return None
        if turn is None or turn is driver:
            return None
        self.refuse_ancestor(turn)
        return turn

    def refuse_ancestor(self, tasklet: Tasklet) -> None:
        """A driver in progress cannot be given a turn (T-29)."""
        if self.having_turn(tasklet):
            raise ValueError("cyclic parent chain")

    def _give_turn(self, turn: Tasklet) -> BaseException | None:
        """R-11: returns the exception that killed `turn`, unless it suspended or ended silently."""
        self.refuse_if_trapped()
        if not turn.started and turn.pending is not None:
            error: BaseException | None = turn.take_pending()
        else:
            turn.times_switched_to += 1
            self._make_current(turn)
            turn.paused = False
            turn.started = True
            turn.stack.parent = turn.parent.stack  # where control goes when the callable ends
            turn.stack.switch()
            if turn.leaving is not None:
                return None
            error = turn.ended_by
        turn.die()
        return None if isinstance(error, TaskletExit) else error

    def _make_current(self, tasklet: Tasklet) -> None:
        """B-02."""
        if self.schedule_callback is not None:
            self.schedule_callback(self.current, tasklet)
        self.current = tasklet

    def _requeue(self, turn: Tasklet, driver: Tasklet) -> None:
        """Puts a tasklet whose turn has ended where it asked to be."""
        if turn.leaving is Leaving.REQUEUE:
            self.ready.append(turn)
        elif turn.leaving is Leaving.BEHIND_NEXT:
            self.ready.put_behind(self.ready.after(driver) or driver, turn)
        elif turn.leaving is Leaving.STAY_OUT:
            turn.paused = not turn.insert_asked
            if turn.insert_asked:
                self.ready.append(turn)
        turn.leaving = None
        turn.insert_asked = False

    # ---------------------------------------------------------------------- suspending (section 4)

    def suspend(self, leaving: Leaving) -> None:
        """The current tasklet gives up its turn; returns when it has been given another one."""
        if self.current.is_main:
            self._suspend_main()
        elif self.current.unwinding:
            self.current.refuse_to_suspend()
        else:
            self._suspend_tasklet(self.current, leaving)

    def _suspend_tasklet(self, tasklet: Tasklet, leaving: Leaving) -> None:
        """R-02. What is pending is raised now if there may never be another turn for it (D-53)."""
        if leaving is Leaving.STAY_OUT and tasklet.pending is not None:
            raise tasklet.take_pending()
        self.refuse_if_trapped()
        tasklet.leaving = leaving
        parent = tasklet.parent
        parent.times_switched_to += 1
        self._make_current(parent)
        parent.paused = False
        parent.stack.switch()
        if tasklet.pending is not None:
            raise tasklet.take_pending()
        assert not tasklet.blocked

    def _suspend_main(self) -> None:
        """R-03."""
        waiting = self.main.blocked
        if waiting and len(self.ready) == 1:
            raise RuntimeError("Deadlock")
        self.drive()
        if waiting and self.main.blocked:
            raise RuntimeError("Deadlock")

    # ---------------------------------------------------- errors that come too late (DEC-10)

    def give_way(self) -> None:
        """The current tasklet has completed a transfer, and lets its partner go first."""
        try:
            self.suspend(Leaving.REQUEUE)
        except BaseException as error:
            if not self.hold(error):
                raise

    def hold(self, error: BaseException) -> bool:
        """Keeps an error for the current tasklet's next operation, unless it is to die of it (C-53)."""
        current = self.current
        if current.unwinding or (isinstance(error, TaskletExit) and not current.is_main):
            return False
        current.pending = error
        self._holder = current
        return True

    def raise_held(self) -> None:
        if self._holder is self.current:
            self._holder = None
            if self.current.pending is not None:
                raise self.current.take_pending()

    # ------------------------------------------------------------ getting a given tasklet going

    def refuse_go(self, tasklet: Tasklet) -> None:
        """Raises if go(tasklet) cannot start. Nothing has changed then (B-22)."""
        if self.having_turn(tasklet):
            if not self.nested:
                raise RuntimeError  # F-07
            self.refuse_ancestor(tasklet)
        self.refuse_if_trapped()

    def go(self, tasklet: Tasklet) -> None:
        """R-20, F-01: gives `tasklet` a turn now. refuse_go must have agreed."""
        if self.nested:
            if tasklet not in self.ready:
                self.ready.append(tasklet)
            self.drive(tasklet)
        else:
            if tasklet in self.ready:
                self.ready.remove(tasklet)
            self.ready.put_behind(self.current, tasklet)
            self.suspend(Leaving.BEHIND_NEXT)

    # ---------------------------------------------------------------------- limits (section 15)

    def drive_limited(self, turns: int) -> None:
        """L-00 to L-03."""
        self._turns_left, self._limit_reached = turns, False
        try:
            self.drive()
        finally:
            self._turns_left, self._limit_reached = None, False

    def _charge_one_turn(self) -> None:
        if self._turns_left is not None:
            self._turns_left -= 1
            self._limit_reached = self._turns_left <= 0
