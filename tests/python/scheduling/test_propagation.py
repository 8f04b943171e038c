"""Where an exception goes that leaves a tasklet (E-20 to E-23, R-16)."""

from __future__ import annotations

import sys

import pytest

import scheduler
from support.exceptions import Instance, functions_in, make
from support.scheduling import queue, started, state

DEAD = (False, False, False, False)


def failing(error):
    """Body of a tasklet that dies of `error`."""
    raise error


class Scene:
    """A queue of three: a bystander, a tasklet that fails, and one that stands behind it."""

    def __init__(self, error):
        self.log = []
        self.channel = scheduler.channel()
        self.first = scheduler.tasklet(self.log.append)("first")
        self.bad = scheduler.tasklet(failing)(error)
        self.last = scheduler.tasklet(self.log.append)("last")


# name of the driving operation: what it does, and whether it gives the bystander a turn first
DRIVERS = {
    "scheduler.run": (lambda scene: scheduler.run(), True),
    "run_n_tasklets": (lambda scene: scheduler.run_n_tasklets(10), True),
    "schedule": (lambda scene: scheduler.schedule(), True),
    "schedule_remove": (lambda scene: scheduler.schedule_remove(), True),
    "run": (lambda scene: scene.bad.run(), False),
    "switch": (lambda scene: scene.bad.switch(), False),
    "send": (lambda scene: scene.channel.send("lost"), True),
    "send_exception": (lambda scene: scene.channel.send_exception(OSError), True),
    "receive": (lambda scene: scene.channel.receive(), True),
    "next": (lambda scene: next(scene.channel), True),
}


@pytest.mark.spec("E-20", "E-23", "R-16", "T-54")
@pytest.mark.usefixtures("mode")
@pytest.mark.parametrize("name", DRIVERS)
@pytest.mark.parametrize(
    "kind", [LookupError, KeyboardInterrupt, SystemExit], ids=lambda kind: kind.__name__
)
def test_it_comes_out_of_whatever_main_was_driving_with(name, kind):
    error = kind("boom")
    scene = Scene(error)
    operation, bystander_runs = DRIVERS[name]
    main = scheduler.getmain()
    with pytest.raises(kind) as caught:
        operation(scene)
    assert caught.value is error
    assert functions_in(caught.tb)[-1] == "failing"
    assert state(scene.bad) == DEAD
    assert state(main) == (True, False, True, False)
    assert (scene.channel.balance, scene.channel.queue) == (0, None)
    assert scene.log == (["first"] if bystander_runs else [])
    assert queue() == ([scene.last] if bystander_runs else [scene.first, scene.last])
    scheduler.run()
    assert scene.log == ["first", "last"]


@pytest.mark.spec("E-20", "R-16", "R-20")
@pytest.mark.usefixtures("mode")
@pytest.mark.parametrize(
    "operation",
    [lambda t: t.kill(), lambda t: t.throw(scheduler.TaskletExit), lambda t: t.run()],
    ids=["kill", "throw", "run"],
)
def test_an_operation_on_one_tasklet_also_raises_what_one_behind_it_raises(operation):
    scene = Scene(LookupError("boom"))
    with pytest.raises(LookupError, match="boom"):
        operation(scene.first)
    assert (state(scene.first)[0], state(scene.bad), queue()) == (False, DEAD, [scene.last])
    scheduler.run()


@pytest.mark.spec("E-20", "E-23", "C-22")
@pytest.mark.parametrize("how", ["blocked sender", "blocked receiver"])
def test_a_waiting_partner_of_main_is_not_harmed(how):
    ch = scheduler.channel()
    scheduler.tasklet(failing)(LookupError("boom"))
    waiting = scheduler.tasklet(ch.receive if how == "blocked sender" else ch.send)
    waiting(*([] if how == "blocked sender" else ["value"]))
    with pytest.raises(LookupError, match="boom"):
        ch.send("lost") if how == "blocked sender" else ch.receive()
    assert ch.balance == 0
    scheduler.run()
    assert ch.balance == (-1 if how == "blocked sender" else 1)
    if how == "blocked receiver":
        assert ch.receive() == "value"
        scheduler.run()
    else:
        ch.send("found")
    assert waiting.alive is False


@pytest.mark.spec("E-20")
@pytest.mark.parametrize("operation", ["run", "scheduler.run", "switch"])
@pytest.mark.parametrize("caught_by_driver", [True, False])
def test_with_nested_drives_it_reaches_the_nearest_driver(drain, operation, caught_by_driver):
    log = []

    def driver():
        child = scheduler.tasklet(failing)(LookupError("boom"))
        try:
            if operation == "scheduler.run":
                scheduler.run()
            else:
                getattr(child, operation)()
        except LookupError:
            log.append(("driver", child.alive, scheduler.getcurrent().alive))
            if not caught_by_driver:
                raise

    task = scheduler.tasklet(driver)()
    if caught_by_driver:
        drain()
    else:
        with pytest.raises(LookupError, match="boom") as caught:
            drain()
        assert functions_in(caught.tb)[-2:] == ["driver", "failing"]
    assert log == [("driver", False, True)]
    assert state(task) == DEAD


@pytest.mark.spec("E-20", "G-03")
def test_it_reaches_the_driver_that_gave_the_last_turn(drain):
    """The child first runs under a driver that has ended when the child fails."""
    log = []

    def child():
        scheduler.schedule()
        raise LookupError("late")

    def driver():
        scheduler.tasklet(child)().run()
        log.append("driver done")

    scheduler.tasklet(driver)()
    with pytest.raises(LookupError, match="late"):
        drain()
    assert log == ["driver done"]


class Quiet(scheduler.TaskletExit):
    """Also an exit."""


@pytest.mark.spec("E-21", "M-06")
@pytest.mark.usefixtures("mode")
@pytest.mark.parametrize(
    "error",
    [scheduler.TaskletExit, Instance(scheduler.TaskletExit, "with text"), Quiet],
    ids=["class", "instance", "subclass"],
)
def test_a_taskletexit_ends_the_tasklet_silently(drain, error):
    log = []
    task = scheduler.tasklet(failing)(make(error))
    scheduler.tasklet(log.append)("next")
    assert drain() is None
    assert (state(task), log) == (DEAD, ["next"])


@pytest.mark.spec("E-21", "M-06")
def test_systemexit_proper_is_an_ordinary_exception():
    task = scheduler.tasklet(sys.exit)(3)
    with pytest.raises(SystemExit) as caught:
        scheduler.run()
    assert (type(caught.value), caught.value.code) == (SystemExit, 3)
    assert task.alive is False


@pytest.mark.spec("E-22")
@pytest.mark.usefixtures("mode")
def test_taskletexit_on_main_is_a_plain_exception():
    main = scheduler.getcurrent()
    for operation in (main.kill, lambda: main.throw(scheduler.TaskletExit), lambda: failing(Quiet)):
        with pytest.raises(scheduler.TaskletExit):
            operation()
    assert state(main) == (True, False, True, False)


@pytest.mark.spec("E-21", "E-10", "T-18")
@pytest.mark.usefixtures("mode")
def test_finally_and_with_blocks_of_a_killed_tasklet_run_inside_out(drain):
    log = []

    class Manager:
        def __enter__(self):
            log.append("enter")

        def __exit__(self, kind, value, trace):
            log.append(kind)

    def body():
        try:
            with Manager():
                scheduler.schedule_remove()
        finally:
            log.append("finally")

    task = started(body)
    task.kill()
    drain()
    assert log == ["enter", scheduler.TaskletExit, "finally"]
