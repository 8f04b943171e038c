"""What asyncio can do of the table: nothing can wait below C code. See with_scheduler."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from .measure import stopwatch

YIELDERS = 100
SENDERS = 1000
BATCH = 1000
SLEEPERS = 1000
FRAME = 20_000


async def yields_async(count: int, operations: int) -> float:
    turns = max(1, operations // count)
    gate = asyncio.Event()

    async def work() -> None:
        sleep = asyncio.sleep
        await gate.wait()
        for _ in range(turns):
            await sleep(0)

    tasks = [asyncio.create_task(work()) for _ in range(count)]
    await asyncio.sleep(0)
    gate.set()
    with stopwatch() as watch:
        await asyncio.gather(*tasks)
    return watch.ns_each(turns * count)


def yields(count: int, operations: int) -> float:
    return asyncio.run(yields_async(count, operations))


async def put_many(queue: asyncio.Queue[None], count: int) -> None:
    put = queue.put
    for _ in range(count):
        await put(None)


async def get_many(queue: asyncio.Queue[None], count: int) -> None:
    get = queue.get
    for _ in range(count):
        await get()


async def transfer(operations: int) -> float:
    """A queue with room for one item comes next to a channel."""
    queue: asyncio.Queue[None] = asyncio.Queue(1)
    with stopwatch() as watch:
        await asyncio.gather(put_many(queue, operations), get_many(queue, operations))
    return watch.ns_each(operations)


async def transfer_timeout(operations: int) -> float:
    queue: asyncio.Queue[None] = asyncio.Queue(1)

    async def get() -> None:
        wait_for, get = asyncio.wait_for, queue.get
        for _ in range(operations):
            await wait_for(get(), 60)

    with stopwatch() as watch:
        await asyncio.gather(put_many(queue, operations), get())
    return watch.ns_each(operations)


async def select(count: int, operations: int) -> float:
    """A task waits at each queue, and a new one takes the place of one that has got something."""
    queues: list[asyncio.Queue[None]] = [asyncio.Queue(1) for _ in range(count)]

    async def put() -> None:
        for number in range(operations):
            await queues[number % count].put(None)

    async def get() -> None:
        waiting = {asyncio.create_task(queue.get()): queue for queue in queues}
        received = 0
        while received < operations:
            done, _ = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                queue = waiting.pop(task)
                waiting[asyncio.create_task(queue.get())] = queue
            received += len(done)
        for task in waiting:
            task.cancel()

    with stopwatch() as watch:
        await asyncio.gather(put(), get())
    return watch.ns_each(operations)


async def sleep(operations: int) -> float:
    turns = max(1, operations // SLEEPERS)

    async def sleeper() -> None:
        pause = asyncio.sleep
        for _ in range(turns):
            await pause(0.001)

    with stopwatch() as watch:
        await asyncio.gather(*(sleeper() for _ in range(SLEEPERS)))
    return watch.ns_each(turns * SLEEPERS)


async def round_trip(operations: int) -> float:
    there: asyncio.Queue[None] = asyncio.Queue(1)
    back: asyncio.Queue[None] = asyncio.Queue(1)

    async def ask() -> None:
        for _ in range(operations):
            await there.put(None)
            await back.get()

    async def answer() -> None:
        for _ in range(operations):
            await back.put(await there.get())

    with stopwatch() as watch:
        await asyncio.gather(answer(), ask())
    return watch.ns_each(operations)


async def many_senders(operations: int) -> float:
    each = max(1, operations // SENDERS)
    queue: asyncio.Queue[None] = asyncio.Queue(1)
    senders = [asyncio.create_task(put_many(queue, each)) for _ in range(SENDERS)]
    await asyncio.sleep(0)
    with stopwatch() as watch:
        await asyncio.gather(get_many(queue, each * SENDERS), *senders)
    return watch.ns_each(each * SENDERS)


async def spawn(operations: int) -> float:
    batches = max(1, operations // BATCH)

    async def nothing(number: int) -> None:
        pass

    with stopwatch() as watch:
        for _ in range(batches):
            tasks = [asyncio.create_task(nothing(number)) for number in range(BATCH)]
            await asyncio.gather(*tasks)
    return watch.ns_each(batches * BATCH)


async def frame(operations: int) -> float:
    """Each waits for a future of its own: a queue would give all items to the first one woken."""
    frames = max(1, operations // FRAME)
    loop = asyncio.get_running_loop()
    waiting: list[asyncio.Future[bool]] = []

    async def agent() -> None:
        go_on = True
        while go_on:
            future: asyncio.Future[bool] = loop.create_future()
            waiting.append(future)
            go_on = await future

    agents = [asyncio.create_task(agent()) for _ in range(FRAME)]
    await asyncio.sleep(0)
    with stopwatch() as watch:
        for _ in range(frames):
            woken, waiting = waiting, []
            for future in woken:
                future.set_result(True)
            while len(waiting) < FRAME:
                await asyncio.sleep(0)
    for future in waiting:
        future.set_result(False)
    await asyncio.gather(*agents)
    return watch.ns_each(frames * FRAME)


def block(count: int, levels: int) -> Callable[[], None]:
    assert levels == 0, "nothing waits below C code here"
    loop = asyncio.new_event_loop()
    queue: asyncio.Queue[None] = asyncio.Queue()
    tasks: list[asyncio.Task[None]] = []

    async def waiter() -> None:
        await queue.get()

    async def let_wait() -> None:
        for _ in range(count):
            tasks.append(loop.create_task(waiter()))
        await asyncio.sleep(0)

    loop.run_until_complete(let_wait())

    async def let_go() -> None:
        for _ in range(count):
            queue.put_nowait(None)
        await asyncio.gather(*tasks)

    def serve() -> None:
        loop.run_until_complete(let_go())
        loop.close()

    return serve


def in_loop(job: Callable[[int], Awaitable[float]]) -> Callable[[int], float]:
    async def run_job(operations: int) -> float:
        return await job(operations)

    def timed(operations: int) -> float:
        result: Any = asyncio.run(run_job(operations))
        return float(result)

    return timed


OPERATIONS = 200_000
TIMED: dict[str, Callable[[int], float]] = {
    "yield_2": partial(yields, 2),
    "yield_100": partial(yields, YIELDERS),
    "yield_10000": partial(yields, 10_000),
    "transfer_prefer_receiver": in_loop(transfer),
    "transfer_timeout": in_loop(transfer_timeout),
    "select_2": in_loop(partial(select, 2)),
    "select_8": in_loop(partial(select, 8)),
    "sleep": in_loop(sleep),
    "round_trip": in_loop(round_trip),
    "many_senders": in_loop(many_senders),
    "spawn": in_loop(spawn),
    "frame": in_loop(frame),
}
