"""What `make` calls, as sessions of nox; `tools/bootstrap.sh --list` has them all.

`all -- build test` chooses interpreters and calls nox once more for the sessions of these, with a job: first
`build`, for one after the other, then as in `tools/bootstrap.sh tests-3.11 tests-3.12 -- test`, side by side.
For an interpreter in a Debian of its own its session hands over to a nox in there.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import nox
from nox import Session
from nox.command import CommandFailed

ROOT = Path(__file__).resolve().parent
sys.path.insert(0, str(ROOT / "tools"))
import interpreters  # noqa: E402
import suites  # noqa: E402
from interpreters import Interpreter, listed, wanted_versions  # noqa: E402
from suites import MAIN_PART, PYTHON_TESTS, RESULTS, test_files  # noqa: E402

nox.needs_version = ">=2026.10"
nox.options.envdir = f"build/environments{os.environ.get('IN_ROOT', '')}"
nox.options.reuse_existing_virtualenvs = True
nox.options.download_python = "never"
PROJECT = nox.project.load_toml("pyproject.toml")
IN_CI = bool(os.environ.get("CI"))
RESULTS.mkdir(parents=True, exist_ok=True)
FOUND = interpreters.find_all()
OWN = sorted((one for one in FOUND if not one.root), key=lambda one: one.has_headers)
BEST = OWN[-1] if OWN else None
best = partial(nox.session, python=BEST and BEST.path, default=False)
# CMake options of the builds that are tested.
STRICT = "-DSCHEDULER_BUILD_TESTS=ON -DSCHEDULER_WERROR=ON"
LIGHT = ("-m", "not heavy")
FUZZ = ("python", "-m", "fuzz", "--seconds")
ONLY_BINARY = {"PIP_ONLY_BINARY": "numpy,scipy"}
# The checkout may be another user's, as in a container.
GIT = {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "safe.directory", "GIT_CONFIG_VALUE_0": str(ROOT)}
# What an installed module is made of.
SOURCES = "*.txt *.toml setup.py cmake/**/* include/* python/**/*.py python/**/*.pyi src/**/*.[hcS]*"


def words(variable: str) -> list[str]:
    return shlex.split(os.environ.get(variable, ""))


def place(one: Interpreter, name: str) -> str:
    """A directory for what is compiled for the interpreter; another one of the same version has another."""
    which = hashlib.sha256(f"{one.path} {one.release}".encode()).hexdigest()[:8]
    return str(ROOT / "build" / f"compiled{os.environ.get('IN_ROOT', '')}" / f"{one.version}-{which}" / name)


def need(session: Session, used: list[Interpreter], *packages: str) -> None:
    """Makes sure of the system's packages: compiler, Boost and the parts of Debian's own Pythons."""
    of_pythons = [
        f"python{one.version.removesuffix('d')}-{'dbg' if one.version.endswith('d') else 'dev'}"
        for one in used
        if not one.root and Path(one.path).parent == Path("/usr/bin") and "t" not in one.version
        if not one.has_headers or (not one.has_library and "libgtest-dev" in packages)
    ]
    wanted = ("g++", "libboost-context-dev", *packages, *of_pythons)
    session.run("tools/system_packages.sh", *wanted, external=True, log=False)


def install(session: Session, *groups: str) -> None:
    """Installs dependency groups of pyproject.toml."""
    wanted = nox.project.dependency_groups(PROJECT, *groups)
    session.install(*wanted, env=ONLY_BINARY, silent=True)


def install_module(session: Session, one: Interpreter, options: str = "") -> None:
    """Installs the module by pip, unless the installed one was made from the same sources."""
    install(session, "build", "module")
    arguments = f"{os.environ.get('CMAKE_ARGS', '')} {options}"
    made_from = hashlib.sha256(arguments.encode())
    for path in sorted(path for pattern in SOURCES.split() for path in ROOT.glob(pattern) if path.is_file()):
        made_from.update(f"{path}\0{path.stat().st_size}\0".encode() + path.read_bytes())
    stamp = Path(session.virtualenv.location, "made-from")
    if stamp.is_file() and stamp.read_text() == made_from.hexdigest():
        return
    stamp.unlink(missing_ok=True)
    for leftover in (ROOT / "build").glob("lib.*"):  # setuptools never removes what it once copied there
        shutil.rmtree(leftover)
    env = {"CMAKE_ARGS": arguments, "SCHEDULER_BUILD_DIR": place(one, "cmake")}
    session.install("--no-build-isolation", "--no-deps", "--force-reinstall", ".", env=env)
    stamp.write_text(made_from.hexdigest())


# --------------------------------------------------------------------- the jobs of an interpreter's session


def run(session: Session, commands: dict[str, Sequence[str]], side_by_side: bool = False, **env: str) -> None:
    """Runs suites by name, all of them; what they print also goes to files, for the table.

    Side by side: the last one is seen while it runs, the others when all have ended.
    """
    failed = []
    variables = [f"{name}={value}" for name, value in env.items()]
    hidden = [*commands][:-1] if side_by_side else []

    def run_one(suite: str) -> None:
        log = RESULTS / f"{suite}.log"
        where_to = '>"$1" 2>&1' if suite in hidden else '2>&1 | tee "$1"'
        script = ("bash", "-o", "pipefail", "-c", f'env "${{@:2}}" {where_to}', "suite", str(log))
        try:
            session.run(*script, *variables, *commands[suite], external=True, log=False)
        except CommandFailed:
            failed.append(suite)

    with ThreadPoolExecutor(len(hidden) + 1) as pool:
        list(pool.map(run_one, commands))
    for suite in hidden:
        print((RESULTS / f"{suite}.log").read_text(errors="replace"), flush=True)
    for suite in failed:
        log = RESULTS / f"{suite}.log"
        log.rename(log.with_suffix(suites.FAILED))
    if failed:
        session.error(f"failed: {', '.join(failed)}")


def not_run(suite: str, why: str, must: bool) -> None:
    (RESULTS / f"{suite}{suites.FAILED if must else '.log'}").write_text(f"NOT RUN: {why}\n")


def pytest(one: Interpreter, *arguments: str) -> Sequence[str]:
    cache = f"cache_dir={place(one, 'pytest_cache')}"
    return ("python", "-m", "pytest", "-o", cache, *words("PYTEST_ARGS"), *arguments)


def build(session: Session, one: Interpreter) -> None:
    install(session, "test", *([] if one.version.endswith("t") else ["test-with-gil"]))
    install_module(session, one, STRICT)
    if one.has_library:
        session.run("cmake", "--build", place(one, "cmake"), "--target", "capi_tests")


def is_alone(version: str) -> bool:
    """No other interpreter keeps the cores busy, so all that it has to do goes on side by side."""
    asked_for_more = IN_CI or words("PYTEST_ARGS") or version in words("FULL_TESTS_ON")
    return words("PYTHON_VERSIONS") == [version] and not asked_for_more


def test(session: Session, one: Interpreter, *files: str) -> None:
    """tests/capi, and pytest against the installed module; if it is alone, the counts beside them."""
    commands, suite = {}, f"{one.version} capi"
    if one.has_library:
        options = ("--label-regex", "capi", "--no-tests=error", "--output-on-failure", "-j2")
        commands[suite] = ("ctest", "--test-dir", place(one, "cmake"), *options)
    else:
        must = IN_CI or one.version in words("REQUIRE_PYTHONS")
        not_run(suite, f"{one.path} has no libpython (--enable-shared)", must)
    alone = is_alone(one.version) and not files
    if one.version in words("FULL_TESTS_ON"):
        commands[f"{one.version} pytest"] = pytest(one, *files)
    elif not alone:
        commands[f"{one.version} pytest, not heavy"] = pytest(one, *LIGHT, *files)
    else:
        if is_counted(one.version):
            commands |= counting(one)
        for number, part in enumerate(suites.halves(), 1):
            commands[f"{one.version} pytest, not heavy, {number} of 2"] = pytest(one, *LIGHT, *part)
    run(session, commands, side_by_side=alone)


def main(session: Session, one: Interpreter) -> None:
    """All of the tests take a debug build three times as long: PYTEST_ARGS=tests/python."""
    test(session, one, *([] if words("PYTEST_ARGS") else test_files(MAIN_PART)))


def fuzz(session: Session, one: Interpreter) -> None:
    """The interpreters share the time."""
    seconds = float(os.environ.get("FUZZ_SECONDS", "180")) / len(wanted_versions())
    run(session, {f"{one.version} fuzz": (*FUZZ, str(seconds))}, PYTHONPATH=str(PYTHON_TESTS))


def counts(session: Session, one: Interpreter) -> None:
    build(session, one)
    run(session, counting(one))


def is_counted(version: str) -> bool:
    """What is counted differs little between release builds that have a GIL."""
    return version[-1].isdigit()


def counting(one: Interpreter) -> dict[str, Sequence[str]]:
    """Nothing without Valgrind."""
    done = subprocess.run(["tools/system_packages.sh", "valgrind"], capture_output=True, text=True)
    if done.returncode == 0:
        return {f"{one.version} counts": ("python", "tests/counts/count.py", *words("COUNTS_ARGS"))}
    not_run(f"{one.version} counts", " ".join(done.stderr.split()), IN_CI)
    return {}


def jit(session: Session, one: Interpreter) -> None:
    session.env.update(PYTHON_JIT="1", STORM_SECONDS="10")
    session.run("python", "-c", "import sys; sys.exit(not sys._jit.is_enabled() and 'built without the JIT')")
    run(session, {f"{one.version} jit": pytest(one, *test_files(suites.WITH_JIT))})


def compile_as(session: Session, one: Interpreter, name: str, *flags: str) -> None:
    """Compiles the module, without optimisation, into a directory of its own."""
    install(session, "build", "test")
    python = f"-DPython_EXECUTABLE={Path(session.bin, 'python').absolute()}"
    options = ("-GNinja", "-DCMAKE_BUILD_TYPE=Debug", "-DSCHEDULER_WERROR=ON", python, *flags)
    session.run("cmake", "-S", ".", "-B", place(one, name), *options)
    session.run("cmake", "--build", place(one, name), "--target", "_scheduler", "--parallel")


def compile_free_threaded(session: Session, one: Interpreter) -> None:
    compile_as(session, one, "free-threaded", "-DCMAKE_CXX_FLAGS=-DPy_GIL_DISABLED=1")


def compile_sanitized(session: Session, one: Interpreter, name: str, sanitizer: str) -> None:
    compile_as(session, one, name, f"-DSCHEDULER_SANITIZE={sanitizer}", "-DCMAKE_CXX_FLAGS_DEBUG=-O1 -g")


def asan(session: Session, one: Interpreter) -> None:
    """With the module that has ASan and UBSan in it; the interpreter has not."""
    compile_sanitized(session, one, "asan", "address")
    linked = subprocess.check_output(["ldd", *Path(place(one, "asan")).glob("_scheduler.*.so")], text=True)
    # Some take ten times as long. One limits the address space, of which ASan needs all; for each of
    # thousands of stacks ASan clears a MiB of its own.
    unfit = ("memory/test_stack_size.py::test_no_memory_for_a_stack_is_a_memory_error",
             "channels/test_timeouts.py::test_thousands_sleep")  # fmt: skip
    without = [f"--deselect=tests/python/{name}" for name in unfit]
    tests = pytest(one, *LIGHT, "--timeout=600", *without, *test_files(MAIN_PART))
    run(
        session,
        {f"{one.version} asan": tests, f"{one.version} asan fuzz": (*FUZZ, "20")},
        # The libraries must be there before the interpreter's own.
        LD_PRELOAD=" ".join(sorted(re.findall(r"lib(?:asan|stdc\+\+)\S* => (\S+)", linked))),
        ASAN_OPTIONS="detect_leaks=0",  # an interpreter leaves much at its end
        UBSAN_OPTIONS="print_stacktrace=1",
        PYTHONMALLOC="malloc",  # so that ASan sees each object
        PYTHONPATH=f"{PYTHON_TESTS}:{place(one, 'asan')}:{ROOT / 'python'}",
    )


def tsan(session: Session, one: Interpreter) -> None:
    """With TSan in the module, and in an interpreter that takes the other one's packages."""
    compile_sanitized(session, one, "tsan", "thread")
    entry = Path(interpreters.cached("free_threaded.sh", "--tsan"))
    python = ("tools/fixed_addresses.sh", str(entry / "bin" / "python3.13t"))
    known = Path(place(one, "tsan"), "suppressions.txt")
    lists = (entry / "lib" / "suppressions_free_threading.txt", ROOT / "tests" / "tsan_suppressions.txt")
    known.write_text("".join(path.read_text() for path in lists))
    # TSan knows 8,000 stacks, and maps memory of its own for each: one of these limits the address space, one
    # counts mappings.
    unfit = ("channels/test_timeouts.py::test_thousands_sleep",
             "memory/test_stack_size.py::test_no_memory_for_a_stack_is_a_memory_error",
             "memory/test_stack_size.py::test_changing_the_size_again_and_again_keeps_no_memory")  # fmt: skip
    without = [f"--deselect=tests/python/{name}" for name in unfit]
    tests = pytest(one, *LIGHT, "--timeout=600", *without, *test_files(MAIN_PART))
    (packages,) = Path(session.virtualenv.location).glob("lib/*/site-packages")
    run(
        session,
        {
            f"{one.version} tsan": (*python, *tests[1:]),
            f"{one.version} tsan fuzz": (*python, *FUZZ[1:], os.environ.get("FUZZ_SECONDS", "60")),
        },
        LD_PRELOAD="",  # not the library of the fuzz, which refuses memory: TSan is in the same places
        TSAN_OPTIONS=f"history_size=7 suppressions={known}",
        PYTHONPATH=f"{PYTHON_TESTS}:{place(one, 'tsan')}:{ROOT / 'python'}:{packages}",
    )


