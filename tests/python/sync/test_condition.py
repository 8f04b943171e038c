"""Condition and Event."""

from __future__ import annotations

import threading

import pytest

import scheduler
from scheduler import sync
from support.scheduling import queued, started
from support.threads import Worker


@pytest.fixture(params=[sync.Lock, sync.RLock])
def condition(request: pytest.FixtureRequest) -> sync.Condition:
    return sync.Condition(request.param())


def waiter(condition: sync.Condition, name: str, log: list[str]) -> None:
    with condition:
        log.append(f"{name} {condition.wait()}")


def test_notify_wakes_so_many_in_order(condition: sync.Condition) -> None:
    log: list[str] = []
    for name in "abcd":
        queued(waiter, condition, name, log)
    scheduler.run()
    with condition:
        condition.notify()
        condition.notify(2)
        assert log == []
    scheduler.run()
    assert log == ["a True", "b True", "c True"]
    with condition:
        condition.notify_all()
    scheduler.run()
    assert log[3:] == ["d True"]
    with condition:
        condition.notify(5)  # nobody: forgotten
    task = started(waiter, condition, "e", log)
    assert task.blocked
    task.kill()
    assert not condition.locked()


def test_without_the_lock_it_is_refused(condition: sync.Condition) -> None:
    for call in (condition.wait, condition.notify, condition.notify_all):
        with pytest.raises(RuntimeError, match="un-acquired lock"):
            call()
    with pytest.raises(RuntimeError, match="un-acquired lock"):
        condition.wait_for(lambda: False)


def test_an_rlock_of_another_tasklet_is_not_enough() -> None:
    condition = sync.Condition()
    started(condition.acquire)
    with pytest.raises(RuntimeError, match="un-acquired lock"):
        condition.wait()


def test_an_rlock_is_released_wholly_and_had_again_as_often() -> None:
    lock = sync.RLock()
    condition, log = sync.Condition(lock), []

    def body() -> None:
        with lock, lock:
            condition.wait()
            log.append(lock.locked())
        log.append(lock.locked())

    started(body)
    with condition:
        condition.notify()
    scheduler.run()
    assert log == [True, False]


def test_wait_for(condition: sync.Condition) -> None:
    numbers: list[int] = []
    got: list[object] = []

    def body() -> None:
        with condition:
            got.append(condition.wait_for(lambda: len(numbers) > 1 and sum(numbers)))

    started(body)
    for number in (2, 3):
        with condition:
            numbers.append(number)
            condition.notify()
        scheduler.run()
    assert got == [5]
    with condition:
        assert condition.wait_for(lambda: numbers) is numbers
        assert condition.wait_for(list, timeout=0.001) == []
        assert condition.wait_for(lambda: 0, timeout=0) == 0
        with pytest.raises(ValueError):
            condition.wait_for(lambda: True, timeout=-1)


def test_one_that_is_killed_has_the_lock_in_its_finally_block(condition: sync.Condition) -> None:
    log: list[str] = []

    def body() -> None:
        with condition:
            try:
                condition.wait()
            finally:
                condition.notify()  # refused without the lock
                log.append("has the lock")

    def holder() -> None:
        with condition:
            scheduler.schedule()
            log.append("released")

    task = started(body)
    queued(holder)
    scheduler.run_n_tasklets(1)
    task.kill()  # it has to wait for the lock first
    scheduler.run()
    assert not task.alive
    assert log == ["released", "has the lock"]
    assert not condition.locked()


@pytest.mark.parametrize("kind", [sync.Lock, sync.RLock])
def test_one_that_cannot_have_the_lock_again_does_not_release_it(kind: type[sync.Lock]) -> None:
    """A second kill() ends the wait for the lock. The lock is still the holder's."""
    condition = sync.Condition(kind())

    def body() -> None:
        with condition:
            condition.wait()

    task = started(body)
    with condition:
        task.kill()
        assert task.blocked
        task.kill()
        assert not task.alive
        assert condition.locked()
        assert condition.acquire(blocking=False) is (kind is sync.RLock)
        if kind is sync.RLock:
            condition.release()
    assert not condition.locked()


@pytest.mark.spec("DEC-10")
def test_one_that_is_killed_with_a_notification_passes_it_on(condition: sync.Condition) -> None:
    """Also when it has had its turn, and waits for the lock."""
    log: list[str] = []
    first = started(waiter, condition, "first", log)
    started(waiter, condition, "second", log)
    with condition:
        condition.notify()
        scheduler.schedule()
        assert first.blocked
        first.kill()
        assert not first.alive
    scheduler.run()
    assert log == ["second True"]


@pytest.mark.parametrize("kind", [sync.Lock, sync.RLock])
def test_a_thread_ends_while_another_one_has_the_lock(
    kind: type[sync.Lock], patient: None
) -> None:
    condition = sync.Condition(kind())
    waits, taken = threading.Event(), sync.Event()

    def body() -> None:
        with condition:
            condition.wait()

    def work() -> None:
        started(body)
        waits.set()
        assert taken.wait(60)

    worker = Worker(work)
    assert waits.wait(60)
    with condition:
        taken.set()
        worker.join()
        assert condition.locked()
    assert not condition.locked()


def test_another_kind_of_lock_is_refused() -> None:
    for lock in (threading.Lock(), threading.RLock(), sync.Semaphore(), "lock"):
        with pytest.raises(TypeError, match=r"scheduler\.sync"):
            sync.Condition(lock)  # type: ignore[arg-type]


# ---- events ----------------------------------------------------------------------------------------


def test_an_event_lets_all_go_on() -> None:
    event, log = sync.Event(), []
    for name in "ab":
        queued(lambda name=name: log.append((name, event.wait())))
    scheduler.run()
    assert not event.is_set()
    event.set()
    event.set()
    assert event.is_set() and event.wait() and event.wait(0)
    scheduler.run()
    assert log == [("a", True), ("b", True)]


def test_an_event_that_is_cleared_at_once_has_let_them_go_on() -> None:
    event, log = sync.Event(), []
    started(lambda: log.append(event.wait()))
    event.set()
    event.clear()
    assert event.wait(0) is False
    scheduler.run()
    assert log == [True]
    assert not event.is_set()
    event.clear()


def test_the_gate_of_an_event_is_closing_while_it_is_set() -> None:
    """What select() goes by: who receives there when set() comes is served; later it is refused."""
    event, log = sync.Event(), []
    tasks = [started(lambda: log.append(event._gate.receive())) for _ in range(2)]
    gate = event._gate
    assert not gate.closing
    event.set()
    assert gate.closing
    scheduler.run()
    assert log == [None, None] and not any(task.alive for task in tasks)
    with pytest.raises(ValueError):
        event._gate.receive()
    event.clear()
    assert not event._gate.closing


@pytest.mark.spec("DEC-10")
@pytest.mark.parametrize("error", [ValueError, TimeoutError, KeyError])
def test_set_serves_all_although_something_is_held_back(error: type[Exception]) -> None:
    event, channel, log = sync.Event(), scheduler.channel(), []
    for _ in range(2):
        started(lambda: log.append(event._gate.receive()))
        started(lambda: log.append(event.wait()))

    def setter() -> None:
        channel.receive()
        try:
            event.set()
        except error:
            log.append("raised")

    task = started(setter)
    channel.preference = 0
    channel.send("served")
    task.throw(error)  # comes too late for receive()
    scheduler.run()
    assert sorted(map(str, log)) == ["None", "None", "True", "True", "raised"]
