"""What a tasklet calls to wait for asyncio: await_(), to_thread()."""

from __future__ import annotations

import asyncio
import contextvars
import functools
import sys
from asyncio import Future, Task, current_task
from collections.abc import Awaitable, Callable
from inspect import isawaitable
from types import CoroutineType
from typing import Any, TypeVar

from _scheduler import _await, _get_bond, getcurrent, tasklet

from ..timeouts import check_timeout, deadline_after
from . import _background
from ._bond import Bond
from ._host import Host, host_of_tasklet
from ._wait import LoneSpot, Wait, wrap

T = TypeVar("T")


def await_(awaitable: Awaitable[T], timeout: float | None = None) -> T:
    """Waits for an awaitable of asyncio, from plain code on a tasklet; the others run meanwhile.

    Returns its result, or raises what it raises. A coroutine is run on this tasklet: what it does before it
    has to wait is done at once, without a Task. asyncio.current_task() inside is the Task that the tasklet is
    bound to by call(), else one of its own that lasts until the tasklet waits for something else.

    When the tasklet is killed, thrown at, or out of time meanwhile, the awaitable is cancelled and waited
    for, and then the wait ends in that exception.

    Parameters:
        awaitable: a coroutine, a future or a Task of this thread's loop, or another object with __await__().
        timeout: seconds after which it is cancelled; None for no limit.

    Raises:
        TypeError: it is not awaitable, or the timeout no number.
        ValueError: the timeout is negative or nan.
        TimeoutError: the time is over.
        CancelledError: the awaitable, or the Task that this tasklet is bound to, has been cancelled.
        RuntimeError: on the main tasklet of a thread with a running loop, which must not wait; if that loop
            is no host, or closed; for a future of another loop; if block_trap is set and it has to wait.

    Threads:
        Any thread. In one without a loop the awaitable is run by a loop in a thread of its own, one for
        all, which is started when it is first needed.

    Example:
        >>> import asyncio
        >>> from scheduler import aio
        >>> async def fetch(name):
        ...     await asyncio.sleep(0.01)
        ...     return name.upper()
        >>> aio.run(lambda: aio.await_(fetch("tea")))
        'TEA'
    """
    return _await(awaitable, timeout, _await_carefully)  # type: ignore[no-any-return]


def _await_carefully(awaitable: Awaitable[T], timeout: float | None) -> T:
    if not isawaitable(awaitable):
        raise TypeError(
            f"await_() takes an awaitable (a coroutine, a future, a Task), not {type(awaitable).__name__}"
        )
    started = False
    coro: Any = awaitable
    try:
        check_timeout("timeout", timeout)
        host = host_of_tasklet("await_")
        if host is None:
            background = _background.get()
            started = True
            return _background.wait_for(background, awaitable, timeout)
        if asyncio.isfuture(awaitable):
            if awaitable.get_loop() is not host.loop:
                raise RuntimeError(f"this future belongs to another event loop: {awaitable!r}")
            if awaitable.done():
                return awaitable.result()  # type: ignore[no-any-return]
        task = getcurrent()
        bond = _get_bond(task)
        if bond is None or not bond.is_inside or current_task() is not bond.task:
            _check_no_eager_task()
            if bond is None and asyncio.isfuture(awaitable):
                return _wait_for_future(host, task, awaitable, timeout)  # type: ignore[no-any-return]
            bond = bond or _bind_own(host, task)
            bond.enter()
        if type(awaitable) is not CoroutineType:
            coro = wrap(awaitable)
        elif awaitable.cr_suspended:
            started = True
            raise RuntimeError("the coroutine is being awaited already")
        started = True
        if timeout is None:
            return bond.run_coroutine(coro)  # type: ignore[no-any-return]
        return bond.run_carefully(coro, timeout)  # type: ignore[no-any-return]
    finally:
        if not started and type(coro) is CoroutineType and not coro.cr_suspended:
            coro.close()  # else there is a warning as well


async def _drive_own(bond: Bond) -> None:
    assert bond.task is not None
    bond.task.remove_done_callback(bond.forsake)
    await bond


def _bind_own(host: Host, task: tasklet) -> Bond:
    """Makes a Task for the tasklet, which lasts until that waits for something else than its loop."""
    bond = Bond(host, task, True)
    host.bonds.add(bond)
    # Not by the loop's factory, which may start it at once.
    bond.task = Task(_drive_own(bond), loop=host.loop, name=task.name or None)
    bond.task.add_done_callback(bond.forsake)
    return bond


def _check_no_eager_task() -> None:
    """The current Task may be one that a coroutine of this tasklet has started eagerly: if the tasklet gave
    way now, asyncio would take all that others do for work of that Task."""
    task = current_task()
    if task is None:
        return
    root = getattr(task.get_coro(), "cr_frame", None)
    frame: Any = sys._getframe()
    while frame is not None:
        if frame is root:
            raise RuntimeError(
                "await_() cannot wait here: this code runs in the first step of an eager Task, which must "
                "not be left: use `await` there, or make the Task without an eager task factory"
            )
        frame = frame.f_back


def _wait_for_future(host: Host, task: tasklet, future: Future[T], timeout: float | None) -> T:
    """For a tasklet without a Task."""
    wait = Wait(task, timeout, deadline_after(timeout))
    spot = LoneSpot(host, task)

    def release(_: object) -> None:
        spot.release()

    if wait.may_begin():
        future.add_done_callback(release)
    try:
        while not wait.is_hopeless:
            try:
                spot.wait(wait.left())
                break
            except BaseException as error:
                wait.note(error, host.loop.is_closed())
                if not wait.is_hopeless:
                    future.cancel()
                if future.done():
                    break
        return wait.conclude_by(lambda: None if wait.is_hopeless else future.result())  # type: ignore[no-any-return]
    finally:
        future.remove_done_callback(release)


def to_thread(function: Callable[..., T], /, *args: Any, **kwargs: Any) -> T:
    """Calls the function in a worker thread; only this tasklet waits for what it returns or raises.

    For functions that block: of databases, of name servers, of files. The function sees a copy of the
    context variables. It runs in the loop's default executor. When the tasklet is killed or thrown at
    meanwhile it goes on at once; a function that has begun runs to its end all the same.

    Raises RuntimeError as await_() does.

    Example:
        >>> import time
        >>> from scheduler import aio
        >>> def work():
        ...     aio.to_thread(time.sleep, 0.01)
        ...     return aio.to_thread(divmod, 17, 5)
        >>> aio.run(work)
        (3, 2)
    """
    if not callable(function):
        raise TypeError(f"to_thread() calls a function, not {type(function).__name__}")
    host = host_of_tasklet("to_thread")
    if host is None:
        return await_(asyncio.to_thread(function, *args, **kwargs))
    context = contextvars.copy_context()
    return await_(
        host.loop.run_in_executor(None, functools.partial(context.run, function, *args, **kwargs))
    )
