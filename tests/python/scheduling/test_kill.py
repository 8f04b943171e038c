"""kill() by the state of its target, and targets that do not just die (E-10 to E-16)."""

from __future__ import annotations

import sys
import threading

import pytest

import scheduler
from support.exceptions import functions_in
from support.object_counts import references
from support.scheduling import queue, queued, started, state, trapped
from support.tasklet_states import DEAD, SUSPENSIONS, Sleeper, every_suspension
from support.threads import Worker
from support.waiting import TIMEOUT


@pytest.mark.spec("E-10", "E-22", "E-21")
@pytest.mark.usefixtures("mode")
@pytest.mark.parametrize("pending", [True, False])
def test_killing_oneself_raises_out_of_the_call(drain, pending):
    log = []

    def suicidal():
        try:
            scheduler.getcurrent().kill(pending)
            log.append("must not run")
        except scheduler.TaskletExit:
            log.append("raised")
            raise

    task = scheduler.tasklet(suicidal)()
    assert drain() is None
    assert (log, state(task)) == (["raised"], DEAD)

    with pytest.raises(scheduler.TaskletExit):
        scheduler.getmain().kill(pending)
    assert state(scheduler.getmain()) == (True, False, True, False)


@pytest.mark.spec("E-10")
@pytest.mark.usefixtures("mode")
@pytest.mark.parametrize("target", ["unbound", "dead", "bound without arguments"])
@pytest.mark.parametrize("pending", [True, False])
def test_killing_the_dead_is_silent(target, pending):
    made = {
        "unbound": scheduler.tasklet,
        "dead": lambda: started(len, ""),
        "bound without arguments": lambda: scheduler.tasklet(len),
    }
    task = made[target]()
    with trapped():  # nothing is switched, so a trap does not matter
        assert task.kill(pending=pending) is None
    assert (state(task), scheduler.getruncount()) == (DEAD, 1)


@pytest.mark.spec("E-10", "E-12", "G-01", "P-22")
@pytest.mark.parametrize("how", ["queued", "bound and paused"])
def test_an_immediate_kill_of_a_new_tasklet(mode, how):
    log = []
    scheduler.tasklet(log.append)("before")
    victim = scheduler.tasklet(log.append)
    if how == "queued":
        victim.setup("never")
    else:
        victim.bind(args=("never",))
    scheduler.tasklet(log.append)("behind")
    pairs = []
    scheduler.set_schedule_callback(lambda *pair: pairs.append(victim in pair))
    assert victim.kill() is None
    scheduler.set_schedule_callback(None)
    if mode == "flat":
        assert log == ["before", "behind"]
    else:
        assert log == (["behind"] if how == "queued" else [])
    assert state(victim)[:3] == (False, False, False)
    assert (victim.times_switched_to, victim.startTime, victim.endTime) == (0, 0, 0)
    assert True not in pairs
    assert references(victim) == 1
    scheduler.run()
    assert sorted(log) == ["before", "behind"]


@pytest.mark.spec("E-10", "E-12", "E-11")
@pytest.mark.usefixtures("mode")
@pytest.mark.parametrize("how", ["queued", "bound and paused"])
def test_a_pending_kill_of_a_new_tasklet_keeps_or_takes_a_place(drain, how):
    log = []
    victim = scheduler.tasklet(log.append)
    if how == "queued":
        victim.setup("never")
    else:
        victim.bind(args=("never",))
    other = scheduler.tasklet(log.append)("other")
    assert victim.kill(pending=True) is None
    assert queue() == ([victim, other] if how == "queued" else [other, victim])
    assert state(victim)[:3] == (True, False, True)
    drain()
    assert (log, victim.alive, victim.times_switched_to) == (["other"], False, 0)


@pytest.mark.spec("E-10", "E-21", "P-20", "C-50", "C-52", "D-27")
@pytest.mark.usefixtures("mode")
@every_suspension
@pytest.mark.parametrize("pending", [True, False])
def test_killing_a_suspended_tasklet(drain, where, pending):
    sleeper = Sleeper(SUSPENSIONS[where](), reraise=True)
    other = scheduler.tasklet(len)("")
    expected = {
        "queued": (True, False, True, False),
        "paused": (True, False, False, True),
    }.get(where, (True, True, False, False))
    assert state(sleeper.task) == expected
    assert sleeper.task.kill(pending=pending) is None
    if pending:
        assert sleeper.caught == []
        assert state(sleeper.task)[:3] == (True, False, True)
        assert queue() == ([sleeper.task, other] if where == "queued" else [other, sleeper.task])
        drain()
    assert [type(error) for error in sleeper.caught] == [scheduler.TaskletExit]
    assert state(sleeper.task) == DEAD
    references = sys.getrefcount(sleeper.task)
    assert references == 2  # the sleeper's and the argument
    drain()


