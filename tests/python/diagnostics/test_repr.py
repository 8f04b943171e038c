"""What `repr()` tells of tasklets and channels (design decision DEC-5)."""

from __future__ import annotations

import re
import threading
from typing import Any

import pytest

import scheduler
from support.interpreter import HAS_GIL
from support.scheduling import queued, started
from support.threads import RemoteThread


@pytest.mark.spec("DEC-5", "M-04")
def test_repr_of_tasklets() -> None:
    def job() -> None:
        seen.append(repr(scheduler.getcurrent()))
        scheduler.schedule_remove()
        channel.receive()

    def check(task: Any, name: str, state: str) -> None:
        text = repr(task)
        assert text == (
            f"<scheduler.Tasklet '{name}' {state} thread={task.thread_id} at {hex(id(task))}>"
        )

    seen: list[str] = []
    channel = scheduler.channel()
    task = scheduler.tasklet()
    check(task, "", "unbound")
    task.bind(job)
    check(task, "job", "dead")
    task.bind(None, ())
    check(task, "job", "paused")
    task.insert()
    check(task, "job", "new")
    task.run()
    assert seen[0].startswith("<scheduler.Tasklet 'job' running thread=")
    check(task, "job", "paused")
    task.insert()
    check(task, "job", "ready")
    task.run()
    check(task, "job", "blocked")
    channel.send(None)
    check(task, "job", "dead")
    check(scheduler.getmain(), "main", "running")


@pytest.mark.spec("DEC-5", "M-04")
def test_repr_of_subclasses_and_odd_names() -> None:
    class Robot(scheduler.tasklet):
        pass

    def quoted() -> None:
        pass

    quoted.__name__ = "it's"
    name = f"{__name__}.test_repr_of_subclasses_and_odd_names.<locals>.Robot"
    assert repr(Robot()).startswith(f"<{name} '' unbound thread=")
    assert "unbound" in repr(scheduler.tasklet())
    assert "it's" in repr(scheduler.tasklet(quoted))


@pytest.mark.spec("DEC-5", "M-04")
def test_repr_of_channels() -> None:
    channel = scheduler.channel()
    address = hex(id(channel))
    assert repr(channel) == f"<scheduler.Channel balance=0 preference=-1 open at {address}>"
    channel.preference = 1
    task = queued(channel.send, 1)
    scheduler.run()
    channel.close()
    assert repr(channel) == f"<scheduler.Channel balance=1 preference=1 closing at {address}>"
    task.kill()
    assert repr(channel) == f"<scheduler.Channel balance=0 preference=1 closed at {address}>"


def test_repr_of_queue_channels() -> None:
    class Mailbox(scheduler.QueueChannel):
        pass

    for kind, name in (
        (scheduler.QueueChannel, "scheduler.QueueChannel"),
        (Mailbox, f"{__name__}.test_repr_of_queue_channels.<locals>.Mailbox"),
    ):
        channel = kind()
        rest = f"preference=1 open at {hex(id(channel))}>"
        assert repr(channel) == f"<{name} queued=0 balance=0 {rest}"
        channel.send_sequence("abc")
        assert repr(channel) == f"<{name} queued=3 balance=0 {rest}"


def test_repr_of_schedule_managers() -> None:
    manager = scheduler.get_schedule_manager()
    ident, address = threading.get_ident(), hex(id(manager))
    assert repr(manager) == f"<scheduler.ScheduleManager thread={ident} runcount=1 at {address}>"
    task = queued(len, "")
    assert repr(manager) == f"<scheduler.ScheduleManager thread={ident} runcount=2 at {address}>"
    task.remove()
    with RemoteThread() as other:
        theirs = other.call(scheduler.get_schedule_manager)
        count = " runcount=1" if HAS_GIL else ""
        address = hex(id(theirs))
        text = f"<scheduler.ScheduleManager thread={other.ident}{count} at {address}>"
        assert repr(theirs) == text
    assert repr(theirs) == f"<scheduler.ScheduleManager ended at {address}>"


