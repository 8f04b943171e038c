"""Operations on tasklets of other threads (H-01, DEC-1, DEC-2)."""

from __future__ import annotations

import sys
import threading

import pytest

import scheduler
from support.interpreter import HAS_GIL
from support.scheduling import queue, queued, started, state, trapped
from support.tasklet_states import Noting
from support.threads import other  # noqa: F401 (a fixture)
from support.waiting import wait


def paused(*args):
    """A tasklet bound with arguments that is in no queue."""
    return scheduler.tasklet().bind(args[0], args[1:])


# ---- a tasklet belongs to the thread that made it ------------------------------------------------


@pytest.mark.spec("S-01", "S-03", "S-06", "A-04", "N-01")
def test_each_thread_has_a_manager_and_a_main_tasklet_of_its_own(other):
    mine, theirs = scheduler.getmain(), other.call(scheduler.getmain)
    assert mine is not theirs
    assert (theirs.is_main, theirs.alive, theirs.is_current) == (True, True, False)
    assert other.call(lambda: theirs.is_current) is True
    assert (mine.thread_id, theirs.thread_id) == (threading.get_ident(), other.ident)
    managers = [scheduler.get_schedule_manager(), other.call(scheduler.get_schedule_manager)]
    assert managers[0] is not managers[1]
    del managers
    assert other.call(scheduler.getcurrent) is theirs


@pytest.mark.spec("S-03", "H-01", "A-04")
def test_turns_run_on_the_thread_that_made_the_tasklet(other):
    idents = []
    task = other.call(queued, lambda: idents.append(threading.get_ident()))
    assert (task.thread_id, scheduler.getruncount()) == (other.ident, 1)
    scheduler.run()
    assert (idents, task.scheduled) == ([], True)
    other.call(scheduler.run)
    assert (idents, task.alive, task.thread_id) == ([other.ident], False, other.ident)


@pytest.mark.spec("H-01", "A-03")
def test_is_current_compares_with_the_calling_thread(other):
    seen = []
    asked, answered = threading.Event(), threading.Event()

    def body():
        seen.append(task.is_current)
        asked.set()
        wait(answered)

    task = other.call(queued, body)
    other.post(scheduler.run)
    wait(asked)
    seen.append(task.is_current)
    answered.set()
    other.outcome()
    assert seen == [True, False]


# ---- queueing from elsewhere: insert, run, switch, remove ----------------------------------------


@pytest.mark.spec("DEC-1", "18-11", "H-01", "D-61", "T-24")
@pytest.mark.parametrize("operation", ["insert", "run", "switch"])
def test_a_foreign_tasklet_is_queued_on_its_own_thread(other, operation):
    idents = []
    task = other.call(paused, lambda: idents.append(threading.get_ident()))
    assert state(task) == (True, False, False, True)
    result = getattr(task, operation)()
    assert result is (task if operation == "insert" else None)
    assert state(task) == (True, False, True, False)
    assert (scheduler.getruncount(), other.call(scheduler.getruncount)) == (1, 2)
    assert other.call(queue) == [task]
    scheduler.run()
    assert idents == []
    other.call(scheduler.run)
    assert (idents, task.alive) == ([other.ident], False)
    assert other.call(scheduler.getruncount) == 1


@pytest.mark.spec("DEC-1", "H-01", "T-25")
@pytest.mark.parametrize("operation", ["insert", "run", "switch"])
def test_queueing_a_foreign_tasklet_twice_does_not_move_it(other, operation):
    log = []
    first = other.call(queued, log.append, "first")
    second = other.call(queued, log.append, "second")
    getattr(first, operation)()
    getattr(first, operation)()
    assert other.call(queue) == [first, second]
    other.call(scheduler.run)
    assert log == ["first", "second"]


@pytest.mark.spec("H-01", "T-24", "R-05")
def test_foreign_inserts_arrive_at_the_end_in_order(other):
    log = []
    tasks = [other.call(paused, log.append, n) for n in range(5)]
    other.call(queued, log.append, "queued before")
    for task in reversed(tasks):
        task.insert()
    other.call(scheduler.run)
    assert log == ["queued before", 4, 3, 2, 1, 0]


