"""scheduler.buffered(capacity): senders wait while it is full, receivers while it is empty."""

from __future__ import annotations

import gc
import random
import sys
import threading
import weakref

import pytest

import scheduler
from scheduler.testing import virtual_time
from support.exceptions import message, outcome
from support.scheduling import queued, started, trapped
from support.threads import RemoteThread, Worker, in_thread

SOON = 0.02
LATE = 30.0


def filled(capacity, *values):
    """A channel with these values in its buffer."""
    made = scheduler.buffered(capacity)
    for value in values:
        made.send(value)
    return made


def taken(ch):
    """All that can be received without waiting."""
    values = []
    while (value := outcome(ch.receive, timeout=0)) is not TimeoutError:
        values.append(value)
    return values


# ---- sending and receiving -----------------------------------------------------------------------


def test_send_waits_only_while_it_is_full():
    ch, log = scheduler.buffered(2), []

    def produce():
        for number in range(4):
            ch.send(number)
            log.append(number)

    task = started(produce)
    assert (log, len(ch), ch.balance, task.blocked) == ([0, 1], 2, 3, True)
    assert ch.receive() == 0
    assert (len(ch), ch.balance, task.blocked) == (2, 2, False)
    scheduler.run()
    assert (log, len(ch), ch.balance) == ([0, 1, 2], 2, 3)
    assert [ch.receive() for _ in range(3)] == [1, 2, 3]
    scheduler.run()
    assert (log, len(ch), ch.balance, task.alive) == ([0, 1, 2, 3], 0, 0, False)


def test_receive_waits_only_while_it_is_empty():
    ch, log = filled(2, "a"), []

    def consume():
        for _ in range(2):
            log.append(ch.receive())

    task = started(consume)
    assert (log, ch.balance, task.blocked) == (["a"], -1, True)
    ch.send("b")
    assert (len(ch), ch.balance) == (0, 0)  # handed over
    scheduler.run()
    assert log == ["a", "b"]


@pytest.mark.spec("C-02")
def test_senders_are_served_in_the_order_in_which_they_came():
    ch = filled(2, 0, 1)
    tasks = [started(ch.send, number) for number in (2, 3, 4)]
    assert [ch.receive() for _ in range(5)] == [0, 1, 2, 3, 4]
    scheduler.run()
    assert not any(task.alive for task in tasks)


@pytest.mark.spec("C-02")
def test_receivers_are_served_in_the_order_in_which_they_came():
    ch, log = scheduler.buffered(2), []
    for name in "abc":
        started(lambda name=name: log.append((name, ch.receive())))
    for number in range(3):
        ch.send(number)
    scheduler.run()
    assert log == [("a", 0), ("b", 1), ("c", 2)]


def test_the_ring_goes_round():
    ch = filled(3, 0, 1)
    for number in range(2, 20):
        ch.send(number)
        assert ch.receive() == number - 2
        assert len(ch) == 2


@pytest.mark.spec("C-30", "C-31")
def test_exceptions_are_kept_and_raised_by_the_receiver():
    ch = scheduler.buffered(3)
    ch.send_exception(ValueError, "sent")
    ch.send_throw(KeyError, "thrown")
    ch.send(KeyError("a value"))
    with pytest.raises(ValueError, match="sent"):
        ch.receive()
    with pytest.raises(KeyError, match="thrown"):
        ch.receive()
    assert isinstance(ch.receive(), KeyError)


@pytest.mark.spec("C-14")
def test_any_object_may_be_sent():
    values = [None, ValueError, [], ValueError("no error")]
    ch = filled(4, *values)
    assert all(got is sent for got, sent in zip(taken(ch), values, strict=True))


# ---- times ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("timeout", [0, SOON])
def test_a_send_that_finds_no_room_in_time_has_sent_nothing(timeout):
    ch = filled(1, "kept")
    with pytest.raises(TimeoutError, match=r"send\(\) on <scheduler.buffered queued=1/1"):
        ch.send("lost", timeout=timeout)
    assert (ch.balance, taken(ch)) == (1, ["kept"])
    with pytest.raises(TimeoutError, match=r"receive\(\) on"):
        ch.receive(timeout=timeout)
    assert ch.balance == 0


def test_what_need_not_wait_succeeds_whatever_the_time_and_where_waiting_is_forbidden():
    ch = scheduler.buffered(1)
    with scheduler.block_trap(), trapped():
        ch.send(1, timeout=0)
        assert "block_trap" in message(ch.send, 2)
        assert ch.receive(timeout=0) == 1
        assert "block_trap" in message(ch.receive)
    assert ch.balance == 0


