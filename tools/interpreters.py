"""Finds the CPython interpreters on this machine, and those that `make` has put into the cache."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import free_threaded
import newer_pythons
from common import BUILD, ROOT, Failure, clean_environment

FREE_THREADED = "3.13t"
# From the least to the most preferred one, where one of them is enough.
SUPPORTED = (FREE_THREADED, "3.11", "3.12", "3.13", "3.14", "3.15")
# Debug builds are used when they are asked for by name.
DEBUG_BUILDS = tuple(f"{version}d" for version in SUPPORTED if version != FREE_THREADED)
HOW_TO_GET = {FREE_THREADED: "make free-threaded"} | dict.fromkeys(
    [f"{version}{kind}" for version in newer_pythons.VERSIONS for kind in ("", "d")],
    "make newer-pythons",
)

SYSTEM_PLACES = ("/usr/local/bin", "/usr/bin")

# Run by a candidate: what it is, and whether programs can be compiled against it.
PROBE = """
import importlib.util, json, os, sys, sysconfig
get = sysconfig.get_config_var
places = {get("LIBDIR"), get("LIBPL"), os.path.join(get("LIBDIR") or "", get("MULTIARCH") or "")}
print(json.dumps({
    "version": "%d.%d" % sys.version_info[:2]
    + ("t" if get("Py_GIL_DISABLED") else "") + ("d" if get("Py_DEBUG") else ""),
    "release": sys.version.split()[0],
    "path": sys.executable,
    "usable": sys.implementation.name == "cpython",
    "has_venv": bool(importlib.util.find_spec("venv") and importlib.util.find_spec("ensurepip")),
    "has_headers": os.path.exists(os.path.join(sysconfig.get_path("include"), "Python.h")),
    "has_library": any(
        os.path.exists(os.path.join(place, name))
        for place in places if place
        for name in (get("LDLIBRARY"), get("LIBRARY")) if name
    ),
}))
"""


@dataclass(frozen=True)
class Interpreter:
    version: str  # such as "3.12"; "3.13t" is free-threaded, "3.14d" a debug build
    release: str  # such as "3.12.1"
    path: str
    has_venv: bool  # can make virtual environments with pip
    has_headers: bool  # Python.h: the module can be compiled
    has_library: bool  # libpython: it can be embedded
    root: str = ""  # the directory of the Debian system that it belongs to, if not this machine's

    @property
    def is_free_threaded(self) -> bool:
        return "t" in self.version

    @property
    def is_debug_build(self) -> bool:
        return self.version.endswith("d")

    @property
    def inside(self) -> tuple[str | Path, ...]:
        """The words before every command for it."""
        return newer_pythons.inside(Path(self.root)) if self.root else ()

    @property
    def can_build(self) -> bool:
        return self.has_venv and self.has_headers

    @property
    def is_complete(self) -> bool:
        return self.can_build and self.has_library


def wanted_versions() -> list[str]:
    """PYTHON_VERSIONS of the environment, or all supported ones; the most preferred one last."""
    versions = os.environ.get("PYTHON_VERSIONS", "").split() or SUPPORTED
    known = DEBUG_BUILDS + SUPPORTED
    for version in versions:
        if version not in known:
            supported = " ".join(sorted(SUPPORTED))
            raise Failure(
                f"CPython {version} is not supported; supported: {supported}; debug builds: "
                f"{' '.join(DEBUG_BUILDS)}"
            )
    return sorted(versions, key=known.index)


def listed(versions: Iterable[str]) -> str:
    """Names versions that were not found, and says how to get one."""

    def named(version: str) -> str:
        how = HOW_TO_GET.get(version)
        return f"{version} (to get it: {how})" if how else version

    return ", ".join(named(version) for version in sorted(versions))


def find(version: str, this_machines: bool = False) -> Interpreter | None:
    """The best interpreter of a version: the first complete one, else the first that runs.

    With `this_machines` none that is in a Debian of its own.
    """
    roots = [""] if this_machines else ["", str(newer_pythons.PLACE)]
    candidates = ((root, path) for root in roots for path in _candidates(version, root))
    found = [one for root, path in candidates if (one := _probe(path, version, root))]
    return next((one for one in found if one.is_complete), found[0] if found else None)


def _candidates(version: str, root: str) -> Iterator[str]:
    """Paths of programs; with a root, seen from there."""
    release = version.removesuffix("d")
    names = [f"python{version}"] + ([f"python{release}-dbg"] if version != release else [])
    places = [*SYSTEM_PLACES]
    if not root:
        path = os.environ.get("PATH", "").split(os.pathsep)
        pyenv = [str(directory / "bin") for directory in _pyenv_versions(version)]
        places = [*path, *pyenv, str(free_threaded.PLACE / "bin"), *places]
    for place in filter(None, dict.fromkeys(places)):
        for name in names:
            if os.access(f"{root}{os.path.join(place, name)}", os.X_OK):
                yield os.path.join(place, name)


def _pyenv_versions(version: str) -> list[Path]:
    """The directories of this version under pyenv, newest patch release first.

    Those of the free-threaded builds are named as in "3.13.2t".
    """
    root = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv") / "versions"
    if not os.path.isdir(root) and (pyenv := shutil.which("pyenv")):
        root = Path(subprocess.check_output([pyenv, "root"], text=True).strip()) / "versions"
    if not os.path.isdir(root):  # which also says no to what may not be looked at
        return []

    free_threaded = version == FREE_THREADED
    release = version.removesuffix("t")
    found = [path for path in root.glob(f"{release}.*") if path.name.endswith("t") == free_threaded]

    def patch(path: Path) -> int:
        number = path.name.removeprefix(f"{release}.").removesuffix("t")
        return int(number) if number.isdigit() else -1

    return sorted(found, key=patch, reverse=True)


def _probe(path: str, version: str, root: str) -> Interpreter | None:
    inside = newer_pythons.inside(Path(root)) if root else ()
    try:
        output = subprocess.run(
            [*inside, path, "-I", "-c", PROBE],
            cwd=ROOT,
            env=clean_environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=True,
            timeout=60,
        ).stdout
        facts = json.loads(output)
    except (OSError, ValueError, subprocess.SubprocessError):
        return None  # a shim of a version manager, for instance, with nothing behind it
    if not facts.pop("usable") or facts["version"] != version:
        return None
    if Path(facts["path"]).is_relative_to(BUILD):
        return None  # an environment that we have made; it would be made anew out of itself
    return Interpreter(**facts, root=root)
