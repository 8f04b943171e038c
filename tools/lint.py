"""The hooks of .pre-commit-config.yaml over all files that git knows: format and linters."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import system_packages
from common import BUILD, ROOT, clean_environment, run


def check(tool_dir: Path, python: str) -> None:
    """Runs every hook. Those that can put something right do so, and fail for it."""
    env = _environment(tool_dir)
    choice = [f"-DPython_EXECUTABLE={python}", "-DPython_FIND_STRATEGY=LOCATION"]
    run(tool_dir / "cmake", "--fresh", "--preset", "lint", *choice, env=env)
    everything = ("--all-files", "--hook-stage", "manual", "--show-diff-on-failure")
    run(tool_dir / "pre-commit", "run", *everything, env=env)


def format_all(tool_dir: Path) -> None:
    pre_commit = (tool_dir / "pre-commit", "run", "clang-format", "--all-files")
    subprocess.run(pre_commit, cwd=ROOT, env=_environment(tool_dir))  # fails where it changed a file


def _environment(tool_dir: Path) -> dict[str, str]:
    if not shutil.which("git"):
        system_packages.install(["git"])
    return clean_environment(
        PATH=f"{tool_dir}{os.pathsep}{os.environ['PATH']}",
        PRE_COMMIT_HOME=str(BUILD / "pre-commit"),
        # The checkout may be another user's, as in a container.
        GIT_CONFIG_COUNT="1",
        GIT_CONFIG_KEY_0="safe.directory",
        GIT_CONFIG_VALUE_0=str(ROOT),
    )