@pytest.mark.spec("DEC-10")
def test_success_beats_expiry():
    """One that has been served in time, and has its turn when the time is over."""
    ch, log = filled(1, "first"), []

    def produce():
        ch.send("second", timeout=1)
        log.append("sent")

    def consume():
        log.append(other.receive(timeout=1))

    other = scheduler.buffered(1)
    with virtual_time() as clock:
        started(produce)
        started(consume)
        assert ch.receive() == "first"
        other.send("got")
        clock.advance(5)
        scheduler.run()
    assert log == ["sent", "got"]
    assert taken(ch) == ["second"]


# ---- whose tasklet ends --------------------------------------------------------------------------


@pytest.mark.spec("C-52", "DEC-10")
def test_a_sender_that_is_killed_in_line_has_sent_nothing():
    ch = filled(1, 0)
    first, second = started(ch.send, 1), started(ch.send, 2)
    first.kill()
    assert taken(ch) == [0, 2]
    scheduler.run()
    assert not second.alive


@pytest.mark.spec("C-53", "DEC-10")
def test_a_sender_that_is_killed_when_it_has_been_served_has_sent():
    ch = filled(1, 0)
    task = started(ch.send, 1)
    assert ch.receive() == 0
    task.kill()
    assert taken(ch) == [1]


def test_what_a_tasklet_has_sent_stays_when_it_ends():
    ch = scheduler.buffered(2)
    started(ch.send, "sent")
    assert in_thread(ch.send, "by a thread") is None
    gc.collect()
    assert taken(ch) == ["sent", "by a thread"]


def test_a_thread_that_ends_takes_its_senders_out_of_the_line():
    ch = filled(1, 0)
    in_thread(lambda: started(ch.send, "lost") and None)
    assert ch.balance == 1
    assert taken(ch) == [0]


# ---- closing -------------------------------------------------------------------------------------


@pytest.mark.spec("C-40", "C-43")
def test_what_is_there_can_be_received_after_close():
    ch = filled(3, 1, 2)
    ch.close()
    assert (ch.closing, ch.closed) == (True, False)
    with pytest.raises(ValueError, match="clos"):
        ch.send(3)
    assert ch.balance == 2
    assert list(ch) == [1, 2]
    assert ch.closed
    with pytest.raises(ValueError, match="clos"):
        ch.receive()
    assert list(ch) == []


@pytest.mark.spec("C-40")
def test_senders_in_line_are_served_after_close():
    ch = filled(1, 1)
    task = started(ch.send, 2)
    ch.close()
    assert list(ch) == [1, 2]
    scheduler.run()
    assert (task.alive, ch.closed) == (False, True)


@pytest.mark.spec("C-40", "C-41")
def test_an_empty_one_is_closed_at_once_and_may_be_opened():
    ch = scheduler.buffered(1)
    ch.close()
    assert ch.closed
    ch.open()
    ch.send(1)
    ch.close()
    assert not ch.closed
    ch.open()
    assert (ch.closing, ch.receive()) == (False, 1)


@pytest.mark.spec("C-13", "C-40")
def test_a_receiver_in_line_is_served_after_close():
    ch, log = scheduler.buffered(1), []
    started(lambda: log.extend(ch))
    ch.close()
    assert not ch.closed
    ch.send("late")
    assert ch.closed
    scheduler.run()
    assert log == ["late"]


@pytest.mark.spec("C-42")
def test_clear_ends_those_who_wait_and_keeps_the_buffer():
    ch = filled(1, "kept")
    sender = started(ch.send, "lost")
    ch.clear()
    assert (sender.alive, taken(ch)) == (False, ["kept"])
    receiver = started(ch.receive)
    ch.clear()
    assert (receiver.alive, ch.balance) == (False, 0)


@pytest.mark.spec("C-44")
def test_unblock_all_channels_keeps_the_buffer():
    full, empty = filled(1, "kept"), scheduler.buffered(1)
    tasks = [started(full.send, "lost"), started(empty.receive)]
    filled(1, 1)
    assert scheduler.unblock_all_channels() == 2
    assert not any(task.alive for task in tasks)
    assert taken(full) == ["kept"]


# ---- preference, callback, traps -----------------------------------------------------------------


