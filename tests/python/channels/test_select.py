"""scheduler.select(): waiting for the first of several things."""

from __future__ import annotations

import collections
import math
import random
import threading

import pytest

import scheduler
from support.exceptions import message, outcome
from support.scheduling import channel, queued, started, trapped
from support.threads import Worker, in_thread

SOON = 0.02
LATE = 30.0


class Gate:
    """As scheduler.sync.Event is: ready once its channel is closing."""

    def __init__(self):
        self._gate = scheduler.channel()


# ---- what can be done at once --------------------------------------------------------------------


def test_it_receives_from_the_channel_where_somebody_sends():
    a, b = scheduler.channel(), scheduler.channel()
    queued(b.send, 7)
    scheduler.run()
    assert scheduler.select(a, b) == (1, 7)
    assert a.balance == b.balance == 0
    scheduler.run()


def test_it_sends_to_the_channel_where_somebody_receives():
    a, b = scheduler.channel(), scheduler.channel()
    log = []
    started(lambda: log.append(b.receive()))
    assert scheduler.select(a.sending(1), b.sending(2)) == (1, None)
    assert log == [2] and a.balance == 0


def test_it_raises_the_exception_that_was_sent():
    a, b = scheduler.channel(), scheduler.channel()
    queued(b.send_exception, KeyError, "k")
    scheduler.run()
    with pytest.raises(KeyError, match="k"):
        scheduler.select(a, b)
    scheduler.run()


def test_a_dead_tasklet_is_ready():
    task = queued(lambda: None)
    scheduler.run()
    assert scheduler.select(scheduler.channel(), task) == (1, None)


def test_an_open_gate_is_ready():
    gate = Gate()
    gate._gate.close()
    assert scheduler.select(scheduler.channel(), gate) == (1, None)


def test_what_is_queued_is_ready():
    queue = scheduler.QueueChannel()
    queue.send_sequence("ab")
    assert scheduler.select(scheduler.channel(), queue) == (1, "a")
    queue.send_exception(KeyError, "k")
    assert scheduler.select(queue) == (0, "b")
    with pytest.raises(KeyError):
        scheduler.select(queue)


@pytest.mark.parametrize("preference", [-1, 0, 1])
@pytest.mark.parametrize("sends", [False, True])
def test_preference_says_who_goes_on_first(preference, sends):
    ch = channel(preference)
    log = []

    def partner():
        ch.receive() if sends else ch.send(1)
        log.append("partner")

    started(partner)

    def work():
        scheduler.select(ch.sending(1) if sends else ch)
        log.append("caller")

    queued(work)
    scheduler.run()
    first = "partner" if preference == (-1 if sends else 1) else "caller"
    assert log[0] == first and len(log) == 2


# ---- which one -----------------------------------------------------------------------------------


def ready_channels(count, times):
    channels = [scheduler.QueueChannel() for _ in range(count)]
    for ch in channels:
        ch.send_sequence(range(times))
    return channels


def test_no_case_starves():
    channels = ready_channels(3, 100)
    taken = collections.Counter(scheduler.select(*channels)[0] for _ in range(99))
    assert taken == {0: 33, 1: 33, 2: 33}


def test_ordered_takes_the_first():
    channels = ready_channels(3, 5)
    taken = [scheduler.select(*channels, ordered=True)[0] for _ in range(15)]
    assert taken == [0] * 5 + [1] * 5 + [2] * 5


def test_a_closing_channel_raises_only_if_nothing_can_be_done():
    a, b = scheduler.channel(), scheduler.channel()
    a.close()
    queued(b.send, 7)
    scheduler.run()
    assert scheduler.select(a, b, ordered=True) == (1, 7)
    scheduler.run()
    for timeout in (None, 0, SOON):  # without a deadlock or a time-out: none is served any more
        with pytest.raises(ValueError, match="clos"):
            scheduler.select(a, b, timeout=timeout)
    with trapped(), pytest.raises(ValueError, match="clos"):
        scheduler.select(b, a.sending(1))
    with scheduler.block_trap(), pytest.raises(RuntimeError, match="block_trap"):
        scheduler.select(a, b)


