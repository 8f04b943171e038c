"""Builds the free-threaded CPython 3.13 from Debian's source package, into build/python3.13t.

Debian 12 has no such interpreter, but a later release has its sources. They are looked for where
this machine's apt configuration finds Debian, with another release's name. apt keeps what it learns
there under build/: the system's own configuration and lists stay as they are.
"""

from __future__ import annotations

import email
import os
import platform
import re
import shutil
from email.message import Message
from pathlib import Path

import system_packages
from common import BUILD, Failure, clean_environment, run, say
from interpreters import FREE_THREADED, OWN_BUILD

RELEASE = "trixie"
PACKAGE = "python3.13"
WORK = BUILD / "python3.13t.work"
APT_CONFIGURATION = Path("/etc/apt")
# "deb [options] place release components": options, place, release, components
ONE_LINE = re.compile(r"deb(?:-src)?\s+(\[[^]]*\]\s+)?(\S+)\s+(\S+)\s+(.*)")
# Without a profiling run, which takes long. With CPython's own test modules: ours use one.
CONFIGURE = (
    "--disable-gil",
    "--enable-shared",
    "--without-static-libpython",
    "--without-ensurepip",  # pip comes with the virtual environments
    "CFLAGS_NODIST=-w",  # the warnings are not for us
)
RECIPE = " ".join((RELEASE, PACKAGE, *CONFIGURE))
STAMP = OWN_BUILD / "recipe.stamp"
# What pip and the tests need, and what is left out silently where a library is missing.
CHECK = (
    "import _testinternalcapi, ctypes, ensurepip, ssl, sys, zlib\n"
    "assert not sys._is_gil_enabled()"
)


def build() -> None:
    """Downloads, compiles and installs it, unless it is there already, made in this way."""
    if STAMP.is_file() and STAMP.read_text() == RECIPE:
        say(f"{OWN_BUILD} is there already.")
        return
    source_line = _source_line(_debian_release())
    system_packages.ensure_for_cpython()
    shutil.rmtree(WORK, ignore_errors=True)
    archive = _download(*source_line)
    _compile(archive)
    shutil.rmtree(WORK)
    say(f"CPython {FREE_THREADED} is in {OWN_BUILD}.")


def _debian_release() -> str:
    try:
        system = platform.freedesktop_os_release()
    except OSError:  # not Linux
        system = {}
    if system.get("ID") != "debian" or not shutil.which("apt-get"):
        raise Failure(
            f"CPython {FREE_THREADED} can be built on Debian only. Elsewhere, install one that was "
            f"configured with --enable-shared, and have python{FREE_THREADED} on PATH."
        )
    return system.get("VERSION_CODENAME", "stable")


# ----------------------------------------------------------------------------- apt's configuration


def _source_line(release: str) -> tuple[str, str]:
    """Name and content of a file for apt, made from the entry for `release` of this machine."""
    parts = APT_CONFIGURATION / "sources.list.d"
    for file in sorted(parts.glob("*.sources")):
        for stanza in re.split(r"\n\s*\n", _without_comments(file)):
            fields = email.message_from_string(stanza.lstrip("\n"))
            if _is_for(release, fields):
                for name, value in (("Types", "deb-src"), ("Suites", RELEASE)):
                    fields.replace_header(name, value)
                fields.replace_header("Components", "main")
                return "debian.sources", fields.as_string()
    for file in (APT_CONFIGURATION / "sources.list", *sorted(parts.glob("*.list"))):
        for line in _without_comments(file).splitlines() if file.is_file() else ():
            match = ONE_LINE.match(line.strip())
            if match and match[3] == release and "main" in match[4].split():
                return "debian.list", f"deb-src {match[1] or ''}{match[2]} {RELEASE} main\n"
    raise Failure(f"{APT_CONFIGURATION} has no entry for main of {release}.")


def _without_comments(file: Path) -> str:
    lines = file.read_text().splitlines(keepends=True)
    return "".join(line for line in lines if not line.startswith("#"))


def _is_for(release: str, fields: Message) -> bool:
    return (
        fields.get("Enabled", "yes") != "no"
        and release in fields.get("Suites", "").split()
        and "main" in fields.get("Components", "").split()
    )


# ------------------------------------------------------------------------------ download and build


def _download(name: str, content: str) -> Path:
    """The source archive. apt checks signatures and checksums."""
    apt = WORK / "apt"
    for directory in ("sources", "lists/partial", "cache/archives/partial"):
        (apt / directory).mkdir(parents=True)
    (apt / "sources" / name).write_text(content)
    settings = {
        "Dir::Etc::sourcelist": os.devnull,
        "Dir::Etc::sourceparts": apt / "sources",
        "Dir::State::lists": apt / "lists",
        "Dir::Cache": apt / "cache",
    }
    options = [word for key, value in settings.items() for word in ("-o", f"{key}={value}")]
    run("apt-get", *options, "-q", "update")
    run("apt-get", *options, "-q", "source", "--download-only", PACKAGE, cwd=apt)
    return next(apt.glob("*.orig.tar.xz"))


def _compile(archive: Path) -> None:
    source, root = WORK / "source", WORK / "root"
    source.mkdir()
    run("tar", "-xf", archive, "-C", source, "--strip-components=1")
    places = (f"--prefix={OWN_BUILD}", f"LDFLAGS=-Wl,-rpath,{OWN_BUILD / 'lib'}")
    run("./configure", "-q", *CONFIGURE, *places, cwd=source)
    run("make", "-s", f"-j{os.cpu_count() or 1}", cwd=source)
    run("make", "-s", "install", f"DESTDIR={root}", cwd=source, quiet=True)

    # Put in its place as a whole, and only if it works: what is there needs no further check.
    installed = root / OWN_BUILD.relative_to("/")
    env = clean_environment(LD_LIBRARY_PATH=str(installed / "lib"))
    run(installed / "bin" / f"python{FREE_THREADED}", "-c", CHECK, env=env)
    (installed / STAMP.name).write_text(RECIPE)
    shutil.rmtree(OWN_BUILD, ignore_errors=True)
    installed.rename(OWN_BUILD)
