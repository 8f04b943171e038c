"""scheduler.testing.virtual_time(): times that come when nobody has anything else to do."""

from __future__ import annotations

import math
import os
import queue
import signal
import threading
import time

import pytest

import scheduler
from scheduler import sync
from scheduler.testing import virtual_time
from support.exceptions import message, outcome
from support.scheduling import queued, started
from support.threads import RemoteThread, Worker, in_thread
from support.waiting import TIMEOUT, wait

HOUR = 3600.0
SOON = 0.02


@pytest.fixture
def clock():
    """As a program's own tests have it."""
    with virtual_time() as made:
        yield made


def run():
    """Until no tasklet is alive; a time that is not virtual makes that a failure."""
    end = time.monotonic() + TIMEOUT
    scheduler.run(threadblock=True, timeout=TIMEOUT)
    assert time.monotonic() < end


def sleeper(log, name, *seconds):
    def work():
        for length in seconds:
            scheduler.sleep(length)
            log.append((name, clock_now()))

    clock_now = log.clock_now
    return queued(work)


class Log(list):
    def __init__(self, clock):
        super().__init__()
        self.clock_now = lambda: clock.now


# ---- time jumps ----------------------------------------------------------------------------------


def test_a_sleep_takes_no_time_and_the_clock_shows_it(clock):
    begin = time.monotonic()
    assert clock.now == 0
    scheduler.sleep(HOUR)
    assert clock.now == HOUR
    scheduler.sleep(0.1)
    assert clock.now == HOUR + 0.1
    assert time.monotonic() - begin < TIMEOUT


def test_deadlines_come_in_order_and_those_of_one_time_in_that_of_their_waits(clock):
    log = Log(clock)
    sleeper(log, "late", 3)
    sleeper(log, "twice", 1, 1)
    sleeper(log, "same", 1)
    sleeper(log, "half", 0.5, 1)
    run()
    assert log == [
        ("half", 0.5), ("twice", 1), ("same", 1), ("half", 1.5), ("twice", 2), ("late", 3),
    ]  # fmt: skip


def test_time_stands_still_while_somebody_is_runnable(clock):
    log = Log(clock)
    sleeper(log, "slept", 1e-9)

    def work():
        for _ in range(100):
            scheduler.schedule()
        log.append(("worked", clock.now))

    queued(work)
    run()
    assert log == [("worked", 0), ("slept", 1e-9)]


def test_a_run_that_does_not_wait_does_not_move_time(clock):
    task = started(scheduler.sleep, HOUR)
    scheduler.run()
    scheduler.run(timeout=SOON)
    scheduler.run_n_tasklets(10)
    assert (clock.now, task.blocked) == (0, True)
    run()
    assert (clock.now, task.alive) == (HOUR, False)


def test_a_main_tasklet_that_waits_for_something_else_moves_time_on(clock):
    ch = scheduler.channel()

    def work():
        scheduler.sleep(HOUR)
        ch.send("done")

    queued(work)
    assert ch.receive() == "done"
    assert clock.now == HOUR
    scheduler.run()


def test_a_wait_that_is_served_in_time_does_not_use_up_the_rest(clock):
    ch = scheduler.channel()

    def work():
        scheduler.sleep(1)
        ch.send(7)

    queued(work)
    assert ch.receive(timeout=HOUR) == 7
    assert clock.now == 1
    scheduler.run()


def test_a_hundred_thousand_timers_in_a_row(clock):
    def work():
        for _ in range(1000):
            scheduler.sleep(1)

    tasks = [queued(work) for _ in range(100)]
    run()
    assert clock.now == 1000
    assert not any(task.alive for task in tasks)


# ---- whose times are virtual ---------------------------------------------------------------------


def lock_held():
    lock = sync.Lock()
    lock.acquire()
    return lock


def full():
    made = sync.Queue(maxsize=1)
    made.put(1)
    return made


def wait_for_nothing():
    condition = sync.Condition()
    with condition:
        return condition.wait_for(lambda: False, timeout=HOUR)


def join_a_sleeper(call):
    task = started(scheduler.sleep, 2 * HOUR)
    try:
        return getattr(task, call)(timeout=HOUR)
    finally:
        task.kill()


