"""scheduler.select() and what happens to its channels and cases meanwhile, also on other threads."""

from __future__ import annotations

import functools
import threading

import pytest

import scheduler
from scheduler import sync
from support.scheduling import started, trapped
from support.threads import (
    Worker,
    in_thread,
    other,  # noqa: F401 (a fixture)
)

LATE = 30.0

ENDINGS = {
    "close": lambda a, b: (a.close(), b.close()),
    "clear": lambda a, b: a.clear(),
    "clear both": lambda a, b: (b.clear(), a.clear()),
    "unblock all": lambda a, b: scheduler.unblock_all_channels(),
    "open": lambda a, b: (a.close(), a.open()),
}


@pytest.mark.parametrize("waits_in_thread", [False, True])
@pytest.mark.parametrize("acts_in_thread", [False, True])
@pytest.mark.parametrize("how", ENDINGS)
def test_its_channels_are_closed_or_cleared_meanwhile(other, how, waits_in_thread, acts_in_thread):
    """Closing leaves it to wait, for somebody may still serve it; clearing kills it."""
    a, b = scheduler.channel(), scheduler.channel()
    log = []
    in_its_thread = other.call if waits_in_thread else lambda function, *args: function(*args)
    act = in_thread if acts_in_thread else lambda function, *args: function(*args)

    def work():
        log.append(scheduler.select(a, b.sending(2), a, a.sending(1), b))

    def ended():
        scheduler.run()
        return not task.alive

    task = in_its_thread(started, work)
    act(lambda: ENDINGS[how](a, b) and None)
    if how in ("close", "open"):
        assert not in_its_thread(ended) and a.closing is (how == "close")
        a.send(7)
        assert in_its_thread(ended) and log == [(0, 7)]
    else:
        assert in_its_thread(ended) and log == []
    assert (a.balance, b.balance) == (0, 0)


def test_all_channels_are_closed_before():
    a, b = scheduler.channel(), scheduler.channel()
    a.close()
    b.close()
    for timeout in (None, LATE, 0):
        with pytest.raises(ValueError, match="clos"):
            scheduler.select(a, b.sending(1), a.sending(2), sync.Event(), timeout=timeout)
        with pytest.raises(ValueError, match="clos"), trapped():
            scheduler.select(scheduler.channel(), a, timeout=timeout)
    with pytest.raises(RuntimeError, match="block_trap"), scheduler.block_trap():
        scheduler.select(a, b)
    assert a.balance == b.balance == 0


@pytest.mark.usefixtures("patient")
def test_a_case_is_used_by_tasklets_of_two_threads():
    """Each call sends the value once, though they share the object."""
    a, b = scheduler.channel(), scheduler.channel()
    case = a.sending("x")
    workers = [Worker(scheduler.select, case, b, case) for _ in range(2)]
    assert [a.receive(timeout=LATE) for _ in workers] == ["x", "x"]
    assert {worker.join()[1] for worker in workers} == {None}
    assert a.balance == b.balance == 0


@pytest.mark.usefixtures("patient")
def test_another_thread_receives_from_a_queue_that_is_looked_at():
    """Neither waits beside an item, and none is lost or brought twice. `make tsan-module` sees the look."""
    queue, other, each = scheduler.QueueChannel(), scheduler.channel(), 1000
    queue.send_sequence(range(2 * each))
    both = threading.Barrier(2)

    def take(receive):
        both.wait(LATE)
        return [receive() for _ in range(each)]

    worker = Worker(take, functools.partial(queue.receive, timeout=LATE))
    selected = take(functools.partial(scheduler.select, other, queue, timeout=LATE))
    assert {index for index, _ in selected} == {1}
    assert sorted([value for _, value in selected] + worker.join()) == list(range(2 * each))
