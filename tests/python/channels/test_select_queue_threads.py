"""select() and receivers of other threads at the same QueueChannel."""

from __future__ import annotations

import threading

import pytest

import scheduler
from support.threads import Worker
from support.waiting import TIMEOUT

ITEMS = 20_000


def take_all(take, together):
    """What is there, from the moment on when everybody has come."""
    together.wait(TIMEOUT)
    got = []
    while True:
        try:
            got.append(take())
        except TimeoutError:
            return got


@pytest.mark.spec("DEC-3")
@pytest.mark.parametrize("attempt", range(6))  # without the GIL, about one in two would find it
def test_each_item_of_a_queue_comes_out_once(attempt):
    ch = scheduler.QueueChannel()
    for number in range(ITEMS):
        ch.send(number)
    together = threading.Barrier(3)

    def select():
        return scheduler.select(ch, timeout=0)[1]

    def receive():
        return ch.receive(timeout=0)

    workers = [Worker(take_all, take, together) for take in (select, receive, select)]
    assert sorted(n for worker in workers for n in worker.join()) == list(range(ITEMS))
