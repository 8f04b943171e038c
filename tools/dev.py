"""What `make` calls: sets up what is missing under build/, then does one job.

    demo                installs the module and runs examples/threads.py
    test                every suite on every supported interpreter that is found
    debug               the main Python suites on debug builds of CPython
    fuzz                random programs and events for FUZZ_SECONDS
    asan-module         the module, its main suites and the fuzz, with ASan and UBSan
    jit                 the tests of switching, with the JIT of CPython 3.14 and 3.15
    compile-free-threaded  compiles, no more, for the free-threaded CPython 3.14 and 3.15
    core PRESET...      the core's suite as these presets of CMakePresets.json build it
    free-threaded       builds the free-threaded CPython 3.13, which `test` then finds
    newer-pythons       the same for CPython 3.14 and 3.15, for a Debian that has none
    clean-cache         removes what these two have made
    package             checks sdist, wheel and editable installation
    wheel               a wheel for other Linux systems in build/dist, tested in a bare environment
    types               stubs, examples and tests/typing, by stubtest, mypy and pyright
    docs                builds the documentation: build/docs/html/index.html
    lint, format        what .pre-commit-config.yaml lists; clang-format alone
    counts              instructions, allocations and mappings against tests/counts/baseline.json
    bench               every benchmark; the result is in build/bench
"""

from __future__ import annotations

import argparse
import os
import shlex
import subprocess
import sys
import time
from collections.abc import Sequence
from itertools import chain, islice

import cache
import environments
import free_threaded
import interpreters
import lint
import newer_pythons
import packaging_check
import suites
import system_packages
import type_check
from common import BUILD, ROOT, Failure, run, say
from environments import ModuleEnvironment
from interpreters import Interpreter


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("job", choices=JOBS)
    parser.add_argument("presets", nargs="*", help="for the job `core`")
    options = parser.parse_args()
    try:
        JOBS[options.job](options)
    except Failure as failure:
        print(f"\n{failure}", file=sys.stderr)
        return 1
    except subprocess.CalledProcessError as error:
        print(f"\nThis command failed with exit code {error.returncode}:", file=sys.stderr)
        print(f"    {' '.join(map(str, error.cmd))}", file=sys.stderr)
        return 1
    return 0


def demo(options: argparse.Namespace) -> None:
    environment = best_environment(with_tests=False)
    environment.install_module()
    run(environment.python, "-I", ROOT / "examples" / "threads.py", env=environment.env)


def test(options: argparse.Namespace) -> None:
    found = find_interpreters(with_tests=True)
    suites.check_required(found)
    results = suites.Results(planned=suites.planned(found))
    say(f"Suites to come: {', '.join(results.planned)}")
    full_on = os.environ.get("FULL_TESTS_ON", "").split()
    if lesser := [one.version for one in found if one.version not in full_on]:
        say(
            f"Without the tests that are marked as heavy (storms, a million tasklets, thousands of "
            f"random programs): {', '.join(lesser)}. FULL_TESTS_ON='{lesser[-1]}' adds them."
        )
    tool_dir = environments.tools(this_machines(found))
    suites.run_core(results, tool_dir, ("core",))
    must_embed = interpreters.SUPPORTED if os.environ.get("CI") else suites.required_versions()
    built = [ModuleEnvironment(one, tool_dir) for one in found]
    suites.run_python(results, built, must_embed, full_on)
    suites.run_counts(results, built)

    say(f"\nInterpreters: {', '.join(f'{one.release} ({one.root}{one.path})' for one in found)}")
    not_found = set(interpreters.wanted_versions()) - {one.version for one in found}
    say(f"Not found: {interpreters.listed(not_found) or 'none'}")
    say(f"Time: {time.monotonic() - results.start:.0f} s")
    results.report()


def debug(options: argparse.Namespace) -> None:
    # All of them take a debug interpreter three times as long: PYTEST_ARGS=tests/python.
    os.environ.setdefault("PYTEST_ARGS", shlex.join(map(str, suites.test_files(suites.MAIN_PART))))
    results, built = only_python(interpreters.DEBUG_BUILDS)
    suites.run_python(results, built, suites.required_versions(), full_on=())
    results.report()


def jit(options: argparse.Namespace) -> None:
    results, built = only_python(newer_pythons.VERSIONS)
    suites.run_with_jit(results, built)
    results.report()


def fuzz(options: argparse.Namespace) -> None:
    results, built = only_python(suites.FUZZED)
    suites.run_fuzz(results, built, float(os.environ.get("FUZZ_SECONDS", "180")))
    results.report()


def asan_module(options: argparse.Namespace) -> None:
    results, built = only_python((suites.SANITIZED_ON,))
    suites.run_sanitized(results, built)
    results.report()


def compile_free_threaded(options: argparse.Namespace) -> None:
    _, built = only_python(newer_pythons.VERSIONS)
    for environment in built:
        environment.compile_module("free-threaded", "-DCMAKE_CXX_FLAGS=-DPy_GIL_DISABLED=1")


def only_python(versions: Sequence[str]) -> tuple[suites.Results, list[ModuleEnvironment]]:
    """Environments for the interpreters of these versions, unless others are asked for."""
    os.environ.setdefault("PYTHON_VERSIONS", " ".join(versions))
    found = find_interpreters(with_tests=True)
    suites.check_required(found)
    tool_dir = environments.tools(this_machines(found))
    return suites.Results(), [ModuleEnvironment(one, tool_dir) for one in found]


