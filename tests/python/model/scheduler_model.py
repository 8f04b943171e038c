"""The functions of the module (M-08) over one `Manager`: a `Model` can stand in for the module.

It has one thread. Messages of its errors hold only the words that the specification names.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

from .channel import Channel
from .errors import TaskletExit
from .manager import Callback, Manager
from .tasklet import Leaving, Tasklet


class Model:
    """A fresh scheduler. The code that creates it is its main tasklet."""

    TaskletExit = TaskletExit

    def __init__(self) -> None:
        self._manager = Manager()

    # `tasklet` and `channel` are types in the module; here they create objects of this manager.

    def tasklet(self, callable: Callable[..., Any] | None = None) -> Tasklet:
        return Tasklet(self._manager, callable)

    def channel(self) -> Channel:
        return Channel(self._manager)

    # --------------------------------------------------------------------------------- questions

    def getcurrent(self) -> Tasklet:
        return self._manager.current

    def getmain(self) -> Tasklet:
        return self._manager.main

    def getruncount(self) -> int:
        return len(self._manager.ready)

    def calculateruncount(self) -> int:
        return sum(1 for _ in self._manager.ready)

    def get_thread_info(self) -> tuple[Tasklet, Tasklet, int]:
        return self.getmain(), self.getcurrent(), self.getruncount()

    # -------------------------------------------------------------------------------- scheduling

    def run(self) -> None:
        """R-12."""
        self._manager.raise_held()
        self._manager.drive()

    def run_n_tasklets(self, n: int) -> None:
        """L-01."""
        if not isinstance(n, int):
            raise TypeError
        if n <= 0:
            raise RuntimeError
        self._manager.raise_held()
        self._manager.drive_limited(n)

    def schedule(self) -> None:
        """R-04."""
        self._manager.raise_held()
        self._manager.suspend(Leaving.REQUEUE)

    def schedule_remove(self) -> None:
        """R-05."""
        self._manager.raise_held()
        self._manager.suspend(Leaving.STAY_OUT)

    # ---------------------------------------------------------------------------------- settings

    def get_use_nested_tasklets(self) -> bool:
        return self._manager.nested

    def set_use_nested_tasklets(self, nested: bool) -> None:
        self._manager.nested = bool(nested)

    def switch_trap(self, delta: int) -> int:
        """B-20."""
        level = self._manager.trap_level
        self._manager.trap_level += delta
        return level

    def get_schedule_callback(self) -> Callback | None:
        return self._manager.schedule_callback

    def set_schedule_callback(self, callback: Callback | None) -> Callback | None:
        previous, self._manager.schedule_callback = self._manager.schedule_callback, callback
        return previous

    def get_channel_callback(self) -> Callback | None:
        return self._manager.channel_callback

    def set_channel_callback(self, callback: Callback | None) -> Callback | None:
        previous, self._manager.channel_callback = self._manager.channel_callback, callback
        return previous

    def unblock_all_channels(self) -> int:
        """C-44."""
        waited_on = [channel for channel in self._manager.channels if channel.balance != 0]
        for channel in waited_on:
            channel.clear()
        return len(waited_on)

    @contextlib.contextmanager
    def block_trap(self, trap: bool = True) -> Iterator[None]:
        """Q-08."""
        tasklet = self.getcurrent()
        previous, tasklet.block_trap = tasklet.block_trap, trap
        try:
            yield
        finally:
            tasklet.block_trap = previous
