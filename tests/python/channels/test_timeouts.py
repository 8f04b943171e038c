"""timeout= of send() and receive(), and sleep()."""

from __future__ import annotations

import math
import random
import threading
import time

import pytest

import scheduler
from support.exceptions import message, outcome
from support.scheduling import channel, queued, started, trapped
from support.threads import Worker, in_thread

SOON = 0.02
LATE = 30.0


def elapsed(function, *args, **kwargs):
    begin = time.monotonic()
    result = outcome(function, *args, **kwargs)
    return result, time.monotonic() - begin


def run_until(condition):
    """Runs what is runnable, and sleeps for those who sleep."""
    while not condition():
        scheduler.run(threadblock=True, timeout=LATE)


# ---- transfers -----------------------------------------------------------------------------------


@pytest.mark.parametrize("preference", [-1, 0, 1])
@pytest.mark.parametrize("call", ["send", "receive"])
def test_a_transfer_that_nobody_meets_times_out_and_has_transferred_nothing(call, preference):
    ch = channel(preference)
    args = [1] if call == "send" else []
    kind, seconds = elapsed(getattr(ch, call), *args, timeout=SOON)
    assert (kind, ch.balance) == (TimeoutError, 0)
    assert seconds >= SOON


@pytest.mark.parametrize("call", ["send", "receive"])
def test_the_error_names_the_operation_the_channel_and_the_seconds(call):
    ch = scheduler.channel()
    text = message(getattr(ch, call), *([1] if call == "send" else []), timeout=SOON)
    assert text == f"{call}() on {ch!r}: nobody came within 0.02 seconds"
    text = message(getattr(ch, call), *([1] if call == "send" else []), timeout=0)
    assert text == f"{call}() on {ch!r}: it would have had to wait"


def test_a_tasklet_that_times_out_goes_on_behind_the_others():
    ch = scheduler.channel()
    log = []

    def work():
        log.append(outcome(ch.receive, timeout=SOON))

    task = started(work)
    run_until(lambda: not task.alive)
    assert log == [TimeoutError] and ch.balance == 0


@pytest.mark.parametrize("timeout", [0, LATE, math.inf, 1e18, None])
def test_a_partner_that_is_there_is_served_whatever_the_time(timeout):
    ch = scheduler.channel()
    queued(ch.send, 7)
    scheduler.run()
    assert ch.receive(timeout=timeout) == 7
    task = started(ch.receive)
    ch.send(8, timeout)
    assert not task.alive


def test_a_partner_that_comes_in_time_ends_the_wait():
    ch = scheduler.channel()
    queued(ch.send, 7)
    assert ch.receive(timeout=LATE) == 7
    queued(ch.receive)
    ch.send(8, timeout=LATE)
    scheduler.run()
    assert ch.balance == 0


def test_zero_never_waits_not_even_where_waiting_is_forbidden():
    ch = scheduler.channel()
    with scheduler.block_trap(), trapped():
        with pytest.raises(TimeoutError):
            ch.receive(timeout=0)
        with pytest.raises(TimeoutError):
            ch.send(1, timeout=0)


def test_a_wait_with_a_time_is_refused_where_waiting_is_forbidden():
    ch = scheduler.channel()
    with scheduler.block_trap():
        assert "block_trap" in message(ch.receive, timeout=LATE)
    with trapped():
        assert "trap" in message(ch.receive, timeout=LATE)
    assert ch.balance == 0


@pytest.mark.parametrize("timeout", [-1, -1e-9, math.nan, -math.inf])
def test_a_time_that_makes_no_sense_is_a_value_error_before_anything_happens(timeout):
    ch = scheduler.channel()
    queued(ch.send, 7)
    scheduler.run()
    with pytest.raises(ValueError, match="timeout"):
        ch.receive(timeout=timeout)
    with pytest.raises(ValueError, match="timeout"):
        scheduler.QueueChannel().receive(timeout=timeout)
    assert ch.balance == 1
    assert ch.receive() == 7
    scheduler.run()


@pytest.mark.parametrize("timeout", ["1", b"1", [], object(), 1j])
def test_a_time_that_is_no_number_is_a_type_error(timeout):
    ch = scheduler.channel()
    for call in (lambda: ch.receive(timeout), lambda: ch.send(1, timeout)):
        with pytest.raises(TypeError, match="timeout must be a number of seconds or None"):
            call()
    assert ch.balance == 0


