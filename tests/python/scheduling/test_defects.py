"""One test for each defect of the reference that no other file pins (section 19 of the spec).

The text above each test says what went wrong there; the test demands what should happen instead.
"""

from __future__ import annotations

import sys

import pytest

import scheduler
from support.scheduling import queue, queued, started, state, trapped

DEAD = (False, False, False, False)


# ---- memory safety -------------------------------------------------------------------------------


# D-01: an explicit `pending` was parsed into a too small variable, and a hidden second argument of
# the constructor likewise: optimised builds crashed.
@pytest.mark.spec("D-01", "T-10", "E-02")
def test_pending_and_second_constructor_arguments_are_parsed_properly():
    for extra in (True, len, 0):
        with pytest.raises(TypeError):
            scheduler.tasklet(len, extra)
    for pending in (False, True, 0, 1, 2**40, "", "x"):
        task = started(scheduler.schedule_remove)
        task.throw(scheduler.TaskletExit, None, None, pending)
        assert task.alive is bool(pending)
        scheduler.run()
        assert state(task) == DEAD


# D-02: remove() on a tasklet that is not queued returned a reference it did not own.
@pytest.mark.spec("D-02", "T-26")
@pytest.mark.parametrize("condition", ["new", "dead", "paused", "blocked"])
def test_remove_returns_a_reference_of_its_own(condition):
    makers = {
        "new": scheduler.tasklet,
        "dead": lambda: started(len, ""),
        "paused": lambda: started(scheduler.schedule_remove),
        "blocked": lambda: started(scheduler.channel().receive),
    }
    task = makers[condition]()
    before = sys.getrefcount(task), state(task)
    for _ in range(100):
        assert task.remove() is task
    assert (sys.getrefcount(task), state(task)) == before
    task.kill()


# D-03, D-48: remove() on the running tasklet or on a waiting driver corrupted the list.
@pytest.mark.spec("D-03", "D-48", "T-26")
def test_remove_refuses_a_tasklet_that_has_its_turn(drain):
    log = []

    def driver():
        queued(child).run()
        log.append("driver ends")

    def child():
        for task in (scheduler.getcurrent(), ancestor):
            with pytest.raises(RuntimeError):
                task.remove()
            log.append(state(task))

    ancestor = queued(driver)
    queued(log.append, "behind")
    drain()
    assert log == [(True, False, True, False)] * 2 + ["driver ends", "behind"]
    assert state(ancestor) == DEAD


# D-04: remove() on main detached the whole queue.
@pytest.mark.spec("D-04", "T-26")
def test_remove_refuses_main(drain):
    main = scheduler.getmain()
    before = sys.getrefcount(main)
    log = []
    queued(log.append, "still queued")
    for _ in range(10):
        with pytest.raises(RuntimeError):
            main.remove()
    assert (sys.getrefcount(main), scheduler.getruncount()) == (before, 2)
    drain()
    assert log == ["still queued"]


# D-05: run and switch on main crashed.
@pytest.mark.spec("D-05", "T-29")
@pytest.mark.usefixtures("mode")
@pytest.mark.parametrize("method", ["run", "switch"])
def test_main_cannot_be_run_by_another_tasklet(drain, method):
    main = scheduler.getmain()
    log = []

    def body():
        with pytest.raises(RuntimeError):
            getattr(main, method)()
        log.append(state(main))

    task = queued(body)
    drain()
    assert log == [(True, False, True, False)]
    assert state(task) == DEAD


# D-06: in flat mode, run on the current tasklet and operations on a driver in progress crashed.
@pytest.mark.spec("D-06", "F-07", "D-54")
@pytest.mark.parametrize(
    "operation",
    [
        lambda t: t.run(),
        lambda t: t.kill(),
        lambda t: t.throw(LookupError),
        lambda t: t.raise_exception(LookupError),
    ],
    ids=["run", "kill", "throw", "raise_exception"],
)
def test_flat_mode_refuses_a_driver_in_progress(drain, operation):
    log = []

    def driver():
        queued(child)
        scheduler.run()  # nests in flat mode too
        log.append("driver goes on")
        scheduler.schedule()
        log.append("driver ends")

    def child():
        with pytest.raises(RuntimeError):
            operation(ancestor)
        with pytest.raises(RuntimeError):
            scheduler.getcurrent().run()
        log.append("child ends")

    scheduler.set_use_nested_tasklets(False)
    ancestor = queued(driver)
    drain()
    scheduler.set_use_nested_tasklets(True)
    assert log == ["child ends", "driver goes on", "driver ends"]
    assert state(ancestor) == DEAD


