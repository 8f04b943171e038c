"""`python -m scheduler --info`: what a bug report should say."""

from __future__ import annotations

import platform
import re
import resource
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import _scheduler
import scheduler
from scheduler import __main__ as info, _helpers
from support.interpreter import HAS_GIL

PROGRAM = "import runpy; runpy.run_module('scheduler', run_name='__main__')"  # python -m scheduler


def read(text: str) -> dict[str, str]:
    return dict(re.split(r":\s+", line, maxsplit=1) for line in text.splitlines())


def test_info_tells_versions_system_and_limits(run_script: Callable) -> None:
    done = run_script(PROGRAM, "--info")
    facts = read(done.stdout)
    assert done.stderr == ""
    assert list(facts) == list(info.describe())
    assert facts["distribution"].startswith(f"tasklets {scheduler.__version__}")
    assert facts["extension"] == _scheduler.__file__
    assert facts["Python"].startswith(f"CPython {platform.python_version()} ")
    assert facts["platform"] == platform.platform()
    assert re.fullmatch(r"Boost\.Context \d+\.\d+(\.\d+)?", facts["switched by"])
    assert facts["stack of a tasklet"] == f"{scheduler.get_stack_size()} bytes"
    limit = Path("/proc/sys/vm/max_map_count").read_text().strip()
    assert facts["vm.max_map_count"] == limit
    assert facts["recursion limit"] == "1000"


def test_another_distribution_with_the_same_package_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    metadata = tmp_path / "scheduler-9.1.dist-info" / "METADATA"
    metadata.parent.mkdir()
    metadata.write_text("Metadata-Version: 2.1\nName: scheduler\nVersion: 9.1\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert info.describe_distribution() == (
        f"tasklets {scheduler.__version__}; scheduler 9.1, another project, is here too: "
        "uninstall both, install one"
    )


def test_alone_it_says_what_it_can_do(run_script: Callable) -> None:
    done = run_script(PROGRAM)
    assert done.stderr == ""
    assert done.stdout.startswith("usage: python -m scheduler [-h]")
    for option, use in {
        "--info": "bug report",
        "--include-dir": "Scheduler.h and SchedulerCpp.hpp",
        "--cmake-dir": "find_package(scheduler)",
        "--version": "version",
    }.items():
        line = re.search(rf"^  {option} .*\n?.*$", done.stdout, re.MULTILINE)
        assert line is not None and use in " ".join(line[0].split()), option


def test_it_tells_where_files_are(run_script: Callable) -> None:
    assert run_script(PROGRAM, "--include-dir").stdout == scheduler.get_include() + "\n"
    place = Path(run_script(PROGRAM, "--cmake-dir").stdout.removesuffix("\n"))
    assert {path.name for path in place.iterdir()} >= {
        "scheduler-config.cmake",
        "scheduler-config-version.cmake",
    }
    assert run_script(PROGRAM, "--version").stdout.startswith(f"tasklets {scheduler.__version__}")


def test_what_was_not_shipped_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(_helpers, "__file__", str(tmp_path / "scheduler" / "_helpers.py"))
    with pytest.raises(FileNotFoundError, match="scheduler-config.cmake is in none of /"):
        _helpers.find_cmake_package()
    with pytest.raises(FileNotFoundError, match="Scheduler.h is in none of /"):
        scheduler.get_include()


@pytest.mark.parametrize("arguments", [("--cmake",), ("--info", "--cmake-dir"), ("info",)])
def test_wrong_options_are_refused(run_script: Callable, arguments: tuple[str, ...]) -> None:
    done = run_script(PROGRAM, *arguments, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert "usage: python -m scheduler" in done.stderr


def test_gil(run_script: Callable) -> None:
    said = {"": "yes"}
    if not HAS_GIL:
        said = {"0": "free-threaded build, off", "1": "free-threaded build, but switched on"}
    for setting, text in said.items():
        done = run_script(PROGRAM, "--info", env={"PYTHON_GIL": setting})
        assert read(done.stdout)["GIL"] == text


def test_guards_are_looked_for_on_a_stack(monkeypatch: pytest.MonkeyPatch) -> None:
    kinds = {True: "marks in the page table", False: "mappings of their own"}
    assert info.describe_guards().startswith(kinds[info.kernel_marks_guards()])
    for marks, text in kinds.items():
        monkeypatch.setattr(info, "kernel_marks_guards", lambda marks=marks: marks)
        assert info.describe_guards().startswith(text)
    monkeypatch.setattr(scheduler, "stack_stats", lambda: {"guarded": 0})
    assert info.describe_guards().startswith("none")


def test_the_kernel_has_marks_for_guards_since_linux_6_13() -> None:
    release = tuple(map(int, platform.release().split(".")[:2]))
    assert info.kernel_marks_guards() == (release >= (6, 13))


def test_limits_that_are_set_or_cannot_be_read(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> str:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(info.Path, "read_text", refuse)
    assert info.describe_max_map_count() == "unknown (Permission denied)"
    monkeypatch.setattr(resource, "getrlimit", lambda _: (resource.RLIM_INFINITY,) * 2)
    assert info.describe_address_space() == "unlimited"
    monkeypatch.setattr(resource, "getrlimit", lambda _: (4096, resource.RLIM_INFINITY))
    assert info.describe_address_space() == "4096 bytes (ulimit -v)"


def test_the_recursion_limit_is_the_one_in_force() -> None:
    assert info.describe()["recursion limit"] == str(sys.getrecursionlimit())
