"""Virtual environments under build/, with the module installed in them.

    build/tools             CMake, Ninja, clang-format, clang-tidy
    build/types             mypy, pyright
    build/py3.12/venv       one per interpreter
    build/py3.12/cmake      CMake build of the module and of tests/capi for it
    build/docs/venv         Sphinx
    build/bench/venv        one more, with what benchmarks/bench.py compares with

Those of an interpreter in a Debian of its own are made and used in there, with that Debian's CMake.
Stamps (small files that hold a hash) say what was done already, so that a second call is quick.
"""

from __future__ import annotations

import hashlib
import os
import shlex
import shutil
import subprocess
import tomllib
from pathlib import Path

from common import BUILD, ROOT, clean_environment, run, run_and_keep, say
from interpreters import Interpreter

# What an installed module is made of.
SOURCES = ("CMakeLists.txt", "cmake", "include", "pyproject.toml", "python", "setup.py", "src")
SOURCE_SUFFIXES = {".txt", ".cmake", ".toml", ".py", ".pyi", ".typed", ".h", ".cpp", ".S"}

# What speaks of this machine's compiler and libraries, which another Debian does not have.
OF_THIS_MACHINE = (
    "CC", "CXX", "CFLAGS", "CXXFLAGS", "LDFLAGS", "CPATH", "LIBRARY_PATH", "LD_LIBRARY_PATH",
    "CMAKE_PREFIX_PATH", "TMPDIR",
)  # fmt: skip


def forget_moved_checkout() -> None:
    """Environments and CMake builds hold absolute paths: useless once the directory has moved."""
    stamp = BUILD / "root.stamp"
    if stamp.is_file() and not _is_done(stamp, str(ROOT)):
        shutil.rmtree(BUILD)
    _mark_done(stamp, str(ROOT))


def tools(interpreter: Interpreter, *requirements: str) -> Path:
    """The environment with the build tools; returns its directory of programs."""
    venv = BUILD / "tools"
    _make_environment(venv, interpreter, obsolete=venv)
    _install_requirements(interpreter, venv, "build", *requirements)
    return venv / "bin"


def type_checkers(interpreter: Interpreter) -> Path:
    """The environment with mypy and pyright; returns its directory of programs."""
    venv = BUILD / "types"
    _make_environment(venv, interpreter, obsolete=venv)
    _install_requirements(interpreter, venv, "types")
    return venv / "bin"


def documentation(interpreter: Interpreter) -> Path:
    """The environment with Sphinx; returns its interpreter."""
    venv = BUILD / "docs" / "venv"
    _make_environment(venv, interpreter, obsolete=venv)
    _install_requirements(interpreter, venv, "docs")
    return venv / "bin" / "python"


