"""What `repr()` tells of tasklets and channels (design decision DEC-5)."""

from __future__ import annotations

from typing import Any

import pytest

import scheduler
from helpers import queued


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