JOBS = (build, test, main, fuzz, counts, jit, compile_free_threaded, asan, tsan)


def define_session(one: Interpreter) -> None:
    python = not one.root and one.path

    @nox.session(name=f"tests-{one.version}", python=python, allow_parallel=True, default=False)
    def tests(session: Session) -> None:
        if one.root:
            nox_in_there = (*interpreters.inside(one.root), "tools/bootstrap.sh", session.name)
            session.run(*nox_in_there, "--", *session.posargs, external=True, log=False)
            return
        if "t" in one.version:
            session.env["PYTHON_GIL"] = "0"  # so that no imported extension brings the GIL back
        for name in session.posargs:
            {job.__name__: job for job in JOBS}[name](session, one)


for one in FOUND:
    define_session(one)

# -------------------------------------------------------------------------------------- suites as a whole


@nox.session(default=False)
def core(session: Session) -> None:
    """The core's suite, as workflows of CMakePresets.json (core, core-asan, core-tsan) build and run it."""
    need(session, [], "libgtest-dev")
    install(session, "build")
    for preset in session.posargs:
        fixed = ["tools/fixed_addresses.sh"] if preset == "core-tsan" else []
        run(session, {preset: (*fixed, "cmake", "--workflow", "--preset", preset)})


def call(session: Session, names: list[str], job: str, log: str = "") -> list[str]:
    """Calls nox for sessions with a job, side by side if it is tests; returns which of them succeeded.
    With a log, what they print is shown when all have ended."""
    if not names:
        return []
    report = ROOT / "build" / f"nox-{job}.json"
    parallel = min(suites.at_once(), len(names)) if job in ("test", "main") else 1
    report.unlink(missing_ok=True)
    again = (sys.executable, "-B", "-m", "nox", "--report", str(report), "--parallel", str(parallel))
    command = (*again, "--session", *names, "--", job)
    if log:
        command = ("bash", "-c", '"$@" >"$0" 2>&1', log, *command)
    session.run(*command, external=True, success_codes=range(256))
    if log:
        print(Path(log).read_text(errors="replace"), flush=True)
    if not report.exists():  # it did not come to a session
        return []
    return [one["name"] for one in json.loads(report.read_text())["sessions"] if one["result"] == "success"]


