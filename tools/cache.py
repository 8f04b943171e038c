"""What takes minutes to make and is the same for every checkout is kept outside of them.

${XDG_CACHE_HOME:-~/.cache}/scheduler-dev/<name>-<hash of its recipe>. An entry that is there is
complete: it was made in another directory and renamed. `make clean-cache` removes all of them.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import platform
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from common import Failure, say

DIRECTORY = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "scheduler-dev"
MOUNTS = Path("/proc/self/mountinfo")


def place(name: str, *recipe: str) -> Path:
    """Where the entry that this recipe makes is, or will be."""
    words = "\0".join((platform.machine(), *recipe))
    return DIRECTORY / f"{name}-{hashlib.sha256(words.encode()).hexdigest()[:12]}"


def make(entry: Path, build: Callable[[Path], Path]) -> None:
    """Makes an entry, unless it is there already.

    `build` gets an empty directory to work in, and returns the directory in it that becomes the
    entry. What an interrupted call has left is removed by the next one.
    """
    DIRECTORY.mkdir(parents=True, exist_ok=True)
    with open(entry.with_name(f"{entry.name}.lock"), "w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(f"Another process makes {entry}: waiting for it")
            fcntl.flock(lock, fcntl.LOCK_EX)
        if entry.is_dir():
            say(f"{entry} is there already.")
            return
        for left in DIRECTORY.glob(f"{entry.name}.partial-*"):
            remove(left)
        # Not under the name of an interrupted call, whose commands may still be running.
        work = Path(tempfile.mkdtemp(prefix=f"{entry.name}.partial-", dir=DIRECTORY))
        build(work).rename(entry)
        remove(work)


def remove(directory: Path) -> None:
    """Removes a directory with all that is in it, but never through something that is mounted."""
    mounts = MOUNTS.read_text().splitlines() if MOUNTS.exists() else []
    for place in (Path(line.split()[4]) for line in mounts):
        if place.is_relative_to(directory):
            raise Failure(f"{directory} stays: {place} is mounted there. Unmount it first.")
    if directory.exists():
        shutil.rmtree(directory)
