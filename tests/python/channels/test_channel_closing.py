"""Closing, opening, clearing and iterating channels, and withdrawing from them (C-40 to C-53)."""

from __future__ import annotations

import gc
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

import scheduler
from support.object_counts import references
from support.scheduling import channel, started, state, trapped
from support.waiting import TIMEOUT

both_directions = pytest.mark.parametrize("sending", [True, False])


def waiting(ch, sending, count=1):
    """`count` tasklets that wait on the channel, head of the line first."""
    return [started(ch.send, n) if sending else started(ch.receive) for n in range(count)]


def sign(sending):
    """Sign of the balance while these tasklets wait."""
    return 1 if sending else -1


# ---- close and open ------------------------------------------------------------------------------


@pytest.mark.spec("C-40", "C-41")
def test_closing_an_idle_channel_closes_it_at_once():
    ch = scheduler.channel()
    assert ch.close() is None
    assert (ch.closing, ch.closed) == (True, True)
    for operation in (ch.receive, lambda: ch.send(0), lambda: ch.send_exception(LookupError)):
        with pytest.raises(ValueError):
            operation()
    ch.close()
    assert (ch.closing, ch.closed) == (True, True)
    assert ch.open() is None
    assert (ch.closing, ch.closed) == (False, False)
    sender = started(ch.send, "works again")
    assert ch.receive() == "works again"
    scheduler.run()
    assert sender.alive is False


@pytest.mark.spec("C-40")
@pytest.mark.usefixtures("mode")
@both_directions
def test_a_closing_channel_is_closed_once_all_waiting_are_served(drain, sending):
    ch = channel(0)
    waiting(ch, sending, 2)
    ch.close()
    assert (ch.closing, ch.closed, ch.balance) == (True, False, 2 * sign(sending))
    for left in (1, 0):
        if sending:
            assert ch.receive() == 1 - left
        else:
            ch.send(left)
        assert (ch.closing, ch.closed) == (True, left == 0)
    drain()
    assert ch.balance == 0


@pytest.mark.spec("C-40", "P-17", "C-50")
@pytest.mark.usefixtures("mode")
@both_directions
@pytest.mark.parametrize("how", ["kill", "raise_exception", "pending kill", "pending throw"])
def test_a_closing_channel_is_closed_once_all_waiting_have_left(drain, sending, how):
    ch = scheduler.channel()
    line = waiting(ch, sending, 2)
    ch.close()
    for left, tasklet in ((1, line[0]), (0, line[1])):
        if how == "kill":
            tasklet.kill()
        elif how == "raise_exception":
            tasklet.raise_exception(scheduler.TaskletExit)
        elif how == "pending kill":
            tasklet.kill(pending=True)
        else:
            tasklet.throw(scheduler.TaskletExit, pending=True)
        assert (ch.balance, ch.closing, ch.closed) == (left * sign(sending), True, left == 0)
    drain()
    assert [t.alive for t in line] == [False, False]


@pytest.mark.spec("C-40", "C-41")
@both_directions
def test_opening_lets_the_line_grow_again(sending):
    ch = scheduler.channel()
    line = waiting(ch, sending)
    ch.close()
    ch.open()
    assert (ch.closing, ch.closed) == (False, False)
    line += waiting(ch, sending)
    assert ch.balance == 2 * sign(sending)
    ch.clear()
    assert (ch.closing, ch.closed) == (False, False)


# ---- iteration -----------------------------------------------------------------------------------


@pytest.mark.spec("C-43", "C-40")
@pytest.mark.usefixtures("mode")
def test_a_for_loop_drains_a_closing_channel(drain):
    ch = scheduler.channel()
    assert iter(ch) is ch
    waiting(ch, True, 3)
    ch.close()
    assert list(ch) == [0, 1, 2]
    assert (ch.closing, ch.closed) == (True, True)
    with pytest.raises(StopIteration):
        next(ch)
    drain()


