"""Runs the test suites and keeps the closing line of each."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import time
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import system_packages
from common import ROOT, Failure, clean_environment, run, run_and_keep, say
from environments import ModuleEnvironment
from interpreters import Interpreter, listed

PYTHON_TESTS = ROOT / "tests" / "python"

# What is tried with CPython's JIT: tasklets that are switched while traces are made and run.
# Not `monitoring`: with the JIT CPython 3.15 itself loses events, see docs/guides/debugging.md.
WITH_JIT = (
    "channels", "frames", "kill", "leaks", "propagation", "python_state", "recursion", "references",
    "run_and_switch", "run_loops", "scenarios", "storm", "switching_anywhere", "threads", "throw",
    "tracing", "unwinding",
)  # fmt: skip
# Where random programs are played, unless other interpreters are asked for.
FUZZED = ("3.12", "3.13t", "3.15")
# The part of the suites that meets most of the module's C++, for interpreters that take long.
MAIN_PART = (
    "attributes", "callbacks", "channels", "channel_closing", "collecting", "cxx_exceptions",
    "exceptions", "frames", "join", "kill", "leaks", "lifecycle", "monitoring", "python_state",
    "queue_channel", "references", "run_loops", "stack_size", "switching_anywhere", "thread_end",
    "threads", "throw", "tracing", "unwinding",
)  # fmt: skip
SANITIZED_ON = "3.12"
SANITIZED = "asan"  # the directory
SANITIZED_FUZZ_SECONDS = 20
WITHOUT_HEAVY = ("-m", "not heavy")
COUNTED_ON = "3.12"
# CMake options of the builds that are tested.
STRICT = ("-DSCHEDULER_BUILD_TESTS=ON", "-DSCHEDULER_WERROR=ON")
CLOSING_LINE = {
    "pytest": re.compile(r"\d+ \w+.* in [\d.]+s\b|no tests ran"),
    "ctest": re.compile(r"\d+% tests passed"),
    "counts": re.compile(r"counts: "),
    "fuzz": re.compile(r"fuzz: "),
}
# How each kind names one thing that failed.
FAILED_LINE = {
    "pytest": re.compile(r"(FAILED|ERROR) \S+"),
    "ctest": re.compile(r"\s*\d+ - \S+ \("),
    "counts": re.compile(r"RISE "),
    "fuzz": re.compile(r"repeat: "),
}
LINES_SHOWN = 10
LONGEST_SHOWN = 500


@dataclass
class Results:
    """One line for each suite, and for each one that failed what it said of that.

    `planned` are the suites to come, by which it says how far it is.
    """

    planned: Sequence[str] = ()
    lines: list[str] = field(default_factory=list)
    failed: dict[str, list[str]] = field(default_factory=dict)
    start: float = field(default_factory=time.monotonic)

    def announce(self, suite: str, what: str = "") -> None:
        position = ""
        if suite in self.planned:
            position = f"{self.planned.index(suite) + 1} of {len(self.planned)}: "
        minutes, seconds = divmod(int(time.monotonic() - self.start), 60)
        say(f"\n=== {position}{suite}{what} ({minutes}:{seconds:02} min since the start)")

    def run(
        self,
        suite: str,
        kind: str,
        command: Callable[[], tuple[int, list[str]]],
        note: str = "",
    ) -> None:
        """Runs a suite of a kind of CLOSING_LINE and keeps its closing line, with a note."""
        self.announce(suite)
        code, output = command()
        matching = [line for line in output if CLOSING_LINE[kind].search(line)]
        closing = matching[-1].strip("= ") if matching else f"no closing line, exit code {code}"
        named = [line for line in output if FAILED_LINE[kind].match(line)][:LINES_SHOWN]
        reasons = named or output[-LINES_SHOWN:]
        self.add(suite, closing + note, ok=code == 0 and bool(matching), reasons=reasons)

    def build(self, suite: str, command: Callable[[], None]) -> bool:
        """Builds what a suite needs; a failure takes the suite's place in the table."""
        self.announce(suite, ": build")
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


def build_core_benchmarks(tool_dir: Path) -> None:
    env = _core_environment(tool_dir)
    run(tool_dir / "cmake", "--preset", "core-bench", env=env)
    run(tool_dir / "cmake", "--build", "--preset", "core-bench", env=env)


def run_core(results: Results, tool_dir: Path, presets: tuple[str, ...]) -> None:
    env = _core_environment(tool_dir)
    for preset in presets:
        workflow = (tool_dir / "cmake", "--workflow", "--preset", preset)
        command = (*_fixed_addresses(preset), *workflow)
        results.run(preset, "ctest", partial(run_and_keep, *command, env=env))


def _fixed_addresses(preset: str) -> tuple[str, ...]:
    """ThreadSanitizer's run-time may not start where the kernel randomises addresses widely."""
    prefix = ("setarch", "-R")
    if preset != "core-tsan" or not shutil.which("setarch"):
        return ()
    return prefix if subprocess.run([*prefix, "true"], capture_output=True).returncode == 0 else ()