@nox.session(name="all", python=False, default=False)
def all_of(session: Session) -> None:
    """Jobs, such as `build test`, on all interpreters found, or those of PYTHON_VERSIONS; then a table."""
    need(session, FOUND, "libgtest-dev")
    found = {one.version: one for one in interpreters.find_all() if one.has_headers}
    not_found = f"Not found, or without Python.h: {listed({*wanted_versions()} - {*found}) or 'none'}"
    if missing := {*words("REQUIRE_PYTHONS")} - {*found}:
        session.error(f"Required and not found: CPython {listed(missing)}")
    if not found:
        session.error(f"No usable CPython {' or '.join(wanted_versions())} was found; one is needed.")
    os.environ["PYTHON_VERSIONS"] = " ".join(found)
    suites.forget_results()
    fit = [f"tests-{version}" for version in found if is_counted(version)]
    counted = ["tests-3.12"] if "tests-3.12" in fit else fit[-1:]
    if "counts" in session.posargs and not counted:
        not_run("counts", "only on release builds with a GIL, and there is none", IN_CI)
    full = words("FULL_TESTS_ON")
    # The longest first, so that little is waited for in the end.
    longest_first = sorted(found, key=lambda version: (version not in full, "t" not in version))
    left = [f"tests-{version}" for version in longest_first]

    def call_and_note(names: list[str], job: str, log: str = "") -> list[str]:
        done = call(session, names, job, log)
        for name in {*names} - {*done}:  # perhaps before there was a suite
            (RESULTS / f"{name} -- {job}{suites.FAILED}").write_text("see above\n")
        return done

    jobs = list(session.posargs)
    with ThreadPoolExecutor(1) as pool:
        beside = None
        if "core" in jobs and "test" in jobs and len(found) == 1 and is_alone(*found):
            jobs = ["build", "test"]  # which counts as well
            log = ROOT / "build" / "logs" / "core.log"
            log.parent.mkdir(exist_ok=True)
            print(f"The core's suite goes on beside what follows: {log}", flush=True)
            beside = pool.submit(call_and_note, ["core"], "core", str(log))
        for job in jobs:
            done = call_and_note({"core": ["core"], "counts": counted}.get(job, left), job)
            left = left if job == "core" else done
        if beside:
            beside.result()
    print(f"Interpreters: {', '.join(f'{one.release} ({one.root}{one.path})' for one in found.values())}")
    print(not_found)
    if not suites.report():
        session.error("something failed, see above")


