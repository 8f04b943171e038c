"""Builds the free-threaded CPython 3.13 from Debian's source package, into the cache.

Debian 12 has no such interpreter, but a later release has its sources. They are looked for where
this machine's apt configuration finds Debian, with another release's name. apt keeps what it learns
there in a directory of its own: the system's configuration and lists stay as they are.
"""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path

import apt_sources
import cache
import system_packages
from common import clean_environment, run, run_logged, say

RELEASE = "trixie"
PACKAGE = "python3.13"
# Without a profiling run, which takes long. With CPython's own test modules: ours use one.
CONFIGURE = (
    "--disable-gil",
    "--enable-shared",
    "--without-static-libpython",
    "--without-ensurepip",  # pip comes with the virtual environments
    "CFLAGS_NODIST=-w",  # the warnings are not for us
)
# Built against the libraries of the system, so it is of no use to another release.
PLACE = cache.place("python3.13t", RELEASE, PACKAGE, *CONFIGURE, apt_sources.system_release())
# What pip and the tests need, and what is left out silently where a library is missing.
CHECK = (
    "import _testinternalcapi, ctypes, ensurepip, ssl, sys, zlib\n"
    "assert not sys._is_gil_enabled()"
)
ELSEWHERE = (
    "the free-threaded CPython 3.13 can be built. Elsewhere, install one that was configured with "
    "--enable-shared, and have python3.13t on PATH."
)


def build() -> None:
    """Downloads, compiles and installs it, unless it is there already, made in this way."""
    entry = apt_sources.entry(ELSEWHERE)
    cache.make(PLACE, partial(_build, entry))
    say(f"CPython 3.13t is in {PLACE}.")


def _build(entry: apt_sources.Entry, work: Path) -> Path:
    system_packages.ensure_for_cpython()
    source, root = work / "source", work / "root"
    source.mkdir()
    run("tar", "-xf", _download(entry, work / "apt"), "-C", source, "--strip-components=1")
    # Installed below another root, but for the place where it will be.
    places = (f"--prefix={PLACE}", f"LDFLAGS=-Wl,-rpath,{PLACE / 'lib'}")
    make = ("make", "-s", "-C", source)
    run_logged(
        "free-threaded",
        "Compiling CPython 3.13t, which takes a few minutes",
        ("env", "-C", source, "./configure", "-q", *CONFIGURE, *places),
        (*make, f"-j{os.cpu_count() or 1}"),
        (*make, "install", f"DESTDIR={root}"),
    )
    installed = root / PLACE.relative_to("/")
    env = clean_environment(LD_LIBRARY_PATH=str(installed / "lib"))
    run(installed / "bin" / "python3.13t", "-c", CHECK, env=env)
    return installed


def _download(entry: apt_sources.Entry, apt: Path) -> Path:
    """The source archive. apt checks signatures and checksums."""
    for directory in ("sources", "lists/partial", "cache/archives/partial"):
        (apt / directory).mkdir(parents=True)
    name, content = entry.with_sources_of(RELEASE)
    (apt / "sources" / name).write_text(content)
    settings = {
        "Dir::Etc::sourcelist": os.devnull,
        "Dir::Etc::sourceparts": apt / "sources",
        "Dir::State::lists": apt / "lists",
        "Dir::Cache": apt / "cache",
    }
    options = [word for key, value in settings.items() for word in ("-o", f"{key}={value}")]
    get = ("env", "-C", apt, "apt-get", *options, "-q")
    run_logged(
        "free-threaded",
        f"Downloading the sources of {PACKAGE} of Debian {RELEASE}",
        (*get, "update"),
        (*get, "source", "--download-only", PACKAGE),
    )
    return next(apt.glob("*.orig.tar.xz"))
