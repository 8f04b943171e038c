"""Runs the test suites and keeps the closing line of each."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import system_packages
from common import ROOT, Failure, clean_environment, run, run_and_keep, say
from environments import ModuleEnvironment
from interpreters import FREE_THREADED, Interpreter, listed

CORE_PRESETS = ("core", "core-asan", "core-tsan")
COUNTED_ON = "3.12"
# CMake options of the builds that are tested.
STRICT = ("-DSCHEDULER_BUILD_TESTS=ON", "-DSCHEDULER_WERROR=ON")
CLOSING_LINE = {
    "pytest": re.compile(r"\d+ \w+.* in [\d.]+s\b|no tests ran"),
    "ctest": re.compile(r"\d+% tests passed"),
    "counts": re.compile(r"counts: "),
}
# How each kind names one thing that failed.
FAILED_LINE = {
    "pytest": re.compile(r"(FAILED|ERROR) \S+"),
    "ctest": re.compile(r"\s*\d+ - \S+ \("),
    "counts": re.compile(r"RISE "),
}
LINES_SHOWN = 10
LONGEST_SHOWN = 500


@dataclass
class Results:
    """One line for each suite, and for each one that failed what it said of that."""

    lines: list[str] = field(default_factory=list)
    failed: dict[str, list[str]] = field(default_factory=dict)

    def run(self, suite: str, kind: str, command: Callable[[], tuple[int, list[str]]]) -> None:
        """Runs a suite of a kind of CLOSING_LINE and keeps its closing line."""
        say(f"\n=== {suite}")
        code, output = command()
        matching = [line for line in output if CLOSING_LINE[kind].search(line)]
        closing = matching[-1].strip("= ") if matching else f"no closing line, exit code {code}"
        named = [line for line in output if FAILED_LINE[kind].match(line)][:LINES_SHOWN]
        reasons = named or output[-LINES_SHOWN:]
        self.add(suite, closing, ok=code == 0 and bool(matching), reasons=reasons)

    def build(self, suite: str, command: Callable[[], None]) -> bool:
        """Builds what a suite needs; a failure takes the suite's place in the table."""
        say(f"\n=== {suite}: build")
        try:
            command()
            return True
        except subprocess.CalledProcessError as error:
            closing = f"could not be built, exit code {error.returncode}: see above"
            self.add(suite, closing, ok=False)
            return False

    def add(self, suite: str, closing: str, ok: bool, reasons: Sequence[str] = ()) -> None:
        self.lines.append(f"{suite:<14} {'ok  ' if ok else 'FAIL'}  {closing}")
        if not ok:
            self.failed[suite] = [reason.strip()[:LONGEST_SHOWN] for reason in reasons]

    def report(self) -> None:
        """Prints the table; Failure, which names what failed, when a suite did."""
        say("\n" + "\n".join(self.lines))
        for suite, reasons in self.failed.items():
            for reason in reasons:
                say(f"{suite}: {reason}")
        if self.failed:
            raise Failure(f"failed: {', '.join(self.failed)}")


def _core_environment(tool_dir: Path) -> dict[str, str]:
    return clean_environment(PATH=f"{tool_dir}{os.pathsep}{os.environ['PATH']}")


def build_core(preset: str, tool_dir: Path) -> None:
    env = _core_environment(tool_dir)
    run(tool_dir / "cmake", "--preset", preset, env=env)
    run(tool_dir / "cmake", "--build", "--preset", preset, env=env)


def run_core(results: Results, tool_dir: Path, presets: tuple[str, ...]) -> None:
    env = _core_environment(tool_dir)
    for preset in presets:
        if results.build(preset, partial(build_core, preset, tool_dir)):
            ctest = (*_fixed_addresses(preset), tool_dir / "ctest", "--preset", preset)
            results.run(preset, "ctest", partial(run_and_keep, *ctest, env=env))


def _fixed_addresses(preset: str) -> tuple[str, ...]:
    """ThreadSanitizer's run-time may not start where the kernel randomises addresses widely."""
    prefix = ("setarch", "-R")
    if preset != "core-tsan" or not shutil.which("setarch"):
        return ()
    return prefix if subprocess.run([*prefix, "true"], capture_output=True).returncode == 0 else ()