# ------------------------------------------------------------------ sessions on the preferred interpreter


def prepare(session: Session, *groups: str) -> None:
    """The module, compiled where that was done before, and dependency groups."""
    if not BEST:
        session.error(f"No CPython {' or '.join(wanted_versions())} was found; one is needed.")
    need(session, [BEST])
    install(session, "build", *groups)
    install_module(session, BEST)


@best()
def demo(session: Session) -> None:
    """Installs the module and runs examples/threads.py."""
    prepare(session)
    session.run("python", "-I", "examples/threads.py")


@best()
def types(session: Session) -> None:
    """Stubs, by stubtest for the interpreter that runs it; examples and tests/typing for CPython 3.11."""
    prepare(session, "types")
    session.run("stubtest", "--mypy-config-file", "pyproject.toml", "scheduler", "_scheduler")
    mypy = ("mypy", "--cache-dir", "build/mypy_cache", "--python-version", "3.11")
    session.run(*mypy, "--package", "scheduler")
    session.run(*mypy)
    session.run("basedpyright", "--project", "pyproject.toml")


@best()
def docs(session: Session) -> None:
    """The documentation: build/docs/html/index.html; then tests/site looks at it in Chromium."""
    prepare(session, "docs")
    # Warnings are errors; a fresh build shows all of them.
    flags = ("-b", "html", "-W", "--keep-going", "--fresh-env", "-q", "-d", "build/docs/doctrees")
    session.run("python", "-m", "sphinx", *flags, "docs", "build/docs/html")
    look_at_site(session)
    session.log("build/docs/html/index.html")