@pytest.mark.spec("E-10", "D-05")
@pytest.mark.usefixtures("mode")
@pytest.mark.parametrize(
    "operation",
    [
        lambda main: main.kill(),
        lambda main: main.kill(pending=True),
        lambda main: main.throw(LookupError),
        lambda main: main.throw(LookupError, pending=True),
        lambda main: main.raise_exception(LookupError),
    ],
    ids=["kill", "kill pending", "throw", "throw pending", "raise_exception"],
)
@pytest.mark.parametrize("blocked", [True, False])
def test_main_cannot_be_killed_or_thrown_at_by_another_tasklet(drain, operation, blocked):
    main = scheduler.getmain()
    ch = scheduler.channel()
    refused = []

    def attacker():
        with pytest.raises(RuntimeError):
            operation(main)
        refused.append(state(main))
        if blocked:
            ch.send("served")

    task = scheduler.tasklet(attacker)()
    if blocked:
        assert ch.receive() == "served"
    drain()
    assert refused == [(True, blocked, True, False)]
    assert state(main) == (True, False, True, False)
    assert task.alive is False


@pytest.mark.spec("E-11", "D-28", "E-13")
@pytest.mark.usefixtures("mode")
@pytest.mark.parametrize("where", ["paused", "receiving", "sending"])
@pytest.mark.parametrize("pending", [True, False])
def test_a_victim_that_catches_the_exit_lives_on_and_can_be_killed_again(drain, where, pending):
    suspend = SUSPENSIONS[where]()
    caught = []

    def stubborn():
        for _ in range(2):
            try:
                suspend()
            except scheduler.TaskletExit:
                caught.append(scheduler.getcurrent().alive)
        scheduler.schedule_remove()
        caught.append("not killed")

    victim = scheduler.tasklet(stubborn)()
    scheduler.run_n_tasklets(1)
    for round_number in (1, 2):
        assert victim.kill(pending=pending) is None
        if pending:
            scheduler.run_n_tasklets(1)
        assert caught == [True] * round_number
        assert victim.alive is True
    assert state(victim) == (True, False, False, True)
    victim.kill(pending=pending)
    drain()
    assert (caught, state(victim)) == ([True, True], DEAD)


@pytest.mark.spec("E-11", "E-13", "D-28")
@pytest.mark.parametrize("pending", [True, False])
def test_a_queued_victim_that_catches_the_exit_keeps_being_scheduled(pending):
    caught = []

    def stubborn():
        for _ in range(3):
            try:
                scheduler.schedule()
            except scheduler.TaskletExit:
                caught.append(scheduler.getruncount())

    victim = scheduler.tasklet(stubborn)()
    scheduler.run_n_tasklets(1)
    for round_number in (1, 2, 3):
        victim.kill(pending=pending)
        if pending:
            scheduler.run_n_tasklets(1)
        assert caught == [2] * round_number
    assert (victim.alive, scheduler.getruncount()) == (False, 1)


@pytest.mark.spec("E-13", "D-28", "D-47")
@pytest.mark.usefixtures("mode")
@pytest.mark.parametrize("pending", [True, False])
def test_a_killed_tasklet_that_is_bound_again_runs_and_can_be_killed_again(drain, pending):
    log = []
    task = scheduler.tasklet(log.append)("never")
    task.kill(pending=pending)
    drain()
    assert task.alive is False
    task.bind(log.append)("second life")
    drain()
    assert log == ["second life"]
    task.bind(log.append)("never")
    task.kill(pending=pending)
    drain()
    assert (log, task.alive) == (["second life"], False)


@pytest.mark.spec("E-13", "D-28", "T-19")
@pytest.mark.usefixtures("mode")
def test_binding_again_forgets_a_pending_kill(drain):
    log = []
    task = scheduler.tasklet(log.append)("first")
    task.kill(pending=True)
    task.bind(log.append, ("second",))
    drain()
    assert (log, state(task)) == (["second"], DEAD)


