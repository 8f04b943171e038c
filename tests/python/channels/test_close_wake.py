"""close(wake=True): the waits of all who wait on the channel are over."""

from __future__ import annotations

import gc
import threading
import time
import weakref
from collections.abc import Callable
from typing import Any

import pytest

import scheduler
from support.exceptions import outcome
from support.scheduling import queued, started, state
from support.threads import Worker, in_thread
from support.waiting import TIMEOUT

CLOSED = scheduler.ChannelClosed


def catching(log: list[Any], wait: Callable[..., Any], *args: Any) -> None:
    try:
        log.append(wait(*args))
    except BaseException as error:
        log.append(type(error))


def iterate(channel: Any) -> str:
    return f"ended after {list(channel)}"


WAITS: dict[str, Callable[[Any, Any], Any]] = {
    "receive": lambda ch, other: ch.receive(),
    "receive with a time": lambda ch, other: ch.receive(timeout=60),
    "in a scope": lambda ch, other: in_scope(ch.receive),
    "send": lambda ch, other: ch.send(1),
    "send with a time": lambda ch, other: ch.send(1, timeout=60),
    "send_exception": lambda ch, other: ch.send_exception(KeyError),
    "send_throw": lambda ch, other: ch.send_throw(KeyError),
    "select to receive": lambda ch, other: scheduler.select(other, ch),
    "select to send": lambda ch, other: scheduler.select(ch.sending(1), other),
    "select with a time": lambda ch, other: scheduler.select(ch, other, timeout=60),
    "select on it twice": lambda ch, other: scheduler.select(ch, other, ch),
    "next": lambda ch, other: next(ch),
    "for": lambda ch, other: iterate(ch),
}
EXPECTED = {"next": StopIteration, "for": "ended after []"}


def in_scope(wait: Callable[[], Any]) -> Any:
    with scheduler.timeout(60):
        return wait()


@pytest.mark.spec("C-40", "C-43")
@pytest.mark.usefixtures("mode")
@pytest.mark.parametrize("preference", [-1, 0, 1])
@pytest.mark.parametrize("name", WAITS)
def test_every_wait_ends(drain: Callable[[], None], name: str, preference: int) -> None:
    channel, other = scheduler.channel(preference=preference), scheduler.channel()
    log: list[Any] = []
    tasks = [queued(catching, log, WAITS[name], channel, other) for _ in range(3)]
    drain()
    assert channel.balance != 0 and log == []
    assert channel.close(wake=True) is None
    assert (channel.balance, channel.closing, channel.closed, other.balance) == (0, True, True, 0)
    assert [state(task) for task in tasks] == [(True, False, True, False)] * 3
    assert log == []  # nobody has run yet
    drain()
    assert log == [EXPECTED.get(name, CLOSED)] * 3
    assert [task.alive for task in tasks] == [False] * 3


@pytest.mark.spec("C-40", "H-02")
@pytest.mark.parametrize("name", WAITS)
def test_those_of_other_threads_are_woken(name: str) -> None:
    channel, other = scheduler.channel(), scheduler.channel()
    log: list[Any] = []
    waits, closed = threading.Event(), threading.Event()

    def there() -> bool:
        task = started(catching, log, WAITS[name], channel, other)
        waits.set()
        assert closed.wait(TIMEOUT)
        scheduler.run()
        return task.alive

    worker = Worker(there)
    assert waits.wait(TIMEOUT) and channel.balance != 0
    channel.close(wake=True)
    assert (channel.balance, channel.closed) == (0, True)
    closed.set()
    assert worker.join() is False
    assert log == [EXPECTED.get(name, CLOSED)]


@pytest.mark.spec("C-40", "DEC-3")
@pytest.mark.parametrize("name", WAITS)
@pytest.mark.usefixtures("patient")
def test_a_main_tasklet_that_is_parked_is_woken(name: str) -> None:
    channel, other = scheduler.channel(), scheduler.channel()
    log: list[Any] = []
    worker = Worker(catching, log, WAITS[name], channel, other)
    while channel.balance == 0:
        time.sleep(0.001)
    channel.close(wake=True)
    worker.join()
    assert log == [EXPECTED.get(name, CLOSED)]


