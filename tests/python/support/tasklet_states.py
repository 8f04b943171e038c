"""Tasklets in every state, ways to suspend one, and what wakes it."""

from __future__ import annotations

import threading

import pytest

import scheduler
from support.scheduling import started

# state() of a tasklet that has ended
DEAD = (False, False, False, False)

TARGETS = {
    "unbound": scheduler.tasklet,
    "dead": lambda: started(len, ""),
    "queued": lambda: scheduler.tasklet(len)(""),
    "blocked": lambda: started(scheduler.channel().receive),
    "current": scheduler.getcurrent,
}

SUSPENSIONS = {
    "queued": lambda: scheduler.schedule,
    "paused": lambda: scheduler.schedule_remove,
    "receiving": lambda: scheduler.channel().receive,
    "sending": lambda: lambda: scheduler.channel().send(0),
}

every_suspension = pytest.mark.parametrize("where", SUSPENSIONS)


class Sleeper:
    """A tasklet that suspends and then notes which exception wakes it (None: it just goes on).

    Make it while nothing is queued: it gets one turn, in nested and in flat mode.
    """

    def __init__(self, suspend=scheduler.schedule_remove, reraise=False):
        self.caught = []
        self.task = scheduler.tasklet(self._body)(suspend, reraise)
        scheduler.run_n_tasklets(1)

    def _body(self, suspend, reraise):
        try:
            suspend()
            self.caught.append(None)
        except BaseException as error:
            self.caught.append(error)
            if reraise:
                raise


class Noting:
    """The body of a tasklet that suspends by `suspend` and notes the exception that wakes it."""

    def __init__(self, suspend):
        self.caught = []
        self._suspend = suspend

    def __call__(self):
        try:
            self._suspend()
            self.caught.append(None)
        except BaseException as error:
            self.caught.append((type(error), error.args, threading.get_ident()))
