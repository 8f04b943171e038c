"""kill, throw and raise_exception, and where exceptions of tasklets go (E-*)."""

from __future__ import annotations

import sys

import pytest

import scheduler
from actions import channel, functions_in, raised_in, trapped
from helpers import queue, started, state

DEAD = (False, False, False, False)


class Special(LookupError):
    """Derived from the class that the tests throw."""


def origin():
    """Where the errors with a traceback come from."""
    raise OSError(5, "disk")


class Sleeper:
    """A tasklet that suspends and then notes which exception wakes it (None: it just goes on).

    Make it while nothing is queued: it gets one turn, in nested and in flat mode.
    """

    def __init__(self, suspend=scheduler.schedule_remove, reraise=False):
        self.caught = []
        self.task = scheduler.tasklet(self._body)(suspend, reraise)
        scheduler.run_n_tasklets(1)

    def _body(self, suspend, reraise):
        try:
            suspend()
            self.caught.append(None)
        except BaseException as error:
            self.caught.append(error)
            if reraise:
                raise


# ---- arguments ----------------------------------------------------------------------------------


@pytest.mark.spec("E-01")
@pytest.mark.parametrize(
    ("args", "keywords", "pending"),
    [
        ((), {}, False),
        ((False,), {}, False),
        ((True,), {}, True),
        ((), {"pending": False}, False),
        ((), {"pending": True}, True),
        (([],), {}, False),
        (("yes",), {}, True),
        ((), {"pending": None}, False),
    ],
)
def test_kill_takes_pending_by_its_truth_value(args, keywords, pending):
    sleeper = Sleeper(scheduler.schedule)
    assert sleeper.task.kill(*args, **keywords) is None
    assert (len(sleeper.caught), sleeper.task.alive) == ((0, True) if pending else (1, False))
    scheduler.run()
    assert [type(error) for error in sleeper.caught] == [scheduler.TaskletExit]
    assert sleeper.task.alive is False


@pytest.mark.spec("E-01", "E-02", "E-03", "D-38")
@pytest.mark.parametrize(
    "call",
    [
        lambda t: t.kill(True, True),
        lambda t: t.kill(later=True),
        lambda t: t.throw(LookupError, None, None, False, None),
        lambda t: t.throw(error=LookupError),
        lambda t: t.raise_exception(),
        lambda t: t.raise_exception(LookupError, (), True),
        lambda t: t.raise_exception(exc_class=LookupError),
        lambda t: t.raise_exception(LookupError, args=()),
    ],
)
def test_wrong_argument_lists_are_type_errors(call):
    sleeper = Sleeper()
    with pytest.raises(TypeError):
        call(sleeper.task)
    assert (sleeper.task.alive, sleeper.caught) == (True, [])
    sleeper.task.kill()


class Truthless:
    """Has no truth value."""

    def __bool__(self):
        raise ArithmeticError("no truth value")


@pytest.mark.spec("E-01", "E-02", "D-01")
def test_an_error_of_the_truth_value_of_pending_is_raised():
    sleeper = Sleeper()
    for call in (
        lambda: sleeper.task.kill(Truthless()),
        lambda: sleeper.task.throw(LookupError, pending=Truthless()),
    ):
        with pytest.raises(ArithmeticError, match="no truth value"):
            call()
    assert (state(sleeper.task), sleeper.caught) == ((True, False, False, True), [])
    sleeper.task.kill()


TARGETS = {
    "unbound": scheduler.tasklet,
    "dead": lambda: started(len, ""),
    "queued": lambda: scheduler.tasklet(len)(""),
    "blocked": lambda: started(scheduler.channel().receive),
    "current": scheduler.getcurrent,
}


@pytest.mark.spec("E-04", "E-15")
@pytest.mark.usefixtures("mode")
@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize(
    "args",
    [(None,), ("text",), (3,), (object,), (object(),), (LookupError("instance"), "value")],
    ids=["None", "str", "int", "other class", "other object", "instance and value"],
)
@pytest.mark.parametrize("method", ["throw", "throw pending", "raise_exception"])
def test_what_is_no_exception_is_a_type_error_for_any_target(target, args, method):
    task = TARGETS[target]()
    before = state(task)
    with pytest.raises(TypeError):
        if method == "throw pending":
            task.throw(*args, pending=True)
        else:
            getattr(task, method)(*args)
    assert state(task) == before
    if target in ("queued", "blocked"):
        task.kill()


@pytest.mark.spec("E-04")
def test_throw_without_an_exception_is_a_type_error():
    with pytest.raises(TypeError):
        scheduler.tasklet().throw()
    with pytest.raises(TypeError):
        scheduler.getcurrent().throw(val=3)


SAME = LookupError("same")
SUB = Special("sub")


@pytest.fixture(autouse=True)
def forget_tracebacks():
    """The instances of the table live on: they must not keep the frames they passed alive."""
    yield
    for error in (SAME, SUB):
        error.__traceback__ = None
        error.__context__ = None


