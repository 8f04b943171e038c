"""A player to whom anything happens. Nothing is compared; what is sent is in a ledger."""

from __future__ import annotations

import gc
import io
import signal
import sys
import traceback
from typing import Any

import scheduler
from model.player import Boom, Doom
from model.programs import MAIN, Op, Program, tasklet_name
from storm.book import Ledger

from . import tools
from .alarms import SIGNAL, Interrupted
from .climate import Climate
from .waits import Shared, WaitingPlayer

# How the module may refuse, and what programs raise. Subclasses of the first ones are no refusals.
REFUSALS = (RuntimeError, ValueError, StopIteration, TypeError)
RAISED = (Boom, Doom, Interrupted, scheduler.TaskletExit, TimeoutError)
# While allocations fail nobody is killed: CPython may turn TaskletExit into MemoryError, and then
# a sender could not tell whether it had sent.
KILLS = ("kill", "throw", "raise_exception", "clear", "unblock_all", "send_exception")


def is_foreseen(error: BaseException) -> bool:
    if isinstance(error, BaseExceptionGroup):
        return all(map(is_foreseen, error.exceptions))
    return isinstance(error, RAISED) or type(error) in REFUSALS


class RoughPlayer(WaitingPlayer):
    """`others` are the tasklets of another player, which are disturbed from here."""

    def __init__(self, program: Program, climate: Climate, shared: Shared, ledger: Ledger) -> None:
        super().__init__(program, climate, shared, ledger)
        self._climate = climate
        self._ending = False
        self.others: list[Any] = []

    @property
    def tasklets(self) -> list[Any]:
        return self._tasklets

    def play_main(self) -> None:
        """Main's part of the program, during which things happen."""
        if self._failures is None:
            self._set_callbacks()
        ops = iter(self._program.main)
        left = True
        while left:
            try:
                for op in ops:
                    if not self._main_does(op):
                        break
                left = False
            except Interrupted:
                pass

    def calm_down(self) -> None:
        """Nothing happens any more. What came too late for a wait is raised by what main does next."""
        self._ending = True
        self._reset_traps()
        for _ in range(3):
            self._perform(MAIN, Op("run_n", (1,)))

    def end(self) -> None:
        """Ends everybody."""
        self._reset_traps()
        self._drain(Op("run_n", (1,)) if self._program.stepping else Op("run_all"))
        self._end_all()
        self._perform(MAIN, Op("run_all"))

    def _set_callbacks(self) -> None:
        if self._program.watch_switches:
            scheduler.set_schedule_callback(lambda left, entered: left.alive and entered.alive)
        if self._program.watch_channels:
            scheduler.set_channel_callback(lambda channel, *args: channel.balance)

    # ------------------------------------------------------------------------- operations

    def _run_script(self, who: int, script: int) -> None:
        if self._failures is not None:
            self._failures.end()
        super()._run_script(who, script)

    def _perform(self, who: int, op: Op) -> bool:
        try:
            self._execute(op)
        except BaseException as error:
            if not self._is_foreseen(error):
                self.wrong.append(f"{tasklet_name(who)} {op}:\n{traceback.format_exc()}")
            if who != MAIN and not self._survives(op, error):
                raise
            return True
        return op.name != "leave"

    def _is_foreseen(self, error: BaseException) -> bool:
        if isinstance(error, MemoryError):
            return self._failures is not None
        return is_foreseen(error)

    def _execute(self, op: Op) -> Any:
        if self._ending:
            return super()._execute(op)
        if self._failures is not None and op.name in KILLS:
            return None
        if self._rng.random() < 0.3:
            self._may_fail(self._disturb)()
        if self._rng.random() < 0.25:
            self._wait()
        execute = super()._execute
        if op.name not in ("send", "receive", "receive_next"):  # these are called so by themselves
            execute = self._may_fail(execute)
        if self._rng.random() < 0.1:
            execute = self._in_scope(execute)
        return execute(op)

    # ----------------------------------------------------------------------------- events

    def _disturb(self) -> None:
        rng = self._rng
        match rng.randrange(10):
            case 0 if self._climate.tools:
                tools.toggle(rng)
            case 1:
                gc.collect(rng.randrange(3))
            case 2 if self._climate.signals:
                signal.raise_signal(SIGNAL)
            case 3 | 4 if self.others and self._failures is None:
                self._disturb_other(rng.choice(self.others))
            case 5:
                rng.choice(self._tasklets).join(rng.choice((0, 0.001, 0.005)))
            case 6:
                scheduler.run(rng.random() < 0.5, rng.choice((0, 0.0005, 0.002)))
            case 7:
                repr((self._tasklets, self._channels, scheduler.get_schedule_manager()))
                scheduler.dump_tasklets(io.StringIO())
            case 8:
                scheduler.trim_stacks()
            case 9:
                scheduler.set_stack_size(rng.choice((1, 2, 8)) << 20)

    def _disturb_other(self, other: Any) -> None:
        """From another thread, mostly; pending is what works there."""
        match self._rng.randrange(6):
            case 0:
                other.kill(pending=True)
            case 1:
                other.throw(Boom, "from elsewhere", pending=True)
            case 2:
                other.raise_exception(Boom, "from elsewhere")
            case 3:
                other.insert()
            case 4:
                other.remove()
            case 5:
                repr((other, other.frame, other.alive, other.blocked, sys.getrefcount(other)))
