"""Barrier."""

from __future__ import annotations

import pytest

import scheduler
from scheduler import sync
from support.scheduling import queued, started


def come(barrier: sync.Barrier, log: list[object], **timeout: float) -> None:
    try:
        log.append(barrier.wait(**timeout))
    except sync.BrokenBarrierError:
        log.append("broken")


def test_all_go_on_when_the_last_has_come_again_and_again() -> None:
    log: list[object] = []
    barrier = sync.Barrier(3, action=lambda: log.append("action"))

    def body() -> None:
        for _ in range(2):
            log.append(barrier.wait())

    for _ in range(2):
        started(body)
    assert (log, barrier.n_waiting, barrier.parties) == ([], 2, 3)
    started(body)
    scheduler.run()
    assert log[0] == "action" and sorted(log[1:4]) == [0, 1, 2]  # type: ignore[type-var]
    assert log[4] == "action" and sorted(log[5:]) == [0, 1, 2]  # type: ignore[type-var]
    assert barrier.n_waiting == 0


def test_one_alone_never_waits() -> None:
    assert [sync.Barrier(1).wait(0) for _ in range(2)] == [0, 0]


def test_a_broken_barrier() -> None:
    log: list[object] = []
    barrier = sync.Barrier(3)
    for _ in range(2):
        started(come, barrier, log)
    barrier.abort()
    scheduler.run()
    assert log == ["broken"] * 2
    assert barrier.broken and barrier.n_waiting == 0
    with pytest.raises(sync.BrokenBarrierError):
        barrier.wait()
    barrier.reset()
    assert not barrier.broken
    for _ in range(3):
        queued(come, barrier, log)
    scheduler.run()
    assert sorted(log[2:]) == [0, 1, 2]  # type: ignore[type-var]


@pytest.mark.parametrize("pending", [False, True])
def test_one_that_is_killed_leaves_the_others_waiting(pending: bool) -> None:
    log: list[object] = []
    barrier = sync.Barrier(3)
    tasks = [started(come, barrier, log) for _ in range(2)]
    tasks[0].kill(pending=pending)
    scheduler.run()
    assert (log, barrier.broken, barrier.n_waiting) == ([], False, 1)
    for _ in range(2):
        queued(come, barrier, log)
    scheduler.run()
    assert sorted(log) == [0, 1, 2]  # type: ignore[type-var]


def test_reset_while_some_wait() -> None:
    log: list[object] = []
    barrier = sync.Barrier(2)
    started(come, barrier, log)
    barrier.reset()
    assert not barrier.broken
    started(come, barrier, log)
    started(come, barrier, log)
    scheduler.run()
    assert sorted(map(str, log)) == ["0", "1", "broken"]


@pytest.mark.parametrize("at_wait", [False, True])
def test_a_time_that_is_up_breaks_it(at_wait: bool) -> None:
    log: list[object] = []
    barrier = sync.Barrier(3, timeout=60 if at_wait else 0.001)
    queued(come, barrier, log)
    queued(come, barrier, log, **({"timeout": 0.001} if at_wait else {}))
    scheduler.run(threadblock=True)
    assert log == ["broken", "broken"]
    assert barrier.broken


def test_an_action_that_fails_breaks_it() -> None:
    log: list[object] = []
    barrier = sync.Barrier(2, action=lambda: 1 // 0)
    started(come, barrier, log)
    with pytest.raises(ZeroDivisionError):
        barrier.wait()
    scheduler.run()
    assert log == ["broken"]
    assert barrier.broken


def test_an_action_may_switch_and_take_longer_than_a_time_out() -> None:
    log: list[object] = []
    barrier = sync.Barrier(2, action=lambda: scheduler.sleep(0.005))
    queued(come, barrier, log, timeout=0.001)
    queued(come, barrier, log)
    scheduler.run(threadblock=True)
    assert sorted(log) == [0, 1]  # type: ignore[type-var]
    assert not barrier.broken


def test_one_that_is_killed_when_all_have_come_breaks_nothing() -> None:
    log: list[object] = []
    barrier = sync.Barrier(3)
    tasks = [started(come, barrier, log) for _ in range(2)]
    queued(come, barrier, log)
    scheduler.run_n_tasklets(1)
    tasks[0].kill()
    scheduler.run()
    assert sorted(log) == [1, 2]  # type: ignore[type-var]
    assert not barrier.broken


def test_waiting_is_refused_where_it_cannot_be() -> None:
    barrier = sync.Barrier(2)
    with scheduler.block_trap(), pytest.raises(RuntimeError, match="block_trap"):
        barrier.wait()
    with pytest.raises(RuntimeError, match="Deadlock"):
        barrier.wait()
    assert (barrier.broken, barrier.n_waiting) == (False, 0)


def test_arguments() -> None:
    with pytest.raises(ValueError, match=">= 1"):
        sync.Barrier(0)
    with pytest.raises(TypeError):
        sync.Barrier("2")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="action"):
        sync.Barrier(2, action=3)  # type: ignore[arg-type]
    for wrong in (-1, float("nan")):
        with pytest.raises(ValueError):
            sync.Barrier(2, timeout=wrong)
        with pytest.raises(ValueError):
            sync.Barrier(2).wait(wrong)
    with pytest.raises(TypeError):
        sync.Barrier(2).wait("1")  # type: ignore[arg-type]
