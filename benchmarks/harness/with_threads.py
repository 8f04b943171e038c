"""What threads and queue.SimpleQueue can do of the table, by the wall clock. See with_scheduler."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable
from functools import partial
from typing import Any

from .measure import stopwatch

SENDERS = 1000
BATCH = 100


def put_many(count: int, line: queue.SimpleQueue[Any]) -> None:
    put = line.put
    for _ in range(count):
        put(None)


def get_many(count: int, line: queue.SimpleQueue[Any]) -> None:
    get = line.get
    for _ in range(count):
        get()


def get_many_in_time(count: int, line: queue.SimpleQueue[Any]) -> None:
    get = line.get
    for _ in range(count):
        get(timeout=60)


def finish(threads: list[threading.Thread]) -> None:
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def transfer(
    operations: int, get: Callable[[int, queue.SimpleQueue[Any]], None] = get_many
) -> float:
    """Nobody waits for a receiver here, as send() does: the queue takes what comes."""
    line: queue.SimpleQueue[None] = queue.SimpleQueue()
    works = (put_many, get)
    threads = [threading.Thread(target=work, args=(operations, line)) for work in works]
    with stopwatch(time.perf_counter) as watch:
        finish(threads)
    return watch.ns_each(operations)


def round_trip(operations: int) -> float:
    there: queue.SimpleQueue[None] = queue.SimpleQueue()
    back: queue.SimpleQueue[None] = queue.SimpleQueue()

    def ask() -> None:
        put, get = there.put, back.get
        for _ in range(operations):
            put(None)
            get()

    def answer() -> None:
        put, get = back.put, there.get
        for _ in range(operations):
            put(get())

    threads = [threading.Thread(target=work) for work in (answer, ask)]
    with stopwatch(time.perf_counter) as watch:
        finish(threads)
    return watch.ns_each(operations)


def many_senders(operations: int) -> float:
    each = max(1, operations // SENDERS)
    line: queue.SimpleQueue[None] = queue.SimpleQueue()
    gate = threading.Event()

    def sender() -> None:
        gate.wait()
        put_many(each, line)

    senders = [threading.Thread(target=sender) for _ in range(SENDERS)]
    for thread in senders:
        thread.start()
    with stopwatch(time.perf_counter) as watch:
        gate.set()
        get_many(each * SENDERS, line)
    for thread in senders:
        thread.join()
    return watch.ns_each(each * SENDERS)


def spawn(operations: int) -> float:
    batches = max(1, operations // BATCH)

    def nothing(number: int) -> None:
        pass

    with stopwatch(time.perf_counter) as watch:
        for _ in range(batches):
            finish([threading.Thread(target=nothing, args=(n,)) for n in range(BATCH)])
    return watch.ns_each(batches * BATCH)


def block(count: int, levels: int) -> Callable[[], None]:
    assert levels == 0, "the kernel does not care what is below a waiting thread"
    line: queue.SimpleQueue[None] = queue.SimpleQueue()
    before = threading.active_count()
    waiting: queue.SimpleQueue[None] = queue.SimpleQueue()

    def waiter() -> None:
        waiting.put(None)
        line.get()

    threads = [threading.Thread(target=waiter) for _ in range(count)]
    for thread in threads:
        thread.start()
    get_many(count, waiting)
    assert threading.active_count() == before + count

    def serve() -> None:
        put_many(count, line)
        for thread in threads:
            thread.join()

    return serve


OPERATIONS = 20_000
MAX_BLOCKED = 2_000
TIMED: dict[str, Callable[[int], float]] = {
    "transfer_prefer_receiver": transfer,
    "transfer_timeout": partial(transfer, get=get_many_in_time),
    "round_trip": round_trip,
    "many_senders": many_senders,
    "spawn": spawn,
}
