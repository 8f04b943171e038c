"""The attributes of tasklets and channels (spec section 12)."""

from __future__ import annotations

import functools
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

import scheduler
from support.exceptions import outcome
from support.scheduling import queued, started, state
from support.threads import in_thread

READ_ONLY = (
    "alive",
    "blocked",
    "scheduled",
    "paused",
    "is_main",
    "is_current",
    "thread_id",
    "next",
    "prev",
    "times_switched_to",
    "startTime",
    "start_time",
    "endTime",
    "end_time",
    "method_name",
    "module_name",
    "file_name",
    "line_number",
    "frame",
)
# attribute -> (default, another value, values of a wrong type, error for those)
WRITABLE: dict[str, tuple[Any, Any, tuple[Any, ...], type[Exception]]] = {
    "block_trap": (False, True, (1, None, "x"), RuntimeError),
    "dont_raise": (False, True, (1, None, "x"), TypeError),
    "highlighted": (False, True, (1, None, "x"), TypeError),
    "context": ("", "größe", (1, None, b"x"), TypeError),
    "name": ("", "größe", (1, None, b"x"), TypeError),
    "parent_callsite": ("", "somewhere", (1, None, b"x"), TypeError),
    "runTime": (0.0, 2.5, ("x", None, [], 1j), TypeError),
    "exception_handler": (None, print, (1, "x", ()), TypeError),
    "context_manager_getter": (None, print, (1, "x", ()), TypeError),
}


# ------------------------------------------------------------------------------ reading and writing


@pytest.mark.spec("A-12")
@pytest.mark.parametrize("name", READ_ONLY)
def test_read_only_attributes(name: str) -> None:
    for task in (scheduler.tasklet(), scheduler.getmain()):
        before = getattr(task, name)
        for value in (None, True, 7):
            with pytest.raises(AttributeError):
                setattr(task, name, value)
        with pytest.raises(AttributeError):
            delattr(task, name)
        assert getattr(task, name) == before


@pytest.mark.spec("A-08", "A-09", "B-10", "X-01", "X-04", "X-07")
@pytest.mark.parametrize("name", WRITABLE)
def test_writable_attributes(name: str) -> None:
    default, value, wrong, error = WRITABLE[name]
    task = scheduler.tasklet()
    assert getattr(task, name) == default
    assert type(getattr(task, name)) is type(default)
    setattr(task, name, value)
    assert getattr(task, name) == value
    for bad in wrong:
        with pytest.raises(error):
            setattr(task, name, bad)
        assert getattr(task, name) == value
    setattr(task, name, default)
    assert getattr(task, name) == default


@pytest.mark.spec("D-16", "C-04")
@pytest.mark.parametrize("name", [*WRITABLE, "preference"])
def test_attributes_cannot_be_deleted(name: str) -> None:
    thing = scheduler.channel() if name == "preference" else scheduler.tasklet()
    before = getattr(thing, name)
    with pytest.raises(TypeError):
        delattr(thing, name)
    assert getattr(thing, name) == before


@pytest.mark.spec("A-12", "C-02", "C-03", "C-40")
@pytest.mark.parametrize("name", ["balance", "queue", "closing", "closed"])
def test_read_only_attributes_of_channels(name: str) -> None:
    channel = scheduler.channel()
    before = getattr(channel, name)
    for value in (None, True, 1):
        with pytest.raises(AttributeError):
            setattr(channel, name, value)
    with pytest.raises(AttributeError):
        delattr(channel, name)
    assert getattr(channel, name) == before


@pytest.mark.spec("A-09", "D-12")
def test_text_attributes_keep_any_text() -> None:
    task = scheduler.tasklet()
    for text in ("", "ascii", "größer", "\U0001f600", "with\0null", "x" * 100_000):
        task.context = task.parent_callsite = text
        assert task.context == task.parent_callsite == text


@pytest.mark.spec("A-08")
def test_run_time_takes_numbers_and_is_never_changed() -> None:
    task = scheduler.tasklet(len)
    for value, read in ((3, 3.0), (True, 1.0), (-0.5, -0.5)):
        task.runTime = value
        assert task.runTime == read
        assert type(task.runTime) is float
    task("")
    scheduler.run()
    assert task.runTime == -0.5


@pytest.mark.spec("C-04", "D-37")
def test_preference() -> None:
    channel = scheduler.channel()
    assert channel.preference == -1
    for value in (0, 1, -1, 1):
        channel.preference = value
        assert channel.preference == value
    for ignored in (2, -2, 100, -(2**31)):
        channel.preference = ignored
        assert channel.preference == 1
    for bad in (None, "1", 1.0, [1]):
        with pytest.raises(TypeError):
            channel.preference = bad
        assert channel.preference == 1


@pytest.mark.spec("C-04", "D-37")
def test_preference_far_out_of_range() -> None:
    channel = scheduler.channel()
    for value in (2**40, -(2**40), 2**100):
        assert outcome(setattr, channel, "preference", value) in (None, OverflowError)
        assert channel.preference == -1


