"""Tasklets whose thread ends, or whose last reference goes (H-05 to H-07, DEC-8)."""

from __future__ import annotations

import gc
import threading
import weakref

import pytest

import scheduler
from support.object_counts import references
from support.scheduling import queue, queued, started, state
from support.threads import RemoteThread, in_thread

DEAD = (False, False, False, False)


def noting(log, suspend):
    """Body of a tasklet that suspends and notes how, and on which thread, it is woken."""

    def body():
        try:
            suspend()
            log.append("went on")
        except scheduler.TaskletExit:
            log.append(("exit", threading.get_ident()))
            raise
        finally:
            log.append("finally")

    return body


def left_behind(ch, log):
    """One tasklet of every sort that a thread may leave behind, by name."""
    tasks = {
        "unbound": scheduler.tasklet(),
        "bound": scheduler.tasklet(log.append),
        "new": scheduler.tasklet(log.append).bind(args=("wrong",)),
        "queued": scheduler.tasklet(log.append)("wrong"),
        "removed": scheduler.tasklet(log.append)("wrong").remove(),
        "dead": started_alone(len, ""),
        "yielded": started_alone(noting(log, scheduler.schedule)),
        "paused": started_alone(noting(log, scheduler.schedule_remove)),
        "sending": started_alone(noting(log, lambda: ch[0].send(0))),
        "receiving": started_alone(noting(log, lambda: ch[1].receive())),
    }
    assert (ch[0].balance, ch[1].balance) == (1, -1)
    return tasks


def started_alone(function, *args):
    """Gives the tasklet its first turn without touching what is queued already."""
    task = scheduler.tasklet(function).bind(args=args)
    task.switch()  # not queued: works as a call
    return task


@pytest.mark.spec("H-05", "H-06", "G-01", "G-02", "D-18", "D-56")
@pytest.mark.usefixtures("mode")
def test_everything_alive_is_killed_on_the_ending_thread():
    channels = scheduler.channel(), scheduler.channel()
    log = []
    tasks, ident = in_thread(lambda: (left_behind(channels, log), threading.get_ident()))
    assert "wrong" not in log
    assert "went on" not in log
    assert [entry for entry in log if entry != "finally"] == [("exit", ident)] * 4
    assert log.count("finally") == 4
    assert (channels[0].balance, channels[1].balance) == (0, 0)
    assert scheduler.getruncount() == 1
    never_alive = ("unbound", "bound", "dead")
    for name, task in tasks.items():
        assert state(task)[:3] == (False, False, False), name
        assert (task.next, task.prev) == (None, None), name
        if name not in never_alive:
            assert task.thread_id == -1, name
    assert tasks["dead"].thread_id == ident
    del task
    counts = {name: references(tasks[name]) for name in tasks}
    assert counts == dict.fromkeys(tasks, 1)  # the dictionary


@pytest.mark.spec("H-05", "H-06")
@pytest.mark.parametrize("name", ["new", "queued", "yielded", "paused", "sending", "receiving"])
def test_each_sort_alone(name):
    channels = scheduler.channel(), scheduler.channel()
    log = []
    makers = {
        "new": lambda: scheduler.tasklet(log.append).bind(args=("wrong",)),
        "queued": lambda: scheduler.tasklet(log.append)("wrong"),
        "yielded": lambda: started(noting(log, scheduler.schedule)),
        "paused": lambda: started(noting(log, scheduler.schedule_remove)),
        "sending": lambda: started(noting(log, lambda: channels[0].send(0))),
        "receiving": lambda: started(noting(log, channels[1].receive)),
    }
    task = in_thread(makers[name])
    assert log[1:] == ([] if name in ("new", "queued") else ["finally"])
    assert state(task)[:3] == (False, False, False)
    assert (task.thread_id, references(task)) == (-1, 1)
    assert (channels[0].balance, channels[1].balance) == (0, 0)


@pytest.mark.spec("H-06", "D-18")
@pytest.mark.parametrize("name", ["killed", "dead", "bound", "main"])
@pytest.mark.parametrize(
    "operation",
    [
        lambda t: t.run(),
        lambda t: t.switch(),
        lambda t: t.insert(),
        lambda t: t.kill(),
        lambda t: t.throw(LookupError),
        lambda t: t.throw(LookupError, pending=True),
        lambda t: t.raise_exception(LookupError),
        lambda t: t.bind(len, ("",)),
        lambda t: t.setup(""),
        lambda t: t(""),
    ],
    ids=[
        "run", "switch", "insert", "kill", "throw", "throw pending", "raise_exception", "bind",
        "setup", "call",
    ],
)  # fmt: skip
def test_a_tasklet_without_a_thread_refuses_what_needs_one(name, operation):
    makers = {
        "killed": lambda: scheduler.tasklet(len).bind(args=("",)),
        "dead": lambda: started(len, ""),
        "bound": lambda: scheduler.tasklet(len),
        "main": scheduler.getmain,
    }
    task = in_thread(makers[name])
    with pytest.raises(RuntimeError):
        operation(task)
    assert state(task)[:3] == (False, False, False)
    assert scheduler.getruncount() == 1


