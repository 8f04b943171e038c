"""The checks around every test (conftest.py) find what a test leaves behind."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from support.places import PYTHON_TESTS

# name of a test that passes but leaves something behind -> (its code, what must be reported)
UNTIDY = {
    "tasklet_queued": ("kept.append(queued(len, ''))", r"run count is 2"),
    "tasklet_kept": ("kept.append(scheduler.tasklet())", r"tasklets: \d+ before, \d+ after"),
    "channel_kept": ("kept.append(scheduler.channel())", r"channels: 0 before, 1 after"),
    "manager_kept": ("other_thread_stays()", r"managers: 1 before, 2 after"),
    "flat": ("scheduler.set_use_nested_tasklets(False)", r"flat mode is still on"),
    "trap": ("scheduler.switch_trap(2)", r"switch trap level is 2"),
    "block_trap": ("scheduler.getmain().block_trap = True", r"block_trap is still set"),
    "unraisable": ("Noisy()", r"unraisable error:\n(.*\n)*OSError: noisy"),
}

TESTS = """
import threading
import scheduler
from support.scheduling import queued
from support.threads import Worker

kept = []

def other_thread_stays():
    ready = threading.Event()
    kept.append(Worker(lambda: (scheduler.getmain(), ready.set(), threading.Event().wait())))
    assert ready.wait(60)

class Noisy:
    def __del__(self):
        raise OSError("noisy")

def test_tidy():
    queued(scheduler.schedule)
    scheduler.set_channel_callback(print)
    scheduler.run()

def test_expected_unraisable(unraisable):
    Noisy()
    assert [entry.message for entry in unraisable] == ["noisy"]
"""


def run_pytest(run_script: Callable, directory: Path, tests: str, *options: str) -> str:
    """Runs pytest with our conftest.py on `tests`; returns its report."""
    (directory / "test_generated.py").write_text(tests)
    code = f"""
        import sys
        sys.path.insert(0, {str(PYTHON_TESTS)!r})
        import pytest
        sys.exit(pytest.main(["-p", "conftest", "-p", "no:cacheprovider", "--tb=short",
                              {str(directory)!r}, *{options!r}]))
        """
    done = run_script(code, check=False)
    assert done.returncode in (0, 1), done.stdout + done.stderr
    return done.stdout


def test_what_is_left_behind_is_reported(run_script: Callable, tmp_path: Path) -> None:
    tests = TESTS + "".join(f"\ndef test_{name}():\n    {UNTIDY[name][0]}\n" for name in UNTIDY)
    report = run_pytest(run_script, tmp_path, tests)
    for name, (_, complaint) in UNTIDY.items():
        section = re.search(
            rf"ERROR at teardown of test_{name} _+\n((.*\n)*?)(_____|=====)", report
        )
        assert section, f"test_{name} was not reported:\n{report}"
        assert re.search(complaint, section[1]), section[1]
    assert f"{len(UNTIDY) + 2} passed, {len(UNTIDY)} errors" in report


def test_a_failed_test_does_not_disturb_the_next(run_script: Callable, tmp_path: Path) -> None:
    tests = (
        TESTS
        + """
def test_fails():
    for function in (scheduler.schedule_remove, scheduler.channel().receive):
        queued(function).run()
    queued(len, "")
    scheduler.switch_trap(1)
    raise AssertionError("on purpose")

def test_after_it():
    assert scheduler.getruncount() == 1
    assert scheduler.switch_trap(0) == 0
    assert scheduler.unblock_all_channels() == 0
"""
    )
    report = run_pytest(run_script, tmp_path, tests)
    assert "1 failed, 3 passed" in report
    assert "error" not in report.splitlines()[-1]


def test_the_leaks_option(run_script: Callable, tmp_path: Path) -> None:
    tests = (
        TESTS
        + """
def test_clears():
    kept.append(object())
    kept.clear()

def test_leaks():
    kept.append(object())
"""
    )
    report = run_pytest(run_script, tmp_path, tests, "--leaks", "20")
    assert "1 failed, 3 passed" in report
    assert re.findall(r"^FAILED \S+::(\w+)", report, re.M) == ["test_leaks"]
    assert "growth in 20 repetitions" in report
