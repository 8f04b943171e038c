"""The jobs of the table. Each timed one takes a number of operations and returns ns of one.

Functions and bound methods are looked up once, outside the loops. Where it matters that all are
there before the clock runs, tasklets start early and leave the queue until then.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from functools import partial

import scheduler

from .measure import stopwatch
from .nesting import nested

YIELDERS = 100
SENDERS = 1000
BATCH = 1000
SLEEPERS = 1000
FRAME = 20_000


def yields(count: int, operations: int, levels: int = 0, shuffled: bool = False) -> float:
    """schedule(), by `count` tasklets in turn, each below `levels` C functions."""
    turns = max(1, operations // count)
    finished = 0

    def work() -> None:
        nonlocal finished
        schedule = scheduler.schedule
        scheduler.schedule_remove()
        for _ in range(turns):
            schedule()
        finished += 1

    body = nested(levels, work)
    tasklets = [scheduler.tasklet(body)() for _ in range(count)]
    scheduler.run()
    if shuffled:
        random.Random(count).shuffle(tasklets)
    for tasklet in tasklets:
        tasklet.insert()
    with stopwatch() as watch:
        scheduler.run()
    assert finished == count
    return watch.ns_each(turns * count)


def yields_with_callback(operations: int) -> float:
    def callback(previous: object, following: object) -> None:
        pass

    before = scheduler.set_schedule_callback(callback)
    try:
        return yields(YIELDERS, operations)
    finally:
        scheduler.set_schedule_callback(before)


def transfer(preference: int, operations: int, timeout: float | None = None) -> float:
    """One send and one receive, by a tasklet each; with -1 every receive() has to wait."""
    channel = scheduler.channel()
    channel.preference = preference
    received = 0

    def sender() -> None:
        send = channel.send
        for _ in range(operations):
            send(None)

    def receiver() -> None:
        nonlocal received
        receive = channel.receive
        if timeout is None:
            for _ in range(operations):
                receive()
        else:
            for _ in range(operations):
                receive(timeout=timeout)
        received = operations

    scheduler.tasklet(sender)()
    scheduler.tasklet(receiver)()
    with stopwatch() as watch:
        scheduler.run()
    assert received == operations
    return watch.ns_each(operations)


def select(count: int, operations: int) -> float:
    """One send, to one channel after the other, and the select() that takes it. Each has to wait."""
    channels = [scheduler.channel() for _ in range(count)]
    received = 0

    def sender() -> None:
        sends = [channel.send for channel in channels]
        for _ in range(operations // count):
            for send in sends:
                send(None)

    def receiver() -> None:
        nonlocal received
        choose = scheduler.select
        for _ in range(operations // count * count):
            choose(*channels)
        received = operations // count * count

    scheduler.tasklet(receiver)()
    scheduler.tasklet(sender)()
    with stopwatch() as watch:
        scheduler.run()
    assert received > 0
    return watch.ns_each(received)


def sleep(operations: int) -> float:
    """All sleep at the same time. The time that nobody uses the processor does not count."""
    turns = max(1, operations // SLEEPERS)
    finished = 0

    def sleeper() -> None:
        nonlocal finished
        pause = scheduler.sleep
        for _ in range(turns):
            pause(0.001)
        finished += 1

    for _ in range(SLEEPERS):
        scheduler.tasklet(sleeper)()
    with stopwatch() as watch:
        scheduler.run(threadblock=True)
    assert finished == SLEEPERS
    return watch.ns_each(turns * SLEEPERS)


def round_trip(operations: int) -> float:
    there, back = scheduler.channel(), scheduler.channel()
    answers = 0

    def asking() -> None:
        nonlocal answers
        send, receive = there.send, back.receive
        for _ in range(operations):
            send(None)
            receive()
        answers = operations

    def answering() -> None:
        send, receive = back.send, there.receive
        for _ in range(operations):
            send(receive())

    scheduler.tasklet(answering)()
    scheduler.tasklet(asking)()
    with stopwatch() as watch:
        scheduler.run()
    assert answers == operations
    return watch.ns_each(operations)


def many_senders(operations: int) -> float:
    each = max(1, operations // SENDERS)
    channel = scheduler.channel()
    received = 0

    def sender() -> None:
        send = channel.send
        for _ in range(each):
            send(None)

    def receiver() -> None:
        nonlocal received
        receive = channel.receive
        for _ in range(each * SENDERS):
            receive()
        received = each * SENDERS

    for _ in range(SENDERS):
        scheduler.tasklet(sender)()
    scheduler.run()  # each waits with its first item
    assert channel.balance == SENDERS
    scheduler.tasklet(receiver)()
    with stopwatch() as watch:
        scheduler.run()
    assert received == each * SENDERS
    return watch.ns_each(received)


def spawn(operations: int) -> float:
    tasklet, run = scheduler.tasklet, scheduler.run
    batches = max(1, operations // BATCH)
    scheduler.getmain()  # exists from now on, and counts
    before = scheduler.get_active_tasklet_count()

    def nothing(number: int) -> None:
        pass

    with stopwatch() as watch:
        for _ in range(batches):
            for number in range(BATCH):
                tasklet(nothing)(number)
            run()
    assert scheduler.get_active_tasklet_count() == before
    return watch.ns_each(batches * BATCH)


def frame(operations: int) -> float:
    frames = max(1, operations // FRAME)
    channel = scheduler.channel()
    channel.preference = 0
    woken = 0

    def agent() -> None:
        nonlocal woken
        receive = channel.receive
        turns = 0
        while receive():
            turns += 1
        woken += turns

    for _ in range(FRAME):
        scheduler.tasklet(agent)()
    run, send = scheduler.run, channel.send
    run()
    assert channel.balance == -FRAME
    with stopwatch() as watch:
        for _ in range(frames):
            for _ in range(FRAME):
                send(True)
            run()
    for _ in range(FRAME):
        send(False)
    run()
    assert woken == frames * FRAME
    return watch.ns_each(woken)


def block(count: int, levels: int) -> Callable[[], None]:
    """`count` tasklets wait in receive(), one Python call deep or below `levels` C functions."""
    channel = scheduler.channel()
    channel.preference = 0
    finished = 0

    def waiter() -> None:
        nonlocal finished
        channel.receive()
        finished += 1

    tasklet, body = scheduler.tasklet, nested(levels, waiter)
    for _ in range(count):
        tasklet(body)()
    scheduler.run()
    assert channel.balance == -count

    def serve() -> None:
        for _ in range(count):
            channel.send(None)
        scheduler.run()
        assert finished == count

    return serve


OPERATIONS = 1_000_000
TIMED: dict[str, Callable[[int], float]] = {
    "yield_2": partial(yields, 2),
    "yield_100": partial(yields, YIELDERS),
    "yield_10000": partial(yields, 10_000),
    "yield_10000_shuffled": partial(yields, 10_000, shuffled=True),
    "yield_below_50": partial(yields, YIELDERS, levels=50),
    "yield_below_200": partial(yields, YIELDERS, levels=200),
    "transfer_prefer_receiver": partial(transfer, -1),
    "transfer_prefer_neither": partial(transfer, 0),
    "transfer_prefer_sender": partial(transfer, 1),
    "transfer_timeout": partial(transfer, -1, timeout=60.0),
    "select_2": partial(select, 2),
    "select_8": partial(select, 8),
    "sleep": sleep,
    "round_trip": round_trip,
    "many_senders": many_senders,
    "spawn": spawn,
    "frame": frame,
    "yield_callback": yields_with_callback,
}
