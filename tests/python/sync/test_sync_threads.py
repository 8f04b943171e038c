"""Several threads with several tasklets each: nothing is lost, doubled or let in too early."""

from __future__ import annotations

import queue
import random
import threading
from collections.abc import Callable
from typing import Any

import pytest

import scheduler
from scheduler import sync
from support.threads import Worker

THREADS = 2
TASKLETS = 4
ROUNDS = 40


@pytest.fixture(autouse=True)
def _wait_for_each_other(patient: None) -> None:
    """A main tasklet that waits for another thread is no deadlock."""


def on_all_threads(body: Callable[[int], object], threads: int = THREADS) -> None:
    """Runs `body(number)` in TASKLETS tasklets of each of the threads, until all have ended."""

    def work(first: int) -> None:
        for number in range(TASKLETS):
            scheduler.tasklet(body)(first + number)
        scheduler.run(threadblock=True)

    workers = [Worker(work, thread * TASKLETS) for thread in range(threads)]
    for worker in workers:
        worker.join()


@pytest.mark.parametrize("kind", [sync.Lock, sync.RLock, sync.Semaphore, sync.Condition])
def test_a_counter_that_is_changed_by_steps(kind: Any) -> None:
    lock, counter = kind(), [0]

    def body(number: int) -> None:
        for _ in range(ROUNDS):
            with lock:
                value = counter[0]
                scheduler.schedule()
                counter[0] = value + 1

    on_all_threads(body)
    assert counter == [THREADS * TASKLETS * ROUNDS]


@pytest.mark.spec("DEC-10")
def test_no_turn_is_lost_when_waits_are_ended_in_every_way() -> None:
    """Time-outs, kills and exceptions, from the own thread and from the other one."""
    semaphore = sync.Semaphore(2)
    inside: list[int] = []
    tasks: list[scheduler.tasklet] = []
    most = [0]

    def body(number: int) -> None:
        chance = random.Random(number)
        tasks.append(scheduler.getcurrent())
        for _ in range(ROUNDS):
            try:
                if semaphore.acquire(timeout=chance.choice([0, 0.0002, 5, None])):
                    try:
                        inside.append(number)
                        most[0] = max(most[0], len(inside))
                        scheduler.schedule()
                    finally:
                        inside.remove(number)
                        semaphore.release()
                victim = chance.choice(tasks)
                if victim is not scheduler.getcurrent() and victim.alive:
                    victim.throw(chance.choice([KeyError, TimeoutError]), pending=True)
                scheduler.schedule()
            except (KeyError, TimeoutError, RuntimeError):  # the last one: it has died meanwhile
                pass
        tasks.remove(scheduler.getcurrent())
        if victims := [task for task in tasks if task.alive]:
            chance.choice(victims).kill(pending=True)

    on_all_threads(body)
    tasks.clear()
    assert most[0] <= 2
    assert [semaphore.acquire(blocking=False) for _ in range(3)] == [True, True, False]


@pytest.mark.parametrize("kind", [sync.Queue, sync.LifoQueue, sync.PriorityQueue])
@pytest.mark.parametrize("maxsize", [0, 1, 3])
def test_no_item_is_lost_or_doubled(kind: Any, maxsize: int) -> None:
    made = kind(maxsize)
    got: list[int] = []
    producers = THREADS * TASKLETS // 2

    def body(number: int) -> None:
        if number % 2:
            for item in range(ROUNDS):
                made.put(number * ROUNDS + item)
                if item % 7 == 0:
                    scheduler.schedule()
            return
        for _ in range(ROUNDS):
            got.append(made.get())
            made.task_done()

    on_all_threads(body)
    made.join()
    assert len(got) == producers * ROUNDS == len(set(got))
    assert made.empty()


@pytest.mark.spec("DEC-10")
def test_no_item_is_lost_or_doubled_when_waits_are_ended() -> None:
    made: sync.Queue[tuple[int, int]] = sync.Queue(2)
    put: list[tuple[int, int]] = []
    got: list[tuple[int, int]] = []
    tasks: list[scheduler.tasklet] = []

    def producer(number: int, chance: random.Random) -> None:
        for item in range(ROUNDS):
            try:
                made.put((number, item), timeout=chance.choice([0, 0.0002, 5]))
            except (queue.Full, KeyError):
                continue
            put.append((number, item))

    def consumer(chance: random.Random) -> None:
        for _ in range(ROUNDS):
            try:
                item = made.get(timeout=chance.choice([0, 0.0002, 0.001]))
            except (queue.Empty, KeyError):
                continue
            got.append(item)

    def body(number: int) -> None:
        chance = random.Random(number)
        tasks.append(scheduler.getcurrent())
        try:
            producer(number, chance) if number % 2 else consumer(chance)
        except KeyError:  # held back until here
            pass

    def disturb() -> None:
        chance = random.Random(0)
        while not over.is_set():
            alive = [task for task in tasks if task.alive and task.blocked]
            if alive:
                try:
                    chance.choice(alive).throw(KeyError, pending=True)
                except RuntimeError:  # it has died meanwhile
                    pass
            over.wait(0.0005)

    over = threading.Event()
    disturber = Worker(disturb)
    try:
        on_all_threads(body)
    finally:
        over.set()
        disturber.join()
        tasks.clear()
    got += [made.get() for _ in range(made.qsize())]
    assert sorted(got) == sorted(put)