@pytest.mark.spec("C-40", "C-22")
@pytest.mark.parametrize("name", WAITS)
def test_main_is_woken_by_a_tasklet_of_its_own(name: str) -> None:
    channel, other = scheduler.channel(), scheduler.channel()
    log: list[Any] = []
    queued(lambda: channel.close(wake=True))
    late = queued(log.append, "behind")
    catching(log, WAITS[name], channel, other)
    assert log == [EXPECTED.get(name, CLOSED)]
    late.run()


@pytest.mark.spec("C-40")
def test_all_leave_in_the_order_in_which_they_came() -> None:
    channel = scheduler.channel()
    log: list[Any] = []
    for number in range(5):
        queued(lambda n: (outcome(channel.receive), log.append(n)), number)
    scheduler.run()
    channel.close(wake=True)
    scheduler.run()
    assert log == [0, 1, 2, 3, 4]


@pytest.mark.spec("C-40", "C-41")
def test_a_wait_that_was_ended_stays_ended_after_open() -> None:
    channel = scheduler.channel()
    log: list[Any] = []
    queued(catching, log, iterate, channel)
    queued(catching, log, channel.receive)
    scheduler.run()
    channel.close(wake=True)
    channel.open()
    scheduler.run()
    assert log == ["ended after []", CLOSED]
    receiver = started(catching, log, channel.receive)
    channel.send("again")
    scheduler.run()
    assert log[-1] == "again" and not receiver.alive


@pytest.mark.spec("C-40", "C-14", "G-09")
def test_what_was_to_be_sent_is_dropped() -> None:
    class Box:
        pass

    channel, other, box = scheduler.channel(), scheduler.channel(), Box()
    reference = weakref.ref(box)
    log: list[Any] = []
    kept = [box]
    queued(catching, log, lambda: channel.send(kept[0]))
    queued(catching, log, lambda: scheduler.select(channel.sending(kept[0]), other))
    scheduler.run()
    channel.close(wake=True)
    scheduler.run()
    assert log == [CLOSED, CLOSED]
    del box
    kept.clear()
    gc.collect()
    assert reference() is None


# ----------------------------------------------------------------- with buffers and queues


@pytest.mark.spec("C-40")
def test_of_a_full_buffer_the_senders_are_refused_and_the_rest_is_received() -> None:
    channel: Any = scheduler.buffered(2)
    log: list[Any] = []
    for number in range(4):
        queued(catching, log, channel.send, number)
    scheduler.run()
    assert (log, channel.balance) == ([None, None], 4)
    channel.close(wake=True)
    assert (channel.balance, channel.closing, channel.closed) == (2, True, False)
    scheduler.run()
    assert log == [None, None, CLOSED, CLOSED]
    assert list(channel) == [0, 1]
    assert channel.closed


@pytest.mark.spec("C-40")
@pytest.mark.parametrize("make", [lambda: scheduler.buffered(2), scheduler.QueueChannel])
def test_receivers_at_a_buffer_or_queue_are_woken(make: Callable[[], Any]) -> None:
    channel = make()
    log: list[Any] = []
    for wait in (iterate, lambda ch: ch.receive(), scheduler.select):
        queued(catching, log, wait, channel)
    scheduler.run()
    assert channel.balance == -3
    channel.close(wake=True)
    scheduler.run()
    assert log == ["ended after []", CLOSED, CLOSED]
    assert outcome(channel.send, 1) is CLOSED
    assert outcome(channel.receive) is CLOSED


@pytest.mark.spec("C-40", "Q-07")
def test_what_is_queued_can_still_be_received() -> None:
    channel: Any = scheduler.QueueChannel()
    channel.send_sequence("ab")
    channel.close(wake=True)
    assert list(channel) == ["a", "b"]


# ------------------------------------------------------------------- with what comes as well


@pytest.mark.spec("DEC-10", "C-50")
@pytest.mark.parametrize("name", ["receive", "send", "select to receive", "for"])
def test_an_error_that_comes_before_the_turn_goes_first(name: str) -> None:
    channel, other = scheduler.channel(), scheduler.channel()
    log: list[Any] = []
    task = started(catching, log, WAITS[name], channel, other)
    channel.close(wake=True)
    task.throw(KeyError, pending=True)
    scheduler.run()
    assert log == [KeyError]


