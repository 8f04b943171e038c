"""What holds what, and what the cycle collector finds (G-*, D-50 to D-52)."""

from __future__ import annotations

import functools
import gc
import sys
import weakref

import pytest

import scheduler
from support.interpreter import FINDS_BLOCKED
from support.object_counts import references
from support.scheduling import channel, queued, started

tasklets = scheduler.get_active_tasklet_count


class Box:
    """Something to refer to, with room for attributes."""


@pytest.fixture
def no_collector():
    """What dies in the test dies by its reference count."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


# ---- counts over a life --------------------------------------------------------------------------


@pytest.mark.spec("G-01", "T-23")
def test_the_queue_holds_one_reference():
    task = scheduler.tasklet(len)
    counts = [references(task)]
    task.setup("")
    counts.append(references(task))
    with pytest.raises(RuntimeError):
        task.setup("")
    counts.append(references(task))
    with pytest.raises(RuntimeError):
        task("")
    counts.append(references(task))
    task.insert()
    counts.append(references(task))
    task.remove()
    counts.append(references(task))
    task.remove()
    counts.append(references(task))
    task.insert()
    counts.append(references(task))
    task.kill()
    counts.append(references(task))
    assert counts == [1, 2, 2, 2, 2, 1, 1, 2, 1]


@pytest.mark.spec("G-01", "S-04")
@pytest.mark.usefixtures("mode")
def test_turns_and_yields_keep_the_count(drain):
    task = scheduler.tasklet(scheduler.schedule)()
    assert references(task) == 2
    scheduler.run_n_tasklets(1)
    assert (task.scheduled, references(task)) == (True, 2)
    drain()
    assert references(task) == 1


@pytest.mark.spec("G-01", "G-08", "R-05")
def test_a_paused_tasklet_is_held_by_nobody():
    task = started(scheduler.schedule_remove)
    assert references(task) == 1
    task.insert()
    assert references(task) == 2
    scheduler.run()
    assert references(task) == 1


@pytest.mark.spec("G-02")
@pytest.mark.usefixtures("mode")
@pytest.mark.parametrize("sending", [True, False])
@pytest.mark.parametrize("ending", ["served", "killed", "pending killed", "thrown at", "cleared"])
def test_a_line_holds_one_reference(drain, sending, ending):
    ch = channel(0)
    task = started(ch.send, 0) if sending else started(ch.receive)
    assert references(task) == 2
    if ending == "served":
        ch.receive() if sending else ch.send(0)
        assert (task.scheduled, references(task)) == (True, 2)
    elif ending == "killed":
        task.kill()
    elif ending == "pending killed":
        task.kill(pending=True)
        assert (task.scheduled, references(task)) == (True, 2)
    elif ending == "thrown at":
        task.throw(scheduler.TaskletExit)
    else:
        ch.clear()
    drain()
    assert (task.alive, references(task)) == (False, 1)


@pytest.mark.spec("G-03", "B-03")
@pytest.mark.usefixtures("no_collector")
def test_a_finished_driver_stays_valid_for_its_children(drain):
    log = []

    def child():
        scheduler.schedule()
        log.append("child ends")

    def driver():
        started(child)
        log.append("driver ends")

    count = tasklets()
    task = queued(driver)
    reference = weakref.ref(task)
    scheduler.run_n_tasklets(1)
    del task
    assert log == ["driver ends"]
    drain()
    assert log == ["driver ends", "child ends"]
    assert reference() is None
    assert tasklets() == count


@pytest.mark.spec("G-03", "D-50")
@pytest.mark.usefixtures("no_collector")
def test_long_chains_of_drivers_leave_nothing(drain):
    count, main = tasklets(), sys.getrefcount(scheduler.getmain())

    def nest(depth):
        if depth:
            started(nest, depth - 1)
        scheduler.schedule()

    queued(nest, 30)
    drain()
    assert (tasklets(), sys.getrefcount(scheduler.getmain())) == (count, main)


@pytest.mark.spec("G-04", "G-05")
@pytest.mark.usefixtures("mode", "no_collector")
@pytest.mark.parametrize("ending", ["returns", "raises", "killed", "never runs", "unbound"])
def test_after_the_end_nothing_is_held(drain, ending):
    def body(*_, **__):
        if ending == "raises":
            raise scheduler.TaskletExit
        if ending in ("killed", "unbound"):
            scheduler.schedule_remove()

    function, positional, keyword = functools.partial(body), Box(), Box()
    references = [weakref.ref(thing) for thing in (function, positional, keyword)]
    task = scheduler.tasklet(function)(positional, name=keyword)
    del function, positional, keyword
    assert [reference() is None for reference in references] == [False] * 3
    if ending != "never runs":
        drain()
    if ending in ("killed", "never runs"):
        task.kill()
    elif ending == "unbound":
        task.bind(None)
    assert task.alive is False
    assert [reference() is None for reference in references] == [True] * 3
    reference = weakref.ref(task)
    del task
    assert reference() is None


@pytest.mark.spec("G-05", "T-17")
@pytest.mark.usefixtures("no_collector")
@pytest.mark.parametrize("condition", ["new", "bound", "paused new", "dead", "unbound", "removed"])
def test_a_tasklet_that_is_in_no_list_dies_with_its_last_reference(condition):
    makers = {
        "new": scheduler.tasklet,
        "bound": lambda: scheduler.tasklet(len),
        "paused new": lambda: scheduler.tasklet().bind(len, ("",)),
        "dead": lambda: started(len, ""),
        "unbound": lambda: started(scheduler.schedule_remove).bind(None),
        "removed": lambda: queued(len, "").remove(),
    }
    task = makers[condition]()
    reference = weakref.ref(task)
    del task
    assert reference() is None


@pytest.mark.spec("G-07", "C-15", "N-02")
def test_a_blocked_tasklet_keeps_itself_and_its_channel_alive():
    references = []

    def body(ch):
        ch.receive()

    ch = scheduler.channel()
    task = started(body, ch)
    references = [weakref.ref(task), weakref.ref(ch)]
    task = None
    if not FINDS_BLOCKED:  # else see test_collecting.py
        ch = None
    gc.collect()
    assert [reference() is None for reference in references] == [False, False]
    assert references[0]().blocked is True
    references[1]().send("still works")
    ch = None
    gc.collect()
    assert [reference() is None for reference in references] == [True, True]


@pytest.mark.spec("D-50", "D-51", "G-03")
@pytest.mark.usefixtures("mode", "no_collector")
def test_main_is_not_leaked_by_what_it_drives_and_waits_for(drain):
    ch = scheduler.channel()
    main = scheduler.getmain()
    before = sys.getrefcount(main)
    for preference in (-1, 0, 1):
        ch.preference = preference
        for _ in range(10):
            queued(len, "")
            drain()
            queued(ch.send, 0)
            ch.receive()
            queued(ch.receive)
            ch.send(0)
            drain()
            with pytest.raises(RuntimeError, match="Deadlock"):
                ch.receive()
    assert sys.getrefcount(main) == before


@pytest.mark.spec("D-51", "G-04")
@pytest.mark.usefixtures("no_collector")
@pytest.mark.parametrize("contained", [True, False])
def test_the_return_value_of_the_callable_is_released(drain, contained):
    box = Box()
    before = sys.getrefcount(box)
    for _ in range(10):
        task = scheduler.tasklet()
        task.dont_raise = contained
        task.bind(lambda: box)()
        drain()
    # result() can ask for that of the last one, until that gets something new to do.
    assert sys.getrefcount(box) == before + 1
    task.bind(None)
    assert sys.getrefcount(box) == before


@pytest.mark.spec("D-51", "D-17", "G-04")
@pytest.mark.usefixtures("no_collector")
def test_a_second_init_releases_what_the_first_one_stored():
    function = functools.partial(len, "")
    before = sys.getrefcount(function)
    task = scheduler.tasklet(function)
    for _ in range(5):
        task.__init__(function)
    assert sys.getrefcount(function) == before + 1
    for _ in range(5):
        with pytest.raises(TypeError, match="callable"):
            scheduler.tasklet(function).__init__("not callable")
    del task
    assert sys.getrefcount(function) == before


@pytest.mark.spec("D-51", "E-15", "B-22")
@pytest.mark.usefixtures("no_collector")
def test_stored_exceptions_are_released():
    class Local(Exception):
        """Counted."""

    value = Local("value")
    before = sys.getrefcount(value)
    for take_back in (
        lambda task: task.kill(),
        lambda task: task.bind(len, ("",)).kill(),
        lambda task: task.remove() and None,
    ):
        task = started(scheduler.schedule_remove)
        task.throw(value, pending=True)
        assert sys.getrefcount(value) > before
        try:
            take_back(task)
        except Local:
            pass
        del task
        value.__traceback__ = None
    assert sys.getrefcount(value) == before


# ---- cycles --------------------------------------------------------------------------------------


def cycle_through_callable(box):
    box.task = scheduler.tasklet(functools.partial(len, box))


def cycle_through_queued_callable(box):
    box.task = scheduler.tasklet(functools.partial(len, box)).bind(args=())


def cycle_through_args(box):
    box.task = scheduler.tasklet(len).bind(args=(box,))


def cycle_through_kwargs(box):
    box.task = scheduler.tasklet(len).bind(kwargs={"box": box})


def cycle_through_itself(box):
    box.task = scheduler.tasklet(len)
    box.task.bind(args=(box.task,), kwargs={"box": box})


def cycle_through_handler(box):
    box.task = scheduler.tasklet()
    box.task.exception_handler = functools.partial(len, box)


def cycle_through_getter(box):
    box.task = scheduler.tasklet()
    box.task.context_manager_getter = functools.partial(len, box)


def cycle_through_pending_exception(box):
    box.task = started(scheduler.schedule_remove)
    box.task.throw(ValueError(box), pending=True)
    box.task.remove()


def cycle_through_locals(box):
    def body(mine):
        me = scheduler.getcurrent()  # noqa: F841 (the cycle)
        scheduler.schedule_remove()

    box.task = started(body, box)


def cycle_through_frames_below(box):
    def outer(mine):
        inner()

    def inner():
        scheduler.schedule_remove()

    box.task = started(outer, box)


def cycle_through_generator(box):
    def generate(mine):
        scheduler.schedule_remove()
        yield

    box.task = started(next, generate(box))


def cycle_through_running_callable(box):
    function = functools.partial(scheduler.schedule_remove)
    function.box = box
    box.task = started(function)


def cycle_through_value_in_transfer(box):
    ch = channel(0)
    box.task = started(ch.receive)
    ch.send(box)
    box.task.remove()


def cycle_through_exception_in_transfer(box):
    ch = channel(0)
    box.task = started(ch.receive)
    ch.send_exception(ValueError, box)
    box.task.remove()


def cycle_through_handled_exception(box):
    def body():
        try:
            raise ValueError(box)
        except ValueError:
            scheduler.schedule_remove()

    box.task = started(body)


class Task(scheduler.tasklet):
    """Has a `__dict__`."""


class Channel(scheduler.channel):
    """Has a `__dict__`."""


def cycle_through_subclass_dict(box):
    box.task = Task(len)
    box.task.box = box


def cycle_through_channel_dict(box):
    box.task = Channel()
    box.task.box = box


def cycle_through_queue_channel(box):
    box.task = scheduler.QueueChannel()
    box.task.send(box)


def cycle_through_queue_channel_exception(box):
    box.task = scheduler.QueueChannel()
    box.task.send_exception(ValueError, box)


CYCLES = {
    name.removeprefix("cycle_through_"): function
    for name, function in sorted(globals().items())
    if name.startswith("cycle_through_")
}


@pytest.mark.spec("G-06", "D-52", "G-08", "DEC-8")
@pytest.mark.parametrize("name", CYCLES)
def test_the_collector_finds_cycles(name):
    counts = tasklets(), scheduler.get_number_of_active_channels()
    for _ in range(3):
        box = Box()
        CYCLES[name](box)
        reference = weakref.ref(box)
        gc.collect()
        assert reference() is box
        del box
        gc.collect()
        assert reference() is None
    assert counts == (tasklets(), scheduler.get_number_of_active_channels())


@pytest.mark.spec("G-06", "D-52", "T-18", "DEC-8")
def test_a_suspended_tasklet_found_by_the_collector_is_unwound():
    log = []

    def body():
        me = scheduler.getcurrent()
        try:
            scheduler.schedule_remove()
        except scheduler.TaskletExit:
            log.append(me.is_current)
            raise
        finally:
            log.append("finally")

    started(body)
    assert log == []
    gc.collect()
    assert log == [True, "finally"]


@pytest.mark.spec("D-52", "G-06")
@pytest.mark.parametrize("condition", ["queued", "blocked", "suspended", "current"])
def test_the_collector_leaves_the_living_alone(drain, condition):
    ch = scheduler.channel()
    log = []

    def body():
        box = Box()
        box.me = scheduler.getcurrent()
        if condition == "blocked":
            ch.receive()
        elif condition == "suspended":
            scheduler.schedule()
        for _ in range(3):
            gc.collect()
        log.append(type(box.me))

    if condition == "queued":
        box = Box()
        box.task = queued(lambda box: log.append(type(box.task)), box)
        del box
    else:
        queued(body)
        scheduler.run_n_tasklets(1)
    for _ in range(3):
        gc.collect()
    if condition == "blocked":
        ch.send(0)
    drain()
    assert log == [scheduler.tasklet]


@pytest.mark.spec("D-52", "G-06")
def test_the_collector_sees_what_unstarted_tasklets_refer_to():
    box = Box()
    new = scheduler.tasklet(len).bind(args=(box,))
    assert any(box is thing or box in gc.get_referents(thing) for thing in gc.get_referents(new))
    assert gc.is_tracked(new)
    assert gc.is_tracked(scheduler.channel())
    new.kill()