# D-14: instantiating the visible implementation types crashed.
@pytest.mark.spec("D-14", "M-11")
@pytest.mark.parametrize("name", ["callable_wrapper", "schedule_manager"])
def test_implementation_types_cannot_be_instantiated(name):
    kind = getattr(scheduler, name)
    managers = scheduler.get_number_of_active_schedule_managers()
    for make in (kind, lambda: kind(len), lambda: kind.__new__(kind), lambda: object.__new__(kind)):
        with pytest.raises(TypeError):
            make()
    assert scheduler.get_number_of_active_schedule_managers() == managers


class Skips(scheduler.channel):
    """Does not call the base constructor."""

    def __init__(self):
        pass


# D-15: next() on such a channel crashed.
@pytest.mark.spec("D-15", "M-10")
def test_next_on_a_channel_that_was_never_initialised():
    ch = Skips()
    for operation in (next, iter, Skips.receive, Skips.clear, Skips.close, Skips.open):
        with pytest.raises(RuntimeError):
            operation(ch)
    with pytest.raises(RuntimeError):
        ch.send()
    with pytest.raises(RuntimeError):
        _ = ch.balance
    assert isinstance(repr(ch), str)


# D-16: deleting writable bool or str attributes crashed.
@pytest.mark.spec("D-16", "A-08", "A-09")
@pytest.mark.parametrize(
    "name",
    [
        "block_trap", "highlighted", "dont_raise", "context", "parent_callsite", "runTime",
        "exception_handler", "context_manager_getter",
    ],
)  # fmt: skip
def test_writable_attributes_cannot_be_deleted(name):
    task = scheduler.tasklet()
    before = getattr(task, name)
    with pytest.raises(TypeError):
        delattr(task, name)
    assert getattr(task, name) == before


# D-17: a failing constructor released its arguments once too often.
@pytest.mark.spec("D-17", "T-10")
def test_failing_constructors_leave_their_arguments_alone():
    wrong = object()
    before = sys.getrefcount(wrong)
    args = (wrong,)
    for _ in range(100):
        with pytest.raises(TypeError, match="callable"):
            scheduler.tasklet(*args)
    del args
    assert sys.getrefcount(wrong) == before


# D-20: binding or setting up the running tasklet replaced its coroutine under its feet.
@pytest.mark.spec("D-20", "T-17", "T-19")
@pytest.mark.usefixtures("mode")
@pytest.mark.parametrize(
    "operation",
    [
        lambda t: t.bind(len, ("",)),
        lambda t: t.bind(len, None, {}),
        lambda t: t.bind(None),
        lambda t: (t.bind(len), t.setup("")),
        lambda t: (t.bind(len), t("")),
    ],
    ids=["bind with args", "bind with kwargs", "unbind", "setup", "call"],
)
def test_the_running_tasklet_cannot_be_bound_again(drain, operation):
    log = []

    def body():
        me = scheduler.getcurrent()
        with pytest.raises(RuntimeError):
            operation(me)
        scheduler.schedule()
        log.append("goes on")

    task = queued(body)
    drain()
    assert log == ["goes on"]
    assert state(task) == DEAD


# ---- wrong state ---------------------------------------------------------------------------------


# D-22: insert() of a queued or running tasklet, and setup of a queued one, gave it a second turn.
@pytest.mark.spec("D-22", "T-25", "T-22")
@pytest.mark.usefixtures("mode")
def test_inserting_a_queued_or_running_tasklet_gives_no_ghost_turn(drain):
    turns = []

    def body():
        turns.append(scheduler.getruncount())
        assert scheduler.getcurrent().insert() is scheduler.getcurrent()

    task = queued(body)
    assert task.insert() is task
    task.bind(body)
    task.setup()
    assert (queue(), scheduler.getruncount()) == ([task], 2)
    drain()
    assert turns == [2]
    assert (state(task), task.times_switched_to) == (DEAD, 1)


