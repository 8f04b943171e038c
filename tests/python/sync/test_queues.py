"""Queue, LifoQueue and PriorityQueue, beside those of `queue`."""

from __future__ import annotations

import contextlib
import queue
import sys
from typing import Any

import pytest

import scheduler
from scheduler import sync
from support.scheduling import queued, started

KINDS = [sync.Queue, sync.LifoQueue, sync.PriorityQueue]
has_shutdown = pytest.mark.skipif(sys.version_info < (3, 13), reason="CPython 3.13 brought it")


def getter(made: Any, log: list[object]) -> None:
    try:
        log.append(made.get())
    except BaseException as error:
        log.append(type(error).__name__)
        raise


def putter(made: Any, item: object, log: list[object]) -> None:
    try:
        made.put(item)
    except BaseException as error:
        log.append(type(error).__name__)
        raise
    log.append(f"put {item}")


@pytest.mark.parametrize("kind", KINDS)
def test_the_order_of_items_is_that_of_the_kind(kind: Any) -> None:
    made, known = kind(4), getattr(queue, kind.__name__)(4)
    for one in (made, known):
        assert one.empty() and not one.full() and one.qsize() == 0
        for item in (3, 1, 4, 2):
            one.put(item)
        assert one.full() and not one.empty() and one.qsize() == 4 == one.maxsize
        with pytest.raises(queue.Full):
            one.put_nowait(5)
        with pytest.raises(queue.Full):
            one.put(5, timeout=0.001)
    assert [made.get() for _ in range(4)] == [known.get_nowait() for _ in range(4)]
    for one in (made, known):
        with pytest.raises(queue.Empty):
            one.get_nowait()
        with pytest.raises(queue.Empty):
            one.get(timeout=0.001)
        with pytest.raises(ValueError):
            one.get(timeout=-1)
    assert isinstance(made, queue.Queue)


def test_an_item_goes_to_the_first_who_waits() -> None:
    """Who comes later does not get it, though it asks before the other one has its turn."""
    made, log = sync.Queue[str](), []
    for _ in range(2):
        started(getter, made, log)
    made.put("a")
    with pytest.raises(queue.Empty):
        made.get_nowait()
    assert made.empty()
    made.put("b")
    scheduler.run()
    assert log == ["a", "b"]


def test_a_place_goes_to_the_first_who_waits() -> None:
    made, log = sync.Queue[int](1), []
    made.put(0)
    for item in (1, 2):
        started(putter, made, item, log)
    assert made.get() == 0
    assert made.full()
    with pytest.raises(queue.Full):
        made.put_nowait(3)
    assert [made.get(), made.get()] == [1, 2]
    scheduler.run()
    assert log == ["put 1", "put 2"]


def test_a_larger_maxsize_makes_room() -> None:
    made, log = sync.Queue[int](1), []
    made.put(0)
    for item in (1, 2, 3):
        started(putter, made, item, log)
    made.maxsize = 3
    assert [made.get() for _ in range(4)] == [0, 1, 2, 3]
    scheduler.run()
    assert log == ["put 1", "put 2", "put 3"]


@pytest.mark.parametrize("kind", KINDS)
def test_what_a_killed_one_was_given_is_the_next_again(kind: Any) -> None:
    made = kind()
    task = started(getter, made, [])
    made.put(1)
    made.put(2)
    task.kill()
    assert [made.get(), made.get()] == [1, 2]


@pytest.mark.spec("DEC-10")
@pytest.mark.parametrize("how", ["throw", "kill"])
def test_a_put_that_raises_has_put_nothing(how: str) -> None:
    """Its place goes to the next although the exception has still to be raised."""
    made, log = sync.Queue[int](1), []
    made.put(0)
    tasks = [started(putter, made, item, log) for item in (1, 2)]
    if how == "throw":
        tasks[0].throw(KeyError, pending=True)
    else:
        tasks[0].kill(pending=True)
    assert [made.get(), made.get()] == [0, 2]
    for _ in range(2):
        with contextlib.suppress(KeyError):
            scheduler.run()
    assert sorted(log) == sorted(["KeyError" if how == "throw" else "TaskletExit", "put 2"])
    assert made.empty()