@pytest.mark.spec("E-10", "E-13")
@pytest.mark.usefixtures("mode")
def test_a_second_kill_of_a_pending_killed_tasklet_does_nothing(drain):
    sleeper = Sleeper()
    sleeper.task.kill(pending=True)
    assert sleeper.task.kill(pending=True) is None
    with trapped():
        assert sleeper.task.kill() is None
    assert (sleeper.caught, sleeper.task.alive, scheduler.getruncount()) == ([], True, 2)
    drain()
    assert [type(error) for error in sleeper.caught] == [scheduler.TaskletExit]


def angry_victim(where):
    """A suspended tasklet that answers an exception by another one."""
    suspend = SUSPENSIONS[where]()

    def angry():
        try:
            suspend()
        finally:
            raise ArithmeticError("angry")

    task = scheduler.tasklet(angry)()
    scheduler.run_n_tasklets(1)
    return task


@pytest.mark.spec("E-11", "E-16", "D-27", "E-20")
@pytest.mark.usefixtures("mode")
@every_suspension
@pytest.mark.parametrize(
    "operation",
    [
        lambda t: t.kill(),
        lambda t: t.throw(LookupError),
        lambda t: t.raise_exception(LookupError),
    ],
    ids=["kill", "throw", "raise_exception"],
)
def test_what_the_victim_raises_instead_comes_out_of_the_call(where, operation):
    victim = angry_victim(where)
    with pytest.raises(ArithmeticError, match="angry"):
        operation(victim)
    assert state(victim) == DEAD
    victim.bind(len, ("",)).run()  # not blocked and not marked: it can start again
    assert victim.alive is False


@pytest.mark.spec("E-11", "E-16", "F-04", "E-20")
def test_in_flat_mode_it_leaves_the_drive_of_main(mode):
    victim = angry_victim("paused")
    log = []

    def boss():
        try:
            victim.kill()
        except ArithmeticError:
            log.append("boss saw it")
        log.append("boss done")

    task = scheduler.tasklet(boss)()
    if mode == "nested":
        scheduler.run()
    else:
        with pytest.raises(ArithmeticError, match="angry"):
            scheduler.run()
        assert (log, queue()) == ([], [task])
        scheduler.run()
    assert log == (["boss saw it", "boss done"] if mode == "nested" else ["boss done"])


@pytest.mark.spec("E-16", "E-15")
@pytest.mark.usefixtures("mode")
@every_suspension
@pytest.mark.parametrize("method", ["throw", "raise_exception"])
def test_an_exception_that_the_target_does_not_catch_comes_back(where, method):
    sleeper = Sleeper(SUSPENSIONS[where](), reraise=True)
    with pytest.raises(LookupError, match="thrown") as caught:
        getattr(sleeper.task, method)(LookupError, "thrown")
    assert [caught.value] == sleeper.caught
    assert "_body" in functions_in(caught.tb)
    assert state(sleeper.task) == DEAD


# ------------------------------------------------------------- pending, during the victim's own turn


@pytest.mark.spec("D-53", "E-10", "DEC-2")
@pytest.mark.parametrize(
    "leave",
    [
        lambda: scheduler.channel().receive(),
        lambda: scheduler.channel().send(1),
        lambda: scheduler.schedule_remove(),
        lambda: queued(scheduler.schedule).join(),
    ],
    ids=["receive", "send", "schedule_remove", "join"],
)
@pytest.mark.parametrize("error", [scheduler.TaskletExit, KeyError])
def test_a_pending_exception_does_not_wait_for_a_turn_that_may_never_come(leave, error, mode):
    def interrupt():
        if error is KeyError:
            victim.throw(KeyError, pending=True)
        else:
            victim.kill(pending=True)

    def body():
        queued(interrupt)
        scheduler.run()  # the victim drives it, and so has its turn meanwhile
        try:
            leave()
        except (KeyError, scheduler.TaskletExit) as caught:
            log.append(type(caught))

    log = []
    victim = queued(body)
    scheduler.run()
    assert log == [error] and not victim.alive


@pytest.mark.spec("DEC-2")
def test_a_kill_from_elsewhere_that_comes_before_the_victim_waits():
    ready, go = threading.Event(), threading.Event()
    tasks = []

    def body():
        ready.set()
        assert go.wait(TIMEOUT)
        scheduler.channel().receive()

    def thread_main():
        tasks.append(queued(body))
        scheduler.run(threadblock=True)

    worker = Worker(thread_main)
    assert ready.wait(TIMEOUT)
    tasks[0].kill(pending=True)
    go.set()
    assert tasks[0].join(TIMEOUT) is True
    worker.join()