# D-26: a driver became "not alive" as soon as a child that had yielded to it was resumed.
@pytest.mark.spec("D-26", "T-01", "S-04")
def test_a_driver_stays_alive_while_its_children_go_on(drain):
    seen = []

    def child():
        scheduler.schedule()
        seen.append(("child", state(parent)))

    def driver():
        task = started(child)
        seen.append(("yielded", state(parent)))
        task.run()
        seen.append(("resumed", state(parent)))
        scheduler.schedule()

    parent = queued(driver)
    drain()
    running = (True, False, True, False)
    assert seen == [("yielded", running), ("child", running), ("resumed", running)]
    assert state(parent) == DEAD

    parent = queued(driver)
    scheduler.run_n_tasklets(1)
    assert parent.alive is True
    parent.kill()
    assert state(parent) == DEAD
    scheduler.run()


# D-46: a caller of switch() whose target suspended was marked dead and could not be resumed.
@pytest.mark.spec("D-46", "T-01", "T-52")
def test_the_caller_of_switch_survives_a_target_that_suspends(drain):
    log = []

    def target():
        log.append(("target", caller.paused))
        scheduler.schedule()
        log.append("target again")

    def body():
        task = queued(target)
        task.switch()
        log.append("caller again")

    caller = queued(body)
    drain()
    assert log == [("target", True), "target again"]
    assert state(caller) == (True, False, False, True)
    caller.insert()
    assert state(caller) == (True, False, True, False)
    drain()
    assert log[2:] == ["caller again"]
    assert state(caller) == DEAD


def pending_on_ancestor(post, ending):
    """A child puts an exception on the driver that waits for it; what the driver then sees."""
    log = []

    def driver():
        task = queued(child)
        try:
            task.run()
            log.append(("child gave back", state(scheduler.getcurrent())[0]))
            scheduler.schedule()
            log.append("not delivered")
        except BaseException as error:
            log.append(type(error))

    def child():
        post(parent)
        if ending == "suspends":
            scheduler.schedule()

    parent = queued(driver)
    scheduler.run()
    assert state(parent) == DEAD
    return log


# D-53: a pending TaskletExit on an ancestor got lost, others came out of its nested drive.
@pytest.mark.spec("D-53", "E-10", "E-15")
@pytest.mark.parametrize("ending", ["suspends", "returns"])
@pytest.mark.parametrize(
    ("post", "kind"),
    [
        (lambda t: t.kill(pending=True), scheduler.TaskletExit),
        (lambda t: t.throw(LookupError, pending=True), LookupError),
    ],
    ids=["kill", "throw"],
)
def test_a_pending_exception_on_an_ancestor_waits_for_its_own_suspension(ending, post, kind):
    assert pending_on_ancestor(post, ending) == [("child gave back", True), kind]


# D-54: an immediate operation on an ancestor raised ValueError but left its exception stored.
@pytest.mark.spec("D-54", "T-29", "R-10")
@pytest.mark.parametrize(
    "operation",
    [
        lambda t: t.run(),
        lambda t: t.switch(),
        lambda t: t.kill(),
        lambda t: t.throw(LookupError),
        lambda t: t.raise_exception(LookupError),
    ],
    ids=["run", "switch", "kill", "throw", "raise_exception"],
)
def test_a_refused_operation_on_an_ancestor_leaves_nothing_behind(drain, operation):
    log = []

    def driver():
        queued(child).run()
        scheduler.schedule()
        log.append("driver ends")

    def child():
        with pytest.raises(ValueError, match="cyclic parent chain"):
            operation(parent)
        log.append((state(parent), state(scheduler.getcurrent())))

    parent = queued(driver)
    drain()
    running = (True, False, True, False)
    assert log == [(running, running), "driver ends"]
    assert state(parent) == DEAD