def test_a_closing_channel_refuses_at_once():
    ch = scheduler.channel()
    ch.close()
    for timeout in (0, LATE):
        with pytest.raises(ValueError):
            ch.receive(timeout=timeout)


@pytest.mark.parametrize("how", ["kill", "throw"])
def test_one_that_waits_with_a_time_can_be_killed_and_thrown_at(how):
    ch = scheduler.channel()
    log = []

    def work():
        try:
            ch.receive(timeout=LATE)
        except BaseException as error:
            log.append(type(error))

    task = started(work)
    task.kill() if how == "kill" else task.throw(KeyError)
    assert log == [scheduler.TaskletExit if how == "kill" else KeyError]
    assert ch.balance == 0 and not task.alive


def test_a_value_that_timed_out_is_dropped_by_the_channel():
    class Value:
        pass

    import weakref

    ch, value = scheduler.channel(), Value()
    reference = weakref.ref(value)
    with pytest.raises(TimeoutError):
        ch.send(value, timeout=SOON)
    del value
    assert reference() is None


def test_a_queue_channel_gives_up_and_takes_what_comes():
    ch = scheduler.QueueChannel()
    with pytest.raises(TimeoutError):
        ch.receive(timeout=0)
    with pytest.raises(TimeoutError):
        ch.receive(SOON)
    queued(ch.send, 7)
    assert ch.receive(timeout=LATE) == 7
    ch.send(8, timeout=0)
    assert ch.receive(timeout=0) == 8


def test_a_main_tasklet_times_out_instead_of_a_deadlock():
    assert in_thread(lambda: outcome(scheduler.channel().receive, timeout=SOON)) is TimeoutError


@pytest.mark.timeout(120)
def test_nothing_is_lost_between_threads_that_time_out():
    """Values go through while both sides give up again and again: each arrives once, or not at all."""
    ch = scheduler.channel()
    rng = random.Random(7)
    sent, received = [], []
    done = threading.Event()

    def send():
        for number in range(3000):
            try:
                ch.send(number, timeout=rng.choice([0, 1e-6, 1e-5, 1e-4]))
                sent.append(number)
            except TimeoutError:
                pass
        done.set()

    def receive():
        rng = random.Random(8)
        while not done.is_set():
            try:
                received.append(ch.receive(timeout=rng.choice([0, 1e-6, 1e-5, 1e-3])))
            except TimeoutError:
                pass

    workers = [Worker(send), Worker(receive)]
    for worker in workers:
        worker.join(100)
    assert received == sent
    assert ch.balance == 0


# ---- sleep ---------------------------------------------------------------------------------------


def test_main_sleeps_as_long_as_it_is_told_and_others_run():
    task = queued(lambda: None)
    _, seconds = elapsed(scheduler.sleep, SOON)
    assert seconds >= SOON and not task.alive


def test_sleepers_wake_in_the_order_of_their_times():
    log = []

    def work(seconds):
        scheduler.sleep(seconds)
        log.append(seconds)

    tasks = [queued(work, seconds) for seconds in (0.03, 0.01, 0.02)]
    run_until(lambda: not any(task.alive for task in tasks))
    assert log == [0.01, 0.02, 0.03]


def test_a_sleeper_wakes_while_others_keep_the_thread_busy():
    log = []

    def work():
        scheduler.sleep(SOON)
        log.append("awake")

    def spin():
        while not log:
            scheduler.schedule()

    queued(work)
    queued(spin)
    scheduler.run()
    assert log == ["awake"]


@pytest.mark.parametrize(
    "come_back",
    [
        scheduler.run,
        scheduler.schedule,
        scheduler.schedule_remove,
        scheduler.pump,
        lambda: scheduler.run(timeout=LATE),
        lambda: scheduler.run_n_tasklets(1),
    ],
)
def test_a_main_loop_that_was_away_finds_at_once_who_is_due(come_back):
    task = started(scheduler.sleep, SOON)
    time.sleep(SOON)  # stands for a frame that is drawn
    come_back()
    assert not task.alive