@pytest.mark.spec("DEC-10")
def test_a_wait_that_was_served_succeeds() -> None:
    channel = scheduler.channel(preference=1)
    log: list[Any] = []
    queued(catching, log, channel.receive)
    scheduler.run()
    channel.send("in time")
    channel.close(wake=True)
    scheduler.run()
    assert log == ["in time"]


@pytest.mark.spec("C-40", "B-02")
def test_a_schedule_callback_may_close() -> None:
    channel = scheduler.channel()
    log: list[Any] = []
    task = queued(catching, log, channel.receive)

    def close(previous: Any, following: Any) -> None:
        if previous is task:
            channel.close(wake=True)

    scheduler.set_schedule_callback(close)
    try:
        scheduler.run()
    finally:
        scheduler.set_schedule_callback(None)
    scheduler.run()
    assert log == [CLOSED]


@pytest.mark.spec("B-20", "C-40")
def test_a_switch_trap_does_not_matter() -> None:
    channel = scheduler.channel()
    log: list[Any] = []
    queued(catching, log, channel.receive)
    scheduler.run()
    scheduler.switch_trap(1)
    try:
        channel.close(wake=True)
    finally:
        scheduler.switch_trap(-1)
    scheduler.run()
    assert log == [CLOSED]


@pytest.mark.spec("C-40", "H-02")
def test_many_threads_wait_and_one_closes() -> None:
    channel = scheduler.channel()
    log: list[Any] = []
    waiting = threading.Barrier(5)

    def wait() -> None:
        for _ in range(20):
            queued(catching, log, channel.receive)
        scheduler.run()
        waiting.wait(TIMEOUT)
        scheduler.run(True)

    workers = [Worker(wait) for _ in range(4)]
    waiting.wait(TIMEOUT)
    assert channel.balance == -80
    in_thread(lambda: channel.close(wake=True))
    for worker in workers:
        worker.join()
    assert log == [CLOSED] * 80


# --------------------------------------------------------------------- what it is, bad input


@pytest.mark.spec("C-40", "C-10", "C-11")
@pytest.mark.parametrize("wake", [False, True])
def test_who_comes_later_is_refused_with_the_same_error(wake: bool) -> None:
    assert issubclass(CLOSED, ValueError)
    assert (CLOSED.__module__, CLOSED.__qualname__) == ("scheduler", "ChannelClosed")
    channel = scheduler.channel()
    channel.close(wake=wake)
    channel.close()  # takes nothing back
    refused = (
        channel.receive,
        lambda: channel.send(1),
        lambda: channel.send(1, timeout=0),
        lambda: channel.send_exception(KeyError),
        lambda: scheduler.select(channel),
        lambda: scheduler.select(channel.sending(1), timeout=0),
    )
    for operation in refused:
        with pytest.raises(ValueError, match="the channel is closed") as caught:
            operation()
        assert caught.type is (CLOSED if wake else ValueError)
    channel.open()
    channel.close()
    assert outcome(channel.receive) is ValueError


@pytest.mark.spec("C-40")
def test_wake_is_a_truth_value_and_a_keyword() -> None:
    channel = scheduler.channel()
    receiver = started(channel.receive)
    for args, kwargs in (((True,), {}), ((), {"awake": True}), ((True,), {"wake": True})):
        with pytest.raises(TypeError):
            channel.close(*args, **kwargs)
    assert not channel.closing
    for wake in (False, 0, None, ""):
        channel.close(wake=wake)
        assert (channel.closing, channel.balance) == (True, -1)
    channel.close(wake="yes")
    assert channel.balance == 0
    with pytest.raises(CLOSED, match="has been closed while the tasklet waited"):
        receiver.run()


@pytest.mark.spec("C-40", "R-03")
@pytest.mark.parametrize("wait", [lambda ch: ch.receive(), iterate])
def test_deadlock_says_that_the_channel_is_closed(wait: Callable[[Any], Any]) -> None:
    channel = scheduler.channel()
    queued(channel.close)
    with pytest.raises(RuntimeError, match=r"Deadlock.*been closed.*close\(wake=True\)"):
        wait(channel)
    assert channel.closed
    receiver = started(scheduler.channel().receive), started(wait, again := scheduler.channel())
    again.close()
    with pytest.raises(RuntimeError, match=r"Deadlock.*closing at .*, which is closed: close\(wake"):
        scheduler.channel().receive()
    for task in receiver:
        task.kill()
