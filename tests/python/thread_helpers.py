"""Threads for tests: every wait has a time-out, and what a thread raises reaches the test."""

from __future__ import annotations

import _thread
import collections
import queue
import sys
import threading
from collections.abc import Callable
from typing import Any

import pytest

import scheduler
from helpers import TIMEOUT


def join(*threads: threading.Thread) -> None:
    """Waits for threads and fails if one is still running when the time is up."""
    for thread in threads:
        thread.join(TIMEOUT)
        assert not thread.is_alive(), f"{thread.name} did not end"


class BareThread:
    """A thread whose context variables go with its thread state.

    From 3.14 on a threading.Thread owns the context that its function runs in; one that is started below
    it has none but that of its thread state, as all threads have up to 3.13.
    """

    def __init__(self, function: Callable[..., Any], *args: Any) -> None:
        self._handle: Any = None
        if sys.version_info >= (3, 14):
            self._handle = _thread.start_joinable_thread(lambda: function(*args))
            self.ident = self._handle.ident
        else:
            self._thread = threading.Thread(target=function, args=args)
            self._thread.start()
            self.ident = self._thread.ident

    def join(self) -> None:
        if self._handle is None:
            join(self._thread)
        else:
            self._handle.join(TIMEOUT)
            assert self._handle.is_done(), "the thread did not end"


class RemoteThread:
    """A thread that does what the test tells it, one call at a time.

    Inside `with RemoteThread() as other`, `other.call(f)` runs `f()` in that thread, outside any
    tasklet, and hands back the result or the exception. Between two calls the thread waits without
    touching the scheduler. Leaving the block ends the thread and waits for it.

    When `call()` returns, the thread runs no Python code any more, however slow it is to fall
    asleep: without the GIL it destroys, wherever it runs some, what others have let go of.
    """

    def __init__(self) -> None:
        self._jobs: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._outcomes: collections.deque[tuple[bool, Any]] = collections.deque()
        self._finished: queue.SimpleQueue[None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._serve, name="remote", daemon=True)

    def __enter__(self) -> RemoteThread:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    @property
    def ident(self) -> int:
        """What `threading.get_ident()` says in the thread."""
        assert self._thread.ident is not None
        return self._thread.ident

    def call(self, function: Callable[..., Any], *args: Any) -> Any:
        """Runs `function(*args)` in the thread and returns or raises what it gave."""
        self.post(function, *args)
        return self.outcome()

    def post(self, function: Callable[..., Any], *args: Any) -> None:
        """Starts `function(*args)` in the thread; `outcome()` fetches its result later."""
        self._jobs.put((function, args))

    def outcome(self) -> Any:
        """Waits for the result of the oldest call not yet fetched."""
        self._finished.get(timeout=TIMEOUT)
        succeeded, value = self._outcomes.popleft()
        if succeeded:
            return value
        try:
            raise value
        finally:
            del value  # else the traceback and this frame keep each other alive

    def end(self) -> None:
        """Lets the thread end and waits for it; may be called twice."""
        self._jobs.put(None)
        join(self._thread)

    def _serve(self) -> None:
        # All but _do() is C code, from the end of one job to the next.
        done = map(self._do, iter(self._jobs.get, None))
        collections.deque(map(self._finished.put, done), maxlen=0)

    def _do(self, job: Any) -> None:
        """The thread keeps nothing of the job alive by the time the test hears of the outcome."""
        function, args = job
        try:
            self._outcomes.append((True, function(*args)))
        except BaseException as error:
            self._outcomes.append((False, error))
        finally:
            del job, function, args  # an error's traceback has this frame


def wait(event: threading.Event) -> None:
    """Waits for an event; fails when it does not come."""
    assert event.wait(TIMEOUT), "the other thread gave no sign"


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


@pytest.fixture
def other():
    """A second thread that does what it is told; it has its schedule manager already."""
    with RemoteThread() as thread:
        thread.call(scheduler.getmain)
        yield thread
