"""The concrete courses of events of spec section 17, P-01 to P-24.

Where the order depends on it they run in nested and in flat mode (`mode`), and with the queue
emptied by `run()` and by repeated `run_n_tasklets(1)` (`drain`). "rc" is `getruncount()`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import scheduler
from support.scheduling import queue, queued, started, state
from support.threads import Worker, in_thread

Drain = Callable[[], None]
DEAD = (False, False, False, False)


def channel_with(preference: int) -> Any:
    channel = scheduler.channel()
    channel.preference = preference
    return channel


@pytest.mark.spec("P-01", "T-28")
def test_p01_run_starts_in_the_middle(mode: str) -> None:
    log: list[int] = []
    tasks = [queued(log.append, n) for n in (1, 2, 3)]
    assert scheduler.getruncount() == 4
    tasks[0].run()
    assert (log, scheduler.getruncount()) == ([1, 2, 3], 1)
    del log[:]
    tasks = [queued(log.append, n) for n in (1, 2, 3)]
    tasks[1].run()
    if mode == "flat":
        assert (log, scheduler.getruncount()) == ([2, 1, 3], 1)
    else:
        assert (log, scheduler.getruncount()) == ([2, 3], 2)
        tasks[0].run()
        assert (log, scheduler.getruncount()) == ([2, 3, 1], 1)


@pytest.mark.spec("P-02", "F-06", "L-02")
def test_p02_a_tasklet_runs_what_it_created(mode: str, drain: Drain) -> None:
    def a() -> None:
        tasks = [queued(log.append, n) for n in (2, 3, 4)]
        tasks[0].run()

    log: list[int] = []
    queued(log.append, 1)
    queued(a)
    queued(log.append, 5)
    drain()
    assert log == ([1, 2, 3, 4, 5] if mode == "nested" else [1, 2, 5, 3, 4])
    assert scheduler.getruncount() == 1


@pytest.mark.spec("P-03", "F-06", "L-02")
def test_p03_with_one_that_yields_between(mode: str, drain: Drain) -> None:
    def a() -> None:
        first = queued(log.append, 2)
        queued(scheduler.schedule)
        queued(log.append, 3)
        first.run()

    log: list[int] = []
    queued(log.append, 1)
    queued(a)
    queued(log.append, 4)
    drain()
    assert log == ([1, 2, 3, 4] if mode == "nested" else [1, 2, 4, 3])
    assert scheduler.getruncount() == 1


@pytest.mark.spec("P-04", "F-06", "L-02")
def test_p04_two_levels(mode: str, drain: Drain) -> None:
    def a() -> None:
        first = queued(log.append, 2)
        queued(scheduler.schedule)
        queued(b)
        queued(log.append, 5)
        first.run()

    def b() -> None:
        first = queued(log.append, 3)
        queued(scheduler.schedule)
        queued(log.append, 4)
        first.run()

    log: list[int] = []
    queued(log.append, 1)
    queued(a)
    queued(log.append, 6)
    drain()
    assert log == ([1, 2, 3, 4, 5, 6] if mode == "nested" else [1, 2, 6, 3, 5, 4])
    assert scheduler.getruncount() == 1


@pytest.mark.spec("P-05", "L-02")
def test_p05_nested_tasklets_that_receive(mode: str, drain: Drain) -> None:
    def n1() -> None:
        first = queued(log.append, 1)
        queued(n2)
        first.run()
        channel.receive()

    def n2() -> None:
        channel.receive()
        first = queued(log.append, 2)
        queued(log.append, 3)
        first.run()

    log: list[int] = []
    channel = scheduler.channel()
    queued(log.append, 0)
    queued(n1)
    queued(channel.send, None)
    drain()
    assert log == ([0, 1, 2, 3] if mode == "nested" else [0, 1])
    assert (channel.balance, scheduler.getruncount()) == (-1, 1)
    channel.send(None)
    assert log == [0, 1, 2, 3]
    assert (channel.balance, scheduler.getruncount()) == (0, 1)


class SwitchPairs:
    """A schedule callback that keeps the tasklets of every switch, flat: before, after, ..."""

    def __init__(self) -> None:
        self.entries: list[Any] = []
        scheduler.set_schedule_callback(lambda *pair: self.entries.extend(pair))

    def stop(self) -> list[Any]:
        scheduler.set_schedule_callback(None)
        entries, self.entries = self.entries, []
        return entries


@pytest.mark.spec("P-06", "B-02", "B-03")
def test_p06_schedule_callback_of_a_transfer(mode: str, drain: Drain) -> None:
    main = scheduler.getmain()
    channel = scheduler.channel()
    pairs = SwitchPairs()
    s = queued(channel.send, 1)
    r = queued(channel.receive)
    drain()
    assert pairs.stop() == [main, s, s, main, main, r, r, main, main, s, s, main]


@pytest.mark.spec("P-06", "B-02", "B-03")
def test_p06_schedule_callback_of_trivial_tasklets(mode: str, drain: Drain) -> None:
    main = scheduler.getmain()
    pairs = SwitchPairs()
    a, b, c = (queued(len, "") for _ in range(3))
    drain()
    assert pairs.stop() == [main, a, a, main, main, b, b, main, main, c, c, main]


@pytest.mark.spec("P-06", "H-04")
def test_p06_schedule_callback_of_two_threads() -> None:
    def two_tasklets() -> None:
        for _ in range(2):
            queued(len, "")
        scheduler.run()

    pairs = SwitchPairs()
    for worker in [Worker(two_tasklets), Worker(two_tasklets)]:
        worker.join()
    assert len(pairs.stop()) == 2 * 8


@pytest.mark.spec("P-07", "R-04")
def test_p07_schedule_of_main(mode: str) -> None:
    main_scheduled: list[bool] = []
    queued(lambda: main_scheduled.append(scheduler.getmain().scheduled))
    assert scheduler.getruncount() == 2
    scheduler.schedule()
    assert scheduler.getruncount() == 1
    assert main_scheduled == [True]


@pytest.mark.spec("P-08", "R-05", "S-04")
def test_p08_counts_inside_a_nested_tasklet(mode: str, drain: Drain) -> None:
    def inserts() -> None:
        scheduled.append(n.scheduled)
        n.insert()

    def nested() -> None:
        queued(inserts)
        counts.append(scheduler.getruncount())
        scheduler.schedule_remove()
        counts.append(scheduler.getruncount())

    counts: list[int] = []
    scheduled: list[bool] = []
    n = queued(nested)
    n.run()
    drain()
    assert (counts, scheduled) == ([3, 2], [False])
    assert state(n) == DEAD


@pytest.mark.spec("P-09", "R-12")
def test_p09_creating_around_a_send(mode: str, drain: Drain) -> None:
    def bar() -> None:
        for name in "abcd":
            queued(log.append, name)
        channel.send(None)
        for name in "efg":
            queued(log.append, name)
        scheduler.run()

    log: list[str] = []
    channel = scheduler.channel()
    started(bar)
    assert "".join(log) == ("" if mode == "nested" else "abcd")
    channel.receive()
    drain()
    assert "".join(log) == "abcdefg"
    assert scheduler.getruncount() == 1


@pytest.mark.spec("P-10", "C-20", "C-22")
def test_p10_a_sender_that_creates_between_its_sends(mode: str, drain: Drain) -> None:
    def sender() -> None:
        queued(log.append, "a")
        for value, name in ((1, "b"), (2, "c"), (3, "d")):
            channel.send(value)
            queued(log.append, name)

    log: list[Any] = []
    channel = scheduler.channel()
    started(sender)
    assert scheduler.getruncount() == (2 if mode == "nested" else 1)
    for _ in range(3):
        log.append(channel.receive())
    assert log == ([1, "a", 2, "b", 3] if mode == "nested" else ["a", 1, 2, "b", 3])
    drain()
    assert log[5:] == ["c", "d"]


@pytest.mark.spec("P-11", "C-20")
@pytest.mark.parametrize("first", ["senders", "receivers"])
def test_p11_preference_for_the_sender(first: str, mode: str, drain: Drain) -> None:
    def sender(n: int) -> None:
        channel.send(n)
        log.append(("sender", n))

    def receiver(n: int) -> None:
        assert channel.receive() == n
        log.append(("receiver", n))

    log: list[Any] = []
    channel = channel_with(1)
    kinds = (sender, receiver) if first == "senders" else (receiver, sender)
    for kind in kinds:
        for n in range(3):
            queued(kind, n)
    drain()
    assert log == [("sender", n) for n in range(3)] + [("receiver", n) for n in range(3)]


@pytest.mark.spec("P-12", "C-20")
def test_p12_preference_for_the_receiver_senders_wait(mode: str, drain: Drain) -> None:
    def sender(n: int) -> None:
        channel.send(n)
        completed.append(n)

    completed: list[int] = []
    channel = scheduler.channel()
    for n in range(10):
        started(sender, n)
    assert channel.balance == 10
    assert [channel.receive() for _ in range(10)] == list(range(10))
    assert completed == []
    drain()
    assert completed == list(range(10))


@pytest.mark.spec("P-12", "C-21")
def test_p12_preference_for_the_receiver_main_sends(mode: str) -> None:
    def receiver() -> None:
        for _ in range(10):
            received.append(channel.receive())

    received: list[int] = []
    channel = scheduler.channel()
    started(receiver)
    for n in range(10):
        channel.send(n)
        assert received == list(range(n + 1))
    assert scheduler.getruncount() == 1


@pytest.mark.spec("P-13", "C-20")
def test_p13_no_preference(mode: str, drain: Drain) -> None:
    received: list[str] = []
    channel = channel_with(0)
    started(lambda: received.append(channel.receive()))
    channel.send("value")
    assert received == []
    drain()
    assert received == ["value"]


@pytest.mark.spec("P-14", "C-20")
def test_p14_no_preference_many_tasklets(mode: str, drain: Drain) -> None:
    def sender(n: int) -> None:
        queued(log.append, "ns")
        channel.send(n)
        log.append(("sender", n))

    def receiver(n: int) -> None:
        queued(log.append, "nr")
        assert channel.receive() == n
        log.append(("receiver", n))

    log: list[Any] = []
    channel = channel_with(0)
    for n in range(2):
        queued(log.append, ("early", n))
    for kind in (sender, receiver):
        for n in range(10):
            queued(kind, n)
    for n in range(5):
        queued(log.append, ("late", n))
    drain()
    wanted: list[Any] = [("early", n) for n in range(2)]
    wanted += [("receiver", n) for n in range(10)]
    wanted += [("late", n) for n in range(5)]
    wanted += ["ns"] * 10
    for n in range(10):
        wanted += ["nr", ("sender", n)]
    assert log == wanted
    assert len(log) == 47


@pytest.mark.spec("P-15", "C-30", "C-31")
@pytest.mark.parametrize("method", ["send_exception", "send_throw"])
def test_p15_sent_exceptions_reach_main(method: str, mode: str, drain: Drain) -> None:
    channel = scheduler.channel()
    send = getattr(channel, method)
    started(send, ValueError)
    with pytest.raises(ValueError):
        channel.receive()
    assert scheduler.getruncount() == 2
    second = queued(send, ValueError)
    assert scheduler.getruncount() == 3
    second.run()
    assert scheduler.getruncount() == (2 if mode == "nested" else 1)
    with pytest.raises(ValueError):
        channel.receive()
    drain()
    assert (channel.balance, scheduler.getruncount()) == (0, 1)


@pytest.mark.spec("P-16", "R-03")
@pytest.mark.parametrize("operation", ["receive", "send"])
def test_p16_deadlock_after_the_queue_was_run(
    operation: str, mode: str, deadlock_timeout: Callable[[float], None]
) -> None:
    deadlock_timeout(0.05)  # this thread might serve the other, which waits that long

    def check() -> None:
        log: list[int] = []
        channel = scheduler.channel()
        for n in range(10):
            queued(log.append, n)
        with pytest.raises(RuntimeError, match="Deadlock"):
            channel.receive() if operation == "receive" else channel.send(1)
        assert log == list(range(10))

    check()
    in_thread(check)


@pytest.mark.spec("P-17", "C-40")
@pytest.mark.parametrize("operation", ["send", "receive"])
@pytest.mark.parametrize("end", ["kill", "raise_exception", "throw"])
def test_p17_closing_with_two_waiting(operation: str, end: str, mode: str) -> None:
    channel = scheduler.channel()
    waiting = [
        started(*((channel.receive,) if operation == "receive" else (channel.send, n)))
        for n in range(2)
    ]
    channel.close()
    for task, closed in zip(waiting, (False, True)):
        assert channel.closed is False
        getattr(task, end)(*(() if end == "kill" else (scheduler.TaskletExit,)))
        assert state(task) == DEAD
        assert (channel.closing, channel.closed) == (True, closed)
    assert channel.balance == 0


@pytest.mark.spec("P-18", "C-50")
@pytest.mark.parametrize("operation", ["send", "receive"])
def test_p18_waiting_again_behind_another(operation: str, mode: str) -> None:
    def waiter(name: str) -> None:
        try:
            wait(name)
        except RuntimeError as error:
            assert str(error) == "try again"
            wait(name)

    def wait(name: str) -> None:
        if operation == "send":
            channel.send(name)
        else:
            served.append((name, channel.receive()))

    served: list[Any] = []
    channel = scheduler.channel()
    first, second = started(waiter, "first"), started(waiter, "second")
    assert channel.queue is first
    first.raise_exception(RuntimeError, "try again")
    assert channel.balance == (2 if operation == "send" else -2)
    assert channel.queue is second
    if operation == "send":
        assert [channel.receive(), channel.receive()] == ["second", "first"]
    else:
        channel.send(1)
        channel.send(2)
        assert served == [("second", 1), ("first", 2)]
    scheduler.run()
    assert channel.balance == 0


@pytest.mark.spec("P-19", "C-15")
def test_p19_a_driver_that_blocks_after_its_children(mode: str, drain: Drain) -> None:
    def child(n: int) -> None:
        received.append((n, channel.receive()))

    def driver() -> None:
        for n in range(10):
            started(child, n)
        received.append(("driver", channel.receive()))

    received: list[Any] = []
    channel = scheduler.channel()
    queued(driver)
    drain()
    assert (channel.balance, scheduler.getruncount()) == (-11, 1)
    for value in range(11):
        channel.send(value)
    assert received == [*((n, n) for n in range(10)), ("driver", 10)]
    assert (channel.balance, scheduler.getruncount()) == (0, 1)


@pytest.mark.spec("P-20", "E-10", "C-52")
@pytest.mark.parametrize("pending", [True, False])
def test_p20_kill_of_a_suspended_tasklet(pending: bool, mode: str) -> None:
    def victim() -> None:
        try:
            scheduler.schedule()
            log.append("wrong")
        finally:
            log.append("unwound")

    log: list[str] = []
    task = queued(victim)
    scheduler.set_use_nested_tasklets(True)  # started alone, without finishing it
    task.run()
    scheduler.set_use_nested_tasklets(mode == "nested")
    assert scheduler.getruncount() == 2
    assert task.kill(pending=pending) is None
    if pending:
        assert scheduler.getruncount() == 2
        assert (task.alive, log) == (True, [])
        task.run()
    assert scheduler.getruncount() == 1
    assert (task.alive, log) == (False, ["unwound"])


@pytest.mark.spec("P-21", "C-53", "D-19")
@pytest.mark.parametrize("role", ["receiver", "sender"])
@pytest.mark.parametrize("pending", [True, False])
def test_p21_kill_while_the_transfer_is_under_way(
    role: str, pending: bool, mode: str, drain: Drain
) -> None:
    def operate(me: str) -> None:
        if me == "sender":
            channel.send("value")
        else:
            assert channel.receive() == "value"
        log.append(me + " completed")

    def killer(me: str) -> None:
        operate(me)
        victim.kill(pending)
        log.append("killer done")

    # The victim's operation finds a partner waiting and is put behind it by the preference.
    log: list[str] = []
    channel = channel_with(1 if role == "receiver" else -1)
    partner = "sender" if role == "receiver" else "receiver"
    started(killer, partner)
    victim = queued(operate, role)
    drain()
    assert log == [partner + " completed", "killer done"]
    assert state(victim) == DEAD
    assert (channel.balance, scheduler.getruncount()) == (0, 1)


@pytest.mark.spec("P-22", "E-10")
def test_p22_kill_of_the_first_of_three(mode: str) -> None:
    log: list[int] = []
    tasks = [queued(log.append, n) for n in range(3)]
    tasks[0].kill()
    assert log == [1, 2]
    assert scheduler.getruncount() == 1


@pytest.mark.spec("P-23", "Q-02")
def test_p23_queue_channel_with_a_waiting_receiver(mode: str, drain: Drain) -> None:
    received: list[int] = []
    channel = scheduler.QueueChannel()
    receiver = started(lambda: received.append(channel.receive()))
    assert receiver.blocked
    queued(channel.send, 1).run()
    assert receiver.blocked is False
    if mode == "nested":
        assert queue() == [receiver]
        assert received == []
    drain()
    assert received == [1]
    assert scheduler.getruncount() == 1


@pytest.mark.spec("P-23", "Q-02", "Q-03")
def test_p23_queue_channel_order(mode: str, drain: Drain) -> None:
    def receiver() -> None:
        queued(log.append, "a")
        log.append(channel.receive())
        queued(log.append, "b")
        log.append(channel.receive())
        queued(log.append, "c")

    log: list[Any] = []
    channel = scheduler.QueueChannel()
    queued(receiver)
    queued(channel.send, 1)
    queued(channel.send, 2)
    drain()
    assert log == ["a", 1, 2, "b", "c"]


@pytest.mark.spec("P-24", "B-01", "18-12")
@pytest.mark.parametrize("first", ["sender", "receiver"])
def test_p24_channel_callback(first: str, mode: str, drain: Drain) -> None:
    calls: list[Any] = []
    channel = scheduler.channel()
    operations = [(channel.send, 1), (channel.receive,)]
    if first == "receiver":
        operations.reverse()
    one, two = (queued(*operation) for operation in operations)
    scheduler.set_channel_callback(lambda *args: calls.append(args))
    drain()
    sends = first == "sender"
    assert calls == [(channel, one, sends, True), (channel, two, not sends, False)]
    assert [type(flag) for call in calls for flag in call[2:]] == [bool] * 4
