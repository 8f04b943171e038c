"""What the constructors of tasklets and channels take, ignore, refuse and pass on to derived classes."""

from __future__ import annotations

import gc
import subprocess
import sys
import warnings
from collections.abc import Callable
from typing import Any

import pytest

import scheduler

# ------------------------------------------------------------------------- what they take


@pytest.mark.spec("T-10")
@pytest.mark.parametrize("make", [scheduler.tasklet, type("Derived", (scheduler.tasklet,), {})])
def test_a_tasklet_takes_its_name(make: Callable[..., Any]) -> None:
    task = make(len, name="bob")
    assert (task.name, task.method_name) == ("bob", "len")
    assert "'bob'" in repr(task)
    assert make(name="alone").name == "alone"
    task("")
    scheduler.run()


@pytest.mark.spec("T-10")
@pytest.mark.parametrize("name", [None, 1, b"bob"])
def test_a_name_is_a_str(name: Any) -> None:
    with pytest.raises(TypeError, match="name must be a str"):
        scheduler.tasklet(len, name=name)


@pytest.mark.spec("C-01", "C-04")
@pytest.mark.parametrize("make", [scheduler.channel, type("Derived", (scheduler.channel,), {})])
def test_a_channel_takes_its_preference(make: Callable[..., Any]) -> None:
    assert [make(preference=value).preference for value in (-1, 0, 1)] == [-1, 0, 1]


@pytest.mark.spec("C-01", "C-04")
@pytest.mark.parametrize(
    "value, error",
    [(2, ValueError), (-2, ValueError), (2**100, ValueError), ("1", TypeError), (None, TypeError)],
)
def test_a_wrong_preference_is_refused(value: Any, error: type[Exception]) -> None:
    before = scheduler.get_number_of_active_channels()
    with pytest.raises(error, match="preference must be"):
        scheduler.channel(preference=value)
    assert scheduler.get_number_of_active_channels() == before


# ----------------------------------------------------------------------- what they ignore

IGNORED: dict[str, Callable[[], Any]] = {
    "capacity": lambda: scheduler.channel(10),
    "channel keyword": lambda: scheduler.channel(prefrence=1),
    "channel both": lambda: scheduler.channel(10, preference=-1),
    "tasklet keyword": lambda: scheduler.tasklet(len, nam="bob"),
    "tasklet both": lambda: scheduler.tasklet(len, name="bob", args=()),
    "callable": lambda: scheduler.tasklet(callable=len),
    "derived channel": lambda: type("Derived", (scheduler.channel,), {})(10),
    "derived tasklet": lambda: type("Derived", (scheduler.tasklet,), {})(len, x=1),
}


@pytest.mark.spec("T-10", "C-01")
@pytest.mark.parametrize("make", IGNORED.values(), ids=IGNORED)
def test_what_is_ignored_is_warned_of(make: Callable[[], Any]) -> None:
    with pytest.warns(RuntimeWarning, match=r"\(\) ignores all .* but (name|preference)=") as seen:
        made = make()
    assert len(seen) == 1 and seen[0].filename == __file__
    assert isinstance(made, (scheduler.tasklet, scheduler.channel))
    with pytest.raises(RuntimeWarning):  # the suite makes errors of warnings
        make()


# ------------------------------------------------------------- derived classes with arguments


class OwnInitChannel(scheduler.channel):
    def __init__(self, size: int, *, label: str = "") -> None:
        super().__init__()
        self.got = size, label


class OwnNewChannel(scheduler.channel):
    def __new__(cls, size: int, *, label: str = "") -> Any:
        self = super().__new__(cls)
        self.got = size, label
        return self


class PassingChannel(scheduler.channel):
    def __init__(self, size: int, *, label: str = "") -> None:
        super().__init__(size, label=label)
        self.got = size, label


class OwnInitTasklet(scheduler.tasklet):
    def __init__(self, size: int, *, label: str = "") -> None:
        super().__init__(len, name=label)
        self.got = size, label


