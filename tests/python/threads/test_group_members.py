"""Members of a TaskletGroup that other threads serve while the group ends."""

from __future__ import annotations

import threading

import pytest

import scheduler
from support.exceptions import outcome
from support.scheduling import channel
from support.threads import Worker, in_thread


@pytest.mark.timeout(120)
@pytest.mark.spec("C-53", "H-02")
def test_members_are_on_their_way_from_another_thread_when_the_group_ends():
    """Each value that was sent reached a member, or one that was killed with it."""
    ch = channel()
    sent, received = [], []
    over = threading.Event()

    def send():
        while not over.is_set():
            try:
                ch.send(len(sent), timeout=0.01)
                sent.append(len(sent))
            except TimeoutError:
                pass

    def take():
        received.append(ch.receive())

    sender = Worker(send)
    killed = 0
    for number in range(300):
        group = scheduler.TaskletGroup()
        members = []
        with pytest.raises(ExceptionGroup), group:
            members = [group.start(take) for _ in range(3)]
            scheduler.sleep(number % 3 / 10_000)
            raise ValueError
        assert not any(member.alive for member in members)
        killed += sum(outcome(member.result) is RuntimeError for member in members)
    over.set()
    sender.join()
    assert ch.balance == 0
    assert len(set(received)) == len(received) and set(received) <= set(sent)
    assert received and len(received) <= len(sent) <= len(received) + killed


def test_members_that_have_been_served_by_another_thread_are_killed():
    """Their thread has not yet heard of it."""
    channels = [channel() for _ in range(3)]
    log = []

    def take(ch):
        try:
            log.append(ch.receive())
        except scheduler.TaskletExit:
            log.append("killed")
            raise

    with pytest.raises(ExceptionGroup), scheduler.TaskletGroup() as group:
        members = [group.start(take, ch) for ch in channels]
        scheduler.schedule()
        in_thread(lambda: [ch.send("value") for ch in channels[:2]] and None)
        raise ValueError
    assert not any(member.alive for member in members)
    assert log == ["killed"] * 3
    assert [ch.balance for ch in channels] == [0, 0, 0]
