"""Suspended tasklets whose last reference goes away on another thread (DEC-8).

Such an orphan is unwound on its own thread, at that thread's next scheduling point. Until then weak
references and finalizers may bring it back to its users.
"""

from __future__ import annotations

import gc
import threading
import weakref

import pytest

import scheduler
from support.scheduling import queued, started
from support.threads import RemoteThread, Worker, in_thread, other  # noqa: F401 (`other` is a fixture)
from support.waiting import wait


class Diary:
    """What becomes of a suspended tasklet: "went on", or the thread on which it is unwound."""

    def __init__(self):
        self.entries = []

    def suspended(self, kind=scheduler.tasklet):
        """A new tasklet of the calling thread that has run up to its suspension."""
        task = kind(self._body)()
        task.run()
        return task

    def _body(self):
        try:
            scheduler.schedule_remove()
            self.entries.append("went on")
        except scheduler.TaskletExit:
            self.entries.append(threading.get_ident())
            raise


def receive_from_own_thread():
    ch = scheduler.channel()
    queued(ch.send, 0)
    ch.receive()


POINTS = {
    "run": scheduler.run,
    "schedule": scheduler.schedule,
    "run_n_tasklets": lambda: scheduler.run_n_tasklets(1),
    "run of another": lambda: started(len, ""),
    "switch": lambda: scheduler.tasklet(len).bind(args=("",)).switch(),
    "kill of another": lambda: started(scheduler.schedule_remove).kill(),
    "receive": receive_from_own_thread,
    "schedule in a tasklet": lambda: (queued(scheduler.schedule), scheduler.run()),
}


@pytest.mark.spec("DEC-8", "T-18", "H-05")
@pytest.mark.parametrize("point", POINTS)
def test_the_owner_unwinds_an_orphan_at_each_scheduling_point(other, point):
    diary = Diary()
    task = other.call(diary.suspended)
    reference = weakref.ref(task)
    del task
    assert diary.entries == []
    other.call(POINTS[point])
    assert diary.entries == [other.ident]
    assert reference() is None


@pytest.mark.spec("DEC-8", "T-18", "R-03")
def test_an_orphan_is_unwound_in_the_middle_of_its_owners_run():
    diary = Diary()
    order, go_on = [], threading.Event()

    def wait_for_drop():
        dropped.set()
        wait(go_on)
        order.append("owner runs")

    def later():
        order.append(diary.entries == [threading.get_ident()])

    dropped, tasks = threading.Event(), [diary.suspended()]

    def drop():
        wait(dropped)
        tasks.clear()
        go_on.set()

    dropper = Worker(drop)
    queued(wait_for_drop)
    queued(later)
    scheduler.run()
    dropper.join()
    assert order == ["owner runs", True]


@pytest.mark.spec("DEC-8", "G-08", "H-05")
def test_the_collector_may_find_an_orphan_in_a_cycle_on_any_thread(other):
    class Cycle(scheduler.tasklet):
        pass

    def make():
        task = diary.suspended(Cycle)
        task.me = task

    diary = Diary()
    gc.collect()
    gc.disable()  # so that the owner does not find it
    try:
        other.call(make)
        gc.collect()
        other.call(scheduler.run)
        assert diary.entries == [other.ident]
    finally:
        gc.enable()


@pytest.mark.spec("DEC-8", "G-09", "C-01")
def test_the_last_reference_may_be_a_value_on_its_way(other):
    diary = Diary()
    ch = scheduler.channel()
    box = [other.call(diary.suspended)]
    sender = queued(lambda: ch.send(box.pop()))
    scheduler.run()
    sender.kill()
    other.call(scheduler.run)
    assert diary.entries == [other.ident]


# ---- back to life --------------------------------------------------------------------------------


def saving_kind():
    """A kind of tasklet that stores itself when it is destroyed, and the list where it does so."""
    saved = []

    class Saved(scheduler.tasklet):
        def __del__(self):
            saved.append(self)

    return Saved, saved


def come_home(owner):
    """Without the GIL it is the owner who finds out that no reference is left, when it next runs."""
    owner.call(int)


@pytest.mark.spec("DEC-8", "G-08", "M-05")
@pytest.mark.parametrize("dropped", ["here", "on a third thread"])
def test_one_that_saves_itself_goes_on(other, dropped):
    diary = Diary()
    kind, saved = saving_kind()
    box = [other.call(diary.suspended, kind)]
    if dropped == "here":
        box.clear()
    else:
        in_thread(box.clear)
    come_home(other)
    assert len(saved) == 1
    other.call(scheduler.run)
    assert diary.entries == [] and saved[0].alive
    other.call(saved[0].run)
    assert diary.entries == ["went on"] and not saved[0].alive


