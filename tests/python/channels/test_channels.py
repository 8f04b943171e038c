"""Channels: construction, balance, send and receive, and refusals (C-01 to C-15)."""

from __future__ import annotations

import sys

import pytest

import scheduler
from support.object_counts import references
from support.scheduling import channel, started, state, trapped

SENDING = {
    "send": lambda ch: ch.send(0),
    "send_exception": lambda ch: ch.send_exception(LookupError),
    "send_throw": lambda ch: ch.send_throw(LookupError),
}
RECEIVING = {"receive": lambda ch: ch.receive(), "next": next}
OPERATIONS = SENDING | RECEIVING

every_operation = pytest.mark.parametrize("name", OPERATIONS)
every_preference = pytest.mark.parametrize("preference", [-1, 0, 1])


class Box:
    """A value whose references can be counted."""


# ---- construction and plain attributes -----------------------------------------------------------


@pytest.mark.spec("C-01", "C-02", "C-03", "C-04")
def test_constructor_ignores_arguments_of_any_kind():
    with pytest.warns(RuntimeWarning, match="ignores all arguments but preference="):
        ch = scheduler.channel(1, "two", three=object())
    assert type(ch) is scheduler.channel
    assert (ch.balance, ch.queue, ch.preference, ch.closing, ch.closed) == (
        0, None, -1, False, False,
    )  # fmt: skip


@pytest.mark.spec("C-02", "C-03", "C-40")
@pytest.mark.parametrize("name", ["balance", "queue", "closing", "closed"])
def test_state_attributes_are_read_only(name):
    ch = scheduler.channel()
    with pytest.raises(AttributeError):
        setattr(ch, name, 0)
    with pytest.raises(AttributeError):
        delattr(ch, name)


@pytest.mark.spec("C-02", "C-03", "C-15", "A-05")
@pytest.mark.usefixtures("mode")
@pytest.mark.parametrize("sending", [True, False])
def test_waiting_tasklets_stand_in_one_line_first_come_first_served(drain, sending):
    ch = channel(0)
    got = []
    waiting = [
        scheduler.tasklet(ch.send)(n)
        if sending
        else scheduler.tasklet(lambda n: got.append((n, ch.receive())))(n)
        for n in range(3)
    ]
    assert drain() is None  # waiting for ever is no error for ordinary tasklets
    sign = 1 if sending else -1
    for n, tasklet in enumerate(waiting):
        assert ch.balance == sign * (3 - n)
        assert ch.queue is tasklet
        assert (*state(tasklet), tasklet.next, tasklet.prev) == (
            True, True, False, False, None, None,
        )  # fmt: skip
        if sending:
            got.append((n, ch.receive()))
        else:
            ch.send(n)
        assert (tasklet.blocked, tasklet.scheduled) == (False, True)
    assert (ch.balance, ch.queue) == (0, None)
    drain()
    assert got == [(0, 0), (1, 1), (2, 2)]
    assert [t.alive for t in waiting] == [False, False, False]


@pytest.mark.spec("C-04", "D-37")
def test_preference_takes_the_three_values_and_ignores_other_ints():
    ch = scheduler.channel()
    assert (ch.preference, type(ch.preference)) == (-1, int)
    for value in (0, 1, -1, 1):
        ch.preference = value
        assert ch.preference == value
    for ignored in (2, -2, 17, 2**31, -(2**40), 2**70):
        ch.preference = ignored
        assert ch.preference == 1


@pytest.mark.spec("C-04")
@pytest.mark.parametrize("value", ["1", 1.0, None, [0], object()])
def test_preference_must_be_an_int(value):
    ch = channel(0)
    with pytest.raises(TypeError):
        ch.preference = value
    with pytest.raises(TypeError):
        del ch.preference
    assert ch.preference == 0


@pytest.mark.spec("C-05")
@pytest.mark.parametrize(
    "call",
    [
        lambda ch: ch.send(),
        lambda ch: ch.send(1, 2, 3),
        lambda ch: ch.send(1, 2, timeout=3),
        lambda ch: ch.send(value=1),
        lambda ch: ch.receive(1, 2),
        lambda ch: ch.receive("1"),
        lambda ch: ch.sending(),
        lambda ch: ch.sending(1, 2),
        lambda ch: ch.receive(x=1),
        lambda ch: ch.clear(1),
        lambda ch: ch.close(1),
        lambda ch: ch.open(1),
        lambda ch: ch.send_exception(exc=ValueError),
        lambda ch: ch.send_throw(),
        lambda ch: ch.send_throw(ValueError, None, None, None),
        lambda ch: ch.send_throw(ValueError, value=1),
    ],
)
def test_wrong_argument_lists_are_type_errors_and_change_nothing(call):
    ch = scheduler.channel()
    with pytest.raises(TypeError):
        call(ch)
    assert (ch.balance, ch.closing) == (0, False)


@pytest.mark.spec("C-05")
def test_all_but_receive_return_none():
    ch = channel(0)
    got = []

    def receiver():
        for _ in range(3):
            try:
                got.append(ch.receive())
            except ValueError as error:
                got.append(error.args)

    started(receiver)
    results = [ch.send("v")]
    scheduler.run()
    results.append(ch.send_exception(ValueError, 1))
    scheduler.run()
    results.append(ch.send_throw(exc=ValueError, val=(2,), tb=None))
    scheduler.run()
    results += [ch.clear(), ch.close(), ch.open()]
    assert got == ["v", (1,), (2,)]
    assert results == [None] * 6