def build_free_threaded(options: argparse.Namespace) -> None:
    environments.forget_moved_checkout()
    free_threaded.build()


def make_newer_pythons(options: argparse.Namespace) -> None:
    environments.forget_moved_checkout()
    newer_pythons.build()


def clean_cache(options: argparse.Namespace) -> None:
    cache.remove(cache.DIRECTORY)


def core(options: argparse.Namespace) -> None:
    tool_dir = environments.tools(best_interpreter(with_tests=True))
    presets = tuple(options.presets) or ("core",)
    results = suites.Results(planned=presets)
    suites.run_core(results, tool_dir, presets)
    results.report()


def counts(options: argparse.Namespace) -> None:
    found = find_interpreters(with_tests=True)
    tool_dir = environments.tools(this_machines(found))
    results = suites.Results()
    suites.run_counts(results, [ModuleEnvironment(one, tool_dir) for one in found])
    results.report()


def package(options: argparse.Namespace) -> None:
    packaging_check.check(best_environment(with_tests=False))


def wheel(options: argparse.Namespace) -> None:
    environment = best_environment(with_tests=False)
    packaging_check.make_wheel(environment, environments.tools(environment.interpreter, "wheel"))


def types(options: argparse.Namespace) -> None:
    type_check.check(best_environment(with_tests=False))


def docs(options: argparse.Namespace) -> None:
    environment = best_environment(with_tests=False)
    environment.install_module()
    sphinx = environments.documentation(environment.interpreter)
    env = environment.env | {"PYTHONPATH": str(environment.packages())}
    places = (ROOT / "docs", BUILD / "docs" / "html")
    # Warnings are errors; a fresh build shows all of them.
    flags = ("-b", "html", "-W", "--keep-going", "--fresh-env", "-q")
    run(sphinx, "-m", "sphinx", *flags, "-d", BUILD / "docs" / "doctrees", *places, env=env)
    say(f"{places[1] / 'index.html'}")


def lint_all(options: argparse.Namespace) -> None:
    one = best_interpreter(with_tests=True)
    tool_dir = environments.tools(one, "lint")
    lint.check(tool_dir, one.path)


def format_all(options: argparse.Namespace) -> None:
    tool_dir = environments.tools(best_interpreter(with_tests=False), "lint")
    lint.format_all(tool_dir)


def bench(options: argparse.Namespace) -> None:
    one = best_interpreter(with_tests=False)
    system_packages.ensure_for_benchmarks()
    tool_dir = environments.tools(one)
    suites.build_core_benchmarks(tool_dir)
    run(BUILD / "core-bench" / "core_benchmarks", "--benchmark_min_time=0.2")

    environment = ModuleEnvironment(one, tool_dir, name="bench")
    environment.install_module()
    directory = environment.directory
    arguments = ["--json", directory / "figures.json"]
    if not one.is_free_threaded:  # gevent has no build for it
        environment.install_bench_requirements()
        arguments += ["--plots", directory]
    arguments += shlex.split(os.environ.get("BENCH_ARGS", ""))
    scripts = ROOT / "benchmarks"
    run(environment.python, "-s", scripts / "bench.py", *arguments, env=environment.env)
    run(environment.python, "-s", scripts / "threads.py", env=environment.env)


def find_interpreters(with_tests: bool, only_best: bool = False) -> list[Interpreter]:
    """The interpreters to use, the preferred one last. Installs missing system packages.

    `only_best` gives one of this machine, not of a Debian of its own.
    """

    def look() -> list[Interpreter]:
        best_first = reversed(interpreters.wanted_versions())
        found = (one for version in best_first if (one := interpreters.find(version, only_best)))
        return list(islice(found, 1)) if only_best else list(found)[::-1]

    environments.forget_moved_checkout()
    found = look()
    if system_packages.ensure(found, with_tests):
        found = look()
    for one in found:
        if not one.can_build:
            say(f"{one.path} is left out: it has no {'venv' if one.has_headers else 'Python.h'}")
    found = [one for one in found if one.can_build]
    if not found:
        wanted = " or ".join(interpreters.wanted_versions())
        raise Failure(f"No usable CPython {wanted} was found; one is needed.")
    return found


def this_machines(found: list[Interpreter]) -> Interpreter:
    """One that can have the tools of this machine in an environment of its own."""
    others = (interpreters.find(version, True) for version in reversed(interpreters.SUPPORTED))
    for one in chain(reversed(found), others):
        if one and not one.root and one.has_venv:
            return one
    raise Failure("No CPython with the module venv was found outside of the cache; one is needed.")


def best_interpreter(with_tests: bool) -> Interpreter:
    return find_interpreters(with_tests, only_best=True)[0]


def best_environment(with_tests: bool) -> ModuleEnvironment:
    one = best_interpreter(with_tests)
    return ModuleEnvironment(one, environments.tools(one))


JOBS = {
    "demo": demo,
    "test": test,
    "debug": debug,
    "fuzz": fuzz,
    "asan-module": asan_module,
    "jit": jit,
    "compile-free-threaded": compile_free_threaded,
    "core": core,
    "free-threaded": build_free_threaded,
    "newer-pythons": make_newer_pythons,
    "clean-cache": clean_cache,
    "counts": counts,
    "package": package,
    "wheel": wheel,
    "types": types,
    "docs": docs,
    "lint": lint_all,
    "format": format_all,
    "bench": bench,
}

if __name__ == "__main__":
    sys.exit(main())
