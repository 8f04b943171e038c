"""What async code awaits: call(), join(), receive(), send(), iterate()."""

from __future__ import annotations

import asyncio
import gc
import inspect
from asyncio import CancelledError, Task
from collections.abc import AsyncIterator, Callable
from contextvars import Context
from types import FunctionType
from typing import Any, TypeVar

from _scheduler import (
    ChannelClosed,
    TaskletExit,
    _get_bond,
    _ScopeExpired,
    channel,
    getcurrent,
    tasklet,
)

from ._bond import Bond
from ._host import Host, host_of_async_code

T = TypeVar("T")

_END: Any = object()

# What ends a wait for something to receive, and is not what was sent.
_NOT_SENT = (CancelledError, TaskletExit, ChannelClosed, _ScopeExpired)

_ASYNC = inspect.CO_COROUTINE | inspect.CO_ASYNC_GENERATOR


def check_function(function: Any, name: str) -> None:
    # The usual ones first: to ask `inspect` takes longer than to make a tasklet.
    if type(function) is FunctionType and not (function.__code__.co_flags & _ASYNC or function.__dict__):
        return
    if not callable(function):
        raise TypeError(f"aio.{name}() runs a function on a tasklet, not {type(function).__name__}")
    if inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function):
        how = "asyncio.run() it" if name == "run" else "await what it returns"
        raise TypeError(
            f"aio.{name}() runs plain functions on tasklets, and {function.__qualname__}() is an async one: "
            f"{how}, or await_() it in a plain function"
        )


def _context_of(task: Task[Any]) -> Context:
    if hasattr(task, "get_context"):
        context: Context = task.get_context()
        return context
    return next(one for one in gc.get_referents(task) if type(one) is Context)  # Python 3.11


def _bind(host: Host, function: Callable[..., Any], args: Any, kwargs: Any) -> Bond:
    """Makes a tasklet for the function, bound to the running Task, which is to await the bond."""
    task = asyncio.current_task()
    if task is None:
        raise RuntimeError("what aio runs on a tasklet must be awaited in a Task of asyncio")
    runner = tasklet()
    bond = Bond(host, runner, False)
    host.bonds.add(bond)
    bond.task = task
    caller = _get_bond(getcurrent())
    if caller is None or not caller.is_own:  # else the tasklet's own context is the current one
        runner.set_context(_context_of(task))
    runner.bind(bond.run, (function, args, kwargs))
    runner.name = getattr(function, "__name__", type(function).__name__)
    return bond


async def call(function: Callable[..., T], /, *args: Any, **kwargs: Any) -> T:
    """Runs function(*args, **kwargs) on a tasklet, and returns what it returns or raises what it raises.

    The function is a plain one, and can wait in the manner of tasklets, at any depth: on channels, by
    await_(). It runs at once, until it waits; then the loop goes on. It belongs to the Task that awaits:
    asyncio.current_task() is that, its context variables are the Task's, and when the Task is cancelled,
    CancelledError is raised where the function waits.

    A tasklet that is killed ends in CancelledError here.

    Raises:
        TypeError: the function is an async one, or not callable.
        RuntimeError: the thread has no host.

    Example:
        >>> import asyncio, scheduler
        >>> from scheduler import aio
        >>> def plain(seconds):
        ...     aio.await_(asyncio.sleep(seconds))
        ...     return "waited"
        >>> async def main():
        ...     async with aio.host():
        ...         print(await asyncio.gather(aio.call(plain, 0.01), aio.call(plain, 0.02)))
        >>> asyncio.run(main())
        ['waited', 'waited']
    """
    check_function(function, "call")
    host = host_of_async_code("call")
    bond = _bind(host, function, args, kwargs)
    await bond
    return bond.take_outcome()  # type: ignore[no-any-return]