@pytest.mark.spec("C-43")
def test_a_tasklet_that_iterates_is_served_value_by_value(drain):
    ch = scheduler.channel()
    got = []
    reader = scheduler.tasklet(got.extend)(ch)
    scheduler.run()
    assert (reader.blocked, ch.balance) == (True, -1)
    for n in range(3):
        ch.send(n)
    assert reader.blocked is True
    ch.close()
    with pytest.raises(ValueError):
        next(ch)  # a receiver waits, so the channel is closing and not yet closed
    ch.send("last")
    drain()
    assert (reader.alive, ch.closed) == (False, True)
    assert got == [0, 1, 2, "last"]


@pytest.mark.spec("C-43", "R-03")
def test_next_with_nothing_waiting_is_a_deadlock_for_main():
    ch = scheduler.channel()
    with pytest.raises(RuntimeError, match="Deadlock"):
        next(ch)
    with pytest.raises(RuntimeError, match="Deadlock"):
        for _ in ch:
            raise AssertionError("nothing was sent")
    assert ch.balance == 0


@pytest.mark.spec("C-43")
@pytest.mark.parametrize("kind", [scheduler.channel, scheduler.QueueChannel])
def test_a_channel_that_is_closed_after_an_iteration_looked_ends_it(kind):
    ch = kind()
    scheduler.set_channel_callback(lambda *_: ch.close())  # between its look and its step
    try:
        assert list(ch) == []
        ch.open()
        with pytest.raises(ValueError, match="closed"):
            ch.receive()
    finally:
        scheduler.set_channel_callback(None)


@pytest.mark.spec("C-43", "Q-06", "DEC-6")
@pytest.mark.parametrize("kind", [scheduler.channel, scheduler.QueueChannel])
def test_iterations_of_many_threads_end_without_an_error(kind):
    ch = kind()
    items = range(200)
    for _ in range(20):
        ch.open()
        senders = [started(ch.send, number) for number in items]
        ch.close()
        with ThreadPoolExecutor(3) as pool:
            received = [pool.submit(lambda: [item for item in ch]) for _ in range(3)]
            scheduler.run(threadblock=True, timeout=TIMEOUT)  # the senders that are woken
        assert sorted(item for one in received for item in one.result()) == list(items)
        assert not any(sender.alive for sender in senders)


@pytest.mark.spec("C-43", "C-11")
def test_next_raises_a_sent_exception():
    ch = scheduler.channel()
    started(ch.send_exception, LookupError, "sent")
    with pytest.raises(LookupError, match="sent"):
        next(ch)
    scheduler.run()


# ---- clear ---------------------------------------------------------------------------------------


@pytest.mark.spec("C-42", "E-10")
@pytest.mark.usefixtures("mode")
@both_directions
def test_clear_kills_everyone_in_line_order(sending):
    ch = scheduler.channel()
    order = []

    def wait(name):
        try:
            if sending:
                ch.send(name)
            else:
                ch.receive()
        except scheduler.TaskletExit:
            order.append((name, ch.balance))
            raise

    line = [started(wait, n) for n in range(3)]
    assert ch.clear() is None
    assert [name for name, _ in order] == [0, 1, 2]
    assert [balance for _, balance in order] == [2 * sign(sending), sign(sending), 0]
    assert (ch.balance, ch.queue) == (0, None)
    assert [state(t) for t in line] == [(False, False, False, False)] * 3
    assert [references(t) for t in line] == [2, 2, 2]  # the list, the loop


@pytest.mark.spec("C-42", "E-11", "D-40")
@pytest.mark.usefixtures("mode")
@both_directions
def test_clear_spares_those_who_catch_it_and_is_bounded(drain, sending):
    ch = scheduler.channel()
    caught = []

    def stubborn(name):
        while name not in caught or caught.count(name) < 2:
            try:
                ch.send(name) if sending else ch.receive()
            except scheduler.TaskletExit:
                caught.append(name)

    line = [started(stubborn, n) for n in range(2)]
    ch.clear()
    assert caught == [0, 1]  # each of those who waited at the call, once
    assert ch.balance == 2 * sign(sending)
    assert [t.alive for t in line] == [True, True]
    ch.clear()
    assert caught == [0, 1, 0, 1]
    assert ch.balance == 0
    drain()
    assert [t.alive for t in line] == [False, False]


