"""dont_raise, exception_handler and context_manager_getter (X-*)."""

from __future__ import annotations

import sys

import pytest

import scheduler
from support.scheduling import started, state

TEXT = "Unhandled exception in <Tasklet alive=1 blocked=0 paused=0 scheduled=1 context={}>"


def failing(error=None):
    """Body of a tasklet that dies of `error`."""
    raise error or LookupError("lost")


def contained(function, *, getter=None, handler=None, context=""):
    """A tasklet with dont_raise that is bound to `function` but not set up."""
    task = scheduler.tasklet()
    task.dont_raise = True
    task.context = context
    task.exception_handler = handler
    task.context_manager_getter = getter
    return task.bind(function)


class Span:
    """A context manager that notes what happens to it; made as `context_manager_getter` wants."""

    log: list = []
    fail_in = ""

    def __init__(self, task):
        self._note("getter", task)

    def __enter__(self, *args):
        self._note("enter", *args)

    def __exit__(self, *args):
        self._note("exit", *args)
        return True

    def _note(self, step, *args):
        self.log.append((step, *args))
        if step == self.fail_in:
            raise ArithmeticError(step)


def new_span():
    """A `Span` class with a log of its own."""
    return type("FreshSpan", (Span,), {"log": []})


# ---- dont_raise ----------------------------------------------------------------------------------


@pytest.mark.spec("X-01")
def test_dont_raise_is_a_bool_and_false_by_default():
    task = scheduler.tasklet()
    assert task.dont_raise is False
    for wrong in (1, 0, None, "yes"):
        with pytest.raises(TypeError):
            task.dont_raise = wrong
    task.dont_raise = True
    assert task.dont_raise is True
    with pytest.raises(TypeError):
        del task.dont_raise
    assert task.dont_raise is True


@pytest.mark.spec("DEC-9", "X-01", "T-11", "18-7")
@pytest.mark.parametrize("how", ["constructed", "bound", "set up", "with arguments", "finished"])
def test_dont_raise_cannot_be_set_once_the_tasklet_is_bound(how):
    made = {
        "constructed": lambda: scheduler.tasklet(len),
        "bound": lambda: scheduler.tasklet().bind(len),
        "set up": lambda: scheduler.tasklet(len)(""),
        "with arguments": lambda: scheduler.tasklet().bind(len, ("",)),
        "finished": lambda: started(len, ""),
    }
    task = made[how]()
    with pytest.raises(RuntimeError):
        task.dont_raise = True
    assert task.dont_raise is False
    scheduler.run()
    task.bind(None)
    task.dont_raise = True
    assert task.dont_raise is True


@pytest.mark.spec("X-02", "E-20")
@pytest.mark.usefixtures("mode")
@pytest.mark.parametrize("kind", [LookupError, KeyboardInterrupt, SystemExit, GeneratorExit])
@pytest.mark.parametrize("how", ["setup", "bind with arguments"])
def test_any_exception_but_taskletexit_is_contained(drain, kind, how):
    task = contained(failing)
    if how == "setup":
        task.setup(kind("contained"))
    else:
        task.bind(None, (kind("contained"),)).insert()
    log = []
    scheduler.tasklet(log.append)("next")
    assert drain() is None
    assert state(task) == (False, False, False, False)
    assert log == ["next"]


@pytest.mark.spec("X-02", "X-07", "E-21")
@pytest.mark.usefixtures("mode")
@pytest.mark.parametrize("how", ["raised", "killed", "thrown"])
def test_taskletexit_keeps_its_meaning(drain, how):
    handled = []

    def body():
        if how == "raised":
            raise scheduler.TaskletExit
        scheduler.schedule_remove()
        raise AssertionError("must not go on")

    task = contained(body, handler=handled.append)()
    drain()
    if how == "killed":
        task.kill()
    elif how == "thrown":
        task.throw(scheduler.TaskletExit)
    assert (task.alive, handled) == (False, [])


@pytest.mark.spec("X-02", "X-07", "E-16")
@pytest.mark.usefixtures("mode")
@pytest.mark.parametrize("method", ["throw", "raise_exception"])
def test_an_exception_thrown_into_the_callable_is_contained(method):
    handled = []
    task = contained(
        scheduler.schedule_remove, handler=lambda text: handled.append(sys.exc_info()[1].args)
    )()
    task.run()
    assert getattr(task, method)(LookupError, "thrown") is None
    assert (task.alive, handled) == (False, [("thrown",)])


