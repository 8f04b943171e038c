"""Lock, RLock, Semaphore and BoundedSemaphore, beside those of `threading`."""

from __future__ import annotations

import copy
import pickle
import signal
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

import scheduler
from scheduler import sync
from support.scheduling import queued, started
from support.threads import Worker, in_thread
from support.waiting import TIMEOUT

KINDS: dict[str, Callable[[], Any]] = {
    "Barrier": lambda: sync.Barrier(1),
    **{
        name: getattr(sync, name)
        for name in sync.__all__
        if name not in ("Barrier", "BrokenBarrierError")
    },
}
LOCKS = [sync.Lock, sync.RLock]


def critical(lock: Any, name: str, log: list[str]) -> None:
    with lock:
        log.append(f"{name} comes")
        scheduler.schedule()
        log.append(f"{name} goes")


# ---- what all kinds have in common -------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_copies_are_refused(kind: str) -> None:
    made = KINDS[kind]()
    for copied in (copy.copy, copy.deepcopy, pickle.dumps):
        with pytest.raises(TypeError, match="cannot pickle"):
            copied(made)


@pytest.mark.parametrize("kind", KINDS)
def test_a_subclass_that_forgets_init_is_told_so(kind: str) -> None:
    class Forgetful(getattr(sync, kind)):  # type: ignore[misc]
        def __init__(self) -> None:
            pass

    made = Forgetful()
    assert "Forgetful" in repr(made)
    methods = {"acquire", "release", "wait", "set", "is_set", "put", "get", "qsize", "notify"}
    used = methods & set(dir(made))
    assert used
    for name in used:
        arguments = ("item",) if name == "put" else ()
        with pytest.raises(RuntimeError, match="super"):
            getattr(made, name)(*arguments)
    with pytest.raises(AttributeError, match="no attribute 'bogus'"):
        KINDS[kind]().bogus  # noqa: B018


@pytest.mark.parametrize("kind", KINDS)
def test_repr_tells_the_class(kind: str) -> None:
    assert repr(KINDS[kind]()).startswith(f"<scheduler.sync.{kind} ")


def test_repr_tells_who_waits() -> None:
    lock = sync.Lock()
    assert " unlocked waiting=0 " in repr(lock)
    lock.acquire()
    task = started(lock.acquire)
    assert " locked waiting=1 " in repr(lock)
    task.kill()
    assert " locked waiting=0 " in repr(lock)
    assert " value=3 waiting=0 " in repr(sync.Semaphore(3))
    assert " unset waiting=0 " in repr(sync.Event())


# ---- locks -------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", LOCKS)
def test_one_at_a_time_in_order(kind: type[sync.Lock], mode: str) -> None:
    lock, log = kind(), []
    for name in "abc":
        queued(critical, lock, name, log)
    scheduler.run()
    assert log == ["a comes", "a goes", "b comes", "b goes", "c comes", "c goes"]
    assert not lock.locked()


@pytest.mark.parametrize("kind", LOCKS)
def test_a_released_lock_belongs_to_the_first_who_waits(kind: type[sync.Lock]) -> None:
    """Who comes between the release and its turn does not get it."""
    lock, log = kind(), []
    lock.acquire()
    queued(critical, lock, "first", log)
    scheduler.run()
    lock.release()
    assert lock.locked()
    assert lock.acquire(blocking=False) is False
    with scheduler.block_trap(), pytest.raises(RuntimeError, match="block_trap"):
        lock.acquire()
    scheduler.run()
    assert log == ["first comes", "first goes"]
    assert lock.acquire(blocking=False) is True


@pytest.mark.parametrize("kind", LOCKS)
def test_a_killed_holder_releases_it_by_with(kind: type[sync.Lock]) -> None:
    lock, log = kind(), []
    holder = queued(critical, lock, "holder", log)
    scheduler.run_n_tasklets(1)
    task = queued(critical, lock, "next", log)
    holder.kill()
    scheduler.run()
    assert not task.alive
    assert log[-2:] == ["next comes", "next goes"]


HOLDERS_ENDS = {
    "return": lambda lock: started(lock.acquire),
    "kill": lambda lock: started(lambda: lock.acquire() and scheduler.schedule_remove()).kill(),
    "thread": lambda lock: in_thread(lambda: started(lambda: critical(lock, "it", [])) and None),
    "thread without with": lambda lock: in_thread(lambda: started(lock.acquire) and None),
    "main of a thread": lambda lock: in_thread(lock.acquire),
}


@pytest.mark.parametrize("end", HOLDERS_ENDS)
@pytest.mark.parametrize("kind", LOCKS)
def test_the_holder_ends(kind: type[sync.Lock], end: str) -> None:
    """Without `with` the lock stays taken, as those of `threading`: a Lock may be released by others, an
    RLock by nobody."""
    lock = kind()
    HOLDERS_ENDS[end](lock)
    if end == "thread":
        assert not lock.locked()
        return
    task = queued(critical, lock, "next", [])
    scheduler.run()
    assert lock.locked() and task.blocked and not lock.acquire(timeout=0.001)
    if kind is sync.Lock:
        lock.release()
    else:
        with pytest.raises(RuntimeError, match="un-acquired"):
            lock.release()
        task.kill()
    scheduler.run()
    assert not task.alive and lock.locked() is (kind is sync.RLock)