@pytest.mark.spec("C-42", "R-20", "F-01")
@pytest.mark.parametrize("queued_runs", [False, True])
def test_clear_gives_turns_as_an_immediate_kill_does(queued_runs):
    ch = scheduler.channel()
    log = []
    waiting(ch, False)
    scheduler.tasklet(log.append)("queued earlier")
    if queued_runs:  # in flat mode main hands its whole queue the turn
        scheduler.set_use_nested_tasklets(False)
    try:
        ch.clear()
    finally:
        scheduler.set_use_nested_tasklets(True)
    assert log == (["queued earlier"] if queued_runs else [])
    assert scheduler.getruncount() == (1 if queued_runs else 2)
    scheduler.run()


@pytest.mark.spec("C-42", "D-40", "B-21")
@pytest.mark.parametrize("clear", ["clear", "unblock_all_channels"])
def test_clear_under_a_switch_trap_changes_nothing(clear):
    ch = scheduler.channel()
    line = waiting(ch, True, 2)
    with trapped(), pytest.raises(RuntimeError, match="switch_trap"):
        ch.clear() if clear == "clear" else scheduler.unblock_all_channels()
    assert (ch.balance, ch.queue) == (2, line[0])
    assert [state(t) for t in line] == [(True, True, False, False)] * 2
    ch.clear()
    assert ch.balance == 0


@pytest.mark.spec("C-42", "B-21")
def test_clearing_an_empty_channel_needs_no_switch():
    ch = scheduler.channel()
    with trapped():
        assert ch.clear() is None
        assert scheduler.unblock_all_channels() == 0


@pytest.mark.spec("C-42", "D-05")
@pytest.mark.usefixtures("mode")
@both_directions
def test_clear_leaves_a_waiting_main_in_line(sending):
    ch = scheduler.channel()
    main = scheduler.getmain()
    seen = []

    def clearer():
        assert ch.clear() is None
        seen.append((ch.balance, ch.queue is main, main.blocked, main.alive))
        if sending:
            assert ch.receive() == "from main"
        else:
            ch.send("to main")

    scheduler.tasklet(clearer)()
    if sending:
        ch.send("from main")
    else:
        assert ch.receive() == "to main"
    assert seen == [(sign(sending), True, True, True)]
    scheduler.run()


@pytest.mark.spec("C-42", "E-16")
def test_what_a_cleared_tasklet_raises_instead_comes_out_of_clear():
    ch = scheduler.channel()

    def angry():
        try:
            ch.receive()
        except scheduler.TaskletExit:
            raise LookupError("angry") from None

    tasklet = started(angry)
    with pytest.raises(LookupError, match="angry"):
        ch.clear()
    assert (state(tasklet), ch.balance) == ((False, False, False, False), 0)


@pytest.mark.spec("C-44", "N-02", "G-07")
@pytest.mark.usefixtures("mode")
def test_unblock_all_channels_clears_each_and_counts_them():
    before = scheduler.get_number_of_active_channels()
    line = []
    for n in range(3):
        line += waiting(scheduler.channel(), n % 2 == 0, 2)  # nobody else holds the channels
    idle = scheduler.channel()
    gc.collect()
    assert scheduler.get_number_of_active_channels() == before + 4
    assert scheduler.unblock_all_channels() == 3
    assert [t.alive for t in line] == [False] * 6
    assert scheduler.unblock_all_channels() == 0
    assert scheduler.get_number_of_active_channels() == before + 1
    assert idle.balance == 0


# ---- withdrawing a waiting tasklet ---------------------------------------------------------------


@pytest.mark.spec("C-50", "E-10", "E-15")
@pytest.mark.usefixtures("mode")
@both_directions
@pytest.mark.parametrize("position", [0, 1, 2])
@pytest.mark.parametrize("how", ["kill", "throw", "raise_exception"])
def test_a_tasklet_leaves_from_any_place_in_the_line(drain, sending, position, how):
    ch = channel(0)
    seen = []

    def wait(n):
        try:
            ch.send(n) if sending else seen.append((n, ch.receive()))
        except (scheduler.TaskletExit, LookupError) as error:
            me = scheduler.getcurrent()
            seen.append((n, type(error).__name__, ch.balance, me.blocked))

    line = [started(wait, n) for n in range(3)]
    victim = line.pop(position)
    if how == "kill":
        victim.kill()
    else:
        getattr(victim, how)(LookupError)
    name = "TaskletExit" if how == "kill" else "LookupError"
    assert seen == [(position, name, 2 * sign(sending), False)]
    assert victim.alive is False
    del seen[:]
    expected = [n for n in range(3) if n != position]
    for n in expected:
        if sending:
            seen.append((n, ch.receive()))
        else:
            ch.send(n)
    drain()
    assert seen == [(n, n) for n in expected]
    assert [t.alive for t in line] == [False, False]


