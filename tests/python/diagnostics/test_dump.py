"""`dump_tasklets`: every tasklet of every thread, what it waits for, and its traceback."""

from __future__ import annotations

import io
import os
import re
import signal
import sys
import threading

import pytest

import scheduler
from support.interpreter import HAS_GIL
from support.object_counts import counters
from support.scheduling import queued, started
from support.threads import RemoteThread
from support.waiting import wait


def dump() -> str:
    text = io.StringIO()
    scheduler.dump_tasklets(text)
    return text.getvalue()


def part(text: str, task: scheduler.tasklet) -> str:
    """What the dump says of one tasklet."""
    begin = text.index(f"  {scheduler.tasklet.__repr__(task)}")
    rest = text[begin + 2 :]
    end = re.search(r"^(?:  <|Thread )", rest, re.MULTILINE)
    return rest[: end.start()] if end else rest


def receiver(channel):
    return channel.receive()  # line of the receiver


def sender(channel):
    channel.send(1)  # line of the sender


def test_each_tasklet_with_what_it_waits_for_and_where():
    channel = scheduler.channel()
    waiting = started(receiver, channel)
    other = scheduler.channel()
    offering = started(sender, other)
    joining = started(lambda: waiting.join())
    paused = started(scheduler.schedule_remove)
    new = queued(receiver, channel)
    text = dump()
    assert f"\n    receives on {channel!r}\n" in part(text, waiting)
    assert part(text, waiting).endswith("    return channel.receive()  # line of the receiver\n")
    assert "in receiver" in part(text, waiting)
    assert f"\n    sends on {other!r}\n" in part(text, offering)
    assert "# line of the sender" in part(text, offering)
    assert f"\n    joins {waiting!r}\n" in part(text, joining)
    assert "' paused thread=" in part(text, paused)
    assert "'receiver' new thread=" in part(text, new)
    assert part(text, new).endswith("    (no Python frames)\n")
    main = part(text, scheduler.getmain())
    assert "'main' running" in main
    assert "in dump" in main
    assert "_debugging.py" not in text
    ident = threading.get_ident()
    assert text.startswith(f"Thread {ident} 'MainThread', the calling one:\n  <")
    for task in (joining, waiting, offering, paused, new):
        task.kill()
    assert part(dump(), scheduler.getmain()) == dump().partition("\n  ")[2]


def test_called_in_a_tasklet_below_another_one():
    texts = []

    def inner():
        texts.append(dump())

    def outer():
        tasks.append(scheduler.tasklet(inner)())
        tasks[-1].run()

    tasks = [scheduler.tasklet(outer)()]
    scheduler.run()
    (text,) = texts
    assert [line.split("'")[1] for line in re.findall("^  <.*", text, re.MULTILINE)] == [
        "main",
        "outer",
        "inner",
    ]
    assert "tasks[-1].run()" in text
    assert "texts.append(dump())" in text
    assert text.index("tasks[-1].run()") < text.index("'inner'") < text.index("texts.append")


def test_tasklets_of_other_threads():
    channel = scheduler.channel()
    with RemoteThread() as other:
        theirs = other.call(started, receiver, channel)
        text = dump()
        header = text.index(f"\nThread {other.ident} 'remote':\n")
        assert text.index(scheduler.tasklet.__repr__(theirs)) > header
        assert f"receives on {channel!r}" in part(text, theirs)
        assert ("# line of the receiver" in part(text, theirs)) is HAS_GIL
        assert ("cannot be read from another thread" in text) is not HAS_GIL
        # Where the thread itself stands: it waits for its next job.
        assert ("in _serve" in text[header:]) is HAS_GIL
        # From there it is the other way round.
        there = other.call(dump)
        assert there.startswith(f"Thread {other.ident} 'remote', the calling one:\n")
        assert "# line of the receiver" in part(there, theirs)
        channel.send(0)


def test_a_thread_without_tasklets_gets_no_manager_by_looking():
    scheduler.getmain()
    before = counters()["managers"]
    with RemoteThread() as other:
        text = other.call(dump)
        assert counters()["managers"] == before
    assert "the calling one" not in text
    assert "MainThread" in text


def test_nobody_has_tasklets(run_script):
    done = run_script("import scheduler; scheduler.dump_tasklets(1)")
    assert done.stdout == "No thread has tasklets.\n"


class Hostile(scheduler.tasklet):
    """Code of the program, none of which may run."""

    def forbidden(self, *_):
        raise AssertionError("this ran")

    __repr__ = forbidden
    frame = thread_id = is_current = name = method_name = property(forbidden)


class HostileChannel(scheduler.channel):
    __repr__ = Hostile.forbidden
    balance = preference = property(Hostile.forbidden)


