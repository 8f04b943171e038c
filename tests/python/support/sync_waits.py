"""Each way to wait in `scheduler.sync`, for tests of what they have in common."""

from __future__ import annotations

import queue
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from scheduler import sync


@dataclass
class Wait:
    """`wait(timeout)` waits, and `serve()` lets the first who waits go on; later ones wait again."""

    wait: Callable[..., Any]
    serve: Callable[[], object]
    # Is what wait() was given still there for others if the caller is killed before its turn?
    passes_on: bool = True
    expired: type[Exception] | None = None  # raised when the time is up, instead of a False

    def expires(self, timeout: float) -> bool:
        """Waits that long; tells whether the time was up."""
        if self.expired is None:
            return self.wait(timeout=timeout) is False
        try:
            self.wait(timeout=timeout)
        except self.expired:
            return True
        return False


def lock() -> Wait:
    made = sync.Lock()
    made.acquire()
    return Wait(made.acquire, made.release)


def semaphore() -> Wait:
    made = sync.Semaphore(0)
    return Wait(made.acquire, made.release)


def bounded_semaphore() -> Wait:
    made = sync.BoundedSemaphore()
    made.acquire()
    return Wait(made.acquire, made.release)


def condition(made: sync.Condition | None = None) -> Wait:
    made = made or sync.Condition()

    def wait(**timeout: float) -> bool:
        with made:
            return made.wait(**timeout)

    def serve() -> None:
        with made:
            made.notify()

    return Wait(wait, serve)


def condition_with_lock() -> Wait:
    return condition(sync.Condition(sync.Lock()))


def event() -> Wait:
    made = sync.Event()
    return Wait(made.wait, lambda: (made.set(), made.clear()))


def get() -> Wait:
    made: sync.Queue[str] = sync.Queue()
    return Wait(made.get, lambda: made.put("item"), expired=queue.Empty)


def get_smallest() -> Wait:
    made: sync.PriorityQueue[str] = sync.PriorityQueue()
    return Wait(made.get, lambda: made.put("item"), expired=queue.Empty)


def put() -> Wait:
    made: sync.Queue[str] = sync.Queue(1)
    made.put("first")
    return Wait(
        lambda **timeout: made.put("item", **timeout), made.get, passes_on=False, expired=queue.Full
    )


def join() -> Wait:
    made: sync.Queue[str] = sync.Queue()
    made.put("item")
    return Wait(made.join, lambda: (made.task_done(), made.put("item")))


ALL = (
    lock, semaphore, bounded_semaphore, condition, condition_with_lock, event, get,
    get_smallest, put, join,
)  # fmt: skip
