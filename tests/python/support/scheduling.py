"""Tasklets and channels that a test begins with; this thread's queue and its switch trap."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import scheduler


def queued(function: Callable[..., Any], *args: Any, **kwargs: Any) -> scheduler.tasklet:
    """A new tasklet of `function`, set up with these arguments: the last in the queue."""
    return scheduler.tasklet(function)(*args, **kwargs)


def started(function: Callable[..., Any], *args: Any, **kwargs: Any) -> scheduler.tasklet:
    """Like `queued`, and then given its first turn by `run()`."""
    task = queued(function, *args, **kwargs)
    task.run()
    return task


def channel(preference: int = -1) -> Any:
    """A new channel with this preference."""
    made = scheduler.channel()
    made.preference = preference
    return made


def run_in_steps() -> None:
    """Empties the queue by `run_n_tasklets(1)`, one turn at a time."""
    while scheduler.getruncount() > 1:
        scheduler.run_n_tasklets(1)


def queue() -> list[scheduler.tasklet]:
    """The runnables queue of this thread, front first, without the main tasklet."""
    waiting = []
    task = scheduler.getmain().next
    while task is not None:
        waiting.append(task)
        task = task.next
    return waiting


def state(task: scheduler.tasklet) -> tuple[bool, bool, bool, bool]:
    """(alive, blocked, scheduled, paused)"""
    return task.alive, task.blocked, task.scheduled, task.paused


@contextlib.contextmanager
def trapped() -> Iterator[None]:
    """Sets the switch trap of this thread for the length of a `with` block."""
    scheduler.switch_trap(1)
    try:
        yield
    finally:
        scheduler.switch_trap(-1)
