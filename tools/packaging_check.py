"""Checks the ways to install: sdist -> wheel -> empty environment, and `pip install -e`."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from common import ROOT, Failure, run
from environments import ModuleEnvironment

# In the fresh environment: both modules, the header, the version of the metadata.
CHECK = """
import importlib.metadata, os, _scheduler, scheduler
assert scheduler.__version__ == importlib.metadata.version("scheduler"), scheduler.__version__
assert os.path.isfile(os.path.join(scheduler.get_include(), "Scheduler.h"))
t = scheduler.tasklet(print)(f"{_scheduler.__file__} works")
scheduler.run()
assert not t.alive
"""

# Arguments: the project, the directory to put the sdist into.
BUILD_SDIST = """
import os, sys
from setuptools import build_meta
os.chdir(sys.argv[1])
build_meta.build_sdist(sys.argv[2])
"""


def check(environment: ModuleEnvironment) -> None:
    """Works on a copy of the project, so that an editable install leaves nothing in the sources."""
    with tempfile.TemporaryDirectory() as work:
        source = Path(work) / "source"
        unwanted = shutil.ignore_patterns(".git", "build", "*.so", "*.egg-info", "__pycache__")
        shutil.copytree(ROOT, source, ignore=unwanted)
        wheel = _wheel_from_sdist(environment, source, Path(work) / "dist")
        for name, what in (("wheel", [wheel]), ("editable", ["--editable", source])):
            venv = Path(work) / name
            run(environment.interpreter.path, "-m", "venv", venv)
            requirements = ROOT / "tools" / "requirements" / "module.txt"
            pip = (venv / "bin" / "python", "-m", "pip", "install", "-q")
            run(*pip, "-r", requirements)
            run(*pip, "--no-build-isolation", "--no-deps", *what, env=environment.env)
            run(venv / "bin" / "python", "-I", "-c", CHECK)


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
