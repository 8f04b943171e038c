"""Who continues after a transfer: preference, main tasklets, drives (C-20 to C-24)."""

from __future__ import annotations

import sys

import pytest

import scheduler
from support.object_counts import references
from support.scheduling import channel, queue, started


class Box:
    """A value whose references can be counted."""


@pytest.mark.spec("C-20", "R-01")
@pytest.mark.usefixtures("mode")
@pytest.mark.parametrize(
    ("preference", "caller_sends", "caller_yields"),
    [
        (-1, True, True),
        (0, True, False),
        (1, True, False),
        (-1, False, False),
        (0, False, False),
        (1, False, True),
    ],
)
def test_preference_decides_whether_the_caller_yields(preference, caller_sends, caller_yields):
    ch = channel(preference)
    log = []

    def send(name):
        ch.send("v")
        log.append(name)

    def receive(name):
        assert ch.receive() == "v"
        log.append(name)

    partner = started(receive if caller_sends else send, "partner")
    caller = scheduler.tasklet(send if caller_sends else receive)("caller")
    other = scheduler.tasklet(log.append)("other")
    scheduler.run_n_tasklets(1)
    if caller_yields:
        assert log == []
        assert queue() == [partner, other, caller]
    else:
        assert log == ["caller"]
        assert queue() == [other, partner]
    assert (partner.blocked, partner.scheduled) == (False, True)
    scheduler.run()
    expected = ["partner", "other", "caller"] if caller_yields else ["caller", "other", "partner"]
    assert log == expected


@pytest.mark.spec("C-21", "C-20")
@pytest.mark.usefixtures("mode")
@pytest.mark.parametrize(
    ("preference", "main_sends", "expected"),
    [
        (-1, True, ["partner", "other", "main rc 1"]),
        (0, True, ["main rc 3", "other", "partner"]),
        (1, True, ["main rc 3", "other", "partner"]),
        (-1, False, ["main rc 3", "other", "partner"]),
        (0, False, ["main rc 3", "other", "partner"]),
        (1, False, ["partner", "other", "main rc 1"]),
    ],
)
def test_a_main_that_yields_by_preference_drives_its_whole_queue(
    drain, preference, main_sends, expected
):
    ch = channel(preference)
    log = []

    def partner():
        if main_sends:
            ch.receive()
        else:
            ch.send("v")
        log.append("partner")

    started(partner)
    scheduler.tasklet(log.append)("other")
    if main_sends:
        ch.send("v")
    else:
        assert ch.receive() == "v"
    log.append(f"main rc {scheduler.getruncount()}")
    drain()
    assert log == expected


@pytest.mark.spec("C-22", "C-20", "R-03", "R-10")
@pytest.mark.usefixtures("mode")
@pytest.mark.parametrize(
    ("preference", "main_sends", "partner_runs_on"),
    [
        (-1, False, False),
        (0, False, True),
        (1, False, True),
        (-1, True, True),
        (0, True, True),
        (1, True, False),
    ],
)
def test_a_blocked_main_goes_on_after_the_turn_that_served_it(
    drain, preference, main_sends, partner_runs_on
):
    ch = channel(preference)
    log = []

    def partner():
        if main_sends:
            assert ch.receive() == "v"
        else:
            ch.send("v")
        log.append("partner")

    scheduler.tasklet(log.append)("one")
    p = scheduler.tasklet(partner)()
    two = scheduler.tasklet(log.append)("two")
    assert (ch.send("v") if main_sends else ch.receive()) == (None if main_sends else "v")
    if partner_runs_on:
        assert log == ["one", "partner"]
        assert queue() == [two]
    else:
        assert log == ["one"]
        assert queue() == [two, p]
    drain()
    assert log == (["one", "partner", "two"] if partner_runs_on else ["one", "two", "partner"])


@pytest.mark.spec("C-20", "S-02")
def test_a_main_partner_keeps_its_place_at_the_head_of_the_ready_list(drain):
    ch = scheduler.channel()
    main = scheduler.getmain()
    seen = []

    def sender():
        seen.append((main.blocked, main.scheduled, main.prev))
        ch.send("v")

    scheduler.tasklet(sender)()
    assert ch.receive() == "v"
    assert seen == [(True, True, None)]
    assert (main.blocked, main.scheduled, main.prev) == (False, True, None)
    drain()


@pytest.mark.spec("C-23", "C-53", "P-21", "D-19")
@pytest.mark.usefixtures("mode")
@pytest.mark.parametrize("pending", [True, False])
@pytest.mark.parametrize("caller_sends", [True, False])
def test_a_caller_killed_while_it_yields_after_the_transfer(drain, caller_sends, pending):
    ch = channel(-1 if caller_sends else 1)
    box = Box()
    before = sys.getrefcount(box)
    log = []

    def send(value):
        ch.send(value)
        log.append("sent")

    def receive():
        log.append(ch.receive() is box)

    if caller_sends:
        partner = started(receive)
        caller = scheduler.tasklet(send)(box)
    else:
        partner = started(send, box)
        caller = scheduler.tasklet(receive)()
    scheduler.run_n_tasklets(1)  # the caller completes the transfer and yields
    assert queue() == [partner, caller]
    caller.kill(pending=pending)
    drain()
    assert log == [True if caller_sends else "sent"]
    assert (caller.alive, partner.alive, ch.balance) == (False, False, 0)
    assert references(caller) == 1
    assert sys.getrefcount(box) == before


@pytest.mark.spec("C-24", "R-14", "T-28")
def test_a_drive_reaches_only_what_was_queued_when_it_began(drain):
    ch = channel(-1)
    log = []
    receiver = started(lambda: log.append(ch.receive()))
    sender = scheduler.tasklet(lambda: (ch.send("parcel"), log.append("sent")))()
    sender.run()
    assert log == []
    assert queue() == [receiver, sender]
    assert (receiver.blocked, sender.blocked) == (False, False)
    drain()
    assert log == ["parcel", "sent"]


@pytest.mark.spec("P-11", "C-20")
@pytest.mark.usefixtures("mode")
@pytest.mark.parametrize("senders_first", [True, False])
def test_preference_for_the_sender_completes_the_senders_first(drain, senders_first):
    ch = channel(1)
    log = []

    def send(n):
        ch.send(n)
        log.append(("sent", n))

    def receive():
        log.append(("received", ch.receive()))

    for kind in (True, False) if senders_first else (False, True):
        for n in range(3):
            scheduler.tasklet(send)(n) if kind else scheduler.tasklet(receive)()
    drain()
    assert log == [("sent", n) for n in range(3)] + [("received", n) for n in range(3)]


@pytest.mark.spec("C-20", "P-13", "P-12")
@pytest.mark.usefixtures("mode")
def test_main_receiving_with_preference_for_the_receiver_completes_no_sender(drain):
    ch = channel(-1)
    done = []
    for n in range(10):
        scheduler.tasklet(lambda n: (ch.send(n), done.append(n)))(n).run()
    assert ch.balance == 10
    assert [ch.receive() for _ in range(10)] == list(range(10))
    assert (done, ch.balance, scheduler.getruncount()) == ([], 0, 11)
    drain()
    assert done == list(range(10))
