"""`run` and `switch` of a tasklet (spec sections 3.5, 3.6)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import scheduler
from support.exceptions import outcome
from support.scheduling import queue, queued, started, state, trapped
from support.threads import in_thread

DEAD = (False, False, False, False)
READY = (True, False, True, False)
PAUSED = (True, False, False, True)


# ------------------------------------------------------------------------------------------- both


@pytest.mark.spec("T-27", "T-50")
@pytest.mark.parametrize("operation", ["run", "switch"])
def test_dead_and_blocked_tasklets_are_refused(operation: str, mode: str) -> None:
    finished = queued(len, "")
    scheduler.run()
    for dead in (finished, scheduler.tasklet(), scheduler.tasklet(len)):
        with pytest.raises(RuntimeError, match="dead"):
            getattr(dead, operation)()
    channel = scheduler.channel()
    blocked = queued(channel.receive)
    scheduler.run()
    with pytest.raises(RuntimeError, match="blocked"):
        getattr(blocked, operation)()
    with trapped(), pytest.raises(RuntimeError, match="blocked"):
        getattr(blocked, operation)()
    assert (channel.balance, blocked.blocked) == (-1, True)
    assert scheduler.getmain().paused is False
    blocked.kill()


@pytest.mark.spec("T-27", "T-50", "DEC-1", "18-11")
@pytest.mark.parametrize("operation", ["run", "switch"])
def test_from_another_thread_the_tasklet_is_queued_on_its_own(operation: str) -> None:
    log: list[str] = []
    task = scheduler.tasklet(log.append).bind(None, ("ran",))
    dead = scheduler.tasklet()
    assert in_thread(getattr(task, operation)) is None
    assert log == []
    assert state(task) == READY
    assert scheduler.getruncount() == 2
    assert in_thread(outcome, getattr(dead, operation)) is RuntimeError
    scheduler.run()
    assert log == ["ran"]


@pytest.mark.spec("T-29", "D-05")
@pytest.mark.parametrize("operation", ["run", "switch"])
def test_main_cannot_be_started_by_a_tasklet(operation: str, mode: str) -> None:
    def job() -> None:
        with pytest.raises(RuntimeError, match="main"):
            getattr(scheduler.getmain(), operation)()
        log.append("went on")

    log: list[str] = []
    queued(job)
    scheduler.run()
    assert log == ["went on"]
    assert state(scheduler.getmain()) == READY


@pytest.mark.spec("T-29", "T-54", "F-07", "D-06", "D-54")
@pytest.mark.parametrize("operation", ["run", "switch"])
def test_an_ancestor_cannot_be_started(operation: str, mode: str) -> None:
    def child() -> None:
        me = scheduler.getcurrent()
        before = queue(), state(me), state(driver)
        if mode == "nested" or operation == "switch":
            with pytest.raises(ValueError, match="cyclic parent chain"):
                getattr(driver, operation)()
        else:
            with pytest.raises(RuntimeError):
                getattr(driver, operation)()
        assert (queue(), state(me), state(driver)) == before
        log.append("child done")

    def job() -> None:
        queued(child)
        scheduler.run()
        log.append("driver done")

    log: list[str] = []
    driver = queued(job)
    scheduler.run()
    assert log == ["child done", "driver done"]
    assert state(driver) == DEAD


# -------------------------------------------------------------------------------------------- run


@pytest.mark.spec("T-28", "R-20", "18-3")
def test_run_gives_one_turn_to_everything_from_the_tasklet_on() -> None:
    def twice(name: str) -> None:
        log.append(name + "1")
        scheduler.schedule()
        log.append(name + "2")

    log: list[str] = []
    a, b, c = (queued(twice, name) for name in "abc")
    assert b.run() is None
    assert log == ["b1", "c1"]
    assert queue() == [a, b, c]
    a.run()
    assert log == ["b1", "c1", "a1", "b2", "c2"]
    assert queue() == [a]
    scheduler.run()
    assert log[5:] == ["a2"]


@pytest.mark.spec("T-28")
def test_run_leaves_what_is_queued_meanwhile() -> None:
    def adder() -> None:
        queued(log.append, "later")
        log.append("adder")

    log: list[str] = []
    task = queued(adder)
    queued(log.append, "behind")
    task.run()
    assert log == ["adder", "behind"]
    assert scheduler.getruncount() == 2
    scheduler.run()
    assert log[2:] == ["later"]


@pytest.mark.spec("T-28", "C-20")
def test_run_reaches_what_is_placed_inside_its_range() -> None:
    def receiver() -> None:
        log.append(channel.receive())

    def sender() -> None:
        channel.send("letter")  # preference -1: the receiver goes right behind the sender
        log.append("sender done")

    log: list[str] = []
    channel = scheduler.channel()
    started(receiver)
    task = queued(sender)
    queued(log.append, "behind")
    task.run()
    assert log == ["letter", "behind"]
    assert queue() == [task]
    scheduler.run()
    assert log[2:] == ["sender done"]


@pytest.mark.spec("T-28", "A-02")
def test_run_of_a_paused_tasklet_appends_it(drain: Callable) -> None:
    log: list[str] = []
    queued(log.append, "queued")
    task = scheduler.tasklet(log.append).bind(None, ("paused",))
    task.run()
    assert log == ["paused"]
    drain()
    assert log == ["paused", "queued"]


@pytest.mark.spec("T-29", "F-07", "D-06")
def test_run_of_the_current_tasklet(mode: str) -> None:
    def job() -> None:
        results.append(outcome(scheduler.getcurrent().run))

    results: list[Any] = []
    task = queued(job)
    queued(results.append, "next")
    scheduler.run()
    assert results == [None if mode == "nested" else RuntimeError, "next"]
    assert (state(task), task.times_switched_to) == (DEAD, 1)


@pytest.mark.spec("T-29", "F-07")
def test_run_of_main_by_main(mode: str) -> None:
    log: list[str] = []
    queued(log.append, "still queued")
    assert outcome(scheduler.getmain().run) is (None if mode == "nested" else RuntimeError)
    assert log == []
    scheduler.run()
    assert log == ["still queued"]


# ----------------------------------------------------------------------------------------- switch


@pytest.mark.spec("T-51", "T-53")
def test_switch_to_a_paused_tasklet_acts_like_a_call(mode: str, drain: Callable) -> None:
    def target() -> None:
        log.append(("target", caller.paused, scheduler.getruncount()))

    def switcher() -> None:
        task = scheduler.tasklet(target).bind(None, ())
        assert (task.paused, task.scheduled) == (True, False)
        assert task.switch() is None
        assert state(task) == DEAD
        log.append(("caller", caller.paused, scheduler.getruncount()))

    log: list[Any] = []
    caller = scheduler.getmain()
    switcher()
    assert log == [("target", True, 2), ("caller", False, 1)]
    del log[:]
    caller = queued(switcher)
    queued(log.append, "bystander")
    drain()
    assert log == [("target", True, 4), ("caller", False, 3), "bystander"]


@pytest.mark.spec("T-51")
def test_switch_to_a_paused_tasklet_that_suspends(drain: Callable) -> None:
    def target() -> None:
        log.append("target")
        scheduler.schedule()
        log.append("target again")

    def switcher() -> None:
        task.switch()
        log.append("caller")

    log: list[str] = []
    task = scheduler.tasklet(target).bind(None, ())
    queued(switcher)
    drain()
    assert log == ["target", "caller", "target again"]


@pytest.mark.spec("T-52", "D-55")
def test_switch_from_main_runs_the_target_then_the_rest() -> None:
    log: list[int] = []
    tasks = [queued(log.append, n) for n in (1, 2, 3)]
    tasks[1].switch()
    assert log == [2, 3, 1]
    assert scheduler.getruncount() == 1
    assert scheduler.getmain().paused is False


@pytest.mark.spec("T-52", "D-46")
def test_switch_to_a_queued_tasklet_pauses_the_caller(mode: str, drain: Callable) -> None:
    def switcher() -> None:
        target.switch()
        log.append("caller again")

    log: list[str] = []
    caller = queued(switcher)
    queued(log.append, "between")
    target = queued(log.append, "target")
    queued(log.append, "behind")
    drain()
    assert log == ["target", "behind", "between"]
    assert state(caller) == PAUSED
    assert caller.insert() is caller
    drain()
    assert log[3:] == ["caller again"]
    assert state(caller) == DEAD


@pytest.mark.spec("T-52", "D-46")
def test_caller_of_switch_survives_a_target_that_suspends(drain: Callable) -> None:
    def switcher() -> None:
        target.switch()
        log.append("caller again")

    def yields() -> None:
        log.append("target")
        scheduler.schedule()
        log.append("target again")

    log: list[str] = []
    caller = queued(switcher)
    target = queued(yields)
    drain()
    assert log == ["target", "target again"]
    assert state(caller) == PAUSED
    caller.run()
    assert log[2:] == ["caller again"]
    assert state(caller) == DEAD


@pytest.mark.spec("T-53", "T-25")
def test_target_may_insert_the_caller(mode: str, drain: Callable) -> None:
    def target() -> None:
        assert caller.paused
        assert caller.insert() is caller

    def switcher() -> None:
        queued(target).switch()
        log.append("caller again")

    log: list[str] = []
    caller = queued(switcher)
    queued(log.append, "bystander")
    drain()
    assert log == ["bystander", "caller again"]
    assert state(caller) == DEAD


@pytest.mark.spec("T-54")
@pytest.mark.parametrize("queued_target", [True, False])
def test_error_of_the_target_comes_out_of_switch(queued_target: bool, mode: str) -> None:
    def broken() -> None:
        raise LookupError("broken")

    def switcher() -> None:
        target = queued(broken)
        if not queued_target:
            target.remove()
        with pytest.raises(LookupError, match="broken"):
            target.switch()
        assert scheduler.getcurrent().paused is False
        assert state(target) == DEAD
        log.append("went on")

    log: list[str] = []
    switcher()
    task = queued(switcher)
    scheduler.run()
    assert log == ["went on"] * 2
    assert state(task) == DEAD


@pytest.mark.spec("T-54", "B-21", "B-22")
def test_refused_switch_changes_nothing() -> None:
    def switcher() -> None:
        for target, before in ((paused, PAUSED), (ready, READY)):
            with trapped(), pytest.raises(RuntimeError, match="switch_trap"):
                target.switch()
            assert state(target) == before
            assert scheduler.getcurrent().paused is False
        log.append("refused")

    log: list[str] = []
    paused = scheduler.tasklet(log.append).bind(None, ("paused",))
    ready = queued(log.append, "ready")
    switcher()
    ready.remove().insert()
    queued(switcher).run()
    assert log == ["refused"] * 2
    paused.switch()
    ready.switch()
    assert log[2:] == ["paused", "ready"]


@pytest.mark.spec("T-50", "T-52")
def test_switch_to_oneself_does_nothing(mode: str) -> None:
    def job() -> None:
        assert scheduler.getcurrent().switch() is None
        assert state(scheduler.getcurrent()) == READY
        log.append("went on")

    log: list[str] = []
    task = queued(job)
    queued(log.append, "next")
    assert scheduler.getmain().switch() is None
    assert log == []
    scheduler.run()
    assert log == ["went on", "next"]
    assert (state(task), task.times_switched_to) == (DEAD, 1)