def planned(found: list[Interpreter]) -> list[str]:
    """The names of the suites that `make test` runs on these, in order."""
    capi = [f"{one.version} capi" for one in found]
    pytest = [suite for one in found for suite, _ in _parts(one.version, alone=len(found) == 1)]
    counted_on = _to_count_on([one.version for one in found])
    return ["core", *capi, *pytest, f"{counted_on} counts".strip()]


def run_python(
    results: Results,
    environments: list[ModuleEnvironment],
    must_embed: Collection[str],
    full_on: Collection[str],
) -> None:
    """For each interpreter tests/capi, and pytest against the installed module.

    The versions in `must_embed` fail when they have no library for tests/capi. Those that are not
    in `full_on` are not given the tests that are marked as heavy.
    """
    jobs = []
    for environment in environments:
        version = environment.interpreter.version
        if results.build(f"{version} pytest", partial(_build_module, environment)):
            parts = _parts(version, alone=len(environments) == 1)
            jobs += [(environment, suite, files) for suite, files in parts]
        if not environment.interpreter.has_library:
            closing = f"NOT RUN: {environment.interpreter.path} has no libpython (--enable-shared)"
            results.add(f"{version} capi", closing, ok=version not in must_embed)
        elif results.build(f"{version} capi", partial(environment.build_capi_tests, *STRICT)):
            results.run(f"{version} capi", "ctest", partial(_run_capi, environment))

    def run_pytest(job: tuple[ModuleEnvironment, str, list[Path]]) -> None:
        environment, suite, files = job
        heavy = environment.interpreter.version in full_on
        command = partial(_run_pytest, environment, suite, files, () if heavy else WITHOUT_HEAVY)
        note = "" if heavy else "; without what is marked as heavy"
        results.run(suite, "pytest", command, note)

    # pytest uses less than one core, for it waits for what it has started, and takes the longest.
    with ThreadPoolExecutor(_suites_at_once()) as pool:
        list(pool.map(run_pytest, jobs))


def run_with_jit(results: Results, environments: list[ModuleEnvironment]) -> None:
    """The tests of WITH_JIT while CPython's experimental JIT is on."""
    files = test_files(WITH_JIT)
    env = {"PYTHON_JIT": "1", "STORM_SECONDS": "10"}
    for environment in environments:
        suite = f"{environment.interpreter.version} jit"
        if results.build(suite, partial(_build_module, environment)):
            check = "import sys; sys.exit(not sys._jit.is_enabled() and 'built without the JIT')"
            environment.run(environment.python, "-c", check, env=environment.env | env)
            command = partial(_run_pytest, environment, suite, files, (), env)
            results.run(suite, "pytest", command)


def run_fuzz(
    results: Results, environments: list[ModuleEnvironment], seconds: float
) -> None:
    """Random programs while random things happen; the interpreters share the time."""
    each = seconds / len(environments)
    for environment in environments:
        suite = f"{environment.interpreter.version} fuzz"
        if results.build(suite, partial(_build_module, environment)):
            results.run(suite, "fuzz", partial(_run_fuzz, environment, each))


def _run_fuzz(
    environment: ModuleEnvironment, seconds: float, variables: dict[str, str] | None = None
) -> tuple[int, list[str]]:
    env = _test_env(environment, variables)
    path = [str(PYTHON_TESTS), *filter(None, [env.get("PYTHONPATH")])]
    env["PYTHONPATH"] = os.pathsep.join(path)
    command = (environment.python, "-m", "fuzz", "--seconds", str(seconds))
    return environment.run_and_keep(*command, env=env)


def run_sanitized(results: Results, environments: list[ModuleEnvironment]) -> None:
    """MAIN_PART and the fuzz with a module that has ASan and UBSan in it; the interpreter has not."""
    for environment in environments:
        suite = f"{environment.interpreter.version} asan"
        if not results.build(suite, partial(_build_sanitized, environment)):
            continue
        env = _sanitized(environment.directory / SANITIZED)
        # Some take ten times as long; one limits the address space, of which ASan needs all.
        unfit = PYTHON_TESTS / "memory/test_stack_size.py::test_no_memory_for_a_stack_is_a_memory_error"
        selection = (*WITHOUT_HEAVY, "--timeout=600", f"--deselect={unfit.relative_to(ROOT)}")
        files = test_files(MAIN_PART)
        pytest = partial(_run_pytest, environment, suite, files, selection, env)
        results.run(suite, "pytest", pytest)
        fuzz = partial(_run_fuzz, environment, SANITIZED_FUZZ_SECONDS, env)
        results.run(f"{suite} fuzz", "fuzz", fuzz)


def _build_sanitized(environment: ModuleEnvironment) -> None:
    environment.install_test_requirements()
    options = ("-DSCHEDULER_SANITIZE=address", "-DCMAKE_CXX_FLAGS_DEBUG=-O1 -g")
    environment.compile_module(SANITIZED, *options)