@pytest.mark.spec("DEC-1", "H-01", "T-24", "T-27", "T-50")
@pytest.mark.parametrize("operation", ["insert", "run", "switch"])
def test_dead_and_blocked_foreign_tasklets_are_refused(other, operation):
    ch = scheduler.channel()
    dead = other.call(started, len, "")
    blocked = other.call(started, ch.receive)
    unbound = other.call(scheduler.tasklet)
    with pytest.raises(RuntimeError, match="dead"):
        getattr(dead, operation)()
    with pytest.raises(RuntimeError, match="dead"):
        getattr(unbound, operation)()
    with pytest.raises(RuntimeError, match="blocked"):
        getattr(blocked, operation)()
    assert (blocked.blocked, ch.balance) == (True, -1)
    other.call(blocked.kill)


@pytest.mark.spec("H-01", "T-24", "T-25", "R-04")
def test_a_foreign_tasklet_is_queued_while_its_thread_runs_another(other):
    """The mail is read at the next scheduling point, not only when a drive begins."""
    log = []
    running, sent = threading.Event(), threading.Event()

    def busy():
        running.set()
        wait(sent)
        log.append("busy")
        scheduler.schedule()
        log.append("busy again")

    late = other.call(paused, log.append, "late")
    other.call(queued, busy)
    other.post(scheduler.run)
    wait(running)
    late.run()
    sent.set()
    other.outcome()
    assert log[0] == "busy"
    assert sorted(log[1:]) == ["busy again", "late"]
    assert late.alive is False


@pytest.mark.spec("H-01", "T-26")
def test_remove_works_on_the_ready_list_of_the_owner(other):
    log = []
    task = other.call(queued, log.append, "ran")
    before = sys.getrefcount(task)
    assert task.remove() is task
    assert state(task) == (True, False, False, True)
    assert task.remove() is task
    assert other.call(queue) == []
    if HAS_GIL:
        assert sys.getrefcount(task) == before - 1  # the queue's reference
    other.call(scheduler.run)
    assert log == []
    assert task.insert() is task
    assert task.remove() is task
    assert task.insert() is task
    assert other.call(queue) == [task]
    other.call(scheduler.run)
    assert (log, task.alive) == (["ran"], False)


@pytest.mark.spec("H-01", "B-21", "T-50")
def test_a_switch_trap_of_the_caller_does_not_hinder_queueing_elsewhere(other):
    log = []
    task = other.call(paused, log.append, "ran")
    with trapped():
        task.switch()
        task.run()
    other.call(scheduler.run)
    assert log == ["ran"]


# ---- what only the owner may do ------------------------------------------------------------------

REFUSED = {
    "kill": lambda t: t.kill(),
    "throw": lambda t: t.throw(LookupError),
    "raise_exception": lambda t: t.raise_exception(LookupError),
    "bind": lambda t: t.bind(len),
    "bind with arguments": lambda t: t.bind(len, ("",)),
    "unbind": lambda t: t.bind(None),
    "setup": lambda t: t.setup(),
    "call": lambda t: t(),
}
STATES = {
    "unbound": scheduler.tasklet,
    "bound": lambda: scheduler.tasklet(len),
    "new": lambda: paused(len, ""),
    "queued": lambda: scheduler.tasklet(len)(""),
    "suspended": lambda: started(scheduler.schedule_remove),
    "blocked": lambda: started(scheduler.channel().receive),
    "dead": lambda: started(len, ""),
    "main": scheduler.getmain,
}


@pytest.mark.spec("DEC-2", "H-01", "E-06")
@pytest.mark.parametrize("operation", REFUSED)
@pytest.mark.parametrize("condition", STATES)
def test_only_the_owner_may(other, operation, condition):
    task = other.call(STATES[condition])
    before = state(task)
    with pytest.raises(RuntimeError):
        REFUSED[operation](task)
    assert state(task) == before
    if condition not in ("main", "unbound", "bound", "dead"):
        other.call(task.kill)


@pytest.mark.spec("E-04", "E-06")
def test_a_wrong_exception_is_reported_first(other):
    task = other.call(scheduler.tasklet)
    with pytest.raises(TypeError):
        task.throw("text")
    with pytest.raises(TypeError):
        task.raise_exception(None)