def test_sleep_of_0_is_a_turn_for_the_others():
    log = []

    def work(name):
        log.append(name)
        scheduler.sleep(0)
        log.append(name)

    queued(work, "a")
    queued(work, "b")
    scheduler.run()
    assert log == ["a", "b", "a", "b"]


def test_run_does_not_wait_for_sleepers_but_run_threadblock_does():
    task = queued(scheduler.sleep, SOON)
    scheduler.run()
    assert task.alive and task.blocked and not task.scheduled
    run_until(lambda: not task.alive)


@pytest.mark.parametrize("seconds", [SOON, LATE, math.inf])
def test_a_sleeper_can_be_killed(seconds):
    log = []

    def work():
        try:
            scheduler.sleep(seconds)
        except scheduler.TaskletExit:
            log.append("killed")
            raise

    task = started(work)
    task.kill()
    assert log == ["killed"] and not task.alive


def test_a_sleeper_can_be_killed_by_another_thread():
    task = started(scheduler.sleep, math.inf)
    in_thread(task.kill, pending=True)
    scheduler.run()
    assert not task.alive


@pytest.mark.parametrize("seconds", [-1, math.nan])
def test_sleep_needs_a_time_that_makes_sense(seconds):
    with pytest.raises(ValueError, match="seconds"):
        scheduler.sleep(seconds)


@pytest.mark.parametrize("seconds", ["1", None, []])
def test_sleep_needs_a_number(seconds):
    with pytest.raises(TypeError):
        scheduler.sleep(seconds)


def test_sleep_is_refused_where_waiting_is_forbidden():
    with scheduler.block_trap():
        assert "block_trap" in message(scheduler.sleep, SOON)
    with trapped():
        assert "trap" in message(scheduler.sleep, SOON)
    scheduler.sleep(SOON)


def test_sleep_is_refused_in_a_schedule_callback():
    texts = []

    def callback(previous, following):
        texts.append(message(scheduler.sleep, SOON))

    scheduler.set_schedule_callback(callback)
    try:
        queued(lambda: None)
        scheduler.run()
    finally:
        scheduler.set_schedule_callback(None)
    assert texts and all("callback" in text for text in texts)


def test_a_thread_ends_while_tasklets_sleep():
    log = []

    def work():
        try:
            scheduler.sleep(LATE)
        finally:
            log.append("ended")

    def leave():
        for _ in range(3):
            queued(work)
        scheduler.run()

    in_thread(leave)
    assert log == ["ended"] * 3


def test_thousands_sleep():
    count, woken = 20_000, []

    def work(number):
        scheduler.sleep(SOON + number % 7 / 1000)
        woken.append(number)

    tasks = [queued(work, number) for number in range(count)]
    scheduler.run()
    run_until(lambda: len(woken) == count)
    assert not any(task.alive for task in tasks)


# ---- exceptions ----------------------------------------------------------------------------------

SENDERS = {
    "send": lambda ch, timeout: ch.send(1, timeout=timeout),
    "send_exception": lambda ch, timeout: ch.send_exception(KeyError, "k", timeout=timeout),
    "send_throw": lambda ch, timeout: ch.send_throw(KeyError("k"), timeout=timeout),
}


@pytest.mark.parametrize("name", SENDERS)
def test_whoever_sends_times_out(name):
    ch = scheduler.channel()
    for timeout in (0, SOON):
        with pytest.raises(TimeoutError):
            SENDERS[name](ch, timeout)
    assert ch.balance == 0


@pytest.mark.parametrize("name", SENDERS)
def test_whoever_sends_in_time_is_served(name):
    ch = scheduler.channel()
    log = []
    started(lambda: log.append(outcome(ch.receive)))
    SENDERS[name](ch, LATE)
    assert log == [1 if name == "send" else KeyError]


@pytest.mark.parametrize("kind", [scheduler.channel, scheduler.QueueChannel])
@pytest.mark.parametrize("name", SENDERS)
@pytest.mark.parametrize(("timeout", "error"), [(-1, ValueError), (math.nan, ValueError), ("1", TypeError)])
def test_all_of_them_refuse_times_that_make_no_sense(kind, name, timeout, error):
    ch = kind()
    with pytest.raises(error, match="timeout must be"):
        SENDERS[name](ch, timeout)
    assert ch.balance == 0