WAITS = {
    "send": (lambda: scheduler.channel().send(1, timeout=HOUR), TimeoutError),
    "receive": (lambda: scheduler.channel().receive(timeout=HOUR), TimeoutError),
    "queue channel": (lambda: scheduler.QueueChannel().receive(timeout=HOUR), TimeoutError),
    "select": (
        lambda: scheduler.select(scheduler.channel(), scheduler.channel(), timeout=HOUR),
        TimeoutError,
    ),
    "join": (lambda: join_a_sleeper("join"), False),
    "result": (lambda: join_a_sleeper("result"), TimeoutError),
    "lock": (lambda: lock_held().acquire(timeout=HOUR), False),
    "semaphore": (lambda: sync.Semaphore(0).acquire(timeout=HOUR), False),
    "event": (lambda: sync.Event().wait(timeout=HOUR), False),
    "condition": (wait_for_nothing, False),
    "barrier": (lambda: sync.Barrier(2).wait(timeout=HOUR), threading.BrokenBarrierError),
    "get": (lambda: sync.Queue().get(timeout=HOUR), queue.Empty),
    "put": (lambda: full().put(2, timeout=HOUR), queue.Full),
}


@pytest.mark.parametrize("name", WAITS)
@pytest.mark.parametrize("in_tasklet", [False, True])
def test_every_wait_with_a_time_goes_by_it(clock, name, in_tasklet):
    call, expected = WAITS[name]
    log = []
    if in_tasklet:
        queued(lambda: log.append(outcome(call)))
        run()
    else:
        log.append(outcome(call))
    assert (log, clock.now) == ([expected], HOUR)


def test_a_wait_that_is_woken_in_vain_waits_for_the_rest_of_its_time(clock):
    condition, log = sync.Condition(), []

    def work():
        with condition:
            log.append(condition.wait_for(lambda: False, timeout=10))
        log.append(clock.now)

    def wake():
        for _ in range(3):
            scheduler.sleep(3.3)
            with condition:
                condition.notify()

    queued(work)
    queued(wake)
    run()
    assert log == [False, 10]


def test_scopes_go_by_it(clock):
    with pytest.raises(TimeoutError), scheduler.timeout(5) as outer:
        with pytest.raises(TimeoutError), scheduler.timeout(2):
            scheduler.sleep(HOUR)
        assert clock.now == 2
        outer.reschedule(10)
        scheduler.channel().receive()
    assert clock.now == 12


def test_groups_go_by_it(clock):
    with pytest.raises(TimeoutError), scheduler.timeout(5), scheduler.TaskletGroup() as group:
        member = group.start(scheduler.sleep, HOUR)
    assert (clock.now, member.alive) == (5, False)


def test_what_is_real_stays_real(clock):
    """run(timeout=) ends a program that sleeps again and again; a tasklet's times are the process's."""

    def work():
        while True:
            scheduler.sleep(1)

    before = time.monotonic_ns()
    task = queued(work)
    scheduler.run(threadblock=True, timeout=SOON)
    assert time.monotonic_ns() - before >= SOON * 1e9
    assert task.alive and clock.now > 0
    task.kill()
    assert before <= task.startTime <= task.endTime <= time.monotonic_ns()


def test_a_dump_tells_how_much_of_the_virtual_time_is_left(clock):
    task = started(scheduler.sleep, 10)
    scheduler.sleep(4)
    with pytest.raises(RuntimeError, match=r"sleeps, 6.0 s left"):
        with scheduler.block_trap():
            scheduler.run()
            raise RuntimeError(dict(scheduler._live_tasklets())[task])
    task.kill()


# ---- nothing sleeps ------------------------------------------------------------------------------


def test_a_deadlock_is_one_here(clock):
    assert message(scheduler.channel().receive).startswith("Deadlock")
    task = started(scheduler.channel().receive)
    assert message(scheduler.run, threadblock=True).startswith("Deadlock")
    task.kill()
    assert clock.now == 0


def test_a_deadlock_is_told_when_those_who_slept_have_not_helped(clock):
    queued(scheduler.sleep, HOUR)
    assert message(scheduler.channel().receive).startswith("Deadlock")
    assert clock.now == HOUR


def test_to_sleep_for_ever_is_no_time_that_comes(clock):
    task = started(scheduler.sleep, math.inf)
    assert message(scheduler.run, threadblock=True).startswith("Deadlock")
    task.kill()


# ---- advance() -----------------------------------------------------------------------------------


def test_advance_moves_time_on_and_does_not_switch(clock):
    log = Log(clock)
    for seconds in (3, 1, 2):
        sleeper(log, seconds, seconds)
    scheduler.run()
    clock.advance(2.5)
    assert (log, clock.now) == ([], 2.5)
    scheduler.run()
    assert log == [(1, 2.5), (2, 2.5)]
    clock.advance(0)
    clock.advance(0.5)
    scheduler.run()
    assert log[2:] == [(3, 3)]


def test_a_tasklet_may_advance_and_is_late_itself(clock):
    log = Log(clock)
    sleeper(log, "slept", 1)

    def work():
        with pytest.raises(TimeoutError), scheduler.timeout(2):
            scheduler.schedule()
            clock.advance(5)
            log.append("advanced")
            scheduler.sleep(HOUR)
        log.append(clock.now)

    queued(work)
    run()
    assert log[0] == "advanced" and log[1:] == [5, ("slept", 5)]