@pytest.mark.spec("H-01", "A-08", "A-09", "B-10")
def test_plain_attributes_may_be_set_and_read_anywhere(other):
    task = other.call(queued, len, "")
    task.context, task.parent_callsite, task.runTime = "c", "p", 2.5
    task.highlighted = task.block_trap = True
    seen = other.call(
        lambda: (
            task.context,
            task.parent_callsite,
            task.runTime,
            task.highlighted,
            task.block_trap,
        )
    )
    assert seen == ("c", "p", 2.5, True, True)
    assert (task.method_name, task.times_switched_to, task.startTime) == ("len", 0, 0)
    assert task.prev is (other.call(scheduler.getmain) if HAS_GIL else None)
    assert task.next is None
    other.call(scheduler.run)


# ---- pending exceptions from elsewhere (DEC-2) ---------------------------------------------------


@pytest.mark.spec("DEC-2", "E-10", "E-15", "H-01", "E-06", "D-61")
@pytest.mark.parametrize("kill", [True, False])
@pytest.mark.parametrize("where", ["paused", "queued", "receiving", "sending"])
def test_a_pending_exception_reaches_a_suspended_foreign_tasklet(other, kill, where):
    ch = scheduler.channel()
    suspend = {
        "paused": scheduler.schedule_remove,
        "queued": scheduler.schedule,
        "receiving": ch.receive,
        "sending": lambda: ch.send(0),
    }[where]
    body = Noting(suspend)
    task = other.call(started, body)
    if kill:
        assert task.kill(pending=True) is None
        assert task.kill(pending=True) is None
    else:
        assert task.throw(LookupError, (1, 2), pending=True) is None
    assert (ch.balance, ch.queue, body.caught) == (0, None, [])
    assert state(task)[:3] == (True, False, True)
    scheduler.run()
    assert body.caught == []
    other.call(scheduler.run)
    expected = (scheduler.TaskletExit, ()) if kill else (LookupError, (1, 2))
    assert body.caught == [(*expected, other.ident)]
    assert (task.alive, other.call(scheduler.getruncount)) == (False, 1)


@pytest.mark.spec("DEC-2", "E-10", "E-12", "E-15", "D-29")
@pytest.mark.parametrize("kill", [True, False])
@pytest.mark.parametrize("how", ["queued", "bound and paused"])
def test_a_pending_exception_reaches_a_new_foreign_tasklet(other, kill, how):
    log = []
    task = other.call(queued if how == "queued" else paused, log.append, "never")
    if kill:
        task.kill(pending=True)
        other.call(scheduler.run)
    else:
        task.throw(LookupError, "early", pending=True)
        with pytest.raises(LookupError, match="early"):
            other.call(scheduler.run)
    assert (log, task.alive, task.times_switched_to) == ([], False, 0)
    assert other.call(scheduler.getruncount) == 1


@pytest.mark.spec("E-10", "E-15")
def test_pending_exceptions_and_dead_foreign_tasklets(other):
    dead = other.call(started, len, "")
    assert dead.kill(pending=True) is None
    assert dead.throw(scheduler.TaskletExit, pending=True) is None
    with pytest.raises(RuntimeError, match="dead"):
        dead.throw(LookupError, pending=True)
    assert other.call(scheduler.getruncount) == 1


@pytest.mark.spec("E-10", "D-05")
def test_a_foreign_main_takes_no_pending_exception(other):
    main = other.call(scheduler.getmain)
    with pytest.raises(RuntimeError):
        main.kill(pending=True)
    with pytest.raises(RuntimeError):
        main.throw(LookupError, pending=True)
    other.call(scheduler.run)
    assert main.alive is True
    del main


@pytest.mark.spec("E-11", "E-13", "D-28")
def test_a_foreign_victim_that_survives_can_be_killed_again(other):
    caught = []

    def stubborn():
        try:
            scheduler.schedule_remove()
        except scheduler.TaskletExit:
            caught.append("first")
        scheduler.schedule_remove()

    task = other.call(started, stubborn)
    for alive in (True, False):
        task.kill(pending=True)
        other.call(scheduler.run)
        assert (task.alive, caught) == (alive, ["first"])
