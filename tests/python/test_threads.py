"""Operations across threads (H-01 to H-04, H-08, DEC-1, DEC-2)."""

from __future__ import annotations

import sys
import threading

import pytest

import scheduler
from actions import channel, trapped
from helpers import in_thread, queue, queued, started, state
from thread_helpers import RemoteThread, wait


@pytest.fixture
def other():
    """A second thread that does what it is told; it has its schedule manager already."""
    with RemoteThread() as thread:
        thread.call(scheduler.getmain)
        yield thread


def paused(*args):
    """A tasklet bound with arguments that is in no queue."""
    return scheduler.tasklet().bind(args[0], args[1:])


# ---- a tasklet belongs to the thread that made it ---------------------------------------------------


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
    del theirs


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


# ---- queueing from elsewhere: insert, run, switch, remove --------------------------------------------


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


# ---- what only the owner may do -----------------------------------------------------------------------

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
        lambda: (task.context, task.parent_callsite, task.runTime, task.highlighted, task.block_trap)
    )
    assert seen == ("c", "p", 2.5, True, True)
    assert (task.method_name, task.times_switched_to, task.startTime) == ("len", 0, 0)
    assert task.prev is other.call(scheduler.getmain)
    assert task.next is None
    other.call(scheduler.run)


# ---- pending exceptions from elsewhere (DEC-2) --------------------------------------------------------


class Noting:
    """The body of a tasklet that suspends by `suspend` and notes the exception that wakes it."""

    def __init__(self, suspend):
        self.caught = []
        self._suspend = suspend

    def __call__(self):
        try:
            self._suspend()
            self.caught.append(None)
        except BaseException as error:
            self.caught.append((type(error), error.args, threading.get_ident()))


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


# ---- channels between threads ---------------------------------------------------------------------------


@pytest.mark.spec("H-02", "C-20", "C-02")
@pytest.mark.parametrize(
    ("preference", "waiting_sends", "goes_first"),
    [
        (-1, False, True),
        (0, False, False),
        (1, False, False),
        (-1, True, False),
        (0, True, False),
        (1, True, True),
    ],
)
def test_a_served_tasklet_is_queued_on_its_own_thread(
    other, preference, waiting_sends, goes_first
):
    ch = channel(preference)
    log = []

    def body():
        log.append(ch.send("v") if waiting_sends else ch.receive())

    waiting = other.call(started, body)
    bystander = other.call(queued, log.append, "bystander")
    if waiting_sends:
        assert ch.receive() == "v"
    else:
        assert ch.send("v") is None
    assert (ch.balance, scheduler.getruncount()) == (0, 1)
    assert state(waiting) == (True, False, True, False)
    assert log == []
    order = [waiting, bystander] if goes_first else [bystander, waiting]
    assert other.call(queue) == order
    other.call(scheduler.run)
    value = None if waiting_sends else "v"
    assert log == ([value, "bystander"] if goes_first else ["bystander", value])


@pytest.mark.spec("H-02", "C-20", "C-21")
@pytest.mark.parametrize(("preference", "sends"), [(-1, True), (1, False)])
def test_the_caller_yields_to_its_own_thread_only(other, preference, sends):
    ch = channel(preference)
    log = []
    waiting = other.call(started, ch.receive) if sends else other.call(started, ch.send, "v")

    def caller():
        ch.send("v") if sends else ch.receive()
        log.append("caller")

    queued(caller)
    queued(log.append, "local bystander")
    scheduler.run()
    assert log == ["local bystander", "caller"]
    assert state(waiting) == (True, False, True, False)
    other.call(scheduler.run)
    assert waiting.alive is False


@pytest.mark.spec("H-02", "C-30", "C-31")
@pytest.mark.parametrize("method", ["send_exception", "send_throw"])
def test_exceptions_travel_between_threads(other, method):
    ch = scheduler.channel()
    body = Noting(ch.receive)
    other.call(started, body)
    getattr(ch, method)(LookupError, (1, 2))
    other.call(scheduler.run)
    assert body.caught == [(LookupError, (1, 2), other.ident)]


@pytest.mark.spec("H-02", "C-03")
def test_one_line_holds_tasklets_of_several_threads(other):
    ch = channel(0)
    with RemoteThread() as third:
        line = [
            other.call(started, ch.send, 0),
            third.call(started, ch.send, 1),
            started(ch.send, 2),
            other.call(started, ch.send, 3),
        ]
        assert ch.balance == 4
        for n, task in enumerate(line):
            assert ch.queue is task
            assert ch.receive() == n
        for thread in (other, third):
            thread.call(scheduler.run)
        scheduler.run()
        assert [task.alive for task in line] == [False] * 4
        del line, task


@pytest.mark.spec("H-03", "C-22", "R-03")
@pytest.mark.parametrize("main_sends", [True, False])
def test_a_blocked_main_is_served_while_its_queue_runs(other, main_sends):
    ch = channel(0)
    main = scheduler.getmain()
    log = []

    def during():
        other.call(ch.receive) if main_sends else other.call(ch.send, "from afar")
        log.append(("blocked", main.blocked, "balance", ch.balance))

    queued(during)
    queued(log.append, "stays queued")
    if main_sends:
        assert ch.send("v") is None
    else:
        assert ch.receive() == "from afar"
    assert log == [("blocked", False, "balance", 0)]
    assert scheduler.getruncount() == 2
    scheduler.run()