@pytest.mark.spec("H-06", "D-18", "T-01")
def test_attributes_of_a_tasklet_without_a_thread_can_be_read():
    task = in_thread(lambda: started(scheduler.schedule_remove))
    assert (task.method_name, task.is_main, task.is_current) == ("schedule_remove", False, False)
    assert (task.frame, task.next, task.prev) == (None, None, None)
    assert task.startTime > 0
    task.context = "still writable"
    assert task.context == "still writable"
    assert "dead" in repr(task)


@pytest.mark.spec("H-05", "H-06", "D-18", "D-50")
def test_the_main_tasklet_of_an_ended_thread():
    main = in_thread(scheduler.getmain)
    assert main.is_main is True
    assert (main.alive, main.scheduled, main.thread_id) == (False, False, -1)
    assert references(main) == 1


@pytest.mark.spec("H-05", "D-42")
@pytest.mark.parametrize("times", [1, 3, 50])
def test_one_that_catches_the_exit_and_yields_again_is_killed_again(times):
    log = []

    def stubborn():
        for n in range(times):
            try:
                scheduler.schedule()
                log.append("went on")
            except scheduler.TaskletExit:
                log.append(n)
        scheduler.schedule_remove()
        log.append("went on")

    task = in_thread(lambda: started(stubborn))
    assert log == list(range(times))
    assert (task.alive, task.thread_id, references(task)) == (False, -1, 1)


@pytest.mark.spec("H-05", "C-02")
def test_one_that_wants_to_wait_again_gets_the_exit_again():
    ch = scheduler.channel()
    log = []

    def waiter():
        for n in range(3):
            try:
                ch.receive()
            except scheduler.TaskletExit:
                log.append(n)

    task = in_thread(lambda: started(waiter))
    assert (log, ch.balance, task.alive) == ([0, 1, 2], 0, False)


@pytest.mark.spec("H-05")
def test_exceptions_raised_meanwhile_reach_nobody(unraisable, capsys):
    def angry():
        try:
            scheduler.schedule_remove()
        finally:
            raise LookupError("on the way out")

    tasks = in_thread(lambda: [started(angry), started(angry)])
    assert [task.alive for task in tasks] == [False, False]
    assert all(entry.exc_type is LookupError for entry in unraisable)
    assert capsys.readouterr().out == ""


@pytest.mark.spec("H-05", "D-42")
@pytest.mark.parametrize("hindrance", ["trap", "pending kill", "pending throw"])
def test_neither_trap_nor_pending_exceptions_hold_up_the_end(hindrance):
    log = []

    def leave():
        task = started(noting(log, scheduler.schedule))
        new = scheduler.tasklet(log.append)("wrong")
        if hindrance == "trap":
            scheduler.switch_trap(1)
        for each in (task, new):
            if hindrance == "pending kill":
                each.kill(pending=True)
            elif hindrance == "pending throw":
                each.throw(scheduler.TaskletExit, pending=True)
        return [task, new]

    tasks = in_thread(leave)
    assert [type(entry) for entry in log] == [tuple, str]
    assert log[1] == "finally"
    assert [(task.alive, task.thread_id) for task in tasks] == [(False, -1)] * 2


@pytest.mark.spec("H-05", "D-56")
@pytest.mark.usefixtures("mode")
def test_nobody_gets_an_ordinary_turn_any_more(unraisable):
    """Whatever a dying tasklet queues or serves on its way out must not run either."""
    log = []
    ch = scheduler.channel()

    def leave():
        def busy_end():
            try:
                scheduler.schedule_remove()
            finally:
                scheduler.tasklet(log.append)("made too late")
                victim.insert()
                ch.send("value")

        def receiver():
            log.append(ch.receive())

        victim = scheduler.tasklet(log.append).bind(args=("inserted too late",))
        return [started(receiver), started(busy_end), victim]

    tasks = in_thread(leave)
    assert log == []
    assert [task.alive for task in tasks] == [False] * 3
    assert ch.balance == 0
    # Which of them fail depends on the order, and errors of this stage reach nobody.
    assert all(entry.exc_type is RuntimeError for entry in unraisable)


