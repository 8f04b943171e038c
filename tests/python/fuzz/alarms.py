"""Signals whose handler raises."""

from __future__ import annotations

import random
import signal
import time
from types import FrameType

import scheduler
from model.player import Player
from storm.book import Ledger

from .waits import WaitingPlayer

SIGNAL = signal.SIGALRM
# Where a handler may raise: in the operations of programs. What notes a transfer is only interrupted
# while it waits: between the end of receive() and the next instruction nobody could hold the error back.
OPERATIONS = {
    function.__code__
    for player in (Player, WaitingPlayer)
    for name, function in vars(player).items()
    if name.startswith("_do_") or name == "_execute"
}
TRANSFERS = {function.__code__ for function in (Ledger.hand_over, Ledger.take, Ledger.choose)}


class Interrupted(Exception):
    """Raised by a handler."""


def _let_pass(number: int, frame: FrameType | None) -> None:
    """A handler that does nothing."""


class Alarms:
    """Signals at random times in a `with` block. `raised` counts what its handlers raised."""

    def __init__(self, rng: random.Random, *, raising: bool) -> None:
        self._rng = rng
        self._raising = raising
        self.raised = 0

    def __enter__(self) -> Alarms:
        signal.signal(SIGNAL, self._handle)
        first, next_ones = self._rng.uniform(1e-4, 2e-3), self._rng.uniform(2e-4, 3e-3)
        signal.setitimer(signal.ITIMER_REAL, first, next_ones)
        return self

    def __exit__(self, *_: object) -> None:
        self._raising = False
        signal.setitimer(signal.ITIMER_REAL, 0)
        # Not SIG_IGN: the other thread may still raise some, and CPython tells of a signal that came
        # before its handler was taken away.
        signal.signal(SIGNAL, _let_pass)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if not self._raising or frame is None:
            return
        if frame.f_code in TRANSFERS:
            if not scheduler.getcurrent().blocked:
                return
            if self._rng.random() < 0.5:
                time.sleep(0.001)  # somebody may serve the one who waits
        elif frame.f_code not in OPERATIONS:
            return
        self.raised += 1
        raise Interrupted