@pytest.mark.spec("DEC-8", "H-05", "H-06")
def test_one_that_saves_itself_is_unwound_when_its_owner_ends():
    diary = Diary()
    kind, saved = saving_kind()
    with RemoteThread() as other:
        task = other.call(diary.suspended, kind)
        del task
        come_home(other)
        assert saved[0].alive
    assert diary.entries == [other.ident]
    assert (saved[0].alive, saved[0].thread_id) == (False, -1)


@pytest.mark.spec("DEC-8", "M-05")
@pytest.mark.parametrize("times", [1, 3])
def test_a_weak_reference_may_bring_an_orphan_back(other, times):
    diary = Diary()
    task = other.call(diary.suspended)
    reference = weakref.ref(task)
    for _ in range(times):
        del task
        task = reference()
        assert task is not None and task.alive
    other.call(scheduler.run)
    assert diary.entries == [] and task.alive
    other.call(task.run)
    assert diary.entries == ["went on"]


@pytest.mark.spec("DEC-8", "M-05", "H-05")
@pytest.mark.parametrize("end", ["dropped again", "its thread ends"])
def test_an_orphan_that_was_brought_back_is_unwound_in_the_end(end):
    diary = Diary()
    with RemoteThread() as other:
        task = other.call(diary.suspended)
        reference = weakref.ref(task)
        del task
        task = reference()
        other.call(scheduler.run)
        assert diary.entries == []
        if end == "dropped again":
            del task
            other.call(scheduler.run)
            assert diary.entries == [other.ident]
    assert diary.entries == [other.ident]
    if end == "its thread ends":
        assert (task.alive, task.thread_id) == (False, -1)


@pytest.mark.spec("DEC-8", "M-05")
def test_a_callback_of_a_weak_reference_may_bring_an_orphan_back(other):
    diary = Diary()

    class Owner:
        pass

    back = []
    owner = Owner()
    owner.task = other.call(diary.suspended)
    reference = weakref.ref(owner.task)
    watch = weakref.ref(owner, lambda _: back.append(reference()))
    in_thread(lambda box: box.clear(), [owner.__dict__.pop("task")])
    del owner
    assert watch() is None and len(back) == 1
    other.call(scheduler.run)
    assert diary.entries == [] and back[0].alive
    other.call(back.pop().run)
    assert diary.entries == ["went on"]


@pytest.mark.spec("DEC-8", "M-05", "G-08")
def test_one_that_saves_itself_while_it_is_unwound_is_dead(other):
    back, idents = [], []

    def body():
        try:
            scheduler.schedule_remove()
        finally:
            back.append(scheduler.getcurrent())
            idents.append(threading.get_ident())

    task = other.call(started, body)
    del task
    other.call(scheduler.run)
    assert idents == [other.ident]
    assert (back[0].alive, back[0].thread_id) == (False, other.ident)
    with pytest.raises(RuntimeError):
        other.call(back[0].run)


# ---- many at a time, and the owner's end ---------------------------------------------------------


@pytest.mark.spec("DEC-8", "H-05", "N-04")
def test_orphans_of_many_threads_are_each_unwound_once():
    """Four threads drop a hundred each, while the owner runs other tasklets."""
    diary = Diary()
    boxes = [[diary.suspended() for _ in range(100)] for _ in range(4)]
    start = threading.Barrier(5)

    def drop(box):
        start.wait()
        while box:
            box.pop()

    droppers = [Worker(drop, box) for box in boxes]
    start.wait()
    for _ in range(200):
        queued(scheduler.schedule)
        scheduler.run()
    for dropper in droppers:
        dropper.join()
    scheduler.run()
    assert diary.entries == [threading.get_ident()] * 400


@pytest.mark.spec("DEC-8", "H-05", "N-04")
def test_the_owner_may_end_while_its_tasklets_are_dropped():
    diary = Diary()
    for _ in range(50):
        start = threading.Barrier(2)
        box, idents = [], []

        def own():
            box.extend(diary.suspended() for _ in range(20))
            idents.append(threading.get_ident())
            start.wait()

        owner = Worker(own)
        start.wait()
        while box:
            box.pop()
        owner.join()
        assert diary.entries == idents * 20
        diary.entries.clear()


@pytest.mark.spec("DEC-8", "H-05", "H-06", "D-18")
def test_nothing_is_left_to_unwind_when_the_owner_has_ended():
    diary = Diary()
    with RemoteThread() as other:
        tasks = [other.call(diary.suspended) for _ in range(3)]
    references = [weakref.ref(task) for task in tasks]
    assert diary.entries == [other.ident] * 3
    tasks.clear()
    assert [reference() for reference in references] == [None] * 3
    assert diary.entries == [other.ident] * 3