# ---- waiting -------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", range(5))
def test_it_waits_for_the_first_of_several_and_leaves_the_others(number):
    a, b, queue, gate = (scheduler.channel(), scheduler.channel(), scheduler.QueueChannel(), Gate())
    joined = started(scheduler.schedule_remove)
    log = []
    task = started(lambda: log.append(scheduler.select(a, b.sending(2), joined, gate, queue)))
    assert task.blocked
    assert (a.balance, b.balance) == (-1, 1)
    expected = [
        (lambda: a.send(7), (0, 7)),
        (b.receive, (1, None)),
        (joined.run, (2, None)),
        (lambda: open_gate(gate), (3, None)),
        (lambda: queue.send(8), (4, 8)),
    ]
    act, result = expected[number]
    act()
    scheduler.run()
    assert log == [result] and not task.alive
    assert (a.balance, b.balance, queue.balance) == (0, 0, 0)
    joined.kill()


def open_gate(gate):
    gate._gate.close()
    gate._gate.send(None, timeout=0)


def test_two_that_select_meet():
    a, b = scheduler.channel(), scheduler.channel()
    log = []
    queued(lambda: log.append(scheduler.select(a.sending(1), b)))
    queued(lambda: log.append(scheduler.select(b.sending(2), a)))
    scheduler.run()
    assert sorted(log, key=str) in ([(0, None), (1, 2)], [(0, None), (1, 1)])
    assert a.balance == b.balance == 0


def test_the_same_channel_for_both_directions_never_meets_itself():
    a = scheduler.channel()
    log = []
    task = started(lambda: log.append(scheduler.select(a, a.sending(1), a)))
    assert task.blocked
    assert a.receive() == 1
    scheduler.run()
    assert log == [(1, None)] and a.balance == 0
    started(lambda: log.append(scheduler.select(a, a.sending(1))))
    a.send(5)
    assert log[1] == (0, 5) and a.balance == 0


def test_a_case_may_be_used_again_and_by_two_tasklets():
    a = scheduler.channel()
    case = a.sending("x")
    for _ in range(2):
        queued(scheduler.select, case, case)
    scheduler.run()
    assert [a.receive(), a.receive()] == ["x", "x"]
    assert a.balance == 0
    assert (case.channel, case.value) == (a, "x")
    scheduler.run()


def test_it_times_out():
    a, b = scheduler.channel(), scheduler.channel()
    text = message(scheduler.select, a, b.sending(1), timeout=SOON)
    assert text == "select() on 2 cases: nobody came within 0.02 seconds"
    assert a.balance == b.balance == 0


def test_zero_never_waits():
    with scheduler.block_trap(), trapped():
        with pytest.raises(TimeoutError):
            scheduler.select(scheduler.channel(), timeout=0)


def test_what_it_did_not_send_is_dropped():
    import weakref

    class Value:
        pass

    value = Value()
    reference = weakref.ref(value)
    a, b = scheduler.channel(), scheduler.channel()
    queued(b.send, 1)
    scheduler.run()
    assert scheduler.select(a.sending(value), b) == (1, 1)
    del value
    assert reference() is None
    scheduler.run()


# ---- the end of a wait by others -----------------------------------------------------------------


@pytest.mark.parametrize("how", ["kill", "throw", "clear", "foreign kill"])
def test_one_that_waits_can_be_ended(how):
    a, b = scheduler.channel(), scheduler.channel()
    log = []

    def work():
        try:
            scheduler.select(a, b.sending(1), a.sending(2))
        except BaseException as error:
            log.append(type(error))

    task = started(work)
    if how == "kill":
        task.kill()
    elif how == "throw":
        task.throw(KeyError)
    elif how == "clear":
        a.clear()
    else:
        in_thread(task.kill, pending=True)
    scheduler.run()
    assert log == [KeyError if how == "throw" else scheduler.TaskletExit]
    assert (a.balance, b.balance, task.alive) == (0, 0, False)


def test_one_that_has_been_served_succeeds_although_it_is_thrown_at():
    a, b = channel(1), channel(1)
    log = []

    def work():
        log.append(scheduler.select(a, b))
        log.append(outcome(scheduler.schedule))

    task = started(work)
    a.send(7)
    task.throw(KeyError, pending=True)
    scheduler.run()
    assert log == [(0, 7), KeyError]


def test_a_thread_ends_while_its_tasklets_select():
    a, b = scheduler.channel(), scheduler.channel()

    def leave():
        for _ in range(3):
            queued(scheduler.select, a, b.sending(1))
        scheduler.run()

    in_thread(leave)
    assert a.balance == b.balance == 0


def test_a_channel_that_is_closed_meanwhile_serves_those_who_wait():
    a, b = scheduler.channel(), scheduler.channel()
    log = []
    started(lambda: log.append(scheduler.select(a, b)))
    in_thread(a.close)
    assert a.closing and not a.closed
    b.send(1)
    scheduler.run()
    assert log == [(1, 1)] and a.closed


