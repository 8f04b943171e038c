"""Checks the ways to install, and builds the wheel that others can use.

`check`: sdist -> wheel -> empty environment, and `pip install -e`. `make_wheel`: sdist -> wheel,
which auditwheel makes fit for other Linux systems, and tests where nothing else is installed.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from common import BUILD, ROOT, Failure, run, say
from environments import ModuleEnvironment, requirements
from suites import test_files

# In the fresh environment: both modules, the header, the version of the metadata.
CHECK = """
import importlib.metadata, os, _scheduler, scheduler
assert scheduler.__version__ == importlib.metadata.version("tasklets"), scheduler.__version__
assert os.path.isfile(os.path.join(scheduler.get_include(), "Scheduler.h"))
t = scheduler.tasklet(print)(f"{_scheduler.__file__} works")
scheduler.run()
assert not t.alive
"""

# The libraries in the process once tasklets have run: no Boost among them.
CHECK_LIBRARIES = """
import re, scheduler
scheduler.tasklet(print)("libraries in use:")
scheduler.run()
paths = set(re.findall(r"/\\S+\\.so[.\\d]*$", open("/proc/self/maps").read(), re.MULTILINE))
print(*sorted(paths), sep="\\n")
assert any("_scheduler" in path for path in paths)
assert not any("boost" in path for path in paths)
"""

# Arguments: the project, the directory to put the sdist into.
BUILD_SDIST = """
import os, sys
from setuptools import build_meta
os.chdir(sys.argv[1])
build_meta.build_sdist(sys.argv[2])
"""

# The part of tests/python that a wheel has to pass: what is in it, and programs that use all of it.
SMOKE = ("architecture", "module", "info", "examples", "example_programs")


def check(environment: ModuleEnvironment) -> None:
    with _copy_of_sources() as (source, work):
        wheel = _wheel_from_sdist(environment, source, work / "dist")
        for name, what in (("wheel", [wheel]), ("editable", ["--editable", source])):
            python = _make_environment(environment, work / name, "module")
            options = ("--no-build-isolation", "--no-deps", "-q")
            run(python, "-m", "pip", "install", *options, *what, env=environment.env)
            run(python, "-I", "-c", CHECK)


def make_wheel(environment: ModuleEnvironment, tool_dir: Path) -> None:
    """`tool_dir` has auditwheel and patchelf. The wheel is put into build/dist."""
    dist = BUILD / "dist"
    shutil.rmtree(dist, ignore_errors=True)
    with _copy_of_sources() as (source, work):
        built = _wheel_from_sdist(environment, source, work / "dist")
        path = os.pathsep.join([str(tool_dir), environment.env["PATH"]])
        auditwheel, env = tool_dir / "auditwheel", environment.env | {"PATH": path}
        run(auditwheel, "repair", "--wheel-dir", dist, built, env=env)
        wheel = _only_file(dist, "*.whl")
        run(auditwheel, "show", wheel, env=env)

        python = _make_environment(environment, work / "bare")
        run(python, "-m", "pip", "install", "-q", "--no-index", "--no-deps", wheel)
        for code in (CHECK, CHECK_LIBRARIES):
            run(python, "-I", "-c", code)
        run(python, "-I", "-m", "scheduler", "--info")
        _install_requirements(python, "test")
        tests = test_files(SMOKE)
        run(python, "-I", "-m", "pytest", "-q", "-p", "no:cacheprovider", *tests)
    say(f"\n{wheel.relative_to(ROOT)} works")


@contextmanager
def _copy_of_sources() -> Iterator[tuple[Path, Path]]:
    """A copy of the project, so that an editable install leaves nothing in the sources; a directory
    to work in."""
    with tempfile.TemporaryDirectory() as work:
        source = Path(work) / "source"
        unwanted = shutil.ignore_patterns(".git", "build", "*.so", "*.egg-info", "__pycache__")
        shutil.copytree(ROOT, source, ignore=unwanted)
        yield source, Path(work)


def _make_environment(environment: ModuleEnvironment, venv: Path, *requirements: str) -> Path:
    """A new environment; returns its interpreter."""
    run(environment.interpreter.path, "-m", "venv", venv)
    python = venv / "bin" / "python"
    for name in requirements:
        _install_requirements(python, name)
    return python


def _install_requirements(python: Path, name: str) -> None:
    run(python, "-m", "pip", "install", "-q", *requirements(name))


def _wheel_from_sdist(environment: ModuleEnvironment, source: Path, dist: Path) -> Path:
    run(environment.python, "-c", BUILD_SDIST, source, dist, env=environment.env)
    options = ("--no-build-isolation", "--no-deps", "-q", "-w", dist)
    pip = (environment.python, "-m", "pip")
    run(*pip, "wheel", *options, _only_file(dist, "*.tar.gz"), env=environment.env)
    return _only_file(dist, "*.whl")


def _only_file(directory: Path, pattern: str) -> Path:
    files = list(directory.glob(pattern))
    if len(files) != 1:
        raise Failure(f"expected one {pattern}, found {files}")
    return files[0]