def look_at_site(session: Session) -> None:
    """In CI, and where Chromium is."""
    if IN_CI:
        need(session, [BEST], "chromium")
    if "t" in BEST.version or not shutil.which("chromium"):
        say = session.error if IN_CI else session.warn
        say("Not looked at in a browser: that needs Chromium, as `chromium`, and a Python with a GIL")
        return
    install(session, "browser")
    shutil.rmtree("build/docs/screenshots", ignore_errors=True)
    # The system's Chromium: playwright's own is not fetched.
    session.run("python", "-m", "pytest", "-q", "-o", "cache_dir=build/docs/pytest_cache", "tests/site")


@best()
def lint(session: Session) -> None:
    """The hooks of .pre-commit-config.yaml, or the one that is named, on all files that git knows."""
    need(session, [BEST], "git", "libgtest-dev")
    install(session, "build", "lint")
    python = ("-DPython_FIND_STRATEGY=LOCATION", f"-DPython_EXECUTABLE={BEST.path}")
    session.run("cmake", "--fresh", "--preset", "lint", *python)
    env = GIT | {"PRE_COMMIT_HOME": str(ROOT / "build" / "pre-commit")}
    hooks = session.posargs or ["--hook-stage", "manual", "--show-diff-on-failure"]
    fine = (0, 1) if hooks == ["clang-format"] else (0,)  # `make format` may change files
    session.run("pre-commit", "run", "--all-files", *hooks, env=env, success_codes=fine)