@pytest.mark.spec("H-05", "G-01")
def test_a_tasklet_nobody_refers_to_any_more_is_unwound_too():
    log = []
    ch = scheduler.channel()

    def leave():
        started(noting(log, ch.receive))
        scheduler.tasklet(noting(log, scheduler.schedule))().run()

    in_thread(leave)
    assert [type(entry) for entry in log].count(tuple) == 2
    assert ch.balance == 0


@pytest.mark.spec("H-05", "N-01", "N-04", "D-50")
def test_many_threads_leave_no_manager_and_no_tasklet():
    before = (
        scheduler.get_active_tasklet_count(),
        scheduler.get_number_of_active_schedule_managers(),
    )
    for _ in range(50):
        in_thread(lambda: (started(len, ""), started(scheduler.schedule)) and None)
    gc.collect()
    assert before == (
        scheduler.get_active_tasklet_count(),
        scheduler.get_number_of_active_schedule_managers(),
    )


@pytest.mark.spec("H-07", "D-41", "N-01")
@pytest.mark.parametrize("dropped_on", ["main thread", "another thread"])
def test_a_manager_may_outlive_its_thread(dropped_on):
    before = scheduler.get_number_of_active_schedule_managers()
    log = []
    kept = []

    def leave():
        kept.append(scheduler.get_schedule_manager())
        return started(noting(log, scheduler.schedule_remove))

    task = in_thread(leave)
    if dropped_on == "main thread":
        kept.clear()
    else:
        in_thread(kept.clear)
    gc.collect()
    assert scheduler.get_number_of_active_schedule_managers() == before
    assert (task.alive, task.thread_id) == (False, -1)
    assert [type(entry) for entry in log] == [tuple, str]


@pytest.mark.spec("H-05", "S-01", "N-01")
def test_a_thread_that_ends_inside_a_nested_drive():
    """The tasklet that drives others leaves its thread function by an exception."""
    log = []

    def child():
        try:
            scheduler.schedule()
            log.append("went on")
        finally:
            log.append("child unwound")

    def driver():
        task = scheduler.tasklet(child)()
        task.run()
        raise LookupError("driver fails")

    def body():
        scheduler.tasklet(driver)()
        scheduler.run()

    with pytest.raises(LookupError, match="driver fails"):
        in_thread(body)
    assert log == ["child unwound"]


# ---- DEC-8: the last reference to a suspended tasklet --------------------------------------------


@pytest.mark.spec("DEC-8", "T-18", "G-08")
@pytest.mark.usefixtures("mode")
def test_dropping_the_last_reference_unwinds_at_once():
    log = []
    task = started(noting(log, scheduler.schedule_remove))
    reference = weakref.ref(task)
    del task
    assert log == [("exit", threading.get_ident()), "finally"]
    assert reference() is None


@pytest.mark.spec("DEC-8", "T-18", "G-08")
@pytest.mark.parametrize("how", ["unbind", "bind again", "call again"])
def test_discarding_the_coroutine_unwinds_it(how):
    log = []
    task = started(noting(log, scheduler.schedule_remove))
    if how == "unbind":
        task.bind(None)
        assert state(task)[:3] == (False, False, False)
    elif how == "bind again":
        task.bind(log.append, ("new life",))
        assert state(task) == (True, False, False, True)
    else:
        task.bind(log.append)
        task("new life")
        assert state(task) == (True, False, True, False)
    assert log == [("exit", threading.get_ident()), "finally"]
    if how != "unbind":
        task.run()
        assert log[2:] == ["new life"]
    assert task.alive is False


@pytest.mark.spec("DEC-8", "T-18", "G-08", "H-05")
def test_the_owner_unwinds_it_when_the_last_reference_goes_elsewhere():
    log = []
    with RemoteThread() as other:
        task = other.call(started, noting(log, scheduler.schedule_remove))
        del task
        gc.collect()
        assert log == []
        other.call(scheduler.run)  # the owner's next scheduling point
        assert log == [("exit", other.ident), "finally"]


@pytest.mark.spec("DEC-8", "T-18", "G-08", "H-05")
def test_the_end_of_the_thread_is_such_a_point_too():
    log = []
    with RemoteThread() as other:
        task = other.call(started, noting(log, scheduler.schedule_remove))
        ident = other.ident
        del task
    assert log == [("exit", ident), "finally"]