@pytest.mark.spec("X-10")
@pytest.mark.usefixtures("mode")
@pytest.mark.parametrize("pending", [True, False])
def test_an_exception_thrown_at_a_new_tasklet_is_not_contained(pending):
    span = new_span()
    handled = []
    task = contained(failing, handler=handled.append, getter=span)()
    with pytest.raises(OSError):
        task.throw(OSError, pending=pending)
        scheduler.run()
    assert (task.alive, handled, span.log) == (False, [], [])


# ---- exception_handler ---------------------------------------------------------------------------


@pytest.mark.spec("X-07", "X-04")
@pytest.mark.parametrize("name", ["exception_handler", "context_manager_getter"])
def test_the_two_callables_are_none_by_default_and_checked(name):
    task = scheduler.tasklet()
    assert getattr(task, name) is None
    for wrong in (1, "name", ()):
        with pytest.raises(TypeError):
            setattr(task, name, wrong)
    setattr(task, name, len)
    assert getattr(task, name) is len
    with pytest.raises(TypeError):
        delattr(task, name)
    assert getattr(task, name) is len
    setattr(task, name, None)
    assert getattr(task, name) is None


@pytest.mark.spec("X-07")
@pytest.mark.usefixtures("mode")
def test_the_handler_gets_a_text_while_the_exception_is_handled(drain):
    seen = []

    def handler(*args, **keywords):
        kind, value, trace = sys.exc_info()
        me = scheduler.getcurrent()
        seen.append((args, keywords, kind, value.args, trace.tb_frame.f_code.co_name, me is task))

    task = contained(failing, handler=handler, context="night shift")()
    drain()
    assert seen == [
        ((TEXT.format("night shift"),), {}, LookupError, ("lost",), "failing", True),
    ]  # fmt: skip
    assert sys.exc_info() == (None, None, None)


@pytest.mark.spec("X-07", "X-04")
@pytest.mark.usefixtures("mode")
def test_the_handler_is_called_before_exit(drain):
    span = new_span()
    task = contained(failing, getter=span, handler=lambda text: span.log.append(("handler",)))()
    drain()
    assert span.log == [("getter", task), ("enter",), ("handler",), ("exit", None, None, None)]


@pytest.mark.spec("X-08")
@pytest.mark.usefixtures("mode")
def test_an_error_of_the_handler_is_printed_with_the_exception(drain, capsys):
    span = new_span()

    def handler(_):
        raise ZeroDivisionError("in the handler")

    task = contained(failing, handler=handler, getter=span)()
    assert drain() is None
    assert task.alive is False
    output = capsys.readouterr()
    assert output.out == ""
    for word in ("LookupError", "lost", "ZeroDivisionError", "in the handler"):
        assert word in output.err
    assert span.log[-1] == ("exit", None, None, None)


@pytest.mark.spec("X-07", "D-08", "D-51")
def test_reading_and_running_handlers_leaves_their_references_alone(drain):
    def handler(text):
        return object()

    before = sys.getrefcount(handler)
    task = contained(failing, handler=handler)
    for _ in range(100):
        assert task.exception_handler is handler
    task.setup()
    drain()
    task.exception_handler = None
    assert sys.getrefcount(handler) == before


@pytest.mark.spec("X-07", "R-01")
def test_a_handler_may_yield(drain):
    log = []

    def handler(_):
        log.append("before")
        scheduler.schedule()
        log.append(sys.exc_info()[0])

    contained(failing, handler=handler)()
    scheduler.tasklet(log.append)("other")
    drain()
    assert log == ["before", "other", LookupError]


# ---- context_manager_getter ----------------------------------------------------------------------


@pytest.mark.spec("X-04", "X-05")
@pytest.mark.usefixtures("mode")
@pytest.mark.parametrize("fails", [True, False])
def test_the_context_manager_encloses_the_callable(drain, fails):
    span = new_span()

    def body(*args, **keywords):
        span.log.append(("body", args, keywords))
        if fails:
            raise LookupError

    task = contained(body, getter=span)(1, two=2)
    assert span.log == []
    drain()
    assert span.log == [
        ("getter", task),
        ("enter",),
        ("body", (1,), {"two": 2}),
        ("exit", None, None, None),
    ]
    assert task.alive is False