@pytest.mark.spec("C-20")
@pytest.mark.parametrize("preference", [-1, 0, 1])
def test_preference_matters_where_a_tasklet_waits(preference, mode):
    ch, log = scheduler.buffered(1), []
    assert ch.preference == 0
    ch.preference = preference

    def receive():
        log.append(("got", ch.receive()))

    def send(value):
        ch.send(value)
        log.append(("sent", value))

    def both():
        scheduler.tasklet(receive)()
        scheduler.schedule()
        send(1)  # the receiver waits
        send(2)  # there is room
        waiting = scheduler.tasklet(send)(3)
        scheduler.schedule()
        receive()  # the sender waits
        assert waiting.alive == (preference != 1)
        receive()

    queued(both)
    scheduler.run()
    expected = {
        -1: [("got", 1), ("sent", 1), ("sent", 2), ("got", 2), ("got", 3), ("sent", 3)],
        0: [("sent", 1), ("sent", 2), ("got", 1), ("got", 2), ("got", 3), ("sent", 3)],
        1: [("sent", 1), ("sent", 2), ("got", 1), ("sent", 3), ("got", 2), ("got", 3)],
    }
    assert log == expected[preference]


@pytest.mark.spec("H-01")
def test_the_channel_callback_is_told_whether_it_will_have_to_wait():
    ch, log = scheduler.buffered(1), []
    scheduler.set_channel_callback(lambda *args: log.append(args[2:]))
    ch.send(1)
    assert outcome(ch.send, 2, timeout=0) is TimeoutError
    ch.receive()
    assert outcome(ch.receive, timeout=0) is TimeoutError
    assert log == [(True, False), (True, True), (False, False), (False, True)]


@pytest.mark.spec("B-10")
@pytest.mark.parametrize("preference", [-1, 1])
def test_under_a_switch_trap_only_what_gives_way_is_refused(preference):
    ch = scheduler.buffered(1)
    ch.preference = preference

    def use_buffer():
        with trapped():
            ch.send(1)
            ch.receive()

    assert outcome(use_buffer) is None
    task = started(ch.receive)

    def serve():
        with trapped():
            log.append(outcome(ch.send, 1))

    log = []
    started(serve)
    assert log == [RuntimeError if preference == -1 else None]
    assert ch.balance == (-1 if preference == -1 else 0)
    task.kill()


def test_a_main_tasklet_that_nobody_can_serve_is_a_deadlock():
    ch = filled(1, "kept")
    assert message(ch.send, "lost").startswith("Deadlock")
    assert taken(ch) == ["kept"]
    assert message(ch.receive).startswith("Deadlock")


# ---- select --------------------------------------------------------------------------------------


def test_a_case_that_receives_takes_the_oldest():
    ch, other = filled(2, 1, 2), scheduler.channel()
    waiting = started(ch.send, 3)
    assert [scheduler.select(other, ch, timeout=0) for _ in range(3)] == [(1, 1), (1, 2), (1, 3)]
    with pytest.raises(TimeoutError):
        scheduler.select(other, ch, timeout=0)
    scheduler.run()
    assert not waiting.alive


def test_a_case_that_sends_is_done_while_there_is_room():
    ch, other = scheduler.buffered(2), scheduler.channel()
    for number in range(2):
        assert scheduler.select(other, ch.sending(number), timeout=0) == (1, None)
    with pytest.raises(TimeoutError):
        scheduler.select(other, ch.sending(2), timeout=0)
    assert taken(ch) == [0, 1]


def test_a_case_that_sends_waits_for_room():
    ch, other, log = filled(1, 0), scheduler.channel(), []
    task = started(lambda: log.append(scheduler.select(other, ch.sending(1))))
    assert (task.blocked, ch.balance, other.balance) == (True, 2, -1)
    assert ch.receive() == 0
    assert (len(ch), other.balance) == (1, 0)
    scheduler.run()
    assert log == [(1, None)]
    assert taken(ch) == [1]


def test_a_case_that_receives_waits_for_an_object():
    ch, other, log = scheduler.buffered(1), scheduler.channel(), []
    task = started(lambda: log.append(scheduler.select(other, ch)))
    assert (task.blocked, ch.balance) == (True, -1)
    ch.send("handed over")
    assert len(ch) == 0
    scheduler.run()
    assert log == [(1, "handed over")]


def test_a_case_that_is_not_taken_has_sent_nothing():
    ch, other, log = filled(1, 0), scheduler.channel(), []
    started(lambda: log.append(scheduler.select(other, ch.sending("lost"))))
    other.send("news")
    scheduler.run()
    assert (log, taken(ch)) == ([(0, "news")], [0])


