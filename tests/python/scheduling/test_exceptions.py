"""Arguments of kill, throw and raise_exception, and what they make of them (E-01 to E-05)."""

from __future__ import annotations

import pytest

import scheduler
from support.exceptions import Instance, functions_in, make, raised_in
from support.scheduling import state
from support.tasklet_states import TARGETS, Sleeper


class Special(LookupError):
    """Derived from the class that the tests throw."""


def origin():
    """Where the errors with a traceback come from."""
    raise OSError(5, "disk")


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


SAME = Instance(LookupError, "same")
SUB = Instance(Special, "sub")

# exc, val, class that arrives, its args, whether the given instance itself arrives
NORMALISED = [
    (LookupError, None, LookupError, (), False),
    (LookupError, (), LookupError, (), False),
    (LookupError, (1, 2), LookupError, (1, 2), False),
    (LookupError, "text", LookupError, ("text",), False),
    (LookupError, [1, 2], LookupError, ([1, 2],), False),
    (LookupError, SAME, LookupError, ("same",), True),
    (LookupError, SUB, Special, ("sub",), True),
    (KeyboardInterrupt, "now", KeyboardInterrupt, ("now",), False),
    (SAME, None, LookupError, ("same",), True),
]


@pytest.mark.spec("E-02", "E-03", "E-05", "D-31", "18-8")
@pytest.mark.usefixtures("mode")
@pytest.mark.parametrize(("exc", "val", "kind", "args", "itself"), NORMALISED)
@pytest.mark.parametrize(
    "method", ["throw", "throw by keyword", "throw pending", "raise_exception"]
)
def test_exceptions_are_normalised_the_same_way_everywhere(exc, val, kind, args, itself, method):
    exc, val = make(exc), make(val)
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
    assert (error is exc or error is val) is itself
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
