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
from support.waiting import TIMEOUT, join


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
        self._jobs.put((function, args, True))

    def tell(self, function: Callable[..., Any], *args: Any) -> None:
        """Starts `function(*args)` in the thread; nobody asks what came of it. May be called in a finalizer.
        An error ends the thread."""
        self._jobs.put((function, args, False))

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
        done = filter(None, map(self._do, iter(self._jobs.get, None)))
        collections.deque(map(self._finished.put, done), maxlen=0)

    def _do(self, job: Any) -> bool:
        """Returns whether there is an outcome to fetch. The thread keeps nothing of the job alive by the time
        that the test hears of it."""
        function, args, is_awaited = job
        try:
            outcome = True, function(*args)
        except BaseException as error:
            if not is_awaited:
                raise
            outcome = False, error
        finally:
            del job, function, args  # an error's traceback has this frame
        if is_awaited:
            self._outcomes.append(outcome)
        return is_awaited


@pytest.fixture
def other():
    """A second thread that does what it is told; it has its schedule manager already."""
    with RemoteThread() as thread:
        thread.call(scheduler.getmain)
        yield thread
