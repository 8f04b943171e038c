"""wait_readable(), wait_writable(): only the tasklet waits until a file descriptor is ready.

A loop has a Poller: an epoll of its own, which the loop watches. So it does not matter who else waits for a
descriptor in the loop, and the kernel itself forgets what is closed: a number that names another file by now
is seen, for it is not there to be modified. Each wait arms its descriptor for one event.
"""

from __future__ import annotations

import errno
import select
import threading
import weakref
from asyncio import AbstractEventLoop
from typing import Protocol

from _scheduler import getcurrent

from ..timeouts import check_timeout
from . import _host
from ._wait import LoneSpot, RemoteSpot

_READ, _WRITE = select.EPOLLIN | select.EPOLLRDHUP | select.EPOLLPRI, select.EPOLLOUT
_ALWAYS = select.EPOLLERR | select.EPOLLHUP


class _HasFileno(Protocol):
    def fileno(self) -> int: ...


class _Waiter:
    __slots__ = ("events", "is_closed", "is_ready", "spot")

    def __init__(self, spot: LoneSpot | RemoteSpot, events: int) -> None:
        self.spot = spot
        self.events = events
        self.is_ready = False
        self.is_closed = False

    def release(self, is_closed: bool) -> None:
        self.is_closed = is_closed
        self.is_ready = True
        self.spot.release()


_pollers: weakref.WeakSet[Poller] = weakref.WeakSet()
_pollers_guard = threading.Lock()


class Poller:
    """Who waits for which descriptors, by one loop."""

    def __init__(self, loop: AbstractEventLoop) -> None:
        self.loop = loop
        self.epoll = select.epoll()
        self.guard = threading.Lock()  # tasklets of any thread wait by the background's
        self.waiters: dict[int, list[_Waiter]] = {}
        self.known: set[int] = set()  # have been registered
        with _pollers_guard:
            _pollers.add(self)

    def start(self) -> None:
        self.loop.add_reader(self.epoll.fileno(), self._on_events)

    def close(self) -> None:
        with _pollers_guard:
            _pollers.discard(self)
        if not self.loop.is_closed():
            self.loop.remove_reader(self.epoll.fileno())
        self.epoll.close()

    def add(self, fd: int, waiter: _Waiter) -> None:
        """Raises OSError for what cannot be waited for."""
        with self.guard:
            others = self.waiters.setdefault(fd, [])
            others.append(waiter)
            try:
                gone = self._arm(fd, others)
            except BaseException:
                others.remove(waiter)
                if not others:
                    del self.waiters[fd]
                raise
            if gone:
                self.waiters[fd] = [waiter]
        for other in gone:
            other.release(is_closed=True)

    def _arm(self, fd: int, waiters: list[_Waiter]) -> list[_Waiter]:
        """Returns those, of `waiters` but the last, whose descriptor has been closed meanwhile."""
        events = select.EPOLLONESHOT
        for waiter in waiters:
            events |= waiter.events
        if fd in self.known:
            try:
                self.epoll.modify(fd, events)
                return []
            except FileNotFoundError:
                self.known.discard(fd)
        gone = waiters[:-1]
        self.epoll.register(fd, waiters[-1].events | select.EPOLLONESHOT)
        self.known.add(fd)
        return gone

    def discard(self, fd: int, waiter: _Waiter) -> None:
        with self.guard:
            waiters = self.waiters.get(fd, [])
            if waiter in waiters:
                waiters.remove(waiter)
                if not waiters:
                    del self.waiters[fd]

    def _on_events(self) -> None:
        ready: list[_Waiter] = []
        closed: list[_Waiter] = []
        with self.guard:
            for fd, events in self.epoll.poll(0):
                waiters = self.waiters.pop(fd, [])
                is_ready = [bool(events & (waiter.events | _ALWAYS)) for waiter in waiters]
                ready += [waiter for waiter, is_it in zip(waiters, is_ready) if is_it]
                others = [waiter for waiter, is_it in zip(waiters, is_ready) if not is_it]
                if others:
                    self.waiters[fd] = others
                    try:
                        closed += self._arm(fd, others)
                    except OSError:
                        closed += self.waiters.pop(fd)
        for waiter in ready:
            waiter.release(is_closed=False)
        for waiter in closed:
            waiter.release(is_closed=True)

    def forget(self, fd: int) -> None:
        """The descriptor is about to be closed; in the loop's thread."""
        with self.guard:
            waiters = self.waiters.pop(fd, [])
            self.known.discard(fd)
            try:
                self.epoll.unregister(fd)
            except (OSError, ValueError):
                pass
        for waiter in waiters:
            waiter.release(is_closed=True)


