"""CPython 3.14 and 3.15 for a Debian that has none: a Debian unstable in a directory of the cache.

Their binaries need a newer C library than this system has, so they, the compiler, CMake and the
libraries are that Debian's, and every command for them runs inside it: in_root.sh.
"""

from __future__ import annotations

import os
import shutil
from functools import partial
from pathlib import Path

import apt_sources
import cache
import system_packages
from common import ROOT, Failure, clean_environment, run, run_logged, say

VERSIONS = ("3.14", "3.15")
SUITE = "unstable"
PACKAGES = (
    "cmake g++ libboost-context-dev libgtest-dev ninja-build valgrind".split()
    + [f"python{version}-{part}" for version in VERSIONS for part in ("dev", "venv", "dbg")]
)
SETTINGS = {
    # The suite's index may be a mirror's old one.
    "apt/apt.conf.d/99build": 'Acquire::Check-Valid-Until "false";\n',
    # Nothing here is worth a wait for the disk, and nobody reads here.
    "dpkg/dpkg.cfg.d/99build": "force-unsafe-io\npath-exclude=/usr/share/doc/*\n"
    "path-exclude=/usr/share/man/*\npath-exclude=/usr/share/locale/*\n",
}
PLACE = cache.place("debian-unstable", SUITE, *PACKAGES, *SETTINGS.values())
CHECK = "import ctypes, ensurepip, ssl, venv, zlib"
ELSEWHERE = "this can be done. Elsewhere, install CPython 3.14 and 3.15 with their headers."


def build() -> None:
    """Makes the Debian unstable, unless it is there already, made in this way."""
    entry = apt_sources.entry(ELSEWHERE)
    if os.geteuid() != 0:
        raise Failure("Only root can do this: it makes a Debian system in a directory and mounts.")
    cache.make(PLACE, partial(_build, entry.mirror))
    say(f"CPython {' and '.join(VERSIONS)} are in {PLACE}.")


def inside(root: Path) -> tuple[str | Path, ...]:
    """The words before a command that is to be run in that Debian."""
    return (ROOT / "tools" / "in_root.sh", root)


def _build(mirror: str, work: Path) -> Path:
    if not shutil.which("debootstrap"):
        system_packages.install(["debootstrap"])
    root = work / "root"
    bootstrap = ("unshare", "--mount", "debootstrap", "--variant=minbase")  # it mounts /proc
    run_logged(
        "newer-pythons",
        f"Making a minimal Debian {SUITE}, which takes a minute",
        (*bootstrap, SUITE, root, mirror),
    )
    for name, content in SETTINGS.items():
        (root / "etc" / name).write_text(content)
    quiet = clean_environment(DEBIAN_FRONTEND="noninteractive")
    get = (*inside(root), "apt-get", "-q")
    run_logged(
        "newer-pythons",
        f"Installing {len(PACKAGES)} packages and what they need in it, which takes some minutes",
        (*get, "update"),
        (*get, "install", "-y", "--no-install-recommends", *PACKAGES),
        (*get, "clean"),
        env=quiet,
    )
    for version in VERSIONS:
        run(*inside(root), f"python{version}", "-c", CHECK)
    return root