# ------------------------------------------------------------------------------------------ flags


@pytest.mark.spec("A-01", "D-26")
def test_alive_from_set_up_to_the_end(mode: str, drain: Callable) -> None:
    def child() -> None:
        alive.append(driver.alive)
        scheduler.schedule()
        alive.append(driver.alive)

    def job() -> None:
        queued(child).run()
        alive.append(scheduler.getcurrent().alive)
        scheduler.run()  # resumes the child, which yielded to this tasklet
        alive.append(scheduler.getcurrent().alive)

    alive: list[bool] = []
    driver = scheduler.tasklet(job)
    assert driver.alive is False
    driver()
    assert driver.alive is True
    drain()
    assert alive == [True] * 4
    assert driver.alive is False
    assert scheduler.getmain().alive is True


@pytest.mark.spec("A-02")
def test_paused_is_cleared_by_insert_and_by_a_turn() -> None:
    task = started(lambda: (scheduler.schedule_remove(), seen.append(task.paused)))
    seen: list[bool] = []
    assert task.paused is True
    task.insert()
    assert task.paused is False
    task.remove()
    assert task.paused is True
    task.run()
    assert seen == [False]
    assert task.paused is False


@pytest.mark.spec("A-03", "S-02")
def test_is_main_and_is_current() -> None:
    def flags() -> list[tuple[bool, bool]]:
        return [(t.is_main, t.is_current) for t in (main, task)]

    main = scheduler.getmain()
    inside: list[Any] = []
    task = queued(lambda: inside.extend(flags()))
    assert flags() == [(True, True), (False, False)]
    scheduler.run()
    assert inside == [(True, False), (False, True)]
    assert flags() == [(True, True), (False, False)]


@pytest.mark.spec("A-03", "H-01")
def test_is_current_is_about_the_calling_thread() -> None:
    main = scheduler.getmain()
    assert in_thread(lambda: main.is_current) is False
    assert in_thread(lambda: main.is_main) is True


@pytest.mark.spec("A-04", "H-06")
def test_thread_id() -> None:
    task = queued(len, "")
    assert task.thread_id == threading.get_ident()
    scheduler.run()
    assert task.thread_id == threading.get_ident()  # also when it is dead

    def in_new_thread() -> tuple[Any, int]:
        task = queued(len, "")
        return task, task.thread_id - threading.get_ident()

    other, difference = in_thread(in_new_thread)
    assert difference == 0
    assert (other.alive, other.thread_id) == (False, -1)


@pytest.mark.spec("A-05", "S-04")
def test_next_and_prev() -> None:
    main = scheduler.getmain()
    a, b, c = (queued(len, "") for _ in range(3))
    assert (main.prev, main.next) == (None, a)
    assert (a.prev, a.next) == (main, b)
    assert (b.prev, b.next) == (a, c)
    assert (c.prev, c.next) == (b, None)
    b.remove()
    assert (b.prev, b.next) == (None, None)
    assert (a.next, c.prev) == (c, a)
    scheduler.run()
    assert [(t.prev, t.next) for t in (main, a, b, c)] == [(None, None)] * 4
    b.kill()


@pytest.mark.spec("A-05", "T-01")
def test_next_and_prev_are_none_while_blocked() -> None:
    channel = scheduler.channel()
    tasks = [queued(channel.receive), queued(channel.receive)]
    scheduler.run()
    assert [(t.prev, t.next) for t in tasks] == [(None, None)] * 2
    channel.clear()


# ---------------------------------------------------------------------------- counts and times


@pytest.mark.spec("A-06")
def test_times_switched_to(mode: str, drain: Callable) -> None:
    def job() -> None:
        counts.append(task.times_switched_to)
        channel.receive()
        counts.append(task.times_switched_to)
        scheduler.schedule()
        counts.append(task.times_switched_to)

    counts: list[int] = []
    channel = scheduler.channel()
    task = queued(job)
    assert task.times_switched_to == 0
    drain()
    channel.send(1)
    drain()
    assert counts == [1, 2, 3]
    assert task.times_switched_to == 3


@pytest.mark.spec("A-06", "R-02")
def test_a_driver_counts_the_suspensions_of_its_children() -> None:
    def job() -> None:
        before = driver.times_switched_to
        queued(len, "")  # ends: not counted
        queued(scheduler.schedule)  # suspends once
        scheduler.run()
        counts.append(driver.times_switched_to - before)

    counts: list[int] = []
    driver = queued(job)
    scheduler.run()
    assert counts == [1]
    assert driver.times_switched_to == 2


