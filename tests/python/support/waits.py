"""Each way to wait that is not in `scheduler.sync`, for tests of what they have in common."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import scheduler
from scheduler import sync
from support.scheduling import started

LATE = 60.0


@dataclass
class Wait:
    """`wait()` waits for what does not come, at these channels."""

    wait: Callable[[], object]
    channels: tuple[scheduler.channel[Any], ...] = ()
    # A wait for tasklets is let through by a block trap.
    is_for_tasklets: bool = False

    def is_left(self) -> bool:
        """Is nobody in the wait queues any more?"""
        return all(scheduler.channel.balance.__get__(channel) == 0 for channel in self.channels)


def _transfer(
    method: str, *args: Any, kind: type[scheduler.channel] = scheduler.channel, **timeout: float
) -> Wait:
    channel = kind()
    return Wait(lambda: getattr(channel, method)(*args, **timeout), (channel,))


def _select(**timeout: float) -> Wait:
    a, b = scheduler.channel(), scheduler.channel()
    paused = started(scheduler.schedule_remove)
    event = sync.Event()
    return Wait(
        lambda: scheduler.select(a, b.sending(1), a.sending(2), paused, event, a, **timeout), (a, b)
    )


def _of_paused(wait: Callable[[scheduler.tasklet], object]) -> Wait:
    paused = started(scheduler.schedule_remove)
    return Wait(lambda: wait(paused), is_for_tasklets=True)


def _scope() -> Wait:
    channel = scheduler.channel()

    def wait() -> None:
        with scheduler.timeout(LATE), scheduler.timeout(None):
            channel.receive()

    return Wait(wait, (channel,))


def _group() -> Wait:
    channel = scheduler.channel()

    def wait() -> None:
        with scheduler.TaskletGroup() as group:
            group.start(channel.receive)
            scheduler.schedule()

    return Wait(wait, (channel,), is_for_tasklets=True)


WAITS: dict[str, Callable[[], Wait]] = {
    "receive": lambda: _transfer("receive"),
    "receive in time": lambda: _transfer("receive", timeout=LATE),
    "next": lambda: _transfer("__next__"),
    "send": lambda: _transfer("send", 1),
    "send in time": lambda: _transfer("send", 1, timeout=LATE),
    "send_exception": lambda: _transfer("send_exception", KeyError, 1, timeout=LATE),
    "send_throw": lambda: _transfer("send_throw", KeyError(1), timeout=LATE),
    "queue": lambda: _transfer("receive", kind=scheduler.QueueChannel),
    "queue in time": lambda: _transfer("receive", kind=scheduler.QueueChannel, timeout=LATE),
    "select": _select,
    "select in time": lambda: _select(timeout=LATE),
    "sleep": lambda: Wait(lambda: scheduler.sleep(LATE)),
    "sleep for ever": lambda: Wait(lambda: scheduler.sleep(math.inf)),
    "join": lambda: _of_paused(lambda task: task.join()),
    "join in time": lambda: _of_paused(lambda task: task.join(LATE)),
    "result": lambda: _of_paused(lambda task: task.result()),
    "result in time": lambda: _of_paused(lambda task: task.result(LATE)),
    "scope": _scope,
    "group": _group,
    "barrier": lambda: Wait(sync.Barrier(2).wait),
}