# ---- transfers -----------------------------------------------------------------------------------


@pytest.mark.spec("C-11", "C-14")
@every_preference
@pytest.mark.parametrize("sender_first", [True, False])
@pytest.mark.parametrize(
    "value",
    [None, object(), (), ValueError("as a value"), ValueError, NotImplemented, StopIteration(3)],
    ids=["None", "object", "tuple", "exception", "class", "NotImplemented", "StopIteration"],
)
def test_any_object_arrives_as_the_same_object(drain, preference, sender_first, value):
    ch = channel(preference)
    got = []
    jobs = [lambda: ch.send(value), lambda: got.append(ch.receive())]
    for job in jobs if sender_first else reversed(jobs):
        scheduler.tasklet(job)()
    drain()
    assert len(got) == 1
    assert got[0] is value
    assert ch.balance == 0


@pytest.mark.spec("C-14", "G-09")
@every_preference
def test_no_reference_to_the_value_remains(drain, preference):
    box = Box()
    ch = channel(preference)
    before = sys.getrefcount(box)
    sender = scheduler.tasklet(ch.send)(box)
    receiver = scheduler.tasklet(ch.receive)()
    drain()
    assert (sender.alive, receiver.alive) == (False, False)
    del receiver  # which keeps what it has returned
    assert sys.getrefcount(box) == before


@pytest.mark.spec("C-02", "C-11", "P-12")
@every_preference
@pytest.mark.usefixtures("mode")
def test_a_tasklet_of_each_sort_may_be_served_by_main(drain, preference):
    ch = channel(preference)
    got = []

    def echo():
        while (item := ch.receive()) is not None:
            ch.send(item * 2)

    scheduler.tasklet(echo)()
    for n in range(5):
        ch.send(n)
        got.append(ch.receive())
    ch.send(None)
    drain()
    assert got == [0, 2, 4, 6, 8]
    assert (ch.balance, scheduler.getruncount()) == (0, 1)


@pytest.mark.spec("P-16", "R-03", "C-12")
@pytest.mark.usefixtures("mode")
@every_operation
def test_main_without_a_partner_runs_the_whole_queue_and_then_fails(name):
    ch = scheduler.channel()
    log = []
    for n in range(10):
        scheduler.tasklet(log.append)(n)
    with pytest.raises(RuntimeError, match="Deadlock"):
        OPERATIONS[name](ch)
    assert log == list(range(10))
    assert (ch.balance, ch.queue, scheduler.getmain().blocked) == (0, None, False)


@pytest.mark.spec("C-12", "C-10", "C-11", "B-10", "D-24")
@every_operation
@pytest.mark.parametrize("closing", [True, False])
def test_a_block_trap_comes_before_closing_and_changes_nothing(name, closing):
    ch = scheduler.channel()
    waiting = started(OPERATIONS[name], ch)
    if closing:
        ch.close()
    seen = []

    def attempt():
        me = scheduler.getcurrent()
        me.block_trap = True
        with pytest.raises(RuntimeError, match="block_trap"):
            OPERATIONS[name](ch)
        seen.append((*state(me), ch.balance, ch.queue is waiting))

    refused = started(attempt)
    sign = 1 if name in SENDING else -1
    assert seen == [(True, False, True, False, sign, True)]
    assert state(refused) == (False, False, False, False)
    assert (ch.balance, ch.closed) == (sign, False)
    ch.clear()
    assert waiting.alive is False


@pytest.mark.spec("C-12", "C-40", "D-24", "D-51")
@every_operation
def test_a_closing_channel_lets_nobody_join_the_line(name):
    ch = scheduler.channel()
    waiting = started(OPERATIONS[name], ch)
    ch.close()
    seen = []

    def attempt():
        me = scheduler.getcurrent()
        with pytest.raises(ValueError):
            OPERATIONS[name](ch)
        seen.append((*state(me), ch.balance, ch.queue is waiting))

    refused = started(attempt)
    sign = 1 if name in SENDING else -1
    assert seen == [(True, False, True, False, sign, True)]
    assert state(refused) == (False, False, False, False)
    assert references(refused) == 1
    ch.clear()
    assert waiting.alive is False


@pytest.mark.spec("C-10", "B-21", "B-22", "D-24")
@every_operation
def test_a_switch_trap_refuses_to_wait_and_changes_nothing(name):
    ch = scheduler.channel()
    waiting = started(OPERATIONS[name], ch)
    seen = []

    def attempt():
        me = scheduler.getcurrent()
        with trapped(), pytest.raises(RuntimeError, match="switch_trap"):
            OPERATIONS[name](ch)
        seen.append((*state(me), ch.balance, ch.queue is waiting))

    refused = started(attempt)
    sign = 1 if name in SENDING else -1
    assert seen == [(True, False, True, False, sign, True)]
    assert state(refused) == (False, False, False, False)
    ch.clear()
    assert waiting.alive is False


@pytest.mark.spec("C-13")
@pytest.mark.parametrize("hindrance", ["block_trap", "closing"])
def test_with_a_waiting_partner_neither_trap_nor_closing_matters(drain, hindrance):
    ch = channel(0)
    got = []
    started(lambda: got.append(ch.receive()))
    receive_later = scheduler.channel()
    started(receive_later.send, "second")
    main = scheduler.getmain()
    if hindrance == "block_trap":
        main.block_trap = True
    else:
        ch.close()
        receive_later.close()
    try:
        ch.send("first")
        got.append(receive_later.receive())
    finally:
        main.block_trap = False
    drain()
    assert got == ["second", "first"]
