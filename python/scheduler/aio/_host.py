"""Host: an event loop that runs the tasklets of its thread in between its callbacks."""

from __future__ import annotations

import asyncio
import os
import threading
from asyncio import AbstractEventLoop, CancelledError
from collections.abc import Callable
from contextvars import Context
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar

from _scheduler import (
    _get_bond,
    _live_tasklets,
    forbid_main_waits,
    getcurrent,
    getmain,
    next_deadline,
    pump,
    set_waker,
    tasklet,
)

if TYPE_CHECKING:
    from ._bond import Bond
    from ._descriptors import Poller

T = TypeVar("T")

# How long tasklets may run before the loop has its turn again.
TURNS = 200
SECONDS = 0.002
# How often a tasklet that goes on after TaskletExit is killed before it is given up.
KILLS = 10

MAIN_MUST_NOT_WAIT = (
    "the main tasklet of this thread runs an event loop, which would stand still: in async code use "
    "`await aio.receive(channel)`, aio.send(), aio.join() and asyncio.sleep() (aio is scheduler.aio), or run "
    "the function on a tasklet, by `await aio.call(f)`"
)


class _Here(threading.local):
    host: Host | None = None


_here = _Here()


class Host:
    """The loop as host of its thread's tasklets."""

    def __init__(self, loop: AbstractEventLoop) -> None:
        self.loop = loop
        self.main = getmain()
        self.bonds: set[Bond] = set()
        self.idle_bonds = 0  # of these
        self.waiting: set[tasklet] = set()  # for the loop
        self.poller: Poller | None = None
        self.timer: asyncio.TimerHandle | None = None
        self.next_pump: asyncio.Handle | None = None
        self.context = Context()
        self.before = {id(task) for task in self._live()}
        self.waker = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        loop.add_reader(self.waker, self._on_waker)
        set_waker(self.waker)
        forbid_main_waits(MAIN_MUST_NOT_WAIT)

    # ---- turns

    def give_turn(self, task: tasklet) -> None:
        """One, now; what the tasklet raises is told to the loop."""
        try:
            task.resume()
        except BaseException as error:
            self.report(error, f"in {task!r}")

    def wake(self, task: tasklet) -> None:
        """Gives a tasklet that waited for the loop a turn: inside its Task's step if it has a Task."""
        bond = _get_bond(task)
        if bond is not None and bond.idle is not None:
            bond.wake()
        else:
            self.give_turn(task)

    def report(self, error: BaseException, where: str) -> None:
        if isinstance(error, (SystemExit, KeyboardInterrupt)):
            raise error
        if not isinstance(error, CancelledError):
            self.loop.call_exception_handler(
                {"message": f"Unhandled exception {where}", "exception": error}
            )

    def _on_waker(self) -> None:
        try:
            os.eventfd_read(self.waker)
        except BlockingIOError:
            pass
        self._pump()

    def _pump(self) -> None:
        if self.next_pump is not None:
            self.next_pump.cancel()
            self.next_pump = None
        has_more = True
        try:
            has_more = self._pump_bonds() if self.idle_bonds else pump(TURNS, SECONDS)
        except BaseException as error:
            self.report(error, "in a tasklet")
        finally:
            if has_more:
                self.next_pump = self.loop.call_soon(self._pump, context=self.context)
            else:
                self._set_timer()

    def _pump_bonds(self) -> bool:
        """As pump(), but a tasklet whose Task waits for it has its turn in the Task's step."""
        end = self.loop.time() + SECONDS
        turns = TURNS
        while turns and (task := self.main.next) is not None:
            turns -= 1
            bond = _get_bond(task)
            if bond is not None and bond.idle is not None:
                task.remove()
                bond.wake()
            else:
                pump(1)
                if self.loop.time() >= end:
                    break
        return pump(0)

    def _set_timer(self) -> None:
        seconds = next_deadline()
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None
        if seconds is not None:
            self.timer = self.loop.call_later(min(seconds, 1e6), self._pump, context=self.context)

    # ---- the end

    def _live(self) -> list[tasklet]:
        thread = self.main.thread_id
        return [
            task for task, _ in _live_tasklets() if task.thread_id == thread and not task.is_main
        ]

    async def end_leftovers(self) -> None:
        """Kills the tasklets that have been made since the host began, and waits for their ends."""
        from ._operations import call

        current = getcurrent()
        left = [task for task in self._live() if id(task) not in self.before and task is not current]
        if not left:
            return
        names = [repr(task) for task in left]
        for task in left:
            task.kill(pending=True)
        stubborn = []
        for task in left:
            kills = 1
            while not await call(task.join, 0.05):
                bond = _get_bond(task)
                if task in self.waiting or (bond is not None and bond.is_waiting):
                    continue  # it waits for what it has awaited to end
                if kills == KILLS:
                    stubborn.append(repr(task))
                    break
                kills += 1
                task.kill(pending=True)
        message = "tasklets were left over at the end of their host, and have been killed: "
        message += ", ".join(names)
        if stubborn:
            message += f"; these go on all the same, and are given up: {', '.join(stubborn)}"
        self.loop.call_exception_handler({"message": message})

    def close(self) -> None:
        forbid_main_waits(None)
        set_waker(None)
        for bond in self.bonds.copy():
            bond.forget()
        for handle in (self.timer, self.next_pump):
            if handle is not None:
                handle.cancel()
        if not self.loop.is_closed():
            self.loop.remove_reader(self.waker)
        os.close(self.waker)
        if self.poller is not None:
            self.poller.close()


