"""What gevent can do of the table. See with_scheduler."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import gevent
from gevent.event import AsyncResult, Event
from gevent.queue import Channel

from .measure import stopwatch
from .nesting import nested

YIELDERS = 100
SENDERS = 1000
BATCH = 1000
SLEEPERS = 1000
FRAME = 20_000


def yields(count: int, operations: int, levels: int = 0) -> float:
    turns = max(1, operations // count)
    gate = Event()

    def work() -> None:
        sleep = gevent.sleep
        gate.wait()
        for _ in range(turns):
            sleep(0)

    body = nested(levels, work)
    greenlets = [gevent.spawn(body) for _ in range(count)]
    gevent.sleep(0)
    gate.set()
    with stopwatch() as watch:
        gevent.joinall(greenlets, raise_error=True)
    return watch.ns_each(turns * count)


def repeated(count: int, work: Callable[[], object]) -> None:
    for _ in range(count):
        work()


def transfer(operations: int, timeout: float | None = None) -> float:
    """A gevent Channel lets put() return when the item has been taken, as ours does."""
    channel = Channel()

    def get_in_time() -> None:
        get = channel.get
        for _ in range(operations):
            get(timeout=timeout)

    get = get_in_time if timeout is not None else partial(repeated, operations, channel.get)
    both = [gevent.spawn(repeated, operations, partial(channel.put, None)), gevent.spawn(get)]
    with stopwatch() as watch:
        gevent.joinall(both, raise_error=True)
    return watch.ns_each(operations)


def select(count: int, operations: int) -> float:
    """No wait is for several channels: these are results, each used once, and then a new one."""
    results = [AsyncResult() for _ in range(count)]

    def put() -> None:
        for number in range(operations):
            while results[number % count].ready():
                gevent.sleep(0)
            results[number % count].set(None)

    def get() -> None:
        received = 0
        while received < operations:
            for result in gevent.wait(results, count=1):
                results[results.index(result)] = AsyncResult()
                received += 1

    both = [gevent.spawn(work) for work in (get, put)]
    with stopwatch() as watch:
        gevent.joinall(both, raise_error=True)
    return watch.ns_each(operations)


def sleep(operations: int) -> float:
    turns = max(1, operations // SLEEPERS)
    pause = partial(gevent.sleep, 0.001)
    sleepers = [gevent.spawn(repeated, turns, pause) for _ in range(SLEEPERS)]
    with stopwatch() as watch:
        gevent.joinall(sleepers, raise_error=True)
    return watch.ns_each(turns * SLEEPERS)


def round_trip(operations: int) -> float:
    there, back = Channel(), Channel()

    def ask() -> None:
        there.put(None)
        back.get()

    def answer() -> None:
        back.put(there.get())

    both = [gevent.spawn(repeated, operations, work) for work in (answer, ask)]
    with stopwatch() as watch:
        gevent.joinall(both, raise_error=True)
    return watch.ns_each(operations)


def many_senders(operations: int) -> float:
    each = max(1, operations // SENDERS)
    channel = Channel()
    senders = [gevent.spawn(repeated, each, partial(channel.put, None)) for _ in range(SENDERS)]
    gevent.sleep(0)
    receiver = gevent.spawn(repeated, each * SENDERS, channel.get)
    with stopwatch() as watch:
        gevent.joinall([receiver, *senders], raise_error=True)
    return watch.ns_each(each * SENDERS)


def spawn(operations: int) -> float:
    batches = max(1, operations // BATCH)

    def nothing(number: int) -> None:
        pass

    with stopwatch() as watch:
        for _ in range(batches):
            gevent.joinall([gevent.spawn(nothing, number) for number in range(BATCH)])
    return watch.ns_each(batches * BATCH)


def frame(operations: int) -> float:
    """Each waits for a result of its own: a queue would give all items to the first one woken."""
    frames = max(1, operations // FRAME)
    waiting: list[AsyncResult] = []

    def agent() -> None:
        go_on = True
        while go_on:
            result = AsyncResult()
            waiting.append(result)
            go_on = result.get()

    agents = [gevent.spawn(agent) for _ in range(FRAME)]
    gevent.sleep(0)
    with stopwatch() as watch:
        for _ in range(frames):
            woken, waiting = waiting, []
            for result in woken:
                result.set(True)
            while len(waiting) < FRAME:
                gevent.sleep(0)
    for result in waiting:
        result.set(False)
    gevent.joinall(agents, raise_error=True)
    return watch.ns_each(frames * FRAME)


def block(count: int, levels: int) -> Callable[[], None]:
    gate = Event()

    def waiter() -> None:
        gate.wait()

    body = nested(levels, waiter)
    waiting = [gevent.spawn(body) for _ in range(count)]
    gevent.sleep(0)

    def serve() -> None:
        gate.set()
        gevent.joinall(waiting, raise_error=True)

    return serve


OPERATIONS = 100_000
TIMED: dict[str, Callable[[int], float]] = {
    "yield_2": partial(yields, 2),
    "yield_100": partial(yields, YIELDERS),
    "yield_10000": partial(yields, 10_000),
    "yield_below_50": partial(yields, YIELDERS, levels=50),
    "yield_below_200": partial(yields, YIELDERS, levels=200),
    "transfer_prefer_receiver": transfer,
    "transfer_timeout": partial(transfer, timeout=60.0),
    "select_2": partial(select, 2),
    "select_8": partial(select, 8),
    "sleep": sleep,
    "round_trip": round_trip,
    "many_senders": many_senders,
    "spawn": spawn,
    "frame": frame,
}