def _sanitized(directory: Path) -> dict[str, str]:
    """Variables to use the module in there. The libraries must be there before the interpreter's own.

    Not leaks: an interpreter leaves much at its end. With PYTHONMALLOC ASan sees each object.
    """
    module = next(directory.glob("_scheduler.*.so"))
    linked = subprocess.check_output(["ldd", module], text=True)
    libraries = re.findall(r"lib(?:asan|stdc\+\+)\S* => (\S+)", linked)
    return {
        "LD_PRELOAD": " ".join(sorted(libraries)),
        "ASAN_OPTIONS": "detect_leaks=0",
        "UBSAN_OPTIONS": "print_stacktrace=1",
        "PYTHONMALLOC": "malloc",
        "PYTHONPATH": os.pathsep.join([str(directory), str(ROOT / "python")]),
    }


def _build_module(environment: ModuleEnvironment) -> None:
    environment.install_test_requirements()
    environment.install_module(*STRICT)


def _run_capi(environment: ModuleEnvironment) -> tuple[int, list[str]]:
    ctest = (environment.cmake.with_name("ctest"), "--test-dir", environment.cmake_dir)
    selection = ("--label-regex", "capi", "--no-tests=error", "--output-on-failure", "-j2")
    return environment.run_and_keep(*ctest, *selection)


def _parts(version: str, alone: bool) -> list[tuple[str, list[Path]]]:
    """The suite of an interpreter as names and files: two parts where a core would be idle."""
    suite = f"{version} pytest"
    if not alone or _suites_at_once() == 1 or _pytest_arguments():
        return [(suite, [])]
    files = sorted(PYTHON_TESTS.rglob("test_*.py"))
    return [(f"{suite} {part + 1}/2", files[part::2]) for part in range(2)]


def test_files(names: Sequence[str]) -> list[Path]:
    """The file of each name, in whichever folder of tests/python it is."""
    found = {path.stem: path for path in PYTHON_TESTS.rglob("test_*.py")}
    return [found[f"test_{name}"] for name in names]


def _test_env(
    environment: ModuleEnvironment, variables: dict[str, str] | None
) -> dict[str, str]:
    env = environment.env | (variables or {})
    if environment.interpreter.is_free_threaded:
        env["PYTHON_GIL"] = "0"  # so that no imported extension brings the GIL back
    return env


def _pytest_arguments() -> list[str]:
    return shlex.split(os.environ.get("PYTEST_ARGS", ""))


def _run_pytest(
    environment: ModuleEnvironment,
    suite: str,
    files: list[Path],
    selection: tuple[str, ...],
    variables: dict[str, str] | None = None,
) -> tuple[int, list[str]]:
    cache = f"cache_dir={environment.directory / 'pytest_cache'}"
    arguments = ("-o", cache, *selection, *_pytest_arguments(), *files)
    env = _test_env(environment, variables)
    pytest = (environment.python, "-m", "pytest")
    return environment.run_and_keep(*pytest, *arguments, env=env, prefix=f"{suite} | ")


def run_counts(results: Results, environments: list[ModuleEnvironment]) -> None:
    """tests/counts, on one interpreter: what it counts differs little between them."""
    by_version = {one.interpreter.version: one for one in environments}
    chosen = by_version.get(_to_count_on(list(by_version)))
    if not chosen:
        closing = "NOT RUN: only counted on release builds with a GIL, and there is none"
        results.add("counts", closing, ok=not os.environ.get("CI"))
        return
    suite = f"{chosen.interpreter.version} counts"
    if not chosen.interpreter.root and (why := system_packages.why_no_valgrind()):
        results.add(suite, f"NOT RUN: {why}", ok=not os.environ.get("CI"))
    elif results.build(suite, partial(chosen.install_module, *STRICT)):
        arguments = shlex.split(os.environ.get("COUNTS_ARGS", ""))
        program = ROOT / "tests" / "counts" / "count.py"
        count = partial(chosen.run_and_keep, chosen.python, program, *arguments)
        results.run(suite, "counts", count)


def _to_count_on(versions: list[str]) -> str:
    """COUNTED_ON if it is there, else the most preferred release build that has a GIL, or ""."""
    usable = [version for version in versions if version[-1].isdigit()]
    return COUNTED_ON if COUNTED_ON in usable else next(reversed(usable), "")


def _suites_at_once() -> int:
    """One more than there are cores, if memory is enough: a test makes a million tasklets."""
    memory_each = 7 << 30
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
    except OSError:  # not Linux
        return 1
    available = next(int(line.split()[1]) << 10 for line in lines if "MemAvailable" in line)
    return max(1, min((os.cpu_count() or 1) + 1, available // memory_each))


def required_versions() -> list[str]:
    """REQUIRE_PYTHONS of the environment."""
    return os.environ.get("REQUIRE_PYTHONS", "").split()


def check_required(found: list[Interpreter]) -> None:
    missing = set(required_versions()) - {one.version for one in found}
    if missing:
        raise Failure(f"Required and not found: CPython {listed(missing)}")
