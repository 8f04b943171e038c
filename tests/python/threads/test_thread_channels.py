"""Channels between threads, and what threads share and what not (H-02 to H-04)."""

from __future__ import annotations

import sys
import threading

import pytest

import scheduler
from support.scheduling import channel, queue, queued, started, state, trapped
from support.tasklet_states import Noting
from support.threads import RemoteThread, in_thread, other  # noqa: F401 (a fixture)

# ---- channels between threads --------------------------------------------------------------------


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
def test_a_served_tasklet_is_queued_on_its_own_thread(other, preference, waiting_sends, goes_first):
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


# ---- what is shared and what is not --------------------------------------------------------------


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
