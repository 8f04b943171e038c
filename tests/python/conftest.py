"""Fixtures, options and checks that every test gets.

* `@pytest.mark.spec("T-10", "D-01")` names the rules that a test pins (see support/spec_coverage.py).
* After each test the scheduler must be as it was before: no tasklet, channel or schedule manager
  left over, run count 1, nested mode, switch trap level 0, nothing sent to `sys.unraisablehook`.
* Fixtures: `mode` (nested and flat), `drain` (`scheduler.run` and repeated `run_n_tasklets(1)`),
  `unraisable` (the test expects unraisable errors), `deadlock_timeout` (sets it), `patient` (main
  tasklets wait for other threads as long as tests do), `handle` (SIGUSR1), `run_script` (a fresh
  interpreter).
* `--leaks N` repeats every test function and fails when it leaves objects behind each time.
"""

from __future__ import annotations

import contextlib
import gc
import os
import signal
import subprocess
import sys
import textwrap
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

import scheduler
from support import spec_coverage
from support.interpreter import HAS_GIL
from support.leak_check import assert_no_growth
from support.object_counts import counters, uncollected_counters
from support.scheduling import run_in_steps
from support.waiting import TIMEOUT

CALL_FAILED = pytest.StashKey[bool]()
DEADLOCK_TIMEOUT = scheduler.get_deadlock_timeout()
LAST_COUNTERS = pytest.StashKey[dict[str, int]]()


# ---------------------------------------------------------------------------------------- options


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--leaks",
        type=int,
        default=0,
        metavar="N",
        help="repeat each test function in batches of N and look for growing object counts",
    )


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "spec(*ids): the rules of the specification a test pins")
    # A shell starts what it runs in the background with it ignored, which children inherit.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    # pytest's own collector of unraisable errors would take them away from `unraisable`.
    plugin = config.pluginmanager.get_plugin("unraisableexception")
    if plugin is not None:
        config.pluginmanager.unregister(plugin)


def pytest_sessionstart() -> None:
    # Without the GIL CPython 3.13 keeps classes and functions for ever once a thread has been started,
    # and what their closures refer to: no count of objects would go back.
    if not HAS_GIL:
        try:
            import _testinternalcapi
        except ImportError:
            raise pytest.UsageError(
                "this interpreter was configured with --disable-test-modules; "
                "`make free-threaded` builds one with them"
            ) from None
        _testinternalcapi.suppress_immortalization(True)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    needed, others = spec_coverage.untested(spec_coverage.load_rules(), spec_coverage.scan())
    for title, rules in (("that need a test and have none", needed), ("without a test", others)):
        if rules:
            terminalreporter.line(f"rules {title}: {' '.join(rules)}")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: Any) -> Iterator[None]:
    report = yield
    if report.when == "call":
        item.stash[CALL_FAILED] = report.failed
    return report


def _forget_tracebacks(value: object) -> None:
    """Exceptions among a test's parameters must not keep what earlier repetitions used alive."""
    if isinstance(value, BaseException):
        value.__traceback__ = value.__context__ = None
        _forget_tracebacks(value.args)
    elif isinstance(value, (tuple, list)):
        for item in value:
            _forget_tracebacks(item)


@pytest.hookimpl(wrapper=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> Iterator[None]:
    outcome = yield
    rounds = pyfuncitem.config.getoption("--leaks")
    if rounds and "run_script" not in pyfuncitem.fixturenames:
        names = pyfuncitem._fixtureinfo.argnames
        arguments = {name: pyfuncitem.funcargs[name] for name in names}
        collected = pyfuncitem.funcargs["unraisable_log"]

        def once() -> None:
            collected.clear()
            pyfuncitem.obj(**arguments)
            collected.clear()
            _forget_tracebacks(list(arguments.values()))

        assert_no_growth(once, rounds)
    return outcome


# ------------------------------------------------------------------- checks around every test


class Unraisable(NamedTuple):
    """One call of `sys.unraisablehook`, kept as text so that it keeps nothing alive."""

    exc_type: type[BaseException]
    message: str  # str() of the exception
    err_msg: str | None
    object_repr: str
    traceback: str


@pytest.fixture
def unraisable_log() -> Iterator[list[Unraisable]]:
    """Collects unraisable errors; use `unraisable` in a test that expects some."""
    log: list[Unraisable] = []

    def hook(args: Any) -> None:
        text = "".join(
            traceback.format_exception(args.exc_type, args.exc_value, args.exc_traceback)
        )
        log.append(
            Unraisable(args.exc_type, str(args.exc_value), args.err_msg, ascii(args.object), text)
        )

    previous, sys.unraisablehook = sys.unraisablehook, hook
    yield log
    sys.unraisablehook = previous


@pytest.fixture
def unraisable(unraisable_log: list[Unraisable]) -> list[Unraisable]:
    """The errors that went to `sys.unraisablehook` so far: the test itself says which are right."""
    return unraisable_log


def _reset_state() -> list[str]:
    """Puts the thread's settings back to their defaults; returns what was not as it should be."""
    wrong = []
    level = scheduler.switch_trap(0)
    if level != 0:
        wrong.append(f"the switch trap level is {level}")
        scheduler.switch_trap(-level)
    if scheduler.get_deadlock_timeout() != DEADLOCK_TIMEOUT:
        wrong.append("the deadlock timeout is not what it was")
        scheduler.set_deadlock_timeout(DEADLOCK_TIMEOUT)
    if not scheduler.get_use_nested_tasklets():
        wrong.append("flat mode is still on")
        scheduler.set_use_nested_tasklets(True)
    if scheduler.getmain().block_trap:
        wrong.append("the main tasklet's block_trap is still set")
        scheduler.getmain().block_trap = False
    with contextlib.suppress(RuntimeError):
        scheduler._advance_clock(0)
        wrong.append("the clock of this thread's timers is stopped")
        scheduler._stop_clock(None)
    scheduler.set_channel_callback(None)
    scheduler.set_schedule_callback(None)
    return wrong


def _kill_leftovers() -> None:
    """Ends what a failed test left queued or blocked, so that the next test starts clean."""
    main = scheduler.getmain()
    for _ in range(1000):
        if main.next is None:
            break
        with contextlib.suppress(BaseException):
            main.next.kill()
    with contextlib.suppress(BaseException):
        scheduler.unblock_all_channels()
    gc.collect()


@pytest.fixture(scope="module", autouse=True)
def earlier_objects_frozen() -> None:
    """Keeps what pytest has and has reported so far out of the collections after each test."""
    errors: list[str] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "unraisablehook", lambda args: errors.append(repr(args.exc_value)))
        gc.collect()
    assert not errors, f"garbage of an earlier file: {errors}"
    gc.freeze()