def test_deadlock_and_dump_tell_that_it_waits():
    a = scheduler.channel()

    def wait():
        queued(scheduler.select, a, a.sending(1)).name = "chooser"
        queued(scheduler.sleep, LATE).name = "sleeper"
        scheduler.run()
        lines = []

        class Lines:
            write = lines.append

        scheduler.dump_tasklets(Lines())
        return "".join(lines)

    text = in_thread(wait)
    assert "waits in select() on 2 cases\n" in text
    assert "sleeps, 29." in text or "sleeps, 30.0 s left" in text


# ---- bad input -----------------------------------------------------------------------------------


@pytest.mark.parametrize("case", [1, None, "ab", object(), scheduler.channel, (1, 2)])
def test_what_is_no_case_is_a_type_error_before_anything_happens(case):
    a = scheduler.channel()
    with pytest.raises(TypeError, match=r"a case of select\(\) is"):
        scheduler.select(a, a.sending(1), case)
    assert a.balance == 0


def test_a_case_that_sends_nowhere_is_a_type_error():
    kind = type(scheduler.channel().sending(1))
    with pytest.raises(TypeError, match="needs a channel"):
        scheduler.select(kind((1, 2)))


def test_no_case_at_all_is_a_value_error():
    with pytest.raises(ValueError, match="at least one case"):
        scheduler.select()
    with pytest.raises(ValueError, match="at least one case"):
        scheduler.select(timeout=0)


@pytest.mark.parametrize("timeout", [-1, math.nan])
def test_a_time_that_makes_no_sense_is_a_value_error(timeout):
    with pytest.raises(ValueError, match="timeout"):
        scheduler.select(scheduler.channel(), timeout=timeout)


def test_unknown_keywords_are_type_errors():
    with pytest.raises(TypeError, match="unexpected keyword argument 'wait'"):
        scheduler.select(scheduler.channel(), wait=1)


def test_tasklets_that_cannot_end_first_are_refused():
    log = []
    task = queued(lambda: log.append(message(scheduler.select, scheduler.getcurrent())))
    scheduler.run()
    assert "join itself" in log[0] and not task.alive
    started(lambda: log.append(message(scheduler.select, scheduler.getmain())))
    assert "main" in log[1]


def test_subclasses_without_init_are_refused():
    bare = scheduler.channel.__new__(scheduler.channel)
    with pytest.raises(RuntimeError, match="not initialised"):
        scheduler.select(scheduler.channel(), bare)


@pytest.mark.parametrize("trap", ["block", "switch"])
def test_it_is_refused_where_waiting_is_forbidden(trap):
    a = scheduler.channel()
    with scheduler.block_trap() if trap == "block" else trapped():
        assert "trap" in message(scheduler.select, a, a.sending(1), timeout=SOON)
    assert a.balance == 0


def test_a_main_tasklet_that_nobody_serves_gets_a_deadlock():
    assert "Deadlock" in in_thread(lambda: message(scheduler.select, scheduler.channel()))


# ---- two threads ---------------------------------------------------------------------------------


@pytest.mark.timeout(120)
@pytest.mark.parametrize("with_timeouts", [False, True])
def test_nothing_is_lost_or_doubled_between_threads(with_timeouts):
    """Both sides select, some with times that run out: each value arrives once, or is not sent."""
    channels = [scheduler.channel() for _ in range(3)]
    rounds = 3000
    done = threading.Event()
    sent, received = [], []

    def limit(rng):
        return rng.choice([None, 1e-5, 1e-4]) if with_timeouts else None

    def send():
        rng = random.Random(1)
        for number in range(rounds):
            cases = [ch.sending(number) for ch in rng.sample(channels, 2)]
            try:
                scheduler.select(*cases, timeout=limit(rng) if number else 1)
                sent.append(number)
            except TimeoutError:
                pass
        done.set()
        for ch in channels:
            ch.close()

    def receive():
        rng = random.Random(2)
        while not done.is_set():
            try:
                received.append(scheduler.select(*rng.sample(channels, 3), timeout=1e-2)[1])
            except (TimeoutError, ValueError):
                pass

    workers = [Worker(send), Worker(receive)]
    for worker in workers:
        worker.join(100)
    assert received == sent
    assert [ch.balance for ch in channels] == [0, 0, 0]
