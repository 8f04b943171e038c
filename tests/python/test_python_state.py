"""What the interpreter keeps per stack of execution stays with each tasklet across switches:
exceptions, tracebacks, generators, coroutines, context variables, frames (S-08, DEC-5)."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import functools
import gc
import sys
import traceback
import weakref

import pytest

import scheduler
from helpers import in_thread, queued, started

colour = contextvars.ContextVar("colour", default="none")


# ---- exceptions being handled ----------------------------------------------------------------------


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


# ---- generators, iterators and coroutines ---------------------------------------------------------------


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


# ---- context variables (DEC-5) ----------------------------------------------------------------------------


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


# ---- frames (DEC-5) --------------------------------------------------------------------------------------


def names_of(frame):
    """Function names from a frame outwards."""
    names = []
    while frame is not None:
        names.append(frame.f_code.co_name)
        frame = frame.f_back
    return names


@pytest.mark.spec("DEC-5", "D-61", "18-5", "A-11")
@pytest.mark.usefixtures("mode")
def test_frame_gives_the_innermost_frame_of_a_suspended_tasklet(drain):
    def outer():
        local = "outer's"  # noqa: F841
        inner()

    def inner():
        local = "inner's"  # noqa: F841
        scheduler.schedule_remove()

    task = scheduler.tasklet(outer)
    assert task.frame is None
    task()
    assert task.frame is None  # not started
    drain()
    frame = task.frame
    assert names_of(frame) == ["inner", "outer"]
    assert (frame.f_locals["local"], frame.f_back.f_locals["local"]) == ("inner's", "outer's")
    assert frame.f_lineno == inner.__code__.co_firstlineno + 2
    assert [entry.name for entry in traceback.extract_stack(frame)] == ["outer", "inner"]
    del frame
    task.run()
    assert (task.alive, task.frame) == (False, None)
    with pytest.raises(AttributeError):
        task.frame = None


@pytest.mark.spec("DEC-5", "S-06")
def test_frame_of_the_current_tasklet_and_of_a_waiting_driver(drain):
    seen = []

    def driver():
        queued(child).run()

    def child():
        seen.append(names_of(scheduler.getcurrent().frame))
        seen.append(names_of(parent.frame))
        seen.append(names_of(sys._getframe()))
        seen.append(names_of(scheduler.getmain().frame))

    parent = queued(driver)
    drain()
    assert seen[0] == ["child"]
    assert seen[1] == ["driver"]
    assert seen[2] == ["child"]
    assert parent.frame is None
    here = "test_frame_of_the_current_tasklet_and_of_a_waiting_driver"
    assert here in seen[3]
    assert "driver" not in seen[3]
    assert names_of(scheduler.getmain().frame)[0] == here


@pytest.mark.spec("DEC-5")
def test_a_frame_that_is_kept_outlives_its_tasklet(drain):
    def body(value):
        scheduler.schedule_remove()

    task = started(body, "argument")
    frame = task.frame
    task.kill()
    assert (names_of(frame), frame.f_locals) == (["body"], {"value": "argument"})
    reference = weakref.ref(task)
    del task
    assert reference() is None
    assert frame.f_locals == {"value": "argument"}


@pytest.mark.spec("DEC-5", "H-01")
def test_frame_of_a_tasklet_of_another_thread():
    def body():
        scheduler.schedule_remove()

    def work():
        task = started(body)
        try:
            return in_thread(lambda: task.frame and names_of(task.frame))
        finally:
            task.kill()

    assert in_thread(work) in (["body"], None)


@pytest.mark.spec("DEC-5")
def test_frames_of_all_tasklets_can_be_walked_while_others_run(drain):
    tasks = []

    def recurse(depth):
        if depth:
            recurse(depth - 1)
        else:
            scheduler.schedule_remove()

    tasks.extend(queued(recurse, depth) for depth in range(20))
    drain()
    for _ in range(3):
        gc.collect()
        assert [names_of(task.frame) for task in tasks] == [
            ["recurse"] * (depth + 1) for depth in range(20)
        ]
    for task in tasks:
        task.kill()


# ---- switching in unusual places --------------------------------------------------------------------------


class Switching:
    """Suspends in whatever special method is called."""

    def __init__(self, log, name):
        self.log, self.name = log, name

    def _switch(self, result):
        scheduler.schedule()
        self.log.append(self.name)
        return result

    def __getattr__(self, attribute):
        if attribute.startswith("_"):
            raise AttributeError(attribute)
        return self._switch(attribute)

    def __call__(self, *_):
        return self._switch(0)

    def __enter__(self):
        return self._switch(self)

    def __exit__(self, *_):
        return self._switch(None)

    def __iter__(self):
        return self._switch(iter("xy"))

    def __eq__(self, other):
        return self._switch(True)

    def __hash__(self):
        return self._switch(7)

    def __repr__(self):
        return self._switch("text")

    def __len__(self):
        return self._switch(3)

    def __index__(self):
        return self._switch(2)

    def __format__(self, _):
        return self._switch("formatted")

    def __del__(self):
        self._switch(None)


def in_with(it):
    with it:
        pass


PLACES = {
    "__getattr__": lambda it: it.anything,
    "sort key": lambda it: sorted([3, 1, 2], key=it),
    "list.sort": lambda it: [5, 4, 6].sort(key=it),
    "map": lambda it: list(map(it, "abc")),
    "filter": lambda it: list(filter(it, "abc")),
    "reduce": lambda it: functools.reduce(it, "abc"),
    "partial": lambda it: functools.partial(it)(),
    "lru_cache": lambda it: functools.lru_cache(it)(1),
    "with": in_with,
    "iter": lambda it: list(it),
    "dict": lambda it: {it: 1, **{}},
    "dict look-up": lambda it: {7: 1}.get(it),
    "in list": lambda it: it in [1, 2],
    "repr": lambda it: repr([it]),
    "format": lambda it: f"{it:x}",
    "len": len,
    "index": lambda it: [1, 2, 3][it],
    "comprehension": lambda it: [it() for _ in range(2)],
    "exec": lambda it: exec("it()", {"it": it}),
    "eval": lambda it: eval("it()", {"it": it}),
    "max": lambda it: max([1, 2, 3], key=it),
    "str.join": lambda it: "".join(f"{it}" for _ in range(2)),
}


@pytest.mark.spec("S-08", "R-01", "R-04")
@pytest.mark.usefixtures("mode")
@pytest.mark.parametrize("place", PLACES)
def test_a_switch_may_happen_anywhere(drain, place):
    log = []
    results = []

    def body(name):
        results.append(repr(type(PLACES[place](Switching(log, name)))))

    tasks = [queued(body, name) for name in "abc"]
    drain()
    assert [task.alive for task in tasks] == [False] * 3
    assert len(results) == 3
    assert len(set(results)) == 1
    assert log.count("a") == log.count("b") == log.count("c") >= 1
    assert log[:3] == ["a", "b", "c"]  # they took turns


@pytest.mark.spec("S-08", "R-01")
def test_a_list_is_empty_to_others_while_it_is_being_sorted(drain):
    numbers, seen = [3, 1, 2], []

    def key(n):
        scheduler.schedule()
        return n

    def sort():
        numbers.sort(key=key)
        seen.append(list(numbers))

    queued(sort)
    queued(lambda: seen.append(list(numbers)))
    drain()
    assert seen == [[], [1, 2, 3]]


@pytest.mark.spec("S-08", "R-01")
@pytest.mark.parametrize("how", ["reference count", "collector"])
def test_a_finalizer_may_switch(drain, how):
    log = []

    class Noisy:
        def __del__(self):
            scheduler.schedule()
            log.append("finalized")

    def body():
        it = Noisy()
        if how == "collector":
            it.me = it
        del it
        gc.collect()
        log.append("body ends")

    queued(body)
    queued(log.append, "other")
    drain()
    assert log == ["other", "finalized", "body ends"]


@pytest.mark.spec("S-08", "R-01")
def test_a_weak_reference_callback_may_switch(drain):
    log = []

    class Thing:
        pass

    def callback(_):
        scheduler.schedule()
        log.append("callback")

    def body():
        thing = Thing()
        reference = weakref.ref(thing, callback)
        del thing
        log.append(reference())

    queued(body)
    queued(log.append, "other")
    drain()
    assert log == ["other", "callback", None]


@pytest.mark.spec("S-08", "R-01")
def test_a_callback_of_the_collector_may_switch(drain):
    log = []

    def callback(phase, info):
        scheduler.schedule()
        log.append(phase)

    def body():
        gc.callbacks.append(callback)
        try:
            gc.collect()
        finally:
            gc.callbacks.remove(callback)
        log.append("body ends")

    gc.disable()  # the only collection is the one above
    try:
        queued(body)
        queued(log.append, "other")
        drain()
    finally:
        gc.enable()
    assert log == ["other", "start", "stop", "body ends"]


@pytest.mark.spec("S-08", "R-01")
def test_context_managers_of_contextlib_may_switch(drain):
    log = []

    @contextlib.contextmanager
    def manager(name):
        scheduler.schedule()
        log.append((name, "enter"))
        try:
            yield
        finally:
            scheduler.schedule()
            log.append((name, "exit"))

    def body(name):
        with contextlib.ExitStack() as stack:
            stack.enter_context(manager(name + "1"))
            stack.enter_context(manager(name + "2"))
            raise LookupError(name)

    def guarded(name):
        with contextlib.suppress(LookupError):
            body(name)

    for name in "ab":
        queued(guarded, name)
    drain()
    steps = [("1", "enter"), ("2", "enter"), ("2", "exit"), ("1", "exit")]
    assert log == [(name + number, step) for number, step in steps for name in "ab"]


@pytest.mark.spec("S-08", "R-01")
def test_an_import_may_switch(drain, tmp_path, monkeypatch):
    for name in ("first_switching_module", "second_switching_module"):
        (tmp_path / f"{name}.py").write_text("import scheduler\nscheduler.schedule()\nDONE = 1\n")
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.syspath_prepend(tmp_path)
    log = []

    def body(name):
        log.append(__import__(name).DONE)

    queued(body, "first_switching_module")
    queued(log.append, "other")
    drain()
    assert log == ["other", 1]


@pytest.mark.spec("E-20", "E-21", "S-08")
@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit, GeneratorExit, BaseException])
def test_base_exceptions_leave_tasklets_as_others_do(drain, kind):
    log = []

    def body():
        try:
            scheduler.schedule()
            raise kind("leaving")
        finally:
            scheduler.schedule()
            log.append("finally")

    task = queued(body)
    with pytest.raises(kind, match="leaving"):
        drain()
    assert (task.alive, log) == (False, ["finally"])