class ModuleEnvironment:
    """The environment of one interpreter; with a name, another one beside its usual one."""

    def __init__(self, interpreter: Interpreter, tool_dir: Path, name: str = "") -> None:
        self.interpreter = interpreter
        self.directory = BUILD / (name or f"py{interpreter.version}")
        self.cmake_dir = self.directory / "cmake"
        self.venv = self.directory / "venv"
        # What CMake found out about another interpreter is of no use either.
        _make_environment(self.venv, interpreter, obsolete=self.directory)
        self.python = self.venv / "bin" / "python"
        if interpreter.root:
            tool_dir = Path("/usr/bin")
        self.cmake = tool_dir / "cmake"
        # CMake and Ninja of `tool_dir` are the ones that setup.py finds.
        self.env = clean_environment(
            PATH=os.pathsep.join([str(self.venv / "bin"), str(tool_dir), os.environ["PATH"]])
        )
        if interpreter.root:
            for name in OF_THIS_MACHINE:
                self.env.pop(name, None)
        _install_requirements(interpreter, self.venv, "module")

    def run(self, *command: str | Path, env: dict[str, str] | None = None) -> None:
        """As common.run(), where the interpreter is."""
        run(*self.interpreter.inside, *command, env=env or self.env)

    def run_and_keep(
        self, *command: str | Path, env: dict[str, str] | None = None, prefix: str = ""
    ) -> tuple[int, list[str]]:
        """As common.run_and_keep(), where the interpreter is."""
        return run_and_keep(*self.interpreter.inside, *command, env=env or self.env, prefix=prefix)

    def install_module(self, *cmake_options: str) -> None:
        """Installs the module by pip, unless the installed one was made from the same sources."""
        stamp = self.venv / "installed.stamp"
        fingerprint = _fingerprint()
        if _is_done(stamp, fingerprint):
            return
        stamp.unlink(missing_ok=True)
        # setuptools never removes what it once copied there.
        for leftover in BUILD.glob("lib.*"):
            shutil.rmtree(leftover)
        cmake_args = [*shlex.split(os.environ.get("CMAKE_ARGS", "")), *cmake_options]
        variables = {
            "SCHEDULER_BUILD_DIR": str(self.cmake_dir),
            "CMAKE_ARGS": shlex.join(cmake_args),
        }
        pip = (self.python, "-m", "pip", "install", "-q", "--disable-pip-version-check")
        options = ("--no-build-isolation", "--no-deps", "--force-reinstall")
        self.run(*pip, *options, ROOT, env=self.env | variables)
        _mark_done(stamp, fingerprint)

    def packages(self) -> Path:
        """The directory where the module is installed."""
        code = "import sysconfig; print(sysconfig.get_path('platlib'))"
        return Path(subprocess.check_output([self.python, "-I", "-c", code], text=True).strip())

    def install_test_requirements(self) -> None:
        _install_requirements(self.interpreter, self.venv, "test")

    def install_bench_requirements(self) -> None:
        _install_requirements(self.interpreter, self.venv, "bench")

    def compile_module(self, name: str, *cmake_options: str) -> Path:
        """Compiles the module, without optimisation, into a directory of its own, which it returns."""
        directory = self.directory / name
        options = ("-GNinja", "-DCMAKE_BUILD_TYPE=Debug", "-DSCHEDULER_WERROR=ON", *cmake_options)
        python = f"-DPython_EXECUTABLE={self.python}"
        self.run(self.cmake, "-S", ROOT, "-B", directory, *options, python)
        self.run(self.cmake, "--build", directory, "--target", "_scheduler", "--parallel")
        return directory

    def build_capi_tests(self, *cmake_options: str) -> None:
        """Builds tests/capi, and the module if it is not yet built so."""
        self.run(self.cmake, "-S", ROOT, "-B", self.cmake_dir, *cmake_options)
        self.run(self.cmake, "--build", self.cmake_dir, "--target", "capi_tests")


def _make_environment(venv: Path, interpreter: Interpreter, obsolete: Path) -> None:
    """Makes a virtual environment; `obsolete` goes if it was another interpreter's."""
    stamp = venv / "interpreter.stamp"
    identity = f"{interpreter.root}{interpreter.path} {interpreter.release}"
    if not _is_done(stamp, identity):
        shutil.rmtree(obsolete, ignore_errors=True)
        say(f"Virtual environment {venv.relative_to(ROOT)} (CPython {interpreter.release})")
        run(*interpreter.inside, interpreter.path, "-m", "venv", venv)
        _mark_done(stamp, identity)


def _install_requirements(interpreter: Interpreter, venv: Path, *names: str) -> None:
    for name in names:
        wanted = requirements(name)
        stamp = venv / f"{name}.stamp"
        if not _is_done(stamp, "\n".join(wanted)):
            python = (*interpreter.inside, venv / "bin" / "python")
            pip = (*python, "-m", "pip", "install", "-q")
            run(*pip, "--disable-pip-version-check", *wanted)
            _mark_done(stamp, "\n".join(wanted))


def requirements(group: str) -> list[str]:
    """What pip is given for a group of pyproject.toml; the pip of CPython 3.11 knows no groups."""
    groups = tomllib.loads((ROOT / "pyproject.toml").read_text())["dependency-groups"]
    only_binary = ["--only-binary=numpy,scipy"] if group == "test" else []
    return [*only_binary, *groups[group]]


def _fingerprint() -> str:
    digest = hashlib.sha256()
    for name in SOURCES:
        top = ROOT / name
        for path in sorted(top.rglob("*")) if top.is_dir() else [top]:
            made_by_pip = path.parent.suffix == ".egg-info"
            if path.suffix in SOURCE_SUFFIXES and path.is_file() and not made_by_pip:
                digest.update(f"{path.relative_to(ROOT)}\0{path.stat().st_size}\0".encode())
                digest.update(path.read_bytes())
    return digest.hexdigest()


def _is_done(stamp: Path, content: str) -> bool:
    return stamp.is_file() and stamp.read_text() == content


def _mark_done(stamp: Path, content: str) -> None:
    stamp.parent.mkdir(parents=True, exist_ok=True)
    stamp.write_text(content)
