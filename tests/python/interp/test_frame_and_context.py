"""`frame` and `set_context`, which the reference lacks (design decision DEC-5)."""

from __future__ import annotations

import contextvars
from typing import Any

import pytest

import scheduler
from support.scheduling import queued, started


@pytest.mark.spec("A-11", "DEC-5", "18-5")
def test_frame() -> None:
    def inner() -> None:
        frames.append(task.frame)
        scheduler.schedule_remove()

    def outer() -> None:
        inner()

    frames: list[Any] = []
    task = scheduler.tasklet(outer)
    assert task.frame is None
    task()
    assert task.frame is None
    task.run()
    suspended = task.frame
    assert suspended is frames[0]
    assert suspended.f_code is inner.__code__
    assert suspended.f_back.f_code is outer.__code__
    assert suspended.f_back.f_back is None
    assert suspended.f_lineno == inner.__code__.co_firstlineno + 2
    task.run()
    assert task.frame is None
    frames.clear()


@pytest.mark.spec("A-11", "DEC-5")
def test_frame_of_the_running_tasklet_and_of_main() -> None:
    def job() -> None:
        task = scheduler.getcurrent()
        codes.append(task.frame.f_code)
        codes.append(scheduler.getmain().frame.f_code)

    codes: list[Any] = []
    queued(job)
    scheduler.run()
    me = test_frame_of_the_running_tasklet_and_of_main.__code__
    assert codes == [job.__code__, me]
    assert scheduler.getmain().frame.f_code is me


@pytest.mark.spec("A-11", "DEC-5")
def test_set_context() -> None:
    def job() -> None:
        seen.append(colour.get())
        colour.set("green")
        scheduler.schedule()
        seen.append(colour.get())

    seen: list[str] = []
    colour = contextvars.ContextVar("colour", default="none")
    context = contextvars.copy_context()
    context.run(colour.set, "red")
    task = scheduler.tasklet(job)
    assert task.set_context(context) is task
    task()
    scheduler.run()
    assert seen == ["red", "green"]
    assert context[colour] == "green"  # used as it is, not copied
    assert colour.get() == "none"


@pytest.mark.spec("A-11", "DEC-5")
def test_set_context_is_refused_once_started() -> None:
    context = contextvars.copy_context()
    new = queued(len, "")
    assert new.set_context(context) is new
    suspended = started(scheduler.schedule_remove)
    for task in (suspended, scheduler.getmain()):
        with pytest.raises(RuntimeError):
            task.set_context(context)
    for bad in (None, 1, {}, contextvars.ContextVar("x")):
        with pytest.raises(TypeError):
            new.set_context(bad)
    for arguments in ((), (context, context)):
        with pytest.raises(TypeError):
            new.set_context(*arguments)
    suspended.kill()
    scheduler.run()


@pytest.mark.spec("A-11", "DEC-5", "S-08")
def test_a_tasklet_runs_in_a_copy_of_the_context_that_gave_the_arguments() -> None:
    def job() -> None:
        seen.append(colour.get())
        colour.set("changed inside")

    seen: list[str] = []
    colour = contextvars.ContextVar("colour", default="none")
    token = colour.set("at construction")
    task = scheduler.tasklet(job)
    colour.set("at set-up")
    task()
    colour.set("at the run")
    scheduler.run()
    assert seen == ["at set-up"]
    assert colour.get() == "at the run"
    colour.reset(token)


@pytest.mark.spec("S-06", "S-08")
@pytest.mark.parametrize("nested", [False, True])
def test_a_schedule_callback_runs_in_the_context_of_the_tasklet_that_is_current(
    nested: bool,
) -> None:
    owner: contextvars.ContextVar[scheduler.tasklet] = contextvars.ContextVar("owner")
    seen: list[tuple[scheduler.tasklet, scheduler.tasklet]] = []

    def callback(old: scheduler.tasklet, new: scheduler.tasklet) -> None:
        assert scheduler.getcurrent() is old
        seen.append((old, owner.get()))
        owner.set(old)  # a new binding, in the context that it has

    def body() -> None:
        me = scheduler.getcurrent()
        owner.set(me)
        for _ in range(3):
            scheduler.schedule()
            assert owner.get() is me

    def drive() -> None:
        owner.set(scheduler.getcurrent())
        for _ in range(2):
            scheduler.tasklet(body)()
        scheduler.set_schedule_callback(callback)
        scheduler.run()
        scheduler.set_schedule_callback(None)
        assert owner.get() is scheduler.getcurrent()

    if nested:
        queued(contextvars.copy_context().run, drive)
        scheduler.run()
    else:
        contextvars.copy_context().run(drive)
    assert len(seen) == 16  # the begin and the end of four turns of two tasklets
    assert [pair for pair in seen if pair[0] is not pair[1]] == []
