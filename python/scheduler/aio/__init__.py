"""Tasklets and asyncio in one thread: the event loop hosts the tasklets, each can wait for the other.

    >>> import asyncio
    >>> from scheduler import aio
    >>> def plain(name):                        # on a tasklet
    ...     aio.await_(asyncio.sleep(0.01))     # others run meanwhile
    ...     return f"done: {name}"
    >>> async def coroutine():                  # in the loop
    ...     return await aio.call(plain, "tea")
    >>> aio.run(lambda: aio.await_(coroutine()))
    'done: tea'

run() makes a loop as asyncio.run() does; `async with host()` makes the one that runs the host of its thread's
tasklets. A tasklet waits by await_(), to_thread(), wait_readable() and wait_writable(). Async code runs
functions on tasklets by call(), and uses channels by receive(), send() and iterate().
"""

from ._awaiting import await_, to_thread
from ._descriptors import notify_closing, wait_readable, wait_writable
from ._host import host, run
from ._operations import call, iterate, join, receive, send

__all__ = [
    "await_",
    "call",
    "host",
    "iterate",
    "join",
    "notify_closing",
    "receive",
    "run",
    "send",
    "to_thread",
    "wait_readable",
    "wait_writable",
]

for _object in (
    await_, call, host, iterate, join, notify_closing, receive, run, send, to_thread, wait_readable,
    wait_writable,
):
    _object.__module__ = __name__
del _object