# exc, val, class that arrives, its args; an instance that is passed on is named by the last entry
NORMALISED = [
    (LookupError, None, LookupError, (), None),
    (LookupError, (), LookupError, (), None),
    (LookupError, (1, 2), LookupError, (1, 2), None),
    (LookupError, "text", LookupError, ("text",), None),
    (LookupError, [1, 2], LookupError, ([1, 2],), None),
    (LookupError, SAME, LookupError, ("same",), SAME),
    (LookupError, SUB, Special, ("sub",), SUB),
    (KeyboardInterrupt, "now", KeyboardInterrupt, ("now",), None),
    (SAME, None, LookupError, ("same",), SAME),
]


@pytest.mark.spec("E-02", "E-03", "E-05", "D-31", "18-8")
@pytest.mark.usefixtures("mode")
@pytest.mark.parametrize(("exc", "val", "kind", "args", "instance"), NORMALISED, ids=repr)
@pytest.mark.parametrize("method", ["throw", "throw by keyword", "throw pending", "raise_exception"])
def test_exceptions_are_normalised_the_same_way_everywhere(exc, val, kind, args, instance, method):
    sleeper = Sleeper()
    if method == "throw":
        sleeper.task.throw(exc, val)
    elif method == "throw by keyword":
        sleeper.task.throw(exc=exc, val=val, tb=None, pending=False)
    elif method == "throw pending":
        sleeper.task.throw(exc, val, None, True)
        scheduler.run()
    else:
        sleeper.task.raise_exception(exc, val)
    (error,) = sleeper.caught
    assert (type(error), error.args) == (kind, args)
    if instance is not None:
        assert error is instance
    assert sleeper.task.alive is False


@pytest.mark.spec("E-03", "D-31")
def test_raise_exception_works_with_the_class_alone():
    sleeper = Sleeper()
    sleeper.task.raise_exception(LookupError)
    assert [(type(error), error.args) for error in sleeper.caught] == [(LookupError, ())]


@pytest.mark.spec("E-04", "D-32")
@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit, scheduler.TaskletExit])
@pytest.mark.parametrize("method", ["throw", "throw pending", "raise_exception"])
def test_instances_outside_exception_are_accepted(drain, kind, method):
    sleeper = Sleeper()
    instance = kind("instance")
    if method == "throw pending":
        sleeper.task.throw(instance, pending=True)
        drain()
    else:
        getattr(sleeper.task, method)(instance)
    assert sleeper.caught == [instance]
    assert sleeper.task.alive is False


@pytest.mark.spec("E-05", "D-33")
@pytest.mark.parametrize("pending", [True, False])
@pytest.mark.parametrize("form", ["exc_info", "instance", "class and traceback"])
def test_the_traceback_leads_to_where_the_error_arose(drain, pending, form):
    kind, error, trace = raised_in(origin)
    sleeper = Sleeper()
    if form == "exc_info":
        sleeper.task.throw(kind, error, trace, pending)
    elif form == "instance":
        sleeper.task.throw(error, pending=pending)
    else:
        sleeper.task.throw(ValueError, "other", trace, pending)
    drain()
    (caught,) = sleeper.caught
    assert type(caught) is (ValueError if form == "class and traceback" else OSError)
    names = functions_in(caught.__traceback__)
    assert names[0] == "_body"
    assert names[-1] == "origin"


@pytest.mark.spec("E-05", "D-33")
@pytest.mark.parametrize("tb", ["text", 1, object()], ids=["str", "int", "object"])
def test_throw_checks_the_traceback_at_the_call(tb):
    sleeper = Sleeper()
    with pytest.raises(TypeError):
        sleeper.task.throw(LookupError, None, tb)
    assert (sleeper.task.alive, sleeper.caught) == (True, [])
    sleeper.task.kill()


class Unbuildable(Exception):
    """Cannot be made without arguments."""

    def __init__(self, needed):
        super().__init__(needed)


@pytest.mark.spec("E-05", "C-30")
def test_a_class_that_cannot_be_instantiated_delivers_that_error():
    sleeper = Sleeper()
    try:
        sleeper.task.throw(Unbuildable)
    except TypeError as error:
        assert "needed" in str(error)
        sleeper.task.kill()
    else:  # delivered in place of the exception
        (error,) = sleeper.caught
        assert type(error) is TypeError
        assert "needed" in str(error)
    assert sleeper.task.alive is False


# ---- kill -------------------------------------------------------------------------------------------


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
    assert sys.getrefcount(victim) == 2
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


SUSPENSIONS = {
    "queued": lambda: scheduler.schedule,
    "paused": lambda: scheduler.schedule_remove,
    "receiving": lambda: scheduler.channel().receive,
    "sending": lambda: lambda: scheduler.channel().send(0),
}
every_suspension = pytest.mark.parametrize("where", SUSPENSIONS)


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


# ---- throw and raise_exception ----------------------------------------------------------------


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
