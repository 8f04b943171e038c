"""scheduler.aio beside plain asyncio, on asyncio's own loop and on uvloop where that can be imported.

    python aio.py            # --quick: does it run at all?

Nanoseconds of one operation, and how many times plain asyncio's that is. Both sides run in turn, in one
process; a figure is the least of many short runs, and the ratio that of two such figures. It is processor
time of the loop's thread: the clients of the echo server, on a thread of their own, are not in it.
"""

from __future__ import annotations

import argparse
import asyncio
import inspect
import socket
import time
from collections.abc import Callable
from typing import Any

from scheduler import aio

CLIENTS = 8
MESSAGE = b"x" * 100


async def nothing() -> None:
    pass


def plain() -> None:
    pass


# ------------------------------------------------------ operations: n of them, in a coroutine or on a tasklet


async def asyncio_await(n: int) -> None:
    for _ in range(n):
        await nothing()


def await_nothing(n: int) -> None:
    await_ = aio.await_
    for _ in range(n):
        await_(nothing())


async def asyncio_sleep(n: int) -> None:
    for _ in range(n):
        await asyncio.sleep(0)


def await_sleep(n: int) -> None:
    await_, sleep = aio.await_, asyncio.sleep
    for _ in range(n):
        await_(sleep(0))


async def asyncio_task(n: int) -> None:
    for _ in range(n):
        await asyncio.create_task(nothing())


async def call(n: int) -> None:
    for _ in range(n):
        await aio.call(plain)


async def asyncio_echo(n: int) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(1000):
            writer.write(data)
            await writer.drain()
        writer.close()

    await ask(n, serve)


async def echo(n: int) -> None:
    def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await_ = aio.await_
        while data := await_(reader.read(1000)):
            writer.write(data)
            await_(writer.drain())
        writer.close()

    await ask(n, lambda *streams: aio.call(serve, *streams))


# ------------------------------------------------------------------------------------------------- measuring


async def ask(n: int, serve: Callable[..., Any]) -> None:
    """Makes n requests, over several connections at the same time."""
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    address = server.sockets[0].getsockname()

    def clients() -> None:
        sockets = [socket.create_connection(address) for _ in range(CLIENTS)]
        for _ in range(n // CLIENTS):
            for one in sockets:
                one.sendall(MESSAGE)
            for one in sockets:
                left = len(MESSAGE)
                while left:
                    left -= len(one.recv(left))
        for one in sockets:
            one.close()

    try:
        await asyncio.to_thread(clients)
    finally:
        server.close()


async def nanoseconds(function: Callable[[int], Any], n: int) -> float:
    """Of one operation."""
    start = time.thread_time_ns()
    if inspect.iscoroutinefunction(function):
        await function(n)
    else:
        await aio.call(function, n)
    return (time.thread_time_ns() - start) / n


# Title, ours, asyncio's, how many, and the goal: the most that ours should take.
ROWS: list[tuple[str, Callable[..., Any], Callable[..., Any], int, str]] = [
    ("await_() of what does not suspend", await_nothing, asyncio_await, 5000, "1000 ns"),
    ("await_(asyncio.sleep(0))", await_sleep, asyncio_sleep, 2000, "x 1.3"),
    ("call() / create_task() + await", call, asyncio_task, 1000, "x 1.5"),
    ("echo server", echo, asyncio_echo, 1600, "x 1.11"),
]


async def measure(name: str, runs: int, quick: bool) -> None:
    async with aio.host():
        for title, ours, theirs, n, goal in ROWS:
            n = CLIENTS if quick else n
            least = [float("inf"), float("inf")]
            for _ in range(runs):
                for which, function in enumerate((ours, theirs)):
                    least[which] = min(least[which], await nanoseconds(function, n))
            mine, other = least
            figures = f"{mine:8.0f} ns   asyncio {other:8.0f} ns   x {mine / other:4.2f}"
            print(f"{name:<8} {title:<34} {figures}   goal {goal}")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="tiny counts: does it run at all?")
    quick = parser.parse_args().quick
    loops: dict[str, Callable[[], Any]] = {"asyncio": asyncio.new_event_loop}
    try:
        import uvloop
    except ImportError:
        print("uvloop is not installed")
    else:
        loops["uvloop"] = uvloop.new_event_loop
    for name, factory in loops.items():
        with asyncio.Runner(loop_factory=factory) as runner:
            runner.run(measure(name, 1 if quick else 40, quick))


if __name__ == "__main__":
    main()