# D-55: main stayed paused after switch() to a queued tasklet and after schedule_remove().
@pytest.mark.spec("D-55", "T-52", "R-05")
@pytest.mark.usefixtures("mode")
@pytest.mark.parametrize("fails", [True, False])
def test_main_is_not_paused_once_it_goes_on(fails):
    seen = []

    def body():
        seen.append(scheduler.getmain().paused)
        if fails:
            raise LookupError

    for leave in (lambda task: task.switch(), lambda task: scheduler.schedule_remove()):
        task = queued(body)
        if fails:
            with pytest.raises(LookupError):
                leave(task)
        else:
            leave(task)
        assert state(scheduler.getmain()) == (True, False, True, False)
    assert seen[0] is True


# D-58: after a stillborn exception the tasklet was marked for removal for good.
@pytest.mark.spec("D-58", "R-10", "R-15", "D-29")
def test_a_tasklet_hit_before_its_first_turn_can_be_used_again(drain):
    log = []
    task = queued(log.append, "never")
    with pytest.raises(LookupError):
        task.throw(LookupError)
    task.bind(log.append)("second life")
    with trapped(), pytest.raises(RuntimeError, match="switch_trap"):
        task.run()
    assert (state(task), queue()) == ((True, False, True, False), [task])
    drain()
    assert (log, state(task)) == (["second life"], DEAD)


# ---- arguments, messages, output -----------------------------------------------------------------


# D-21: wrong types of args and kwargs were found at the first turn only, again at each run().
@pytest.mark.spec("D-21", "T-21")
@pytest.mark.parametrize(
    ("args", "kwargs"), [([1], None), ("text", None), ((), [1]), ((), "text"), (5, None)], ids=repr
)
def test_bind_checks_the_types_of_the_arguments(args, kwargs):
    task = scheduler.tasklet(len)
    with pytest.raises(TypeError):
        task.bind(len, args, kwargs) if kwargs is not None else task.bind(len, args)
    assert state(task) == DEAD
    with pytest.raises((RuntimeError, TypeError)):
        scheduler.tasklet().bind(None, ())
    assert scheduler.getruncount() == 1


# D-39: messages named the wrong thing, for instance the main tasklet for any tasklet.
@pytest.mark.spec("D-39", "18-10")
def test_messages_do_not_blame_the_main_tasklet_for_others():
    dead, blocked = scheduler.tasklet(), started(scheduler.channel().receive)
    operations = [
        dead.run, dead.switch, dead.insert, dead.setup, blocked.run, blocked.switch, blocked.insert,
        lambda: dead.throw(LookupError), lambda: dead.bind(3), lambda: dead.bind(len, 3),
    ]  # fmt: skip
    for operation in operations:
        with pytest.raises((RuntimeError, TypeError)) as caught:
            operation()
        assert str(caught.value)
        assert "main" not in str(caught.value)
    blocked.kill()


# D-44: run_n_tasklets took negative numbers as something else.
@pytest.mark.spec("D-44", "L-01")
@pytest.mark.parametrize("number", [0, -1, -(2**40)])
def test_run_n_tasklets_refuses_numbers_below_one(number):
    log = []
    queued(log.append, "must wait")
    with pytest.raises(RuntimeError):
        scheduler.run_n_tasklets(number)
    assert log == []
    scheduler.run()


# D-59: some internal problems were printed to stdout.
@pytest.mark.spec("D-59")
def test_nothing_is_ever_printed_to_stdout(run_script):
    done = run_script(
        """
        import scheduler

        def fail(*_):
            raise LookupError("from a callback")

        ch = scheduler.channel()
        scheduler.set_schedule_callback(fail)
        scheduler.set_channel_callback(fail)
        t = scheduler.tasklet(ch.receive)()
        scheduler.run()
        for operation in (t.run, t.insert, t.switch, ch.send, scheduler.getmain().remove,
                          lambda: t.throw(LookupError), lambda: scheduler.switch_trap("x"),
                          lambda: scheduler.tasklet().run(), scheduler.channel().receive):
            try:
                operation()
            except Exception:
                pass
        scheduler.tasklet(scheduler.schedule_remove)().run()
        scheduler.tasklet(ch.receive)().run()
        """
    )
    assert done.stdout == ""
    assert "from a callback" in done.stderr
