"""The channel callback (B-01, B-04)."""

from __future__ import annotations

import contextlib

import pytest

import scheduler
from support.scheduling import channel, queued, started

SENDS = {
    "send": lambda ch: ch.send(0),
    "send_exception": lambda ch: ch.send_exception(LookupError),
    "send_throw": lambda ch: ch.send_throw(LookupError),
}
RECEIVES = {"receive": lambda ch: ch.receive(), "next": next}


def recorded(function):
    """Channel callback calls made during `function()`: channel, tasklet, two flags, balance."""
    calls = []

    def callback(*args):
        ch, task, sending, blocks = args
        assert type(sending) is bool
        assert type(blocks) is bool
        assert task is scheduler.getcurrent()
        calls.append((ch, task, sending, blocks, ch.balance, task.blocked))

    scheduler.set_channel_callback(callback)
    try:
        function()
    finally:
        scheduler.set_channel_callback(None)
    return calls


def swallowing(operation, ch):
    """Calls `operation(ch)` and lets no LookupError out."""
    with contextlib.suppress(LookupError):
        operation(ch)


@pytest.mark.spec("B-01", "P-24", "C-10", "C-11", "18-12")
@pytest.mark.usefixtures("mode")
@pytest.mark.parametrize("sending", SENDS)
@pytest.mark.parametrize("receiving", RECEIVES)
@pytest.mark.parametrize("sender_first", [True, False])
@pytest.mark.parametrize("preference", [-1, 0, 1])
def test_each_operation_is_announced_before_anything_changes(
    drain, sending, receiving, sender_first, preference
):
    ch = channel(preference)
    sender = queued(SENDS[sending], ch).remove()
    receiver = queued(swallowing, RECEIVES[receiving], ch).remove()
    for task in (sender, receiver) if sender_first else (receiver, sender):
        task.insert()
    calls = recorded(drain)
    if sender_first:
        expected = [(ch, sender, True, True, 0, False), (ch, receiver, False, False, 1, False)]
    else:
        expected = [(ch, receiver, False, True, 0, False), (ch, sender, True, False, -1, False)]
    assert calls == expected


@pytest.mark.spec("B-01", "C-43")
def test_a_next_that_stops_is_not_announced():
    ch = scheduler.channel()
    ch.close()

    def stop():
        with pytest.raises(StopIteration):
            next(ch)

    assert recorded(stop) == []


@pytest.mark.spec("B-01", "C-12")
@pytest.mark.parametrize("name", SENDS | RECEIVES)
@pytest.mark.parametrize("reason", ["block_trap", "switch_trap", "deadlock", "closing"])
def test_refused_operations_are_announced_too(name, reason):
    ch = scheduler.channel()
    main = scheduler.getmain()
    operation = (SENDS | RECEIVES)[name]
    waiting = started(operation, ch)
    if reason == "closing":
        ch.close()
    main.block_trap = reason == "block_trap"
    if reason == "switch_trap":
        queued(len, "")  # else it is a deadlock, trap or not
        scheduler.switch_trap(1)

    def attempt():
        with pytest.raises(ValueError if reason == "closing" else RuntimeError):
            operation(ch)

    sign = 1 if name in SENDS else -1
    try:
        assert recorded(attempt) == [(ch, main, name in SENDS, True, sign, False)]
    finally:
        scheduler.switch_trap(-scheduler.switch_trap(0))
        main.block_trap = False
    waiting.kill()
    scheduler.run()
    assert ch.balance == 0


@pytest.mark.spec("B-01", "C-42", "C-40")
def test_other_channel_methods_are_not_announced():
    ch = scheduler.channel()
    started(ch.receive)
    assert recorded(lambda: (ch.close(), ch.open(), ch.clear(), iter(ch), ch.balance)) == []


@pytest.mark.spec("DEC-4", "B-04", "D-34")
@pytest.mark.usefixtures("mode")
@pytest.mark.parametrize("sender_first", [True, False])
@pytest.mark.parametrize("error", [LookupError, KeyboardInterrupt, scheduler.TaskletExit])
def test_an_error_of_the_channel_callback_is_reported_and_ignored(
    drain, unraisable, sender_first, error
):
    ch = scheduler.channel()
    got = []

    def callback(*_):
        raise error("from the callback")

    jobs = [lambda: ch.send("v"), lambda: got.append(ch.receive())]
    for job in jobs if sender_first else reversed(jobs):
        queued(job)
    scheduler.set_channel_callback(callback)
    drain()
    scheduler.set_channel_callback(None)
    assert got == ["v"]
    assert [(entry.exc_type, entry.message) for entry in unraisable] == [
        (error, "from the callback")
    ] * 2


@pytest.mark.spec("B-04", "C-10", "C-11")
def test_what_the_channel_callback_does_to_the_channel_is_seen():
    """Nothing that was read before the callback may be trusted after it."""
    ch = scheduler.channel()
    seen = []

    def close_it(channel_, task, sending, blocks):
        seen.append(blocks)
        ch.close()

    scheduler.set_channel_callback(close_it)
    with pytest.raises(ValueError):
        ch.send(0)
    scheduler.set_channel_callback(None)
    ch.open()
    waiting = started(ch.receive)

    def kill_it(channel_, task, sending, blocks):
        seen.append(blocks)
        scheduler.set_channel_callback(None)
        waiting.kill()

    scheduler.set_channel_callback(kill_it)
    with pytest.raises(RuntimeError, match="Deadlock"):
        ch.send(0)
    assert (ch.balance, waiting.alive) == (0, False)
    assert seen == [True, False]