@pytest.mark.spec("X-04")
@pytest.mark.parametrize("when", ["before bind", "after bind", "after setup"])
def test_the_getter_may_be_set_until_the_first_turn(drain, when):
    span = new_span()
    task = scheduler.tasklet()
    task.dont_raise = True
    steps = [lambda: task.bind(len), lambda: task.setup("")]
    steps.insert(
        ["before bind", "after bind", "after setup"].index(when),
        lambda: setattr(task, "context_manager_getter", span),
    )
    for step in steps:
        step()
    drain()
    assert [entry[0] for entry in span.log] == ["getter", "enter", "exit"]


@pytest.mark.spec("X-04")
def test_changing_the_getter_later_has_no_effect_on_a_started_tasklet(drain):
    span = new_span()
    task = contained(scheduler.schedule, getter=span)()
    scheduler.run_n_tasklets(1)
    task.context_manager_getter = None
    drain()
    assert [entry[0] for entry in span.log] == ["getter", "enter", "exit"]


@pytest.mark.spec("X-03")
@pytest.mark.usefixtures("mode")
@pytest.mark.parametrize(
    ("step", "fails", "expected"),
    [
        ("getter", False, ["getter"]),
        ("enter", False, ["getter", "enter"]),
        ("exit", False, ["getter", "enter", "body", "exit"]),
        ("exit", True, ["getter", "enter", "body", "handler", "exit"]),
    ],
)
def test_errors_of_the_context_manager_reach_the_driver(drain, step, fails, expected):
    span = new_span()
    span.fail_in = step

    def body():
        span.log.append(("body",))
        if fails:
            raise LookupError("hidden")

    task = contained(body, getter=span, handler=lambda text: span.log.append(("handler",)))()
    with pytest.raises(ArithmeticError, match=step):
        drain()
    assert [entry[0] for entry in span.log] == expected
    assert state(task) == (False, False, False, False)


class Incomplete:
    """No context manager at all."""


@pytest.mark.spec("X-03")
@pytest.mark.parametrize("getter", [lambda task: Incomplete(), lambda: None])
def test_a_getter_that_gives_no_context_manager_is_an_error_of_the_driver(drain, getter):
    task = contained(failing, getter=getter)()
    with pytest.raises((AttributeError, TypeError)):
        drain()
    assert task.alive is False


@pytest.mark.spec("DEC-9", "X-05", "E-21", "18-9")
@pytest.mark.usefixtures("mode")
@pytest.mark.parametrize("how", ["raised", "killed", "pending killed"])
def test_exit_gets_the_triple_of_a_taskletexit(drain, how):
    span = new_span()

    def body():
        if how == "raised":
            raise scheduler.TaskletExit("leaving")
        scheduler.schedule_remove()

    task = contained(body, getter=span)()
    drain()
    if how != "raised":
        task.kill(pending=how == "pending killed")
        drain()
    name, kind, value, trace = span.log[-1]
    assert (name, kind, type(value)) == ("exit", scheduler.TaskletExit, scheduler.TaskletExit)
    assert value.args == (("leaving",) if how == "raised" else ())
    assert trace.tb_frame.f_code is body.__code__
    assert task.alive is False


@pytest.mark.spec("X-05")
@pytest.mark.parametrize("pending", [True, False])
def test_a_kill_before_the_first_turn_calls_nothing(drain, pending):
    span = new_span()
    handled = []
    task = contained(failing, getter=span, handler=handled.append)()
    task.kill(pending=pending)
    drain()
    assert (task.alive, span.log, handled) == (False, [], [])


@pytest.mark.spec("X-06")
@pytest.mark.usefixtures("mode")
def test_without_dont_raise_neither_attribute_has_an_effect(drain):
    span = new_span()
    handled = []
    task = scheduler.tasklet()
    task.exception_handler = handled.append
    task.context_manager_getter = span
    task.bind(failing).setup()
    with pytest.raises(LookupError, match="lost"):
        drain()
    assert (task.alive, handled, span.log) == (False, [], [])


@pytest.mark.spec("X-09", "A-10")
def test_the_description_is_that_of_the_original_callable():
    task = contained(failing, getter=Span)
    assert (task.method_name, task.module_name) == ("failing", __name__)
    assert task.line_number == failing.__code__.co_firstlineno
    assert task.file_name == failing.__code__.co_filename
    task.bind(None)


@pytest.mark.spec("D-51", "X-03")
def test_results_of_the_context_manager_are_released(drain):
    class Result:
        """Counted."""

    result = Result()

    class Manager:
        def __enter__(self):
            return result

        def __exit__(self, *_):
            return result

    before = sys.getrefcount(result)
    for _ in range(10):
        contained(failing, getter=lambda task: Manager(), handler=lambda text: result)()
    drain()
    assert sys.getrefcount(result) == before