def run_python(
    results: Results, environments: list[ModuleEnvironment], must_embed: Collection[str]
) -> None:
    """For each interpreter tests/capi, and pytest against the installed module.

    The versions in `must_embed` fail when they have no library for tests/capi.
    """
    built = []
    for environment in environments:
        version = environment.interpreter.version
        if results.build(f"{version} pytest", partial(_build_module, environment)):
            built.append(environment)
        if not environment.interpreter.has_library:
            closing = f"NOT RUN: {environment.interpreter.path} has no libpython (--enable-shared)"
            results.add(f"{version} capi", closing, ok=version not in must_embed)
        elif results.build(f"{version} capi", partial(environment.build_capi_tests, *STRICT)):
            results.run(f"{version} capi", "ctest", partial(_run_capi, environment))

    def run_pytest(environment: ModuleEnvironment) -> None:
        suite = f"{environment.interpreter.version} pytest"
        results.run(suite, "pytest", partial(_run_pytest, environment))

    # pytest uses one core, and takes the longest.
    with ThreadPoolExecutor(_suites_at_once()) as pool:
        list(pool.map(run_pytest, built))


def _build_module(environment: ModuleEnvironment) -> None:
    environment.install_test_requirements()
    environment.install_module(*STRICT)


def _run_capi(environment: ModuleEnvironment) -> tuple[int, list[str]]:
    ctest = (environment.cmake.with_name("ctest"), "--test-dir", environment.cmake_dir)
    selection = ("--label-regex", "capi", "--no-tests=error", "--output-on-failure", "-j2")
    return run_and_keep(*ctest, *selection, env=environment.env)


def _run_pytest(environment: ModuleEnvironment) -> tuple[int, list[str]]:
    cache = f"cache_dir={environment.directory / 'pytest_cache'}"
    arguments = ("-o", cache, *shlex.split(os.environ.get("PYTEST_ARGS", "")))
    prefix = f"{environment.interpreter.version} | "
    pytest = (environment.python, "-m", "pytest")
    env = environment.env
    if environment.interpreter.version == FREE_THREADED:
        env = env | {"PYTHON_GIL": "0"}  # so that no imported extension brings the GIL back
    return run_and_keep(*pytest, *arguments, env=env, prefix=prefix)


def run_counts(results: Results, environments: list[ModuleEnvironment]) -> None:
    """tests/counts, on one interpreter: what it counts differs little between them."""
    chosen = _to_count_on(environments)
    if not chosen:
        closing = f"NOT RUN: CPython {FREE_THREADED} is not counted on, and there is no other"
        results.add("counts", closing, ok=not os.environ.get("CI"))
        return
    suite = f"{chosen.interpreter.version} counts"
    if why := system_packages.why_no_valgrind():
        results.add(suite, f"NOT RUN: {why}", ok=not os.environ.get("CI"))
    elif results.build(suite, partial(chosen.install_module, *STRICT)):
        arguments = shlex.split(os.environ.get("COUNTS_ARGS", ""))
        program = ROOT / "tests" / "counts" / "count.py"
        count = partial(run_and_keep, chosen.python, program, *arguments, env=chosen.env)
        results.run(suite, "counts", count)


def _to_count_on(environments: list[ModuleEnvironment]) -> ModuleEnvironment | None:
    """COUNTED_ON if it is there, else the most preferred one that has a GIL."""
    by_version = {one.interpreter.version: one for one in environments}
    by_version.pop(FREE_THREADED, None)
    last = list(by_version.values())[-1] if by_version else None
    return by_version.get(COUNTED_ON, last)


def _suites_at_once() -> int:
    """One for each core, if memory is enough: a test makes a million tasklets."""
    memory_each = 10 << 30
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
    except OSError:  # not Linux
        return 1
    available = next(int(line.split()[1]) << 10 for line in lines if "MemAvailable" in line)
    return max(1, min(os.cpu_count() or 1, available // memory_each))


def required_versions() -> list[str]:
    """REQUIRE_PYTHONS of the environment."""
    return os.environ.get("REQUIRE_PYTHONS", "").split()


def check_required(found: list[Interpreter]) -> None:
    missing = set(required_versions()) - {one.version for one in found}
    if missing:
        raise Failure(f"Required and not found: CPython {listed(missing)}")
