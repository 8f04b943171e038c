"""tasklet.frame and the frames below it (DEC-5)."""

from __future__ import annotations

import gc
import sys
import traceback
import weakref

import pytest

import scheduler
from support.scheduling import queued, started
from support.threads import in_thread


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