def test_two_selects_meet_by_way_of_the_buffer():
    ch, log = filled(1, 0), []
    started(lambda: log.append(scheduler.select(ch.sending(1), scheduler.channel())))
    started(lambda: log.append(scheduler.select(scheduler.channel(), ch)))
    scheduler.run()
    assert log == [(1, 0), (0, None)]
    assert taken(ch) == [1]


def test_both_directions_in_one_select():
    ch = scheduler.buffered(1)
    assert scheduler.select(ch, ch.sending(1), ordered=True) == (1, None)
    assert scheduler.select(ch.sending(2), ch, ordered=True) == (1, 1)


@pytest.mark.spec("C-40")
def test_a_closed_one_is_a_case_until_it_is_empty():
    ch, other, log = filled(1, 1), scheduler.channel(), []
    ch.close()

    def work():
        log.append(outcome(scheduler.select, other, ch.sending(2)))
        log.append(scheduler.select(other, ch))
        log.append(outcome(scheduler.select, other, ch))

    started(work)
    assert log == [ValueError, (1, 1), ValueError]


def test_an_exception_comes_out_of_select():
    ch = scheduler.buffered(1)
    ch.send_exception(KeyError)
    with pytest.raises(KeyError):
        scheduler.select(ch, scheduler.channel())
    assert ch.balance == 0


# ---- the object ----------------------------------------------------------------------------------


@pytest.mark.parametrize("capacity", [0, -1, -sys.maxsize * 9])
def test_a_capacity_that_makes_no_sense_is_a_value_error(capacity):
    with pytest.raises(ValueError, match=r"1 or more: channel\(\)"):
        scheduler.buffered(capacity)


@pytest.mark.parametrize("capacity", [None, "1", 1.0, [1]])
def test_a_capacity_that_is_no_int_is_a_type_error(capacity):
    with pytest.raises(TypeError, match="capacity must be an int, not"):
        scheduler.buffered(capacity)


@pytest.mark.parametrize("args", [(), (1, 2)])
def test_it_takes_one_argument(args):
    with pytest.raises(TypeError):
        scheduler.buffered(*args)
    with pytest.raises(TypeError):
        scheduler.buffered(1, size=2)


@pytest.mark.parametrize("capacity", [sys.maxsize, sys.maxsize * 9])
def test_a_capacity_that_is_too_large_is_a_memory_error(capacity):
    with pytest.raises(MemoryError):
        scheduler.buffered(capacity)


def test_it_has_one_buffer():
    ch = filled(1, "kept")
    with pytest.raises(RuntimeError, match="make another one"):
        ch.__init__(5)
    assert (ch.capacity, taken(ch)) == (1, ["kept"])
    with pytest.raises(AttributeError):
        ch.capacity = 2


def test_it_is_a_channel_and_false_when_it_is_empty():
    ch = scheduler.buffered(capacity=2)
    assert isinstance(ch, scheduler.channel)
    assert (len(ch), bool(ch), ch.capacity) == (0, False, 2)
    ch.send(1)
    assert bool(ch)
    assert repr(ch) == f"<scheduler.buffered queued=1/2 balance=1 preference=0 open at {id(ch):#x}>"
    assert scheduler.buffered[int].__origin__ is scheduler.buffered
    assert ch.receive() == 1


def test_subclasses():
    class Named(scheduler.buffered):
        def __init__(self, name):
            super().__init__(1)
            self.name = name

    class Forgetful(scheduler.buffered):
        def __init__(self):
            pass

    ch = Named("mine")
    ch.send(1)
    assert (ch.name, ch.receive()) == ("mine", 1)
    forgetful = Forgetful()
    for use in (forgetful.receive, lambda: forgetful.send(1), lambda: len(forgetful)):
        with pytest.raises(RuntimeError, match="__init__"):
            use()


@pytest.mark.spec("C-03")
def test_those_who_wait_are_told_of():
    ch = filled(1, 0)
    sender = started(ch.send, 1)
    assert ch.queue is sender
    assert "sends on <scheduler.buffered queued=1/1" in dict(scheduler._live_tasklets())[sender]
    sender.kill()
    taken(ch)
    receiver = started(ch.receive)
    assert "receives on <scheduler.buffered" in dict(scheduler._live_tasklets())[receiver]
    receiver.kill()


# ---- references ----------------------------------------------------------------------------------