def test_another_tasklet_may_release_a_lock() -> None:
    lock = sync.Lock()
    started(lock.acquire)
    lock.release()
    assert not lock.locked()
    lock.acquire()
    in_thread(lock.release)
    assert not lock.locked()


def test_a_lock_is_not_taken_twice() -> None:
    lock = sync.Lock()
    assert lock.acquire() is True
    assert lock.acquire(False) is False
    assert lock.acquire(timeout=0.001) is False


def test_a_lock_that_nobody_has_cannot_be_released() -> None:
    with pytest.raises(RuntimeError, match="release unlocked lock"):
        sync.Lock().release()
    with pytest.raises(RuntimeError, match="cannot release un-acquired lock"):
        sync.RLock().release()


@pytest.mark.parametrize("kind", LOCKS)
def test_arguments_of_acquire(kind: type[sync.Lock]) -> None:
    lock = kind()
    with pytest.raises(ValueError, match="non-blocking"):
        lock.acquire(False, 1)
    with pytest.raises(ValueError, match="0 or more"):
        lock.acquire(timeout=-2)
    with pytest.raises(TypeError):
        lock.acquire(timeout=None)  # type: ignore[arg-type]
    assert not lock.locked()
    assert lock.acquire(True, -1)
    lock.release()


def test_an_rlock_belongs_to_a_tasklet() -> None:
    lock = sync.RLock()
    lock.acquire()
    log: list[object] = []

    def other() -> None:
        log.append(lock.acquire(blocking=False))
        try:
            lock.release()
        except RuntimeError as error:
            log.append(str(error))

    started(other)
    assert log == [False, "cannot release un-acquired lock"]
    with lock:
        assert lock.acquire(blocking=False)
        lock.release()
    assert lock.locked()
    lock.release()
    assert not lock.locked()


def test_an_rlock_is_handed_over_when_it_is_released_as_often_as_taken() -> None:
    lock, log = sync.RLock(), []
    lock.acquire()
    lock.acquire()
    queued(critical, lock, "next", log)
    scheduler.run()
    lock.release()
    scheduler.run()
    assert log == []
    lock.release()
    scheduler.run()
    assert log == ["next comes", "next goes"]


@pytest.mark.parametrize("kind", LOCKS)
def test_a_signal_handler_may_use_the_lock(kind: type[sync.Lock], handle: Callable) -> None:
    """Whatever its thread is at: a handler does not wait for the steps that it interrupts."""
    lock = kind()
    tries: list[bool] = []

    def handler(*_: object) -> None:
        if lock.acquire(blocking=False):
            tries.append(True)
            lock.release()
        else:
            tries.append(False)

    handle(handler)
    stop = threading.Event()
    main = threading.get_ident()

    def disturb() -> None:
        while not stop.wait(0.0002):
            signal.pthread_kill(main, signal.SIGUSR1)

    worker = Worker(disturb)
    end = time.monotonic() + TIMEOUT
    while len(tries) < 20 or len(set(tries)) < 2:
        assert time.monotonic() < end
        task = queued(critical, lock, "", [])
        with lock:
            scheduler.schedule()
        scheduler.run()
        assert not task.alive
    stop.set()
    worker.join()
    assert not lock.locked()


# ---- semaphores ----------------------------------------------------------------------------------


def test_a_semaphore_has_so_many_turns() -> None:
    semaphore, inside, most = sync.Semaphore(2), [], []

    def body(number: int) -> None:
        with semaphore:
            inside.append(number)
            most.append(len(inside))
            scheduler.schedule()
            inside.remove(number)

    for number in range(5):
        queued(body, number)
    scheduler.run()
    assert max(most) == 2
    assert [semaphore.acquire(blocking=False) for _ in range(3)] == [True, True, False]


def test_a_semaphore_gives_several_turns_at_once() -> None:
    semaphore, log = sync.Semaphore(0), []
    for number in range(4):
        queued(lambda number=number: (semaphore.acquire(), log.append(number)))
    scheduler.run()
    semaphore.release(3)
    scheduler.run()
    assert log == [0, 1, 2]
    semaphore.release(2)
    scheduler.run()
    assert log == [0, 1, 2, 3]
    assert semaphore.acquire(timeout=0)
    assert not semaphore.acquire(timeout=0)


def test_a_bounded_semaphore_refuses_too_many() -> None:
    semaphore = sync.BoundedSemaphore(2)
    with semaphore, pytest.raises(ValueError, match="too many times"):
        semaphore.release(2)
    with pytest.raises(ValueError, match="too many times"):
        semaphore.release()
    assert [semaphore.acquire(blocking=False) for _ in range(3)] == [True, True, False]


@pytest.mark.parametrize("kind", [sync.Semaphore, sync.BoundedSemaphore])
def test_arguments_of_semaphores(kind: type[sync.Semaphore]) -> None:
    with pytest.raises(ValueError, match=">= 0"):
        kind(-1)
    with pytest.raises(TypeError):
        kind("1")  # type: ignore[arg-type]
    semaphore = kind(0)
    with pytest.raises(ValueError, match="non-blocking"):
        semaphore.acquire(False, 1)
    with pytest.raises(ValueError, match="one or more"):
        semaphore.release(0)
    assert not semaphore.acquire(False)
