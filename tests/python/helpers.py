"""Small tools shared by the tests: queueing, draining, threads, outcomes, states."""

from __future__ import annotations

import gc
import sys
import sysconfig
import threading
from collections.abc import Callable
from typing import Any

import scheduler

# Longest time a test waits for another thread or process. Reaching it is a failure.
TIMEOUT = 60.0


def queued(function: Callable[..., Any], *args: Any, **kwargs: Any) -> scheduler.tasklet:
    """A new tasklet of `function`, set up with these arguments: the last in the queue."""
    return scheduler.tasklet(function)(*args, **kwargs)


def started(function: Callable[..., Any], *args: Any, **kwargs: Any) -> scheduler.tasklet:
    """Like `queued`, and then given its first turn by `run()`."""
    task = queued(function, *args, **kwargs)
    task.run()
    return task


def run_in_steps() -> None:
    """Empties the queue by `run_n_tasklets(1)`, one turn at a time."""
    while scheduler.getruncount() > 1:
        scheduler.run_n_tasklets(1)


def references(thing: object) -> int:
    """How many references there are to `thing`, of which a variable of the caller's is one.

    The plain sys.getrefcount() also counts what lies on evaluation stacks, which since CPython 3.14 may
    borrow from the variable instead.
    """
    box = [thing]
    del thing
    return sys.getrefcount(box[0]) - 2  # the box, and the argument


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


def outcome(call: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """What `call` returns, or the type of the exception that it raises."""
    try:
        return call(*args, **kwargs)
    except BaseException as error:
        return type(error)


def message(call: Callable[..., Any], *args: Any, **kwargs: Any) -> str:
    """The text of the exception that `call` must raise."""
    try:
        call(*args, **kwargs)
    except BaseException as error:
        return str(error)
    raise AssertionError("nothing was raised")


# Whether one thread at a time runs Python code. Without the GIL a reference count may be out of date
# where other threads take part, and what only the owner of a tasklet can see is None elsewhere.
HAS_GIL = not sysconfig.get_config_var("Py_GIL_DISABLED")

# Whether the collector sees enough of suspended frames to find blocked tasklets that nobody can reach.
FINDS_BLOCKED = HAS_GIL and sys.version_info >= (3, 14)


# The smallest stack that set_stack_size() takes, in KiB. From 3.14 on CPython keeps margins at a stack's
# end, which are larger in its debug builds.
if sys.version_info < (3, 14):
    LEAST_STACK = 64
else:
    LEAST_STACK = 224 if hasattr(sys, "gettotalrefcount") else 112


class Worker:
    """A thread that keeps what its function returned or raised.

    `join()` returns the result or raises the exception; it fails when the thread takes too long.
    """

    def __init__(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> None:
        self._result: Any = None
        self._error: BaseException | None = None
        self._thread = threading.Thread(
            target=self._run, args=(function, args, kwargs), daemon=True
        )
        self._thread.start()

    def _run(self, function: Callable[..., Any], args: Any, kwargs: Any) -> None:
        try:
            self._result = function(*args, **kwargs)
        except BaseException as error:
            self._error = error

    def join(self, timeout: float = TIMEOUT) -> Any:
        self._thread.join(timeout)
        assert not self._thread.is_alive(), f"the thread did not end in {timeout} s"
        error, self._error = self._error, None
        result, self._result = self._result, None
        if error is not None:
            raise error
        return result


def in_thread(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Calls `function` in a new thread, waits for the thread to end, returns or raises alike."""
    return Worker(function, *args, **kwargs).join()


def counters() -> dict[str, int]:
    """The module's counts of living objects, after a collection."""
    gc.collect()
    return {
        "tasklets": scheduler.get_active_tasklet_count(),
        "channels": scheduler.get_number_of_active_channels(),
        "managers": scheduler.get_number_of_active_schedule_managers(),
    }
