"""Switches in the middle of whatever Python and C code may be calling (S-08, R-01)."""

from __future__ import annotations

import contextlib
import functools
import gc
import signal
import sys
import weakref

import pytest

import scheduler
from support.scheduling import queued


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
def test_an_import_may_switch(drain, tmp_path):
    name = "module_that_switches"
    (tmp_path / f"{name}.py").write_text("import scheduler\nscheduler.schedule()\nDONE = 1\n")
    log = []

    def body():
        log.append(__import__(name).DONE)

    queued(body)
    queued(log.append, "other")
    sys.path.insert(0, str(tmp_path))
    try:
        drain()
    finally:
        sys.path.remove(str(tmp_path))
        sys.modules.pop(name, None)
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


@pytest.mark.spec("E-20", "S-08")
def test_an_interrupt_arrives_in_the_tasklet_that_runs(drain):
    log = []

    def body(name):
        try:
            scheduler.schedule()
            if name == "second":
                signal.raise_signal(signal.SIGINT)
            scheduler.schedule()
            log.append((name, "undisturbed"))
        except KeyboardInterrupt:
            log.append((name, "interrupted"))

    for name in ("first", "second", "third"):
        queued(body, name)
    drain()
    assert sorted(log) == [
        ("first", "undisturbed"),
        ("second", "interrupted"),
        ("third", "undisturbed"),
    ]


@pytest.mark.spec("DEC-4", "S-08")
@pytest.mark.usefixtures("mode")
@pytest.mark.parametrize("source", ["__del__", "weak reference callback"])
def test_an_error_after_a_switch_in_a_finalizer_is_unraisable(drain, unraisable, source):
    log = []

    class Thing:
        if source == "__del__":

            def __del__(self):
                fail(None)

    def fail(_):
        scheduler.schedule()
        raise LookupError("from a finalizer")

    def body(name):
        thing = Thing()
        reference = weakref.ref(thing, fail) if source != "__del__" else None
        del thing
        log.append(name)
        assert reference is None or reference() is None

    for name in ("first", "second"):
        queued(body, name)
    drain()
    assert log == ["first", "second"]
    assert [(entry.exc_type, entry.message) for entry in unraisable] == [
        (LookupError, "from a finalizer")
    ] * 2