def test_a_condition_passes_every_notification() -> None:
    """As many tickets as are taken: each notify() lets one go on."""
    condition, tickets, taken = sync.Condition(), [], []

    def body(number: int) -> None:
        for round in range(ROUNDS):
            with condition:
                if number % 2:
                    tickets.append((number, round))
                    condition.notify()
                else:
                    condition.wait_for(lambda: tickets)
                    taken.append(tickets.pop())
            scheduler.schedule()

    on_all_threads(body)
    assert tickets == []
    assert len(taken) == len(set(taken)) == THREADS * TASKLETS // 2 * ROUNDS


def test_an_event_that_is_set_and_cleared() -> None:
    """Who waits when it is set goes on, however soon it is cleared."""
    event, barrier = sync.Event(), sync.Barrier(THREADS * TASKLETS)

    def body(number: int) -> None:
        for round in range(ROUNDS):
            barrier.wait()
            if number == round % (THREADS * TASKLETS):
                event.set()
            else:
                assert event.wait(60)
            if barrier.wait() == 0:
                event.clear()

    on_all_threads(body)


def test_a_barrier_lets_nobody_go_on_too_early() -> None:
    count = THREADS * TASKLETS
    arrived = [0] * count
    barrier = sync.Barrier(count, action=lambda: seen.append(list(arrived)))
    seen: list[list[int]] = []

    def body(number: int) -> None:
        for round in range(ROUNDS):
            arrived[number] = round
            barrier.wait()

    on_all_threads(body)
    assert seen == [[round] * count for round in range(ROUNDS)]


def test_main_tasklets_of_two_threads(patient: None) -> None:
    there: sync.Queue[int] = sync.Queue(1)
    back: sync.Queue[int] = sync.Queue(1)

    def echo() -> None:
        for _ in range(ROUNDS):
            back.put(there.get())

    worker = Worker(echo)
    for number in range(ROUNDS):
        there.put(number)
        assert back.get() == number
    worker.join()


def test_the_import_makes_no_tasklet(run_script: Callable) -> None:
    done = run_script(
        """
        import scheduler

        before = scheduler.get_all_time_tasklet_count()
        scheduler.sync.Queue().put("item")
        print(scheduler.get_all_time_tasklet_count() - before, scheduler.getmain().is_main)
        """
    )
    assert done.stdout == "1 True\n"  # the main tasklet


def test_imported_by_a_thread_that_has_ended(run_script: Callable) -> None:
    done = run_script(
        """
        import threading
        import scheduler

        thread = threading.Thread(target=lambda: scheduler.sync)
        thread.start()
        thread.join()
        queue = scheduler.sync.Queue(1)
        scheduler.tasklet(print)(queue.put(1))
        scheduler.tasklet(lambda: print(queue.get()))()
        scheduler.run()
        """
    )
    assert done.stdout == "None\n1\n"


def test_who_waited_on_another_thread_is_passed_over_after_a_fork(run_script: Callable) -> None:
    done = run_script(
        """
        import os, threading
        import scheduler
        from scheduler import sync

        lock, queue, waits = sync.Lock(), sync.Queue(), threading.Event()
        lock.acquire()

        def work():
            for wait in (lock.acquire, queue.get):
                scheduler.tasklet(wait)()
            scheduler.run()
            waits.set()
            scheduler.run(threadblock=True)

        thread = threading.Thread(target=work, daemon=True)
        thread.start()
        waits.wait()
        pid = os.fork()
        if pid == 0:
            lock.release()
            queue.put("item")
            os._exit(0 if lock.acquire(timeout=0) and queue.get(timeout=0) == "item" else 1)
        print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
        """,
        flags=("-W", "ignore::DeprecationWarning"),
    )
    assert done.stdout == "0\n"