def build_wheel(session: Session) -> tuple[str, str]:
    """An sdist of all that git knows, and a wheel made from it; both are looked at."""
    need(session, [BEST], "git")
    install(session, "wheel")
    session.run("check-sdist", env=GIT, silent=True)
    dist = Path(session.create_tmp(), "dist")
    shutil.rmtree(dist, ignore_errors=True)
    session.run("python", "-m", "build", "--outdir", str(dist), silent=True)
    (sdist,), (wheel,) = map(str, dist.glob("*.tar.gz")), map(str, dist.glob("*.whl"))
    session.run("twine", "check", "--strict", sdist, wheel)
    session.run("check-wheel-contents", wheel)
    return sdist, wheel


def bare(session: Session, name: str, *what: str) -> str:
    """A new environment in which only this is installed, and works; its interpreter."""
    venv = Path(session.create_tmp(), name)
    session.run("virtualenv", "--clear", "-q", "-p", BEST.path, str(venv))
    python = str(venv / "bin" / "python")
    session.run(python, "-m", "pip", "install", "-q", *what, external=True)
    session.run(python, "-I", "tests/installed.py", external=True)
    session.run(python, "-I", "-m", "scheduler", "--info", external=True)
    return python


@best()
def package(session: Session) -> None:
    """Checks sdist, wheel and editable installation."""
    sdist, wheel = build_wheel(session)
    bare(session, "wheel", "--no-index", "--no-deps", wheel)
    source = Path(session.create_tmp(), "source")  # an editable install leaves files in there
    shutil.rmtree(source, ignore_errors=True)
    shutil.unpack_archive(sdist, source, filter="data")
    bare(session, "editable", "--editable", str(next(source.iterdir())))


@best()
def wheel(session: Session) -> None:
    """A wheel for other Linux systems in build/dist, tested where nothing else is installed."""
    _, built = build_wheel(session)
    shutil.rmtree("build/dist", ignore_errors=True)
    session.run("auditwheel", "repair", "--wheel-dir", "build/dist", built)
    (repaired,) = map(str, Path("build/dist").glob("*.whl"))
    session.run("auditwheel", "show", repaired)
    python = bare(session, "bare", "--no-index", "--no-deps", repaired)
    test = nox.project.dependency_groups(PROJECT, "test")
    session.run(python, "-m", "pip", "install", "-q", *test, env=ONLY_BINARY, external=True)
    smoke = ("-q", "-p", "no:cacheprovider", *test_files(suites.SMOKE))
    session.run(python, "-I", "-m", "pytest", *smoke, external=True)
    session.log(f"{repaired} works")


@best()
def bench(session: Session) -> None:
    """Every benchmark; the result is in build/bench."""
    need(session, [BEST], "libbenchmark-dev")
    free = "t" in BEST.version  # gevent has no build for it
    prepare(session, *([] if free else ["bench"]))
    session.run("cmake", "--preset", "core-bench")
    session.run("cmake", "--build", "--preset", "core-bench")
    session.run("build/core-bench/core_benchmarks", "--benchmark_min_time=0.2", external=True)
    Path("build/bench").mkdir(exist_ok=True)
    arguments = ["--json", "build/bench/figures.json", *([] if free else ["--plots", "build/bench"])]
    session.run("python", "-s", "benchmarks/bench.py", *arguments, *words("BENCH_ARGS"))
    session.run("python", "-s", "benchmarks/threads.py")
