"""What the interpreter keeps per stack of execution stays with each tasklet across switches:
exceptions, tracebacks, generators, coroutines, context variables (S-08, DEC-5)."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import sys
import traceback

import pytest

import scheduler
from support.scheduling import queued, started

colour = contextvars.ContextVar("colour", default="none")


# ---- exceptions being handled --------------------------------------------------------------------


@pytest.mark.spec("S-08")
@pytest.mark.usefixtures("mode")
def test_each_tasklet_has_its_own_handled_exception(drain):
    seen = []

    def body(kind):
        seen.append(sys.exc_info()[0])
        try:
            raise kind(kind.__name__)
        except kind:
            for _ in range(3):
                scheduler.schedule()
                seen.append(sys.exc_info()[0] is kind)
        scheduler.schedule()
        seen.append(sys.exc_info()[0])

    for kind in (KeyError, ValueError, OSError):
        queued(body, kind)
    try:
        raise ArithmeticError
    except ArithmeticError as error:
        drain()
        assert sys.exc_info()[1] is error
    assert seen == [None] * 3 + [True] * 9 + [None] * 3


@pytest.mark.spec("S-08", "E-15")
def test_the_context_of_an_exception_is_that_of_its_own_tasklet(drain):
    contexts = []

    def body():
        try:
            raise KeyError("handled inside")
        except KeyError:
            try:
                scheduler.schedule_remove()
            except LookupError as error:
                contexts.append(repr(error.__context__))
        try:
            raise ValueError("fresh")
        except ValueError as error:
            contexts.append(error.__context__)

    task = started(body)
    try:
        raise ArithmeticError("handled by main")
    except ArithmeticError:
        task.throw(LookupError, "thrown")
    assert contexts == ["KeyError('handled inside')", None]


@pytest.mark.spec("S-08", "E-20")
def test_an_exception_that_leaves_a_tasklet_gets_the_drivers_context():
    def fail():
        raise LookupError("from the tasklet")

    queued(fail)
    try:
        try:
            raise ArithmeticError("handled by main")
        except ArithmeticError:
            scheduler.run()
    except LookupError as error:
        assert error.args == ("from the tasklet",)
        assert error.__context__ is None or type(error.__context__) is ArithmeticError
    else:
        raise AssertionError("the exception got lost")


@pytest.mark.spec("S-08")
def test_a_bare_raise_after_a_switch_raises_the_tasklets_own_exception(drain):
    caught = []

    def body(number):
        try:
            try:
                raise LookupError(number)
            except LookupError:
                scheduler.schedule()
                raise
        except LookupError as error:
            caught.append(error.args)

    for number in range(5):
        queued(body, number)
    drain()
    assert caught == [(n,) for n in range(5)]


@pytest.mark.spec("S-08", "E-20")
def test_switching_in_finally_keeps_the_exception_in_flight(drain):
    log = []

    def body(number):
        try:
            try:
                raise LookupError(number)
            finally:
                scheduler.schedule()
                log.append(("finally", number))
        except LookupError as error:
            log.append(("except", *error.args))

    for number in range(3):
        queued(body, number)
    drain()
    assert log == [(word, n) for n in range(3) for word in ("finally", "except")]


@pytest.mark.spec("S-08", "C-31")
def test_tracebacks_show_the_tasklets_own_functions(drain):
    texts = []

    def outer(number):
        try:
            inner(number)
        except LookupError:
            texts.append(traceback.format_exc())
            texts.append([entry.name for entry in traceback.extract_stack()])

    def inner(number):
        scheduler.schedule()
        raise LookupError(f"number {number}")

    for number in range(2):
        queued(outer, number)
    drain()
    for number in range(2):
        text, stack = texts[2 * number : 2 * number + 2]
        assert f"LookupError: number {number}" in text
        assert text.count("in outer") == text.count("in inner") == 1
        assert "in test_" not in text
        assert stack == ["outer"]


# ---- generators, iterators and coroutines --------------------------------------------------------


@pytest.mark.spec("S-08", "R-01")
@pytest.mark.usefixtures("mode")
def test_switching_inside_generators(drain):
    log = []

    def count(name, number):
        for n in range(number):
            scheduler.schedule()
            yield name, n

    def delegate(name):
        yield from count(name, 2)

    def body(name):
        for item in delegate(name):
            log.append(item)

    for name in "abc":
        queued(body, name)
    drain()
    assert log == [(name, n) for n in range(2) for name in "abc"]


@pytest.mark.spec("S-08")
def test_a_generator_may_be_resumed_by_several_tasklets(drain):
    def count():
        for n in range(6):
            yield n

    numbers, log = count(), []

    def body(name):
        for n in numbers:
            log.append((name, n))
            scheduler.schedule()

    for name in "ab":
        queued(body, name)
    drain()
    assert log == [("ab"[n % 2], n) for n in range(6)]


@pytest.mark.spec("S-08")
def test_a_generator_that_runs_in_a_suspended_tasklet_is_busy(drain):
    def pause():
        scheduler.schedule()
        yield "value"

    generator, seen = pause(), []
    task = queued(lambda: seen.append(next(generator)))
    scheduler.run_n_tasklets(1)
    with pytest.raises(ValueError, match="already executing"):
        next(generator)
    drain()
    assert (seen, task.alive) == (["value"], False)


@pytest.mark.spec("S-08", "R-01")
def test_asyncio_runs_inside_tasklets(drain):
    log = []

    async def job(name):
        for n in range(2):
            await asyncio.sleep(0)
            scheduler.schedule()
            log.append((name, n))
        return name

    async def main(name):
        return await asyncio.gather(job(name + "1"), job(name + "2"))

    def body(name):
        with contextlib.closing(asyncio.new_event_loop()) as loop:
            log.append(loop.run_until_complete(main(name)))

    queued(body, "a")
    drain()
    assert log == [("a1", 0), ("a2", 0), ("a1", 1), ("a2", 1), ["a1", "a2"]]
    del log[:]
    queued(lambda: log.append(asyncio.run(main("b"))))
    drain()
    assert log[-1] == ["b1", "b2"]


# ---- context variables (DEC-5) -------------------------------------------------------------------


@pytest.mark.spec("S-08", "DEC-5")
@pytest.mark.usefixtures("mode")
@pytest.mark.parametrize("how", ["call", "setup", "bind with arguments"])
def test_a_tasklet_starts_in_a_copy_of_the_context_of_who_gave_it_its_arguments(drain, how):
    seen = []

    def body():
        seen.append(colour.get())
        colour.set("changed inside")
        scheduler.schedule()
        seen.append(colour.get())

    def create():
        colour.set("at creation")
        return scheduler.tasklet(body)

    def give_arguments(task):
        colour.set("with the arguments")
        if how == "call":
            task()
        elif how == "setup":
            task.setup()
        else:
            task.bind(None, ()).insert()

    task = contextvars.copy_context().run(create)
    contextvars.copy_context().run(give_arguments, task)

    def drive():
        colour.set("of the driver")
        drain()
        return colour.get()

    assert contextvars.copy_context().run(drive) == "of the driver"
    assert seen == ["with the arguments", "changed inside"]
    assert colour.get() == "none"


@pytest.mark.spec("S-08", "DEC-5")
def test_contexts_of_tasklets_do_not_mix(drain):
    seen = []

    def body(name):
        colour.set(name)
        for _ in range(3):
            scheduler.schedule()
            seen.append((name, colour.get()))
            token = colour.set(name + "!")
            scheduler.schedule()
            colour.reset(token)

    for name in "abc":
        queued(body, name)
    drain()
    assert len(seen) == 9
    assert all(name == value for name, value in seen)
    assert colour.get() == "none"


@pytest.mark.spec("DEC-5", "D-61")
def test_set_context_gives_the_tasklet_that_very_context(drain):
    context = contextvars.Context()
    context.run(colour.set, "given")
    seen = []

    def body():
        seen.append(colour.get())
        colour.set("left behind")

    task = scheduler.tasklet(body)
    assert task.set_context(context) is task
    task()
    drain()
    assert seen == ["given"]
    assert context[colour] == "left behind"


@pytest.mark.spec("DEC-5", "D-61")
def test_set_context_checks_its_argument_and_its_time(drain):
    context = contextvars.Context()
    task = scheduler.tasklet(scheduler.schedule_remove)
    for wrong in (None, {}, "context", contextvars.ContextVar("x")):
        with pytest.raises(TypeError):
            task.set_context(wrong)
    with pytest.raises(TypeError):
        task.set_context()
    task()
    assert task.set_context(context) is task  # set up, but not started
    drain()
    for started_one in (task, scheduler.getmain()):
        with pytest.raises(RuntimeError):
            started_one.set_context(context)
    task.kill()


@pytest.mark.spec("DEC-5", "S-08")
def test_nested_context_runs_across_switches(drain):
    seen = []

    def body(name):
        contextvars.copy_context().run(inside, name)
        seen.append((name, "outside", colour.get()))

    def inside(name):
        colour.set(name)
        scheduler.schedule()
        contextvars.copy_context().run(deeper, name)
        seen.append((name, "inside", colour.get()))

    def deeper(name):
        colour.set(name * 2)
        scheduler.schedule()
        seen.append((name, "deeper", colour.get()))

    for name in "ab":
        queued(body, name)
    drain()
    assert sorted(seen) == sorted(
        (name, place, value)
        for name in "ab"
        for place, value in (("deeper", name * 2), ("inside", name), ("outside", "none"))
    )


@pytest.mark.spec("DEC-5", "S-08")
def test_a_context_entered_by_a_suspended_tasklet_is_busy_until_it_leaves(drain):
    context = contextvars.Context()
    task = started(context.run, scheduler.schedule_remove)
    with pytest.raises(RuntimeError, match="already entered"):
        context.run(len, "")
    task.run()
    assert context.run(len, "") == 0
    drain()