class host:
    """`async with aio.host():` makes the running event loop the host of its thread's tasklets.

    In the block the loop gives the tasklets of its thread their turns, in between its callbacks: at most 200
    turns, or as many as begin within 2 ms, at a time. It is woken by whatever makes a tasklet runnable, and
    wakes those whose time is over. Tasklets can await_(), async code can call() functions on tasklets. What
    leaves a tasklet goes to the loop's exception handler, but for SystemExit and KeyboardInterrupt, which
    leave the loop.

    Async code runs on the main tasklet of the thread. That must not wait in the manner of tasklets, since
    the loop would: channel.receive() and the like raise RuntimeError there, unless they need not wait.

    When the block is left, tasklets that were made in it and are alive are killed, waited for, and
    reported to the loop's exception handler.

    Raises:
        RuntimeError: the thread has a host already; or the loop does not run on the main tasklet.

    Threads:
        Each thread has its own loop, and its own host.

    Example:
        >>> import asyncio, scheduler
        >>> from scheduler import aio
        >>> async def main():
        ...     async with aio.host():
        ...         channel = scheduler.channel()
        ...         scheduler.tasklet(channel.send)("from a tasklet")
        ...         print(await aio.receive(channel))
        >>> asyncio.run(main())
        from a tasklet
    """

    _host: Host | None = None

    async def __aenter__(self) -> None:
        if self._host is not None or _here.host is not None:
            raise RuntimeError(
                "this thread has a host already: enter aio.host() once, around all that uses tasklets"
            )
        if not getcurrent().is_main:
            raise RuntimeError(
                "the event loop runs on a tasklet: to be the host of the others it must run on the main "
                "tasklet of its thread, as with aio.run()"
            )
        self._host = _here.host = Host(asyncio.get_running_loop())

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._host is None or _here.host is not self._host:
            raise RuntimeError("the host is left without having been entered, or by another thread")
        try:
            await self._host.end_leftovers()
        finally:
            self._leave()

    def _leave(self) -> None:
        if self._host is not None:
            _here.host = None
            self._host.close()


def run(
    function: Callable[..., T],
    /,
    *args: Any,
    loop_factory: Callable[[], AbstractEventLoop] | None = None,
) -> T:
    """Runs an event loop as host of this thread's tasklets, and in it function(*args) on a tasklet.

    Returns what the function returns, and raises what it raises; as asyncio.run() does, it makes a loop and
    closes it at the end, cancels the Tasks that are left, and cancels the function on Ctrl-C.

    Parameters:
        function: a plain function; it can await_().
        args: what it is called with.
        loop_factory: makes the loop, such as uvloop.new_event_loop; None for asyncio's own.

    Raises:
        TypeError: the function is an async one, or not callable.
        RuntimeError: an event loop runs in this thread already, or the caller is not the main tasklet.

    Example:
        >>> import asyncio
        >>> from scheduler import aio
        >>> def work(name):
        ...     aio.await_(asyncio.sleep(0.01))
        ...     return f"done: {name}"
        >>> aio.run(work, "tea")
        'done: tea'
    """
    from ._operations import call, check_function

    check_function(function, "run")
    if asyncio._get_running_loop() is not None:
        raise RuntimeError(
            "aio.run() makes an event loop, and one runs in this thread already: there, in `async with "
            "aio.host():`, use `await aio.call(f)`"
        )
    if not getcurrent().is_main:
        raise RuntimeError("aio.run() is for the main tasklet of a thread, outside any other tasklet")

    place = host()

    async def main() -> T:
        await place.__aenter__()
        try:
            return await call(function, *args)
        finally:
            await host_of_async_code("run").end_leftovers()

    try:
        with asyncio.Runner(loop_factory=loop_factory) as runner:
            return runner.run(main())
    finally:
        place._leave()  # what goes on while the runner ends Tasks, and connections, may need it


def host_of_async_code(name: str) -> Host:
    """For what is awaited."""
    found = _here.host
    if found is None:
        raise RuntimeError(
            f"aio.{name}() needs a host for tasklets: enter `async with aio.host():` first, or start the "
            "program by aio.run()"
        )
    return found


def host_of_tasklet(name: str) -> Host | None:
    """For what a tasklet calls to wait; None if its thread has no loop."""
    found = _here.host
    if found is None:
        if asyncio._get_running_loop() is not None:
            raise RuntimeError(
                "the event loop of this thread is no host for tasklets: enter `async with aio.host():` in "
                "it; in async code itself, write `await`"
            )
        return None
    if found.loop.is_closed():
        raise RuntimeError(
            "the event loop that was the host of this thread's tasklets is closed: leave `async with "
            "aio.host():` before that"
        )
    if getcurrent() is found.main:
        raise RuntimeError(
            f"{name}() makes a tasklet wait, and this is the main tasklet, which runs the event loop: in "
            "async code write `await`, and run functions on tasklets by `await aio.call(f)`"
        )
    return found
