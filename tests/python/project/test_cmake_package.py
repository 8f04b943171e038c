"""find_package(scheduler) of CMake, where `python -m scheduler --cmake-dir` says."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import tomllib
from pathlib import Path

import pytest

import scheduler
from scheduler._helpers import find_cmake_package
from support.places import ROOT

VERSION = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
PROJECT = """\
cmake_minimum_required(VERSION 3.18)
project(host LANGUAGES {languages})
execute_process(COMMAND "{python}" -m scheduler --cmake-dir
                OUTPUT_VARIABLE scheduler_DIR OUTPUT_STRIP_TRAILING_WHITESPACE)
find_package(scheduler {wanted})
find_package(scheduler {wanted})  # again: as two parts of a program may
message(STATUS "found: ${{scheduler_FOUND}} ${{scheduler_VERSION}}")
if(TARGET scheduler::scheduler)
    get_target_property(include scheduler::scheduler INTERFACE_INCLUDE_DIRECTORIES)
    message(STATUS "include: ${{include}}")
endif()
"""

OF_HOST = """\
add_library(host OBJECT {source})
target_link_libraries(host PRIVATE scheduler::scheduler)
target_include_directories(host PRIVATE "{python_include}")
"""


def cmake(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = ["cmake", *map(str, arguments)]
    # What the module is built by is there; make need not be.
    env = {**os.environ, "CMAKE_GENERATOR": "Ninja"}
    return subprocess.run(command, capture_output=True, text=True, timeout=110, env=env)


def configure(
    place: Path, wanted: str = "REQUIRED", languages: str = "NONE", more: str = "", *options: str
) -> subprocess.CompletedProcess[str]:
    text = PROJECT.format(languages=languages, python=sys.executable, wanted=wanted)
    (place / "CMakeLists.txt").write_text(text + more)
    return cmake("-S", place, "-B", place / "build", *options)


@pytest.mark.spec("K-32")
def test_the_package_is_found(tmp_path: Path) -> None:
    done = configure(tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert f"found: 1 {VERSION}\n" in done.stdout
    assert f"include: {scheduler.get_include()}\n" in done.stdout


@pytest.mark.spec("K-32")
@pytest.mark.parametrize(("wanted", "found"), [("0.1", 1), ("0.0.9", 1), ("0.9", 0), ("1", 0)])
def test_versions(tmp_path: Path, wanted: str, found: int) -> None:
    """Programs work with every version that is not older, of the same major one."""
    assert VERSION.startswith("0.1.")
    done = configure(tmp_path, f"{wanted} QUIET")
    assert done.returncode == 0, done.stderr
    assert f"found: {found} " in done.stdout


@pytest.mark.spec("K-32")
@pytest.mark.parametrize("language", ["C", "CXX"])
def test_a_host_is_compiled(tmp_path: Path, language: str) -> None:
    cpp = language == "CXX"
    source = tmp_path / ("host.cpp" if cpp else "host.c")
    header = "SchedulerCpp.hpp" if cpp else "Scheduler.h"
    body = "scheduler::run();" if cpp else "SchedulerAPI()->PyScheduler_GetRunCount();"
    source.write_text(f"#include <{header}>\nvoid host(void);\nvoid host(void) {{ {body} }}\n")
    more = OF_HOST.format(source=source, python_include=sysconfig.get_paths()["include"])
    done = configure(tmp_path, "REQUIRED", language, more, f"-DCMAKE_{language}_FLAGS=-Wall -Werror")
    assert done.returncode == 0, done.stderr
    done = cmake("--build", tmp_path / "build")
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.spec("K-32")
def test_a_package_without_headers_says_so(tmp_path: Path) -> None:
    alone = tmp_path / "scheduler" / "cmake"
    shutil.copytree(find_cmake_package(), alone)
    (alone / "version.txt").write_text('version = "0.1.0"\n')
    place = tmp_path / "host"
    place.mkdir()
    text = f'project(host LANGUAGES NONE)\nset(scheduler_DIR "{alone}")\nfind_package(scheduler REQUIRED)\n'
    (place / "CMakeLists.txt").write_text("cmake_minimum_required(VERSION 3.18)\n" + text)
    done = cmake("-S", place, "-B", place / "build")
    assert done.returncode != 0
    assert "installed without its headers: install it again" in " ".join(done.stderr.split())
