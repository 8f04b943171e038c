"""Where things are, and how commands are run."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BUILD = ROOT / "build"


class Failure(Exception):
    """Something that the user must put right; the text says what and how."""


def say(text: str) -> None:
    print(text, flush=True)


def clean_environment(**changes: str) -> dict[str, str]:
    """The environment without what would lead an interpreter to other packages than its own."""
    dropped = {"PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV"}
    return {name: value for name, value in os.environ.items() if name not in dropped} | changes


def run(
    *command: str | Path,
    env: dict[str, str] | None = None,
    cwd: Path = ROOT,
    quiet: bool = False,
) -> None:
    """Runs a command; CalledProcessError when it fails. `quiet` hides all but its errors."""
    words = [str(word) for word in command]
    say(f"+ {shlex.join(words)}")
    subprocess.run(
        words,
        cwd=cwd,
        env=env or clean_environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL if quiet else None,
        check=True,
    )


def run_and_keep(
    *command: str | Path, env: dict[str, str] | None = None, prefix: str = ""
) -> tuple[int, list[str]]:
    """Runs a command, shows what it prints, and returns its exit code and these lines.

    With a prefix, which is shown before each line, several may run at the same time.
    """
    words = [str(word) for word in command]
    say(f"+ {shlex.join(words)}")
    lines = []
    with subprocess.Popen(
        words,
        cwd=ROOT,
        env=env or clean_environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            sys.stdout.write(prefix + line)
            sys.stdout.flush()
            lines.append(line.rstrip("\n"))
    return process.returncode, lines