def test_no_code_of_the_program_runs():
    channel = HostileChannel()
    task = Hostile(receiver)(channel)
    task.run()
    text = dump()
    assert "Hostile 'receiver' blocked" in text
    assert "receives on <" in part(text, task)
    assert "HostileChannel balance=-1" in part(text, task)
    task.kill()


def test_dumping_never_switches():
    turns = []
    task = queued(turns.append, 1)
    scheduler.switch_trap(1)
    try:
        dump()
    finally:
        scheduler.switch_trap(-1)
    assert (turns, task.scheduled) == ([], True)
    scheduler.run()


# ---- where it goes -------------------------------------------------------------------------------


def test_a_file_a_descriptor_or_the_standard_error(capfd, monkeypatch):
    writes = []

    class File:
        def write(self, text):
            writes.append(text)

    task = scheduler.tasklet(receiver).bind(args=(scheduler.channel(),))
    task.name = "größe \udc80"
    scheduler.dump_tasklets(file=File())
    assert len(writes) == 1
    assert "'größe \\udc80' paused" in writes[0]
    scheduler.dump_tasklets(1)
    assert capfd.readouterr().out.count("'größe \\udc80'") == 1
    monkeypatch.setattr(sys, "stderr", File())
    scheduler.dump_tasklets()
    scheduler.dump_tasklets(None)
    assert len(writes) == 3


def test_bad_files(monkeypatch):
    for bad in (True, 1.5, "name", b"", object()):
        with pytest.raises(TypeError, match="file must have a write"):
            scheduler.dump_tasklets(bad)
    with pytest.raises(OSError):
        scheduler.dump_tasklets(-1)

    class Failing:
        def write(self, text):
            raise KeyError(text[:6])

    with pytest.raises(KeyError, match="Thread"):
        scheduler.dump_tasklets(Failing())
    monkeypatch.setattr(sys, "stderr", None)
    with pytest.raises(RuntimeError, match="sys.stderr is None"):
        scheduler.dump_tasklets()


def test_a_traceback_that_cannot_be_made(monkeypatch):
    task = started(receiver, scheduler.channel())

    def fail(frame):
        raise OSError("no such file")

    monkeypatch.setattr("traceback.format_stack", fail)
    assert part(dump(), task).endswith("    (no traceback: OSError)\n")
    monkeypatch.undo()
    task.kill()


def test_a_long_dump_goes_through_a_pipe():
    tasks = [started(receiver, scheduler.channel()) for _ in range(2000)]
    read_end, write_end = os.pipe()
    chunks = []

    def drain():
        while chunk := os.read(read_end, 65536):
            chunks.append(chunk)

    with RemoteThread() as other:
        other.post(drain)
        scheduler.dump_tasklets(write_end)
        os.close(write_end)
        other.outcome()
    os.close(read_end)
    assert b"".join(chunks).count(b"# line of the receiver") == 2000
    for task in tasks:
        task.kill()


# ---- in a signal handler -------------------------------------------------------------------------


@pytest.mark.usefixtures("patient")
def test_in_a_signal_handler_while_the_main_tasklet_waits():
    channel = scheduler.channel()
    texts = []

    def handler(*_):
        texts.append(dump())
        handled.set()

    handled = threading.Event()
    before = signal.signal(signal.SIGUSR1, handler)
    try:
        with RemoteThread() as other:

            def serve():
                wait(waits)
                signal.pthread_kill(threading.main_thread().ident, signal.SIGUSR1)
                wait(handled)
                started(channel.send, "value")
                scheduler.run()

            waits = threading.Event()
            other.post(serve)
            scheduler.tasklet(waits.set)()
            assert channel.receive() == "value"
            other.outcome()
    finally:
        signal.signal(signal.SIGUSR1, before)
    (text,) = texts
    lines = text.splitlines()
    assert lines[1].startswith("  <scheduler.Tasklet 'main' blocked thread=")
    assert lines[2].startswith("    receives on <scheduler.Channel balance=-1 ")
    assert "in handler" in text


@pytest.mark.timeout(120)  # without the GIL CPython needs up to a second for a dump that others disturb
def test_while_other_threads_make_and_end_tasklets():
    stop = threading.Event()

    def churn(at_work):
        channel = scheduler.channel()
        while not stop.is_set():
            for _ in range(20):
                scheduler.tasklet(receiver)(channel)
                scheduler.tasklet(sender)(channel)
            scheduler.run()
            at_work.set()

    with RemoteThread() as one, RemoteThread() as two:
        for thread in (one, two):
            at_work = threading.Event()
            thread.post(churn, at_work)
            wait(at_work)
        try:
            texts = [dump() for _ in range(5)]
        finally:
            stop.set()
        one.outcome()
        two.outcome()
    for text in texts:
        assert text.count("Thread ") == 3
        assert text.count("'main'") == 3
