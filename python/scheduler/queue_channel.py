"""QueueChannel: a channel whose senders never wait.

Any number of threads may send and receive at once. What keeps that right is one invariant:

    while a receiver waits in the line, nothing is queued.

It holds because each of the two steps that could break it looks and acts in one go, inside the
extension, where neither another thread nor other Python code (a callback, `__del__`, a signal
handler) can come between:

* `_send_or_queue` appends only where it finds nobody waiting;
* `_receive_unless` joins the line only where it finds nothing queued. For an iteration it raises
  StopIteration where the channel is closed.

The deque is always an unbounded one of exactly `collections.deque`, or its code, or the `__del__` of
what a bounded one drops, would come between.

So nothing is lost, no receiver sleeps beside a queued item, and an item handed over directly never
overtakes a queued one. A lock of our own could not do this: a sender or receiver has to run the
channel callback, which is foreign code, between taking the lock and joining the line.
"""

from collections import deque
from collections.abc import Iterable
from types import TracebackType
from typing import Any, Self

from _scheduler import channel

from .timeouts import check_timeout


class QueueChannel(channel):
    """A channel that queues what nobody waits for, so that `send` never blocks.

    Attributes and methods not described here are those of `channel`. `closed` and `closing` tell
    about the line of waiting tasklets only: what is queued can be received after close().

    Example:
        >>> import scheduler
        >>> channel = scheduler.QueueChannel()
        >>> channel.send("a")
        >>> channel.send_sequence("bc")
        >>> len(channel), channel.balance
        (3, 3)
        >>> channel.close()
        >>> list(channel)
        ['a', 'b', 'c']
    """

    __module__ = "scheduler"

    _items: deque[tuple[bool, Any]]

    # Made here rather than in __init__, so that a subclass which forgets to call that gets the
    # extension's RuntimeError, as with any channel.
    def __new__(cls, *args: Any, **kwargs: Any) -> Self:
        self = super().__new__(cls)
        self._items = deque()
        return self

    def __init__(self) -> None:
        super().__init__()
        self.preference = 1

    @property
    def data_queue(self) -> deque[tuple[bool, Any]]:
        """The deque of queued items, oldest first: pairs `(ok, data)`.

        `data` is the value sent, or with `ok` false the triple `(type, exception, traceback)` of an
        exception. Another `collections.deque` may be put in its place, if it is not bounded, and no
        instance of a derived class.
        """
        return self._items

    @data_queue.setter
    def data_queue(self, items: deque[tuple[bool, Any]]) -> None:
        if type(items) is not deque:
            raise TypeError(
                f"data_queue must be a collections.deque itself, not {type(items).__name__}: use "
                "deque(items), and override the methods of QueueChannel for what should differ"
            )
        if items.maxlen is not None:
            raise TypeError(
                "data_queue must be a deque without maxlen: use deque(items), and to keep a limit "
                "look at len(channel) before send()"
            )
        self._items = items

    def __len__(self) -> int:
        """Number of queued items."""
        return len(self._items)

    def __repr__(self) -> str:
        kind, rest = super().__repr__().split(" balance=", 1)
        return f"{kind} queued={len(self._items)} balance={rest}"

    @property
    def balance(self) -> int:
        """Number of queued items if there are any, else the balance of the line."""
        return len(self._items) or super().balance

    def send(self, data: Any, timeout: float | None = None) -> None:
        """Hands `data` to the first waiting receiver, or queues it if nobody waits.

        Never waits, so that `timeout` makes no difference. Raises ValueError when the channel is
        closing and nobody waits.
        """
        check_timeout("timeout", timeout)
        self._send_or_queue(self._items, (True, data))

    def send_exception(self, *exc_and_args: Any, timeout: float | None = None) -> None:
        """`send_exception(exc, *args)`: as send, but the receiver gets an exception raised.

        `exc` is an exception class, called with `args`, or an instance, then without `args`.
        Raises RuntimeError when it is neither, TypeError for an instance with `args`.
        """
        check_timeout("timeout", timeout)
        if not exc_and_args or not _is_exception(exc_and_args[0]):
            raise RuntimeError("send_exception() needs an exception class or instance to send")
        exc, *args = exc_and_args
        value: Any = args[0] if len(args) == 1 else tuple(args) or None
        ready = isinstance(exc, type) and isinstance(value, exc)
        self._send_error(value if ready else _make_exception(exc, value))

    def send_throw(
        self, exc: Any, value: Any = None, tb: Any = None, *, timeout: float | None = None
    ) -> None:
        """As send, but the receiver gets an exception raised, with the traceback `tb` if given.

        `send_throw(*sys.exc_info())` passes on the exception being handled. Raises TypeError when
        `exc` is neither an exception class nor an instance, or `tb` is no traceback.
        """
        check_timeout("timeout", timeout)
        if not _is_exception(exc):
            raise TypeError("send_throw() needs an exception class or instance to send")
        if tb is not None and not isinstance(tb, TracebackType):
            raise TypeError(f"tb must be a traceback or None, not {type(tb).__name__}")
        error = value if type(value) is exc else _make_exception(exc, value)
        if tb is not None:
            error = error.with_traceback(tb)
        self._send_error(error)

    def _send_error(self, error: BaseException) -> None:
        triple = (type(error), error, error.__traceback__)
        self._send_or_queue(self._items, (False, triple))

    def send_sequence(self, iterable: Iterable[Any]) -> None:
        """Sends each item of `iterable`."""
        for item in iterable:
            self.send(item)

    def receive(self, timeout: float | None = None) -> Any:
        """Takes the oldest queued item; with nothing queued, waits as `channel.receive` does.

        Returns the value, or raises the exception that was sent; TimeoutError if nothing has come
        within `timeout` seconds.
        """
        return self._take(iterates=False, timeout=timeout)

    def __next__(self) -> Any:
        """As receive, but ends the iteration of a closed channel with nothing queued."""
        return self._take(iterates=True)

    def _take(self, iterates: bool, timeout: float | None = None) -> Any:
        # Whoever is too late for an item, again and again, waits longer than it was asked to.
        while (received := self._receive_unless(self._items, iterates, timeout)) is None:
            try:
                ok, data = self._items.popleft()
            except IndexError:  # another thread took it
                continue
            if ok:
                return data
            _, error, traceback = data
            try:
                raise error.with_traceback(traceback)
            finally:  # else the traceback keeps itself alive through this frame
                del data, error, traceback
        return received[0]


def _is_exception(exc: Any) -> bool:
    return isinstance(exc, BaseException) or (
        isinstance(exc, type) and issubclass(exc, BaseException)
    )


def _make_exception(exc: Any, value: Any) -> BaseException:
    """The exception for a class and a value (None, a tuple of arguments, or the one argument)."""
    if isinstance(exc, BaseException):
        if value is not None:
            raise TypeError("an exception instance is sent as it is: it takes no arguments")
        return exc
    if value is None:
        error = exc()
    elif isinstance(value, tuple):
        error = exc(*value)
    else:
        error = exc(value)
    if not isinstance(error, BaseException):
        raise TypeError(f"{exc.__name__} made {type(error).__name__}, which is no exception")
    return error