@pytest.mark.spec("DEC-8", "T-18", "H-05")
def test_a_new_tasklet_dropped_elsewhere_just_vanishes():
    log = []
    count = scheduler.get_active_tasklet_count()
    with RemoteThread() as other:
        task = other.call(lambda: scheduler.tasklet(log.append).bind(args=("wrong",)))
        reference = weakref.ref(task)
        del task
        other.call(scheduler.run)
        assert (log, reference()) == ([], None)
        assert scheduler.get_active_tasklet_count() == count + 1  # the other thread's main


@pytest.mark.spec("DEC-8", "T-18", "B-02")
def test_unwinding_calls_no_schedule_callback():
    log, pairs = [], []
    task = started(noting(log, scheduler.schedule_remove))
    scheduler.set_schedule_callback(lambda *pair: pairs.append(pair))
    del task
    scheduler.set_schedule_callback(None)
    assert (len(log), pairs) == (2, [])


@pytest.mark.spec("DEC-8", "T-18", "B-20")
def test_unwinding_works_under_a_switch_trap():
    log = []
    task = started(noting(log, scheduler.schedule_remove))
    scheduler.switch_trap(1)
    try:
        del task
        assert log == [("exit", threading.get_ident()), "finally"]
    finally:
        scheduler.switch_trap(-1)


@pytest.mark.spec("DEC-8", "T-18")
@pytest.mark.parametrize("suspend", [scheduler.schedule, scheduler.schedule_remove])
def test_suspending_while_being_unwound_raises_the_exit_again(suspend):
    log = []

    def body():
        try:
            scheduler.schedule_remove()
        except scheduler.TaskletExit:
            try:
                suspend()
                log.append("went on")
            except scheduler.TaskletExit:
                log.append("again")

    task = started(body)
    queued(log.append, "other")
    del task
    assert log == ["again"]  # and nobody else had a turn
    assert len(queue()) == 1
    scheduler.run()


IMMORTAL = """
import sys, threading
import scheduler

def immortal():
    while True:
        try:
            scheduler.schedule_remove()
        except scheduler.TaskletExit:
            tries.append(None)

def start():
    tasks.append(scheduler.tasklet(immortal)())
    tasks[0].run()

tries, tasks, reported = [], [], []
sys.unraisablehook = lambda args: reported.append(args.exc_type.__name__)
scheduler.getmain()
count = scheduler.get_active_tasklet_count()
"""


# In programs of their own: what such a tasklet holds stays in memory, and leak checks would see it.
@pytest.mark.spec("DEC-8", "H-05", "T-18", "D-42")
@pytest.mark.parametrize("end", ["its thread ends", "last reference dropped", "unbound"])
def test_unwinding_is_given_up_after_some_tries(run_script, end):
    steps = {
        "its thread ends": "thread = threading.Thread(target=start); thread.start(); thread.join()",
        "last reference dropped": "start(); tasks.clear()",
        "unbound": "start(); tasks[0].bind(None)",
    }
    program = f"{IMMORTAL}{steps[end]}\nprint(len(tries), reported, [t.alive for t in tasks])"
    program += "\ntasks.clear()\nprint(scheduler.get_active_tasklet_count() - count)"
    first, left = run_script(program).stdout.splitlines()
    tries, outcome = first.split(" ", 1)
    assert 1 <= int(tries) <= 101  # the first, and a hundred more
    assert outcome == "['RuntimeError'] " + ("[]" if "reference" in end else "[False]")
    assert left == "0"


@pytest.mark.spec("DEC-8", "T-18")
def test_an_error_raised_while_being_unwound_reaches_nobody(unraisable):
    def angry():
        try:
            scheduler.schedule_remove()
        finally:
            raise LookupError("on the way out")

    task = started(angry)
    task.bind(None)
    assert task.alive is False
    assert all(entry.exc_type is LookupError for entry in unraisable)


# A thread's end clears its dictionary. Who holds that for longer keeps the end of its tasklets away until
# nothing of the thread is left.
HOLDS_DICTIONARY = """
    import gc, threading
    import scheduler

    held, tasks = [], []

    def wait():
        scheduler.schedule_remove()

    def work():
        tasks.append(scheduler.tasklet(wait)())
        scheduler.run()
        held.append(gc.get_objects())

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    del thread
    held.clear()
    gc.collect()
    print([task.alive for task in tasks], scheduler.getruncount())
"""


@pytest.mark.spec("H-05")
def test_a_thread_whose_dictionary_is_held_ends_without_it(run_script):
    done = run_script(HOLDS_DICTIONARY, env={"PYTHONMALLOC": "debug"})
    assert done.stdout == "[False] 1\n"
