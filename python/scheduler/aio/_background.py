"""The loop, in a thread of its own, that runs what tasklets of threads without a loop await."""

from __future__ import annotations

import asyncio
import atexit
import contextvars
import os
import threading
from asyncio import AbstractEventLoop, Task
from collections.abc import Awaitable
from inspect import CORO_CREATED, getcoroutinestate
from types import CoroutineType
from typing import TypeVar

from _scheduler import getcurrent

from ..timeouts import deadline_after
from ._descriptors import Poller
from ._wait import RemoteSpot, Wait, wrap

T = TypeVar("T")


class _Background:
    """The loop's thread."""

    def __init__(self) -> None:
        self.loop: AbstractEventLoop = asyncio.new_event_loop()
        self.is_ending = False
        self.poller = Poller(self.loop)
        self.loop.call_soon(self.poller.start)
        self.thread = threading.Thread(target=self._run, name="scheduler.aio", daemon=True)
        try:
            self.thread.start()
        except BaseException:  # such as at the end of the interpreter
            self.poller.close()
            self.loop.close()
            raise

    def _run(self) -> None:
        asyncio.set_event_loop(self.loop)
        while not self.is_ending:
            try:
                self.loop.run_forever()
            except BaseException:  # a SystemExit of a Task, which keeps it for whoever awaits it
                pass
        try:
            tasks = asyncio.all_tasks(self.loop)
            for task in tasks:
                task.cancel()
            if tasks:
                self.loop.run_until_complete(asyncio.wait(tasks))
            self.loop.run_until_complete(self.loop.shutdown_asyncgens())
        finally:
            self.poller.close()
            self.loop.close()

    def end(self) -> None:
        self.is_ending = True
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join()


_lock = threading.Lock()
_running: _Background | None = None


def get() -> _Background:
    """Starts it if need be."""
    global _running
    with _lock:
        if _running is None:
            _running = _Background()
            atexit.register(end)
        return _running


def end() -> None:
    """At exit. Whoever waits is cancelled."""
    global _running
    with _lock:
        background, _running = _running, None
    if background is not None:
        atexit.unregister(end)
        background.end()


def _forget() -> None:
    """In the child of a fork the thread does not exist."""
    global _running, _lock
    _running = None
    _lock = threading.Lock()


os.register_at_fork(after_in_child=_forget)


def wait_for(background: _Background, awaitable: Awaitable[T], timeout: float | None) -> T:
    """await_() for a tasklet of a thread without a loop."""
    loop = background.loop
    if asyncio.isfuture(awaitable) and awaitable.get_loop() is not loop:
        raise RuntimeError(
            f"this future belongs to an event loop that does not run in this thread: {awaitable!r}"
        )
    wait = Wait(getcurrent(), timeout, deadline_after(timeout))
    spot = RemoteSpot()
    context = contextvars.copy_context()
    made: list[Task[T]] = []

    def start() -> None:
        task = context.run(loop.create_task, wrap(awaitable))
        made.append(task)
        task.add_done_callback(finish)

    def finish(_: Task[T]) -> None:
        # Cancelled before it began: else there is a warning that nobody has awaited it.
        if isinstance(awaitable, CoroutineType) and getcoroutinestate(awaitable) == CORO_CREATED:
            awaitable.close()
        spot.release()

    def cancel() -> None:
        if made:
            made[0].cancel()

    if wait.may_begin():
        loop.call_soon_threadsafe(start)
    while not wait.is_hopeless:
        try:
            spot.wait(wait.left())
            break
        except BaseException as error:
            wait.note(error, loop.is_closed())
            if not loop.is_closed():
                loop.call_soon_threadsafe(cancel)

    def take() -> T | None:
        if not wait.is_hopeless:
            return made.pop().result()
        if not made and hasattr(awaitable, "close"):
            awaitable.close()
        return None

    return wait.conclude_by(take)  # type: ignore[no-any-return]