class OwnNewTasklet(scheduler.tasklet):
    def __new__(cls, f: Any, *, name: int) -> Any:
        self = super().__new__(cls)
        self.got = name
        return self


@pytest.mark.spec("C-01", "M-05", "T-10")
@pytest.mark.parametrize(
    "make", [OwnInitChannel, OwnNewChannel, PassingChannel, OwnInitTasklet], ids=repr
)
def test_derived_classes_take_arguments_of_their_own(make: Callable[..., Any]) -> None:
    assert make(3, label="x").got == (3, "x")
    assert make(3).got == (3, "")


@pytest.mark.spec("M-05", "T-10")
def test_a_new_of_its_own_may_use_the_keyword_for_something_else() -> None:
    task = OwnNewTasklet(len, name=17)
    assert (task.got, task.name) == (17, "len")
    task.bind(None)


# ---------------------------------------------------------------------- a tasklet never called


def ends(make: Callable[[], Any]) -> list[str]:
    """The ResourceWarnings as what `make` makes ends."""
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        make()
        gc.collect()
    return [str(one.message) for one in seen if one.category is ResourceWarning]


def in_a_cycle() -> None:
    task = type("Derived", (scheduler.tasklet,), {})(len, name="circle")
    task.itself = task


NEVER_CALLED: dict[str, Callable[[], Any]] = {
    "made": lambda: scheduler.tasklet(len, name="circle"),
    "bound": lambda: scheduler.tasklet(name="circle").bind(len),
    "derived": lambda: type("Derived", (scheduler.tasklet,), {})(len, name="circle"),
    "in a cycle": in_a_cycle,
    "cycle of arguments": lambda: (lambda t: t.bind(lambda: t))(scheduler.tasklet(name="circle")),
}


@pytest.mark.spec("T-10", "G-06")
@pytest.mark.parametrize("make", NEVER_CALLED.values(), ids=NEVER_CALLED)
def test_a_tasklet_that_was_never_called_is_told_of_once(make: Callable[[], Any]) -> None:
    [told] = ends(make)
    assert "'circle'" in told and "has not been called" in told


def run_and_bind_again() -> None:
    task = scheduler.tasklet(len)("")
    scheduler.run()
    task.bind(len)("")
    scheduler.run()


CALLED: dict[str, Callable[[], Any]] = {
    "without callable": scheduler.tasklet,
    "unbound": lambda: scheduler.tasklet(len).bind(None),
    "killed": lambda: scheduler.tasklet(len)("").kill(),
    "arguments bound": lambda: scheduler.tasklet().bind(len, ("",)),
    "run": run_and_bind_again,
    "refused": lambda: pytest.raises(TypeError, scheduler.tasklet, 17),
}


@pytest.mark.spec("T-10")
@pytest.mark.parametrize("make", CALLED.values(), ids=CALLED)
def test_of_others_nothing_is_told(make: Callable[[], Any]) -> None:
    assert ends(make) == []


@pytest.mark.spec("T-10", "DEC-4")
def test_as_an_error_it_is_unraisable(unraisable: list[Any]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        scheduler.tasklet(len)
    assert [entry.exc_type for entry in unraisable] == [ResourceWarning]


@pytest.mark.spec("T-10", "H-09")
@pytest.mark.parametrize("where", ["global", "cycle", "thread"])
def test_at_the_end_of_the_program(where: str) -> None:
    lines = {
        "global": "kept = scheduler.tasklet(print)",
        "cycle": "kept = [scheduler.tasklet(print)]; kept.append(kept)",
        "thread": "threading.Thread(target=lambda: kept.append(scheduler.tasklet(print))).start()",
    }
    program = f"import scheduler, threading\nkept = []\n{lines[where]}\n"
    for option, told in (("-Wdefault", True), ("-Wignore", False), ("-Werror", True)):
        done = subprocess.run(
            [sys.executable, option, "-c", program], capture_output=True, text=True, timeout=60
        )
        assert done.returncode == 0
        # Late in the interpreter's end nothing may be told any more.
        assert told or not done.stderr
        assert "Traceback" not in done.stderr or option == "-Werror"