@pytest.mark.parametrize("by", ["the loop", "a tasklet"])
def test_to_advance_wakes_a_loop_that_sleeps_until_a_deadline(clock, by):
    sleepers = [started(scheduler.sleep, hours * HOUR) for hours in (1, 3)]
    advancer = scheduler.tasklet().bind(clock.advance, (2 * HOUR,))
    waker = os.eventfd(0, os.EFD_NONBLOCK)
    scheduler.set_waker(waker)
    try:
        assert (scheduler.pump(), scheduler.next_deadline()) == (False, HOUR)
        with pytest.raises(BlockingIOError):
            os.eventfd_read(waker)
        if by == "the loop":
            clock.advance(2 * HOUR)
        else:
            advancer.resume()
        assert os.eventfd_read(waker) == 1
        assert (scheduler.pump(), scheduler.next_deadline()) == (False, HOUR)
        assert [task.alive for task in sleepers] == [False, True]
    finally:
        scheduler.set_waker(None)
        os.close(waker)
        for task in [*sleepers, advancer]:
            task.kill()


@pytest.mark.parametrize("seconds", [-1, -1e-9, math.nan, math.inf, 1e18])
def test_times_that_make_no_sense(clock, seconds):
    with pytest.raises(ValueError, match="seconds"):
        clock.advance(seconds)
    if seconds != 1e18:
        with pytest.raises(ValueError, match="patience"):
            virtual_time(patience=seconds)
    assert clock.now == 0


@pytest.mark.parametrize("seconds", ["1", None, [], 1j])
def test_times_that_are_none(clock, seconds):
    with pytest.raises(TypeError, match="seconds"):
        clock.advance(seconds)
    with pytest.raises(TypeError, match="patience"):
        virtual_time(patience=seconds)


def test_the_clock_of_a_program_that_runs_for_centuries_ends():
    def work():
        with virtual_time() as made, pytest.raises(OverflowError, match="that far"):
            for _ in range(20):
                made.advance(1e9)
        return made.now

    assert in_thread(work) <= 1e10


def test_the_clock_begins_anew_when_nobody_waits_any_more():
    def work():
        for _ in range(30):
            with virtual_time() as made:
                made.advance(9e8)  # 30 times that is more than there is
        assert abs(scheduler._clock() - time.monotonic_ns()) < TIMEOUT * 1e9
        task = queued(scheduler.schedule)
        with virtual_time() as made:
            made.advance(HOUR)
        assert scheduler._clock() > time.monotonic_ns()
        scheduler.run()
        assert not task.alive
        with virtual_time():
            pass
        assert scheduler._clock() < time.monotonic_ns() + HOUR * 1e9

    in_thread(work)


# ---- the block -----------------------------------------------------------------------------------


def test_blocks_nest(clock):
    scheduler.sleep(1)
    with virtual_time() as inner:
        scheduler.sleep(2)
        assert (inner.now, clock.now) == (2, 3)
    scheduler.sleep(4)
    assert (inner.now, clock.now) == (2, 7)


def test_blocks_that_are_left_in_the_order_of_entry(clock):
    first, second = virtual_time(), virtual_time()
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    scheduler.sleep(HOUR)
    assert (first.now, second.now) == (0, HOUR)
    second.__exit__(None, None, None)
    scheduler.sleep(HOUR)
    assert (second.now, clock.now) == (HOUR, 2 * HOUR)


def test_an_exception_ends_the_block():
    with pytest.raises(KeyError), virtual_time() as made:
        scheduler.sleep(1)
        raise KeyError
    assert made.now == 1
    begin = time.monotonic()
    scheduler.sleep(SOON)
    assert time.monotonic() - begin >= SOON


def test_what_still_waits_at_the_end_waits_for_the_rest_in_real_time():
    log = []

    def work():
        scheduler.sleep(HOUR + SOON)
        log.append(time.monotonic() - left)

    task = queued(work)
    with virtual_time():
        scheduler.sleep(HOUR)
    left = time.monotonic()
    assert task.blocked
    run()
    assert SOON <= log[0]


def test_what_waits_already_waits_for_the_rest_in_virtual_time():
    task = started(scheduler.sleep, HOUR)
    with virtual_time() as made:
        run()
    assert not task.alive
    assert HOUR - TIMEOUT < made.now <= HOUR