async def join(task: tasklet[...]) -> None:
    """Waits until the tasklet, of any thread, is dead.

    Cancelling it leaves the tasklet as it is. Raises RuntimeError for the current tasklet and for the main
    tasklet of this thread, whose ends cannot be waited for here.

    Example:
        >>> import scheduler
        >>> from scheduler import aio
        >>> async def main():
        ...     async with aio.host():
        ...         task = scheduler.tasklet(print)("working")
        ...         await aio.join(task)
        >>> import asyncio
        >>> asyncio.run(main())
        working
    """
    if task is getcurrent():
        task.join()  # raises
    await call(task.join)


async def receive(channel: channel[T]) -> T:
    """Receives from the channel, as channel.receive() does; only the Task waits.

    Cancelling it leaves the channel's line. What a sender has handed over by then is not lost: it is sent to
    the channel again, by a tasklet that waits until somebody receives it. If the channel has been closed
    meanwhile it can still be received, as what was waiting when it was closed.

    Example:
        >>> import asyncio, scheduler
        >>> from scheduler import aio
        >>> channel = scheduler.channel()
        >>> async def main():
        ...     async with aio.host(), asyncio.TaskGroup() as group:
        ...         reader = group.create_task(aio.receive(channel))
        ...         scheduler.tasklet(channel.send)("news")
        ...     print(reader.result())
        >>> asyncio.run(main())
        news
    """
    return await _take(channel.receive, channel)


async def send(channel: channel[T], value: T) -> None:
    """Sends the value over the channel, as channel.send() does; only the Task waits.

    Cancelling it leaves the channel's line. When CancelledError is raised although a receiver has come just
    before, the receiver has the value.

    Example:
        >>> import asyncio, scheduler
        >>> from scheduler import aio
        >>> channel = scheduler.channel()
        >>> async def main():
        ...     async with aio.host():
        ...         task = scheduler.tasklet(lambda: print(channel.receive()))()
        ...         await aio.send(channel, "news")
        ...         await aio.join(task)
        >>> asyncio.run(main())
        news
    """
    await call(channel.send, value)


async def iterate(channel: channel[T]) -> AsyncIterator[T]:
    """`async for value in aio.iterate(channel):` receives until the channel is closed, as `for` does.

    What is said of receive() about cancelling holds here too, and what is said of closing a channel: it wakes
    nobody who waits already.

    Example:
        >>> import asyncio, scheduler
        >>> from scheduler import aio
        >>> channel = scheduler.buffered(3)
        >>> def produce():
        ...     for number in range(3):
        ...         channel.send(number)
        ...     channel.close()
        >>> async def main():
        ...     async with aio.host():
        ...         await aio.call(produce)
        ...         print([number async for number in aio.iterate(channel)])
        >>> asyncio.run(main())
        [0, 1, 2]
    """
    while (value := await _take(lambda: next(channel, _END), channel)) is not _END:
        yield value


async def _take(function: Callable[[], T], channel: channel[T]) -> T:
    host = host_of_async_code("receive")
    bond = _bind(host, function, (), {})
    try:
        await bond
    except CancelledError:
        # Not lost: what a coroutine returns to somebody who has been cancelled nobody gets.
        if bond.has_ended and bond.value is not _END and not isinstance(bond.error, _NOT_SENT):
            failed = bond.error is not None
            send, value = (channel.send_exception, bond.error) if failed else (channel.send, bond.value)
            # At once: who receives next is to find it.
            host.give_turn(tasklet(_send_again, name="send")(channel, send, value))
        raise
    return bond.take_outcome()  # type: ignore[no-any-return]


def _send_again(channel: channel[Any], send: Callable[[Any], None], value: Any) -> None:
    """Also if the channel is closed by now: who has sent it has been told that it was received."""
    while True:
        try:
            send(value)
            return
        except ValueError:
            if not channel.closing:
                raise
        # Nobody waited for it when it was refused: so those who do now have come in while it was open.
        sender = tasklet(send)(value)
        channel.open()
        sender.resume()
        channel.close(wake=not sender.alive)
        try:
            sender.result()
            return
        except ChannelClosed:
            pass