def test_repr_of_what_is_not_initialised_and_of_what_has_ended() -> None:
    class Careless(scheduler.tasklet):
        def __init__(self) -> None:
            pass

    class CarelessChannel(scheduler.channel):
        def __init__(self) -> None:
            pass

    assert re.fullmatch(r"<.*Careless not initialised at 0x[0-9a-f]+>", repr(Careless()))
    assert re.fullmatch(r"<.*CarelessChannel balance=0 .* open at .*>", repr(CarelessChannel()))
    with RemoteThread() as other:
        main, task = other.call(scheduler.getmain), other.call(started, scheduler.schedule_remove)
        assert repr(main).startswith(f"<scheduler.Tasklet 'main' running thread={other.ident} at")
    for gone, name in ((main, "main"), (task, "schedule_remove")):
        assert repr(gone) == f"<scheduler.Tasklet '{name}' dead thread=-1 at {hex(id(gone))}>"


# ------------------------------------------------------------------------------------------- names


def job() -> None:
    scheduler.schedule_remove()


def test_the_name_is_that_of_the_callable_unless_one_is_given() -> None:
    task = scheduler.tasklet()
    assert task.name == ""
    task.bind(job)
    assert task.name == "job"
    task.bind(len)
    assert task.name == "len"
    task.name = "counter"
    assert (task.name, task.method_name) == ("counter", "len")
    assert repr(task).startswith("<scheduler.Tasklet 'counter' dead")
    task.bind(job)
    assert (task.name, task.method_name) == ("counter", "job")
    task.bind(None)
    assert task.name == "counter"
    task.name = ""
    assert repr(task).startswith("<scheduler.Tasklet '' unbound")
    assert scheduler.tasklet(job).name == "job"


def test_main_tasklets_can_be_named() -> None:
    def check() -> tuple[str, str, str]:
        main = scheduler.getmain()
        before = main.name
        main.name = "the thread"
        return before, main.name, repr(main)

    with RemoteThread() as other:
        before, after, text = other.call(check)
        assert (before, after) == ("main", "the thread")
        assert text.startswith("<scheduler.Tasklet 'the thread' running")
        assert other.call(scheduler.getmain).name == "the thread"
        # From any thread, and after the end.
        task = other.call(started, job)
        assert task.name == "job"
        task.name = "named abroad"
        assert other.call(getattr, task, "name") == "named abroad"
    assert task.name == "named abroad"
    task.name = "named late"
    assert repr(task).startswith("<scheduler.Tasklet 'named late' dead thread=-1")


def test_bad_names() -> None:
    class Careless(scheduler.tasklet):
        def __init__(self) -> None:
            pass

    class Text(str):
        pass

    task: Any = scheduler.tasklet(job)
    for bad in (None, 1, b"x", ["x"]):
        with pytest.raises(TypeError, match="name must be a str"):
            task.name = bad
    with pytest.raises(TypeError, match="name cannot be deleted"):
        del task.name
    assert task.name == "job"
    task.name = Text("text")
    assert type(task.name) is str
    for use in (lambda: Careless().name, lambda: setattr(Careless(), "name", "x")):
        with pytest.raises(RuntimeError, match="not initialised"):
            use()


@pytest.mark.spec("DEC-13")
def test_str_of_a_tasklet_is_an_identity() -> None:
    def job() -> None:
        texts.append(str(scheduler.getcurrent()))
        scheduler.schedule()
        scheduler.schedule_remove()
        channel.receive()

    channel = scheduler.channel()
    task = scheduler.tasklet(job)
    texts = [str(task), str(task())]
    scheduler.run()
    texts += [str(task), f"{task}"]
    task.run()
    assert task.blocked
    texts += [str(task), "%s" % task]
    task.kill()
    assert not task.alive
    texts.append(str(task))
    assert set(texts) == {f"<scheduler.Tasklet 'job' at {hex(id(task))}>"}
    task.name = "renamed"
    assert str(task) == f"<scheduler.Tasklet 'renamed' at {hex(id(task))}>"
    assert str(scheduler.getmain()).startswith("<scheduler.Tasklet 'main' at ")


@pytest.mark.spec("DEC-13")
def test_str_of_a_class_with_a_repr_of_its_own() -> None:
    class Mine(scheduler.tasklet):
        def __repr__(self) -> str:
            return "mine"

    class Theirs(scheduler.tasklet):
        pass

    assert str(Mine()) == "mine"
    assert re.fullmatch(r"<.*Theirs '' at 0x[0-9a-f]+>", str(Theirs()))


@pytest.mark.spec("DEC-13")
def test_str_of_a_tasklet_that_is_not_initialised() -> None:
    class Forgetful(scheduler.tasklet):
        def __init__(self) -> None:
            pass

    assert re.fullmatch(r"<.*Forgetful '' at 0x[0-9a-f]+>", str(Forgetful()))