class Thing:
    pass


def test_what_is_in_the_buffer_goes_with_the_channel():
    thing = Thing()
    gone = weakref.ref(thing)
    ch = filled(2, thing, thing)
    del thing
    assert gone() is not None
    del ch
    assert gone() is None


def test_a_channel_in_its_own_buffer_is_collected():
    thing = Thing()
    gone = weakref.ref(thing)
    ch = scheduler.buffered(2)
    thing.channel = ch
    ch.send(thing)
    ch.send(ch)
    before = scheduler.get_number_of_active_channels()
    del ch, thing
    gc.collect()
    assert gone() is None
    assert scheduler.get_number_of_active_channels() == before - 1


def test_a_received_object_is_kept_by_nobody():
    ch = filled(2, Thing(), Thing())
    waiting = started(ch.send, Thing())
    refs = [weakref.ref(ch.receive()) for _ in range(3)]
    scheduler.run()
    del waiting
    gc.collect()
    assert [ref() for ref in refs] == [None] * 3


# ---- threads -------------------------------------------------------------------------------------


@pytest.mark.spec("DEC-3")
def test_a_sender_of_another_thread_is_woken_when_there_is_room(patient):
    ch = filled(1, 0)
    with RemoteThread() as other:
        other.post(ch.send, 1)
        assert [ch.receive(), ch.receive()] == [0, 1]
        other.outcome()
        other.post(ch.receive)
        ch.send(2)
        assert other.outcome() == 2


@pytest.mark.spec("DEC-10")
@pytest.mark.parametrize("capacity", [1, 2, 7])
def test_nothing_is_lost_doubled_or_reordered_between_two_threads(capacity, patient):
    """Four senders and four receivers on two threads, with times, select, kills and yields."""
    ch = scheduler.buffered(capacity)
    count, senders = 200, 4
    ends = threading.Barrier(2)

    def produce(number, chance):
        for item in range(count):
            how = chance.randrange(4)
            while True:
                try:
                    if how == 0:
                        ch.send((number, item), timeout=chance.choice([0, 0.001]))
                    elif how == 1:
                        scheduler.select(ch.sending((number, item)), timeout=0.001)
                    else:
                        ch.send((number, item))
                    break
                except TimeoutError:
                    scheduler.schedule()

    def consume(log, chance):
        while True:
            try:
                how = chance.randrange(4)
                if how == 0:
                    log.append(ch.receive(timeout=0.001))
                elif how == 1:
                    log.append(scheduler.select(ch, timeout=0.001)[1])
                else:
                    log.append(ch.receive())
            except TimeoutError:
                scheduler.schedule()
            if log[-1:] == [None]:
                return

    def work(first):
        chance = random.Random(first * 10 + capacity)
        logs = [[], []]
        makers = [queued(produce, first + i, chance) for i in range(2)]
        takers = [queued(consume, log, chance) for log in logs]
        while any(task.alive for task in makers):
            scheduler.run(threadblock=True, timeout=0.001)
        ends.wait(LATE)
        for _ in takers:
            ch.send(None)
        scheduler.run(threadblock=True)
        return logs

    workers = [Worker(work, first) for first in (0, 2)]
    logs = [log[:-1] for worker in workers for log in worker.join()]
    got = sorted(item for log in logs for item in log)
    assert got == [(number, item) for number in range(senders) for item in range(count)]
    for log in logs:
        for number in range(senders):
            mine = [item for sender, item in log if sender == number]
            assert mine == sorted(mine)
    assert ch.balance == 0


@pytest.mark.spec("DEC-10", "C-52")
def test_nothing_is_lost_when_senders_are_killed_from_another_thread(patient):
    """A send that raises has sent nothing, and one that returns has sent."""
    ch, sent, got = scheduler.buffered(2), [], []
    rounds = 300
    tasks, ready = [], threading.Event()

    def produce(item):
        ch.send(item)
        sent.append(item)

    def work():
        tasks.extend(queued(produce, item) for item in range(rounds))
        ready.set()
        scheduler.run(threadblock=True)

    worker = Worker(work)
    assert ready.wait(LATE)
    for task in tasks[::3]:
        task.kill(pending=True)
    while any(task.alive for task in tasks):
        got += taken(ch)
    worker.join()
    got += taken(ch)
    assert sorted(got) == sorted(set(got))
    assert set(sent) <= set(got)
    assert set(range(rounds)) - set(range(0, rounds, 3)) <= set(got)
