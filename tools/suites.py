"""Runs the test suites and keeps the closing line of each."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from common import Failure, clean_environment, run, run_and_keep, say
from environments import ModuleEnvironment
from interpreters import Interpreter

CORE_PRESETS = ("core", "core-asan", "core-tsan")
# CMake options of the builds that are tested.
STRICT = ("-DSCHEDULER_BUILD_TESTS=ON", "-DSCHEDULER_WERROR=ON")
CLOSING_LINE = {
    "pytest": re.compile(r"\d+ \w+.* in [\d.]+s\b|no tests ran"),
    "ctest": re.compile(r"\d+% tests passed"),
}


@dataclass
class Results:
    """One line for each suite, and which of them failed."""

    lines: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)

    def run(self, suite: str, kind: str, command: Callable[[], tuple[int, list[str]]]) -> None:
        """Runs a suite of a kind of CLOSING_LINE; what stops it from being built is its failure."""
        say(f"\n=== {suite}")
        try:
            code, output = command()
            matching = [line for line in output if CLOSING_LINE[kind].search(line)]
            closing = matching[-1].strip("= ") if matching else f"no closing line, exit code {code}"
            ok = code == 0 and bool(matching)
        except subprocess.CalledProcessError as error:
            closing, ok = f"could not be built, exit code {error.returncode}: see above", False
        self.add(suite, closing, ok)

    def add(self, suite: str, closing: str, ok: bool) -> None:
        self.lines.append(f"{suite:<14} {'ok  ' if ok else 'FAIL'}  {closing}")
        if not ok:
            self.failed.append(suite)

    def report(self) -> None:
        """Prints the table; Failure when a suite failed."""
        say("\n" + "\n".join(self.lines))
        if self.failed:
            raise Failure(f"failed: {', '.join(self.failed)}")


def run_core(results: Results, tool_dir: Path, presets: tuple[str, ...]) -> None:
    path = f"{tool_dir}{os.pathsep}{os.environ['PATH']}"
    env = clean_environment(PATH=path)

    def suite(preset: str) -> tuple[int, list[str]]:
        run(tool_dir / "cmake", "--preset", preset, env=env)
        run(tool_dir / "cmake", "--build", "--preset", preset, env=env)
        ctest = (tool_dir / "ctest", "--preset", preset)
        return run_and_keep(*_fixed_addresses(preset), *ctest, env=env)

    for preset in presets:
        results.run(preset, "ctest", partial(suite, preset))


def _fixed_addresses(preset: str) -> tuple[str, ...]:
    """ThreadSanitizer's run-time may not start where the kernel randomises addresses widely."""
    prefix = ("setarch", "-R")
    if preset != "core-tsan" or not shutil.which("setarch"):
        return ()
    return prefix if subprocess.run([*prefix, "true"], capture_output=True).returncode == 0 else ()


def run_python(results: Results, environment: ModuleEnvironment, must_embed: bool) -> None:
    """pytest against the installed module, then tests/capi, for one interpreter."""
    interpreter = environment.interpreter
    results.run(f"{interpreter.version} pytest", "pytest", partial(_pytest, environment))
    suite = f"{interpreter.version} capi"
    if interpreter.has_library:
        results.run(suite, "ctest", partial(_capi, environment))
    else:
        closing = f"NOT RUN: {interpreter.path} has no libpython to embed (--enable-shared)"
        results.add(suite, closing, ok=not must_embed)


def _pytest(environment: ModuleEnvironment) -> tuple[int, list[str]]:
    environment.install_test_requirements()
    environment.install_module(*STRICT)
    arguments = os.environ.get("PYTEST_ARGS", "").split()
    return run_and_keep(environment.python, "-m", "pytest", *arguments, env=environment.env)


def _capi(environment: ModuleEnvironment) -> tuple[int, list[str]]:
    environment.build_capi_tests(*STRICT)
    ctest = (environment.cmake.with_name("ctest"), "--test-dir", environment.cmake_dir)
    selection = ("--label-regex", "capi", "--no-tests=error", "--output-on-failure", "-j2")
    return run_and_keep(*ctest, *selection, env=environment.env)


def required_versions() -> list[str]:
    """REQUIRE_PYTHONS of the environment."""
    return os.environ.get("REQUIRE_PYTHONS", "").split()


def check_required(found: list[Interpreter]) -> None:
    missing = set(required_versions()) - {one.version for one in found}
    if missing:
        raise Failure(f"CPython {', '.join(sorted(missing))} is required and was not found.")