@pytest.fixture(autouse=True)
def clean_scheduler(
    request: pytest.FixtureRequest, unraisable_log: list[Unraisable]
) -> Iterator[None]:
    """Checks that a test leaves nothing behind. A test that failed is only cleaned up after."""
    scheduler.getmain()
    before = uncollected_counters()
    if before != request.session.stash.get(LAST_COUNTERS, None):
        before = counters()  # there may be garbage among them
    yield
    wrong = _reset_state()
    if request.node.stash.get(CALL_FAILED, True):
        _kill_leftovers()
        return
    if scheduler.getruncount() != 1:
        wrong.append(f"the run count is {scheduler.getruncount()}")
    after = uncollected_counters()
    # Without the GIL a collection always visits all objects; of what is not ours there is one for each file.
    if HAS_GIL or after != before:
        after = counters()
    request.session.stash[LAST_COUNTERS] = after
    wrong += [
        f"{name}: {before[name]} before, {after[name]} after"
        for name in before
        if after[name] > before[name]  # fewer: what an earlier, failed test had kept alive
    ]
    if "unraisable" not in request.fixturenames:
        wrong += ["unraisable error:\n" + entry.traceback for entry in unraisable_log]
    if wrong:
        _kill_leftovers()
        pytest.fail("left behind: " + "; ".join(wrong), pytrace=False)


# ----------------------------------------------------------------------------- fixtures to ask for


@pytest.fixture(params=["nested", "flat"])
def mode(request: pytest.FixtureRequest) -> Iterator[str]:
    """Runs the test in nested and in flat mode; the value is "nested" or "flat"."""
    scheduler.set_use_nested_tasklets(request.param == "nested")
    yield request.param
    scheduler.set_use_nested_tasklets(True)


@pytest.fixture(params=["run", "steps"])
def drain(request: pytest.FixtureRequest) -> Callable[[], None]:
    """A way to empty the queue: `scheduler.run()`, or `run_n_tasklets(1)` again and again."""
    return scheduler.run if request.param == "run" else run_in_steps


@pytest.fixture
def deadlock_timeout() -> Iterator[Callable[[float | None], None]]:
    """Sets the deadlock timeout for one test."""
    yield scheduler.set_deadlock_timeout
    scheduler.set_deadlock_timeout(DEADLOCK_TIMEOUT)


@pytest.fixture
def patient(deadlock_timeout: Callable[[float | None], None]) -> None:
    """For main tasklets that wait for other threads: on a busy machine those may need more than the
    second after which it is a deadlock."""
    deadlock_timeout(TIMEOUT)


@pytest.fixture
def handle() -> Iterator[Callable[[Any], Any]]:
    """`handle(function)`: makes it the handler of SIGUSR1 for this test."""
    before = signal.getsignal(signal.SIGUSR1)
    yield lambda function: signal.signal(signal.SIGUSR1, function)
    signal.signal(signal.SIGUSR1, before)


class Finished(NamedTuple):
    """How a program that ran in an interpreter of its own ended."""

    returncode: int
    stdout: str
    stderr: str


@pytest.fixture
def run_script() -> Callable[..., Finished]:
    """Runs a program in a fresh interpreter: `run_script(code, *args, timeout=, check=, ...)`.

    `code` is source text, which may be indented, or the `Path` of a file. With `check` (the
    default) the program must end with exit code 0. `flags` are options of the interpreter, `env`
    adds environment variables. A program that does not end in `timeout` seconds is a failure.
    """

    def run(
        code: str | Path,
        *args: str,
        timeout: float = TIMEOUT,
        check: bool = True,
        flags: tuple[str, ...] = (),
        env: dict[str, str] | None = None,
    ) -> Finished:
        if isinstance(code, Path):
            program = [str(code)]
        else:
            program = ["-c", textwrap.dedent(code)]
        command = [sys.executable, "-X", "faulthandler", *flags, *program, *args]
        try:
            done = subprocess.run(
                command,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=timeout,
                env={**os.environ, "PYTHONIOENCODING": "utf-8", **(env or {})},
            )
        except subprocess.TimeoutExpired as expired:
            pytest.fail(
                f"no end after {timeout} s\nstdout: {expired.stdout!r}\nstderr: {expired.stderr!r}"
            )
        if check and done.returncode != 0:
            pytest.fail(
                f"exit code {done.returncode}\nstdout:\n{done.stdout}\nstderr:\n{done.stderr}"
            )
        return Finished(done.returncode, done.stdout, done.stderr)

    return run