@pytest.mark.spec("C-50", "P-18")
@pytest.mark.usefixtures("mode")
@both_directions
def test_one_who_waits_again_takes_the_last_place(drain, sending):
    ch = channel(0)
    served = []

    def wait(name):
        while True:
            try:
                if sending:
                    ch.send(name)
                    served.append(name)
                else:
                    ch.receive()
                    served.append(name)
                return
            except RuntimeError:
                pass

    first, second = started(wait, "first"), started(wait, "second")
    first.raise_exception(RuntimeError)
    assert (ch.balance, ch.queue is second) == (2 * sign(sending), True)
    for _ in range(2):
        ch.receive() if sending else ch.send(0)
    drain()
    assert served == ["second", "first"]


@pytest.mark.spec("C-51", "B-22", "D-43")
@both_directions
@pytest.mark.parametrize(
    "operation",
    [lambda t: t.kill(), lambda t: t.throw(LookupError), lambda t: t.raise_exception(LookupError)],
    ids=["kill", "throw", "raise_exception"],
)
def test_a_refused_withdrawal_leaves_it_in_its_place(drain, sending, operation):
    ch = channel(0)
    line = waiting(ch, sending, 2)
    with trapped(), pytest.raises(RuntimeError, match="switch_trap"):
        operation(line[0])
    assert (ch.balance, ch.queue is line[0]) == (2 * sign(sending), True)
    assert state(line[0]) == (True, True, False, False)
    assert scheduler.getruncount() == 1
    for n in range(2):  # the refused exception is forgotten: both are served as usual
        if sending:
            assert ch.receive() == n
        else:
            ch.send(n)
    drain()
    assert [t.alive for t in line] == [False, False]


@pytest.mark.spec("C-52", "D-25", "D-45")
@pytest.mark.usefixtures("mode")
@both_directions
@pytest.mark.parametrize("position", [0, 1, 2])
@pytest.mark.parametrize("how", ["kill", "throw"])
def test_a_pending_exception_takes_it_out_of_the_line_at_once(drain, sending, position, how):
    ch = channel(0)
    line = waiting(ch, sending, 3)
    victim = line.pop(position)
    if how == "kill":
        victim.kill(pending=True)
    else:
        victim.throw(scheduler.TaskletExit, pending=True)
    assert (ch.balance, ch.queue is line[0]) == (2 * sign(sending), True)
    assert state(victim) == (True, False, True, False)
    assert scheduler.getruncount() == 2
    drain()
    assert state(victim) == (False, False, False, False)
    assert ch.balance == 2 * sign(sending)
    ch.clear()
    assert [t.alive for t in line] == [False, False]


@pytest.mark.spec("C-53", "E-10", "G-09")
@pytest.mark.usefixtures("mode")
@both_directions
@pytest.mark.parametrize("pending", [True, False])
def test_a_served_tasklet_can_still_be_killed_before_its_turn(drain, sending, pending):
    ch = channel(0)
    box = object()
    before = sys.getrefcount(box)
    log = []

    def wait():
        try:
            ch.send(None) if sending else ch.receive()
            log.append("must not run")
        except scheduler.TaskletExit:
            log.append("killed")
            raise

    tasklet = started(wait)
    ch.receive() if sending else ch.send(box)
    assert state(tasklet) == (True, False, True, False)
    tasklet.kill(pending=pending)
    drain()
    assert log == ["killed"]
    assert state(tasklet) == (False, False, False, False)
    assert ch.balance == 0
    assert sys.getrefcount(box) == before