def _number(fd: int | _HasFileno) -> int:
    number = fd if isinstance(fd, int) else getattr(fd, "fileno", lambda: None)()
    if not isinstance(number, int):
        raise TypeError(f"a file descriptor is an int or has fileno(), as {type(fd).__name__} has not")
    if number < 0:
        raise OSError(errno.EBADF, "the file descriptor is closed")
    return number


def _wait(fd: int | _HasFileno, events: int, timeout: float | None, what: str) -> None:
    number = _number(fd)
    check_timeout("timeout", timeout)
    host = _host.host_of_tasklet(f"wait_{what}")
    spot: LoneSpot | RemoteSpot
    if host is None:
        from ._background import get

        poller, spot = get().poller, RemoteSpot()
    else:
        if host.poller is None:
            host.poller = Poller(host.loop)
            host.poller.start()
        poller, spot = host.poller, LoneSpot(host, getcurrent())
    if getcurrent().block_trap:
        raise RuntimeError(f"block_trap is set on the current tasklet: wait_{what}() would have to wait")
    waiter = _Waiter(spot, events)
    try:
        poller.add(number, waiter)
    except PermissionError:  # a regular file, which is always ready
        return
    try:
        spot.wait(timeout)
    except BaseException as error:
        poller.discard(number, waiter)
        if not isinstance(error, TimeoutError) or timeout is None:
            raise
        if not waiter.is_ready:
            raise TimeoutError(f"descriptor {number} was not {what} within {timeout} s") from None
    if waiter.is_closed:
        raise OSError(errno.EBADF, f"descriptor {number} was closed while a tasklet waited for it")


def wait_readable(fd: int | _HasFileno, timeout: float | None = None) -> None:
    """Waits until the descriptor can be read from, or its other end is closed; only the tasklet waits.

    With it a socket that does not block (`sock.setblocking(False)`) is used in blocking style: when
    recv() or accept() raises BlockingIOError, wait, and try again. It may return although there is nothing to
    read, if another one was faster. A regular file is always ready.

    Parameters:
        fd: a file descriptor, or an object with fileno().
        timeout: seconds; None for no limit.

    Raises:
        TimeoutError: it was not ready in time.
        OSError: it is no open descriptor, or was closed meanwhile: see notify_closing().
        RuntimeError: as for await_().

    Example:
        >>> import socket
        >>> from scheduler import aio
        >>> def work():
        ...     here, there = socket.socketpair()
        ...     with here, there:
        ...         here.setblocking(False)
        ...         there.send(b"hello")
        ...         aio.wait_readable(here)
        ...         return here.recv(100)
        >>> aio.run(work)
        b'hello'
    """
    _wait(fd, _READ, timeout, "readable")


def wait_writable(fd: int | _HasFileno, timeout: float | None = None) -> None:
    """Waits until something can be written to the descriptor; only the tasklet waits. As wait_readable().

    Example:
        >>> import socket
        >>> from scheduler import aio
        >>> def work():
        ...     here, there = socket.socketpair()
        ...     with here, there:
        ...         aio.wait_writable(here, timeout=1)
        ...         return here.send(b"hello")
        >>> aio.run(work)
        5
    """
    _wait(fd, _WRITE, timeout, "writable")


def notify_closing(fd: int | _HasFileno) -> None:
    """Call it before a descriptor is closed for which tasklets may wait: they get OSError (EBADF).

    The kernel tells nobody that a descriptor is closed: without this call they wait on, until their time is
    over or somebody waits for a new descriptor of the same number.

    Threads:
        Any thread; it finds those who wait in all threads.

    Example:
        >>> import os, scheduler
        >>> from scheduler import aio
        >>> def read(fd):
        ...     try:
        ...         aio.wait_readable(fd)
        ...     except OSError as error:
        ...         print(error.strerror)
        >>> def work():
        ...     fds = os.pipe()
        ...     reader = scheduler.tasklet(read)(fds[0])
        ...     scheduler.schedule()
        ...     aio.notify_closing(fds[0])
        ...     reader.join()
        ...     os.close(fds[0])
        ...     os.close(fds[1])
        >>> aio.run(work)  # doctest: +ELLIPSIS
        descriptor ... was closed while a tasklet waited for it
    """
    number = _number(fd)
    here = _host._here.host
    with _pollers_guard:
        pollers = list(_pollers)
    for poller in pollers:
        if here is not None and poller is here.poller:
            poller.forget(number)
        else:
            poller.loop.call_soon_threadsafe(poller.forget, number)
