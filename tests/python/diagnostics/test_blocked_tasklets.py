"""blocked_tasklets(): who waits when run() has returned."""

from __future__ import annotations

import threading

import pytest

import scheduler
from support.scheduling import queued
from support.threads import RemoteThread, other  # noqa: F401 (`other` is a fixture)


@pytest.mark.spec("R-01", "T-01")
def test_those_that_wait_are_there_and_no_others() -> None:
    ch = scheduler.channel()
    receives = scheduler.tasklet(ch.receive)()
    joins = scheduler.tasklet(receives.join)()
    sleeps = scheduler.tasklet(scheduler.sleep)(60)
    selects = scheduler.tasklet(scheduler.select)(scheduler.channel(), scheduler.channel())
    pauses = scheduler.tasklet(scheduler.schedule_remove)()
    ended = scheduler.tasklet(len)("")
    scheduler.run()
    waiting = {receives, joins, sleeps, selects}
    assert (pauses.paused, ended.alive) == (True, False)
    late = queued(len, "")
    found = scheduler.blocked_tasklets()
    assert isinstance(found, list)
    assert (len(found), set(found)) == (4, waiting)
    late.remove()
    for task in (joins, selects, receives, sleeps, pauses):
        task.kill()
    assert scheduler.blocked_tasklets() == []


@pytest.mark.spec("R-01")
def test_a_main_tasklet_that_waits_is_not_there() -> None:
    ch = scheduler.channel()
    found: list[list[scheduler.tasklet]] = []

    def look() -> None:
        assert scheduler.getmain().blocked
        found.append(scheduler.blocked_tasklets())
        ch.send(None)

    scheduler.tasklet(look)()
    ch.receive()
    scheduler.run()
    assert found == [[]]


@pytest.mark.spec("R-01")
def test_each_thread_sees_its_own(other: RemoteThread) -> None:
    ch = scheduler.channel()

    def wait() -> scheduler.tasklet:
        task = scheduler.tasklet(ch.receive)()
        scheduler.run()
        return task

    here, there = wait(), other.call(wait)
    assert here.thread_id == threading.get_ident() != there.thread_id
    assert scheduler.blocked_tasklets() == [here]
    assert other.call(scheduler.blocked_tasklets) == [there]
    here.kill()
    other.call(there.kill)
    assert other.call(scheduler.blocked_tasklets) == []


@pytest.mark.spec("R-01")
def test_a_subclass_cannot_mislead_it() -> None:
    class Hidden(scheduler.tasklet):
        blocked = property(lambda self: 1 / 0)  # type: ignore[assignment]
        is_main = thread_id = blocked

    task = Hidden(scheduler.channel().receive)()
    scheduler.run()
    assert scheduler.blocked_tasklets() == [task]
    task.kill()
