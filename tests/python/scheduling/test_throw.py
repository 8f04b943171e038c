"""throw() and raise_exception() by the state of their target (E-15, E-17)."""

from __future__ import annotations

import pytest

import scheduler
from support.scheduling import state, trapped
from support.tasklet_states import DEAD, SUSPENSIONS, TARGETS, Sleeper, every_suspension


@pytest.mark.spec("E-15")
@pytest.mark.usefixtures("mode")
@pytest.mark.parametrize("kind", [LookupError, scheduler.TaskletExit, KeyboardInterrupt])
@pytest.mark.parametrize("method", ["throw", "throw pending", "raise_exception"])
@pytest.mark.parametrize("on_main", [True, False])
def test_throwing_at_oneself_raises_out_of_the_call(drain, kind, method, on_main):
    caught = []

    def throw():
        me = scheduler.getcurrent()
        try:
            if method == "throw pending":
                me.throw(kind, "self", pending=True)
            else:
                getattr(me, method)(kind, "self")
        except kind as error:
            caught.append(error.args)

    if on_main:
        throw()
    else:
        scheduler.tasklet(throw)()
        drain()
    assert caught == [("self",)]


@pytest.mark.spec("E-15", "B-21")
@pytest.mark.usefixtures("mode")
@pytest.mark.parametrize("target", ["unbound", "dead"])
@pytest.mark.parametrize("method", ["throw", "throw pending", "raise_exception"])
def test_throwing_at_the_dead(target, method):
    task = TARGETS[target]()

    def throw(exc):
        if method == "throw pending":
            return task.throw(exc, pending=True)
        return getattr(task, method)(exc)

    with trapped():
        assert throw(scheduler.TaskletExit) is None
        assert throw(scheduler.TaskletExit()) is None
        with pytest.raises(RuntimeError, match="dead"):
            throw(LookupError)
    assert (state(task), scheduler.getruncount()) == (DEAD, 1)


@pytest.mark.spec("E-15", "D-29", "X-10", "R-10", "R-11")
@pytest.mark.usefixtures("mode")
@pytest.mark.parametrize("how", ["queued", "bound and paused"])
@pytest.mark.parametrize("method", ["throw", "raise_exception"])
def test_an_exception_thrown_at_a_new_tasklet_comes_back_to_the_thrower(drain, how, method):
    log = []
    victim = scheduler.tasklet(log.append)
    if how == "queued":
        victim.setup("never")
    else:
        victim.bind(args=("never",))
    with pytest.raises(LookupError, match="early"):
        getattr(victim, method)(LookupError, "early")
    assert state(victim)[:3] == (False, False, False)
    assert victim.times_switched_to == 0
    with pytest.raises(RuntimeError, match="dead"):
        victim.run()
    assert drain() is None
    assert log == []


@pytest.mark.spec("E-15", "D-29", "E-12")
@pytest.mark.usefixtures("mode")
@pytest.mark.parametrize("method", ["throw", "raise_exception"])
def test_taskletexit_thrown_at_a_new_tasklet_is_a_kill(drain, method):
    log = []
    victim = scheduler.tasklet(log.append)("never")
    assert getattr(victim, method)(scheduler.TaskletExit) is None
    assert (state(victim), victim.times_switched_to) == (DEAD, 0)
    drain()
    assert log == []


@pytest.mark.spec("E-15", "D-29", "R-10")
@pytest.mark.usefixtures("mode")
@pytest.mark.parametrize("how", ["queued", "bound and paused"])
def test_a_pending_exception_on_a_new_tasklet_comes_out_of_the_drive(drain, how):
    log = []
    victim = scheduler.tasklet(log.append)
    if how == "queued":
        victim.setup("never")
    else:
        victim.bind(args=("never",))
    scheduler.tasklet(log.append)("other")
    assert victim.throw(LookupError, "late", pending=True) is None
    assert state(victim)[:3] == (True, False, True)
    with pytest.raises(LookupError, match="late"):
        drain()
    assert state(victim)[:3] == (False, False, False)
    assert log == ([] if how == "queued" else ["other"])
    drain()
    assert log == ["other"]


@pytest.mark.spec("E-15", "E-17", "C-52", "D-25", "D-45")
@pytest.mark.usefixtures("mode")
@every_suspension
def test_a_pending_exception_arrives_once_at_the_next_turn(drain, where):
    sleeper = Sleeper(SUSPENSIONS[where]())
    assert sleeper.task.throw(LookupError, "pending", pending=True) is None
    assert state(sleeper.task)[:3] == (True, False, True)
    assert sleeper.caught == []
    drain()
    assert [(type(e), e.args) for e in sleeper.caught] == [(LookupError, ("pending",))]
    assert (state(sleeper.task), sleeper.task.times_switched_to) == (DEAD, 2)


@pytest.mark.spec("E-17", "P-20")
@pytest.mark.usefixtures("mode")
@every_suspension
@pytest.mark.parametrize("giver", ["run", "switch", "scheduler.run"])
@pytest.mark.parametrize("kill", [True, False])
def test_any_way_to_give_it_a_turn_delivers_the_exception(where, giver, kill):
    sleeper = Sleeper(SUSPENSIONS[where]())
    if kill:
        sleeper.task.kill(pending=True)
    else:
        sleeper.task.throw(LookupError, pending=True)
    if giver == "scheduler.run":
        scheduler.run()
    else:
        getattr(sleeper.task, giver)()
    expected = scheduler.TaskletExit if kill else LookupError
    assert [type(error) for error in sleeper.caught] == [expected]
    assert (state(sleeper.task), scheduler.getruncount()) == (DEAD, 1)
