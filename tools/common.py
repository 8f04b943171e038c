"""Where things are, and how commands are run."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BUILD = ROOT / "build"
LOGS = BUILD / "logs"
LAST_LINES = 15  # of a log, when a command has failed


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


def run_logged(
    log: str, what: str, *commands: list[str | Path], env: dict[str, str] | None = None
) -> None:
    """Runs commands whose output only matters when one fails: it goes to a log.

    The terminal gets a line that says `what` is done. Failure, with the log's end, if it is not.
    """
    LOGS.mkdir(parents=True, exist_ok=True)
    path = LOGS / f"{log}.log"
    start = time.monotonic()
    say(f"{what} (output: {path.relative_to(ROOT)})")
    with open(path, "a") as file:
        for command in commands:
            print(f"+ {shlex.join(map(str, command))}", file=file, flush=True)
            done = subprocess.run(
                command,
                cwd=ROOT,
                env=env or clean_environment(),
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
            )
            if done.returncode != 0:
                last = path.read_text(errors="replace").splitlines()[-LAST_LINES:]
                failed = f"{what}: failed with exit code {done.returncode}, see {path}"
                raise Failure("\n".join([*last, "", failed]))
    say(f"    done in {time.monotonic() - start:.0f} s")


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