@pytest.mark.spec("A-07", "E-12")
def test_start_and_end_time() -> None:
    def job() -> None:
        times.append((task.startTime, task.endTime))
        scheduler.schedule()
        times.append((task.startTime, task.endTime))

    times: list[Any] = []
    task = queued(job)
    assert (task.startTime, task.endTime) == (0, 0)
    before = time.monotonic_ns()
    scheduler.run()
    after = time.monotonic_ns()
    assert before <= task.startTime < task.endTime <= after
    assert times == [(task.startTime, 0)] * 2
    assert (type(task.startTime), type(task.endTime)) == (int, int)
    kept = task.startTime, task.endTime
    task.bind(job)
    assert (task.startTime, task.endTime) == kept
    task()
    task.kill()
    assert (task.startTime, task.endTime) == kept
    broken = queued(lambda: 1 // 0)
    with pytest.raises(ZeroDivisionError):
        scheduler.run()
    assert 0 < broken.startTime < broken.endTime


@pytest.mark.spec("A-07")
def test_start_and_end_time_in_seconds() -> None:
    task = queued(scheduler.schedule)
    assert (task.start_time, task.end_time) == (None, None)
    before = time.monotonic()
    scheduler.run_n_tasklets(1)
    assert task.end_time is None
    scheduler.run()
    after = time.monotonic()
    start, end = task.start_time, task.end_time
    assert start is not None and end is not None
    assert (start, end) == (task.startTime / 1e9, task.endTime / 1e9)
    slack = 1e-6  # of a float
    assert before - slack <= start <= end <= after + slack
    never = queued(len, "")
    never.kill()
    assert (never.start_time, never.end_time) == (None, None)


# ------------------------------------------------------------------------------------ description


class Machine:
    """Gives the tests a bound method and a callable instance."""

    def start(self) -> None:
        pass

    def __call__(self) -> None:
        pass


class OddName:
    """A callable whose name is not a str."""

    __name__ = 17  # type: ignore[assignment]
    __module__ = None  # type: ignore[assignment]

    def __call__(self) -> None:
        pass


class Hostile:
    """A callable whose attributes cannot be read."""

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(name)

    def __call__(self) -> None:
        pass


DESCRIBED = {
    "function": (
        test_thread_id,
        ("test_thread_id", __name__, __file__, test_thread_id.__code__.co_firstlineno),
    ),
    "bound method": (
        Machine().start,
        ("start", __name__, __file__, Machine.start.__code__.co_firstlineno),
    ),
    "builtin": (len, ("len", "builtins", "unknown_file", 0)),
    "partial": (functools.partial(len, ""), ("unknown_method", "functools", "unknown_file", 0)),
    "instance": (Machine(), ("unknown_method", __name__, "unknown_file", 0)),
    "type": (Machine, ("Machine", __name__, "unknown_file", 0)),
    "odd names": (OddName(), ("17", "None", "unknown_file", 0)),
}


def description(task: Any) -> tuple[str, str, str, int]:
    return task.method_name, task.module_name, task.file_name, task.line_number


@pytest.mark.spec("A-10", "X-09")
@pytest.mark.parametrize("kind", DESCRIBED)
@pytest.mark.parametrize("contained", [False, True])
def test_description_of_the_callable(kind: str, contained: bool) -> None:
    function, wanted = DESCRIBED[kind]
    task = scheduler.tasklet()
    assert description(task) == ("", "", "", 0)
    task.dont_raise = contained
    assert description(task.bind(function)) == wanted
    assert description(task.bind(None, ())) == wanted
    task.bind(len)
    assert description(task) == ("len", "builtins", "unknown_file", 0)
    task.kill()


@pytest.mark.spec("A-10", "DEC-4")
def test_description_of_a_callable_that_hides_its_attributes() -> None:
    task = scheduler.tasklet(Hostile())
    name, module, file, line = description(task)
    assert (name, file, line) == ("unknown_method", "unknown_file", 0)
    assert module == __name__


@pytest.mark.spec("A-10")
def test_description_outlives_the_run() -> None:
    task = queued(len, "")
    scheduler.run()
    assert task.method_name == "len"


@pytest.mark.spec("A-10")
def test_description_of_main() -> None:
    main = scheduler.getmain()
    assert [type(value) for value in description(main)] == [str, str, str, int]
    assert main.line_number == 0


# ------------------------------------------------------------------------------------- the rest


@pytest.mark.spec("A-13", "18-2")
def test_get_thread_info() -> None:
    main = scheduler.getmain()
    assert scheduler.get_thread_info() == (main, main, 1)
    infos: list[Any] = []
    task = queued(lambda: infos.append(scheduler.get_thread_info()))
    queued(len, "")
    assert scheduler.get_thread_info() == (main, main, 3)
    scheduler.run()
    assert infos == [(main, task, 3)]
    assert in_thread(lambda: scheduler.get_thread_info()[2]) == 1


@pytest.mark.spec("H-01", "D-18")
def test_attributes_can_be_used_from_any_thread() -> None:
    def foreign() -> None:
        for name in (*READ_ONLY, *WRITABLE):
            getattr(task, name)
        for name, (default, value, _, _) in WRITABLE.items():
            if name != "dont_raise":  # bound: too late for it
                setattr(task, name, value)
                setattr(task, name, default)
        task.context = "set by another thread"

    task = queued(len, "")
    in_thread(foreign)
    assert task.context == "set by another thread"
    assert state(task) == (True, False, True, False)
    scheduler.run()
    in_thread(foreign)