@pytest.mark.spec("DEC-10")
def test_many_that_are_killed_are_passed_over() -> None:
    made, log = sync.Queue[int](1), []
    made.put(0)
    tasks = [started(putter, made, item, log) for item in range(1, 2002)]
    for task in tasks[:-1]:
        task.kill(pending=True)
    assert [made.get(), made.get()] == [0, 2001]
    scheduler.run()
    assert log == ["TaskletExit"] * 2000 + ["put 2001"]


@pytest.mark.spec("DEC-10")
def test_a_put_that_is_killed_later_has_put_its_item() -> None:
    made, log = sync.Queue[int](1), []
    made.put(0)
    task = started(putter, made, 1, log)
    assert made.get() == 0
    task.kill()
    assert made.get() == 1


@pytest.mark.spec("DEC-10")
def test_what_is_held_back_comes_before_put_and_get_do_anything() -> None:
    made, channel, log = sync.Queue[int](), scheduler.channel(), []
    channel.preference = 0

    def body() -> None:
        for call in (lambda: made.put(2), made.get):
            channel.receive()
            try:
                call()
            except KeyError:
                log.append("held back")

    made.put(1)
    task = started(body)
    for _ in range(2):
        channel.send(None)
        task.throw(KeyError)
    scheduler.run()
    assert log == ["held back", "held back"]
    assert (made.get(), made.qsize()) == (1, 0)


def test_join_waits_until_all_are_done() -> None:
    made, log = sync.Queue[int](), []

    def consumer() -> None:
        while True:
            made.get()
            scheduler.schedule()
            made.task_done()

    task = queued(consumer)
    for item in range(3):
        made.put(item)
    queued(lambda: (made.join(), log.append(made.unfinished_tasks)))
    made.join()
    scheduler.run()
    assert log == [0]
    with pytest.raises(ValueError, match="too many times"):
        made.task_done()
    task.kill()


@has_shutdown
@pytest.mark.parametrize("immediate", [False, True])
def test_shutdown(immediate: bool) -> None:
    made, log = sync.Queue[int](1), []
    made.put(0)
    started(lambda: (made.join(), log.append("joined")))
    started(putter, made, 1, log)
    made.shutdown(immediate)
    with pytest.raises(queue.ShutDown):
        scheduler.run()
    scheduler.run()
    with pytest.raises(queue.ShutDown):
        made.put(2)
    if immediate:
        assert log == ["ShutDown", "joined"] or log == ["joined", "ShutDown"]
    else:
        assert log == ["ShutDown"]
        assert made.get() == 0
        made.task_done()
        scheduler.run()
        assert log == ["ShutDown", "joined"]
    with pytest.raises(queue.ShutDown):
        made.get()


@has_shutdown
def test_shutdown_ends_who_waits_for_an_item() -> None:
    made, log = sync.Queue[int](), []
    started(getter, made, log)
    made.shutdown()
    with pytest.raises(queue.ShutDown):
        scheduler.run()
    assert log == ["ShutDown"]


def test_items_that_cannot_be_compared_are_for_who_puts_them() -> None:
    made, log = sync.PriorityQueue[Any](2), []
    made.put(1)
    made.put(2)
    started(putter, made, "text", log)
    assert made.get() == 1
    with pytest.raises(TypeError):
        scheduler.run()
    assert log == ["TypeError"]
    with pytest.raises(TypeError):
        made.put("text")
    assert (made.get(), made.qsize()) == (2, 0)
    made.put("text")


def test_a_comparison_must_not_switch() -> None:
    class Item:
        def __lt__(self, other: object) -> bool:
            scheduler.schedule()
            return True

    made: sync.PriorityQueue[Item] = sync.PriorityQueue()
    other = queued(len, "")
    made.put(Item())
    with pytest.raises(RuntimeError, match="switch_trap"):
        made.put(Item())
    assert other.alive
    scheduler.run()


def test_a_subclass_says_how_items_are_kept() -> None:
    class Unique(sync.Queue[str]):
        def _init(self, maxsize: int) -> None:
            self.items: dict[str, None] = {}

        def _qsize(self) -> int:
            return len(self.items)

        def _put(self, item: str) -> None:
            self.items[item] = None

        def _get(self) -> str:
            item = next(iter(self.items))
            del self.items[item]
            return item

    made, log = Unique(), []
    for item in "abab":
        made.put(item)
    assert [made.get() for _ in range(made.qsize())] == ["a", "b"]
    started(getter, made, log)
    made.put("c")
    scheduler.run()
    assert log == ["c"]