@pytest.mark.spec("C-42", "D-40", "C-44")
@pytest.mark.parametrize("everything", [True, False])
def test_clear_posts_a_pending_kill_to_tasklets_of_other_threads(other, everything):
    ch = scheduler.channel()
    bodies = [Noting(ch.receive) for _ in range(3)]
    far = [other.call(started, body) for body in bodies[:2]]
    near = started(bodies[2])
    if everything:
        assert scheduler.unblock_all_channels() == 1
    else:
        assert ch.clear() is None
    assert (ch.balance, ch.queue) == (0, None)
    assert (near.alive, [len(body.caught) for body in bodies]) == (False, [0, 0, 1])
    assert [state(task)[:3] for task in far] == [(True, False, True)] * 2
    other.call(scheduler.run)
    assert [body.caught[0][::2] for body in bodies[:2]] == [
        (scheduler.TaskletExit, other.ident)
    ] * 2
    assert [task.alive for task in far] == [False, False]


@pytest.mark.spec("C-40", "C-43")
def test_an_iterating_tasklet_whose_channel_is_closed_elsewhere(other):
    ch = channel(0)
    got = []

    def reader():
        try:
            for item in ch:
                got.append(item)
            got.append("end")
        except ValueError:
            got.append("closing")

    task = other.call(started, reader)
    ch.send(1)
    other.call(scheduler.run)
    ch.close()
    assert (ch.closing, ch.closed) == (True, False)
    ch.send(2)  # still waiting, so still served
    other.call(scheduler.run)
    assert (got, ch.closed, task.alive) == ([1, 2, "end"], True, False)


@pytest.mark.spec("H-02", "G-09", "C-14")
def test_values_leave_no_references_in_either_thread(other):
    class Box:
        """Counted."""

    box = Box()
    ch = channel(0)
    before = sys.getrefcount(box)
    for _ in range(10):
        other.call(started, lambda: ch.receive() and None)
        ch.send(box)
        other.call(scheduler.run)
        other.call(started, ch.send, box)
        assert ch.receive() is box
        other.call(scheduler.run)
    assert sys.getrefcount(box) == before


# ---- what is shared and what is not -----------------------------------------------------------------------


@pytest.mark.spec("H-04", "S-07")
def test_the_mode_is_shared_by_all_threads(other):
    assert other.call(scheduler.get_use_nested_tasklets) is True
    scheduler.set_use_nested_tasklets(False)
    assert other.call(scheduler.get_use_nested_tasklets) is False
    other.call(scheduler.set_use_nested_tasklets, True)
    assert scheduler.get_use_nested_tasklets() is True


@pytest.mark.spec("H-04", "B-20")
def test_the_switch_trap_belongs_to_a_thread(other):
    log = []
    with trapped():
        assert other.call(scheduler.switch_trap, 0) == 0
        other.call(queued, log.append, "ran")
        other.call(scheduler.run)
    assert log == ["ran"]


@pytest.mark.spec("H-04", "P-06", "B-02", "B-03")
def test_the_schedule_callback_sees_the_switches_of_all_threads(other):
    pairs = []
    scheduler.set_schedule_callback(
        lambda prev, following: pairs.append(
            (threading.get_ident(), prev.is_main, following.is_main)
        )
    )
    assert other.call(scheduler.get_schedule_callback) is not None
    for _ in range(2):
        queued(len, "")
        other.call(queued, len, "")
    scheduler.run()
    other.call(scheduler.run)
    scheduler.set_schedule_callback(None)
    here = [(threading.get_ident(), True, False), (threading.get_ident(), False, True)]
    there = [(other.ident, *pair[1:]) for pair in here]
    assert pairs == here * 2 + there * 2


@pytest.mark.spec("H-04", "B-01")
def test_the_channel_callback_sees_the_operations_of_all_threads(other):
    ch = channel(0)
    seen = []
    scheduler.set_channel_callback(
        lambda _, task, sending, blocks: seen.append((task.thread_id, sending, blocks))
    )
    other.call(started, ch.receive)
    ch.send(0)
    scheduler.set_channel_callback(None)
    assert seen == [(other.ident, False, True), (threading.get_ident(), True, False)]
    other.call(scheduler.run)


@pytest.mark.spec("H-04", "R-06", "L-01")
def test_limits_of_runs_belong_to_a_thread(other):
    log = []
    for n in range(2):
        other.call(queued, log.append, n)

    def body():
        other.call(scheduler.run)  # not limited by this thread's limit
        log.append("here")

    queued(body)
    last = queued(log.append, "must wait")
    scheduler.run_n_tasklets(1)
    assert (log, queue()) == ([0, 1, "here"], [last])
    scheduler.run()


@pytest.mark.spec("H-01", "N-01", "N-04")
def test_counters_cover_all_threads(other):
    managers = scheduler.get_number_of_active_schedule_managers()
    tasklets = scheduler.get_active_tasklet_count()

    def thread_body():
        task = scheduler.tasklet()
        return (
            scheduler.get_number_of_active_schedule_managers(),
            scheduler.get_active_tasklet_count(),
            task.alive,
        )

    assert in_thread(thread_body) == (managers + 1, tasklets + 2, False)
    assert scheduler.get_number_of_active_schedule_managers() == managers
    assert scheduler.get_active_tasklet_count() == tasklets
