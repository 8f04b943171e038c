"""Queue, LifoQueue, PriorityQueue."""

import queue
import sys
import threading
from collections import deque
from heapq import heapify
from typing import TYPE_CHECKING, Any, TypeVar

from _scheduler import _raise_held, switch_trap

from ..timeouts import deadline_after, seconds_until
from ._line import Base, Line, Waiter, checked, wake

if TYPE_CHECKING:
    from _typeshed import SupportsRichComparison

_T = TypeVar("_T")
_Ordered = TypeVar("_Ordered", bound="SupportsRichComparison")


class _Exchange(Waiter):
    """The wait of one that puts, with its item, or of one that gets, which finds its item here."""

    __slots__ = ("error", "has_place", "item")

    def __init__(self, item: Any = None) -> None:
        super().__init__()
        self.item = item
        self.error: BaseException | None = None
        self.has_place = False  # kept for the item of one that puts

    def raise_error(self) -> None:
        if self.error is not None:
            try:
                raise self.error
            finally:
                self.error = None  # its traceback has frames that know this record


class Queue(Base, queue.Queue[_T]):
    """A `queue.Queue` in which only the tasklet waits: at most `maxsize` items, 0 for no limit.

    An item goes to the first that waits in get(), a place that becomes free to the first that waits in
    put(). What does not have to wait does not switch. The methods `_init`, `_qsize`, `_put` and `_get`
    of a subclass must not switch, nor call others of the queue.

    Example:
        >>> import scheduler
        >>> queue = scheduler.sync.Queue(maxsize=1)
        >>> def producer():
        ...     for item in ("iron", "coal"):
        ...         queue.put(item)
        ...         print("put", item)
        >>> task = scheduler.tasklet(producer)()
        >>> scheduler.run()
        put iron
        >>> queue.get()
        'iron'
        >>> scheduler.run()
        put coal
    """

    _first = "mutex"

    # What holds whenever the guard is given back, by _settle(): nobody waits in get() while there are
    # items, and nobody in put() while there is room.
    #
    # A put() that raises must not have put anything. Who waits in it and is thrown at may still be in
    # line when there is room, and only its gate knows whether the exception comes too late. So it is kept
    # a place, and woken. If that is delivered to a tasklet that waits, put() cannot fail any more, and the
    # item is put. Else the place goes to the next, and a tasklet that is on its way to its gate, of
    # another thread, looks again for itself.
    def __init__(self, maxsize: int = 0) -> None:
        super().__init__(maxsize)
        del self.not_empty, self.not_full, self.all_tasks_done  # those would stop the thread
        self._kept = 0  # places
        guard = threading.RLock()
        self.mutex = guard  # type: ignore[assignment]
        self._getters, self._putters, self._joiners = (Line(guard=guard) for _ in range(3))

    def put(self, item: _T, block: bool = True, timeout: float | None = None) -> None:
        """Adds an item; waits while the queue is full.

        Raises Full if there is no room in time, or at once with `block` false; ShutDown after
        shutdown() (Python 3.13).
        """
        limit = checked(timeout) if block else 0
        _raise_held()
        waiter = None
        woken: list[Waiter] = []
        try:
            with self.mutex:
                self._raise_if_shut_down()
                if not self._is_full():
                    self._add(item)
                elif limit == 0:
                    raise queue.Full
                else:
                    waiter = _Exchange(item)
                    self._putters.waiters.append(waiter)
                self._settle(woken)
        finally:
            self._wake(woken)
        if waiter is not None:
            self._wait_for_room(waiter, limit)

    def get(self, block: bool = True, timeout: float | None = None) -> _T:
        """Takes an item; waits while there is none.

        Raises Empty if there is none in time, or at once with `block` false; ShutDown when there is
        none after shutdown() (Python 3.13).
        """
        limit = checked(timeout) if block else 0
        _raise_held()
        got: list[_T] = []
        woken: list[Waiter] = []
        try:
            with self.mutex:
                if self._qsize():
                    got.append(self._get())
                else:
                    self._raise_if_shut_down()
                    if limit == 0:
                        raise queue.Empty
                    waiter = _Exchange()
                    self._getters.waiters.append(waiter)
                self._settle(woken)
            self._wake(woken)
        except BaseException:
            self._put_back(got)
            self._wake(woken)
            raise
        return got[0] if got else self._wait_for_item(waiter, limit)

    def _wait_for_room(self, waiter: _Exchange, limit: float | None) -> None:
        end = deadline_after(limit)
        woken: list[Waiter] = []
        while True:
            try:
                in_time = self._putters.wait(waiter, seconds_until(end))
            except BaseException:
                self._give_up_place(waiter, woken)
                self._wake(woken)
                raise
            if self._use_place(waiter, woken):
                break
            with self.mutex:
                self._raise_if_shut_down()
                if not in_time:
                    raise queue.Full
                self._putters.waiters.appendleft(waiter)
                self._settle(woken)
            self._wake(woken)
        self._wake(woken)
        waiter.raise_error()

    def _wait_for_item(self, waiter: _Exchange, limit: float | None) -> Any:
        try:
            if not self._getters.wait(waiter, limit):
                raise queue.Empty
        except BaseException:
            if waiter.granted and waiter.error is None:
                self._put_back([waiter.item])
            raise
        waiter.raise_error()
        return waiter.item

    def task_done(self) -> None:
        """Tells that an item that was got is dealt with; join() waits for that.

        Raises ValueError when called more often than items were put.
        """
        with self.mutex:
            if self.unfinished_tasks <= 0:
                raise ValueError("task_done() called too many times")
            self.unfinished_tasks -= 1
            done = self.unfinished_tasks == 0
        if done:
            self._joiners.serve()

    def join(self) -> None:
        """Waits until task_done() has been called for all items that were put."""
        with self.mutex:
            if self.unfinished_tasks == 0:
                return
            waiter = Waiter()
            self._joiners.waiters.append(waiter)
        self._joiners.wait(waiter, None)

    if sys.version_info >= (3, 13):

        def shutdown(self, immediate: bool = False) -> None:
            """From now on put() raises ShutDown, and so does get() when the queue is empty.

            So do those that wait. With `immediate` the items are dropped, as if they were done.
            """
            woken: list[Waiter] = []
            try:
                with self.mutex:
                    self.is_shutdown = True
                    while immediate and self._qsize():
                        self._get()
                        self.unfinished_tasks = max(self.unfinished_tasks - 1, 0)
                    done = self.unfinished_tasks == 0
                    for line in (self._getters, self._putters):
                        while (first := self._first_of(line)) is not None:
                            first.error = queue.ShutDown()
                            line.grant(first, woken)
            finally:
                wake(woken)
            if done:
                self._joiners.serve()

    def _raise_if_shut_down(self) -> None:
        if sys.version_info >= (3, 13) and self.is_shutdown:
            raise queue.ShutDown

    def _is_full(self) -> bool:
        return 0 < self.maxsize <= self._qsize() + self._kept

    def _add(self, item: _T) -> None:
        self._put(item)
        self.unfinished_tasks += 1

    @staticmethod
    def _first_of(line: Line) -> _Exchange | None:
        while line.waiters:
            first = line.waiters[0]
            if isinstance(first, _Exchange) and first.tasklet.alive and not first.granted:
                return first
            line.leave(first)
        return None

    def _settle(self, woken: list[Waiter]) -> None:
        """Under the guard: lets those in line have what there is; _wake() them when it is given back."""
        while self._qsize() and (first := self._first_of(self._getters)) is not None:
            first.item = self._get()
            self._getters.grant(first, woken)
        while not self._is_full() and (first := self._first_of(self._putters)) is not None:
            self._kept += 1
            first.has_place = True
            woken.append(first)
            self._putters.leave(first)

    def _wake(self, woken: list[Waiter]) -> None:
        """Those who are woken by what the others do come to the end of the list meanwhile."""
        try:
            for waiter in woken:
                waiter.gate.send(None)
                if isinstance(waiter, _Exchange) and waiter.has_place:
                    if waiter.gate.data_queue:
                        self._give_up_place(waiter, woken)
                    else:
                        self._use_place(waiter, woken)
        except BaseException:
            wake(woken)
            raise
        finally:
            woken.clear()

    def _use_place(self, waiter: _Exchange, woken: list[Waiter]) -> bool:
        """Puts the item of one that waits, and is kept a place or finds one; has it been put?"""
        with self.mutex:
            if waiter.granted:
                return True
            if not waiter.has_place and self._is_full():
                return False
            self._kept -= waiter.has_place
            waiter.has_place = False
            waiter.granted = True
            try:
                self._add(waiter.item)
            except Exception as error:  # such as for items that cannot be compared
                waiter.error = error
            self._settle(woken)
        return True

    def _give_up_place(self, waiter: _Exchange, woken: list[Waiter]) -> None:
        with self.mutex:
            self._kept -= waiter.has_place
            waiter.has_place = False
            self._settle(woken)

    def _put_back(self, items: list[_T]) -> None:
        """Puts back what somebody was given and does not take: it is the next again."""
        woken: list[Waiter] = []
        with self.mutex:
            for item in items:
                if isinstance(self.queue, deque):
                    self.queue.appendleft(item)
                else:
                    self._put(item)
            self._settle(woken)
        self._wake(woken)


class LifoQueue(Queue[_T], queue.LifoQueue[_T]):
    """A Queue that hands out the newest item first."""


class PriorityQueue(Queue[_Ordered], queue.PriorityQueue[_Ordered]):
    """A Queue that hands out the smallest item first.

    What compares the items must not switch: a switch trap is set meanwhile.
    """

    def _put(self, item: _Ordered) -> None:
        switch_trap(1)
        try:
            super()._put(item)
        except BaseException:
            # It has been appended before it was compared.
            del self.queue[next(i for i, kept in enumerate(self.queue) if kept is item)]
            heapify(self.queue)
            raise
        finally:
            switch_trap(-1)

    def _get(self) -> _Ordered:
        switch_trap(1)
        try:
            return super()._get()
        finally:
            switch_trap(-1)