def test_a_scope_around_the_block_and_one_across_its_end():
    with pytest.raises(TimeoutError), scheduler.timeout(HOUR):
        with virtual_time() as made:
            scheduler.sleep(2 * HOUR)
    assert HOUR - TIMEOUT < made.now <= HOUR
    clock = virtual_time()
    clock.__enter__()
    begin = time.monotonic()
    with pytest.raises(TimeoutError), scheduler.timeout(HOUR):
        scheduler.sleep(HOUR - SOON)
        clock.__exit__(None, None, None)
        scheduler.sleep(HOUR)
    assert SOON <= time.monotonic() - begin < HOUR


def test_a_tasklet_that_is_killed_in_the_block_leaves_it():
    def work():
        with virtual_time():
            scheduler.channel().receive()

    task = started(work)
    scheduler.sleep(HOUR)
    task.kill()
    begin = time.monotonic()
    scheduler.sleep(SOON)
    assert time.monotonic() - begin >= SOON


def test_it_is_entered_once_and_used_inside():
    made = virtual_time(0.5)
    assert repr(made) == "<scheduler.testing.virtual_time(0.5) new>"
    for use in (lambda: made.now, lambda: made.advance(1), lambda: made.__exit__(None, None, None)):
        assert "inside the `with` block" in message(use)
    with made:
        assert repr(made).endswith("entered>")
        assert "entered once" in message(made.__enter__)
    assert repr(made).endswith("left>")
    assert "entered once" in message(made.__enter__)
    assert "inside the `with` block" in message(made.advance, 1)
    assert made.now == 0


def test_the_functions_below_refuse_what_makes_no_sense():
    assert "not stopped" in message(scheduler._advance_clock, 1)
    assert "does not go back" in message(scheduler._stop_clock, -1)
    scheduler._stop_clock(None)


# ---- threads -------------------------------------------------------------------------------------


def test_a_clock_belongs_to_its_thread(clock):
    for use in (lambda: clock.now, lambda: clock.advance(1), lambda: clock.__exit__(None, None, None)):
        with pytest.raises(RuntimeError, match="the thread that has entered"):
            in_thread(use)

    def sleep_there():
        begin = time.monotonic()
        scheduler.sleep(SOON)
        return time.monotonic() - begin

    assert in_thread(sleep_there) >= SOON
    assert clock.now == 0


def test_each_thread_may_have_one():
    def work(hours):
        with virtual_time() as made:
            queued(scheduler.sleep, hours * HOUR)
            run()
            return made.now

    workers = [Worker(work, hours) for hours in (1, 2, 3)]
    assert [worker.join() for worker in workers] == [HOUR, 2 * HOUR, 3 * HOUR]


def test_a_thread_that_ends_inside_the_block_ends_its_sleepers():
    log = []

    def sleep_there():
        try:
            scheduler.sleep(HOUR)
        finally:
            log.append("ended")

    def work():
        virtual_time().__enter__()
        started(sleep_there)

    in_thread(work)
    assert log == ["ended"]


def test_what_another_thread_has_sent_goes_before_time(clock):
    ch = scheduler.channel()
    with RemoteThread() as other:
        task = started(lambda: ch.receive(timeout=HOUR))
        other.call(ch.send, "in time")
        scheduler.run(threadblock=True)
        assert (clock.now, task.alive) == (0, False)


def test_without_patience_time_does_not_wait_for_another_thread(clock):
    ch = scheduler.channel()
    with RemoteThread() as other:
        other.call(scheduler.getmain)
        with pytest.raises(TimeoutError):
            ch.receive(timeout=HOUR)
    assert clock.now == HOUR


def test_with_patience_another_thread_may_still_wake_us():
    ch, ready = scheduler.channel(), threading.Event()

    def answer():
        wait(ready)
        ch.send("answer")

    worker = Worker(answer)
    with virtual_time(patience=TIMEOUT) as made:
        queued(ready.set)
        assert ch.receive(timeout=HOUR) == "answer"
        assert made.now == 0
    worker.join()


def test_patience_has_an_end():
    with virtual_time(patience=SOON) as made:
        begin = time.monotonic()
        scheduler.sleep(HOUR)
        assert time.monotonic() - begin >= SOON
        assert made.now == HOUR
        with virtual_time() as inner:
            scheduler.sleep(HOUR)
            assert inner.now == HOUR
        begin = time.monotonic()
        scheduler.sleep(HOUR)
        assert time.monotonic() - begin >= SOON


def test_a_signal_ends_a_program_that_sleeps_again_and_again(handle, clock):
    class Stop(Exception):
        pass

    def stop(*_):
        raise Stop

    def work():
        while clock.now < 1e8:
            scheduler.sleep(1)
            if clock.now == 100:
                os.kill(os.getpid(), signal.SIGUSR1)

    handle(stop)
    task = queued(work)
    with pytest.raises(Stop):
        scheduler.run(threadblock=True)
    task.kill()
    assert 100 <= clock.now < 1e8
