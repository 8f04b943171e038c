"""Finds the CPython interpreters on this machine."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from common import BUILD, Failure, clean_environment

FREE_THREADED = "3.13t"
# From the least to the most preferred one, where one of them is enough.
SUPPORTED = (FREE_THREADED, "3.11", "3.12", "3.13")
OWN_BUILD = BUILD / "python3.13t"  # where free_threaded.py installs it

# Run by a candidate: what it is, and whether programs can be compiled against it.
PROBE = """
import importlib.util, json, os, sys, sysconfig
get = sysconfig.get_config_var
places = {get("LIBDIR"), get("LIBPL"), os.path.join(get("LIBDIR") or "", get("MULTIARCH") or "")}
print(json.dumps({
    "version": "%d.%d" % sys.version_info[:2] + ("t" if get("Py_GIL_DISABLED") else ""),
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
    version: str  # such as "3.12"; "3.13t" is free-threaded
    release: str  # such as "3.12.1"
    path: str
    has_venv: bool  # can make virtual environments with pip
    has_headers: bool  # Python.h: the module can be compiled
    has_library: bool  # libpython: it can be embedded

    @property
    def can_build(self) -> bool:
        return self.has_venv and self.has_headers

    @property
    def is_complete(self) -> bool:
        return self.can_build and self.has_library


def wanted_versions() -> list[str]:
    """PYTHON_VERSIONS of the environment, or all supported ones; the most preferred one last."""
    versions = os.environ.get("PYTHON_VERSIONS", "").split() or SUPPORTED
    for version in versions:
        if version not in SUPPORTED:
            supported = " ".join(sorted(SUPPORTED))
            raise Failure(f"CPython {version} is not supported; supported: {supported}")
    return sorted(versions, key=SUPPORTED.index)


def listed(versions: Iterable[str]) -> str:
    """Names versions that were not found, and says how to get one."""
    hints = {FREE_THREADED: f"{FREE_THREADED} (make free-threaded builds it)"}
    return ", ".join(hints.get(version, version) for version in sorted(versions))


def find(version: str) -> Interpreter | None:
    """The best interpreter of a version: the first complete one, else the first that runs."""
    found = [one for path in _candidates(version) if (one := _probe(path, version))]
    return next((one for one in found if one.is_complete), found[0] if found else None)


def _candidates(version: str) -> Iterator[str]:
    name = f"python{version}"
    places = os.environ.get("PATH", "").split(os.pathsep)
    places += [str(path / "bin") for path in _pyenv_versions(version)]
    places += [str(OWN_BUILD / "bin"), "/usr/local/bin", "/usr/bin"]
    for place in dict.fromkeys(places):
        if place and os.access(os.path.join(place, name), os.X_OK):
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


def _probe(path: str, version: str) -> Interpreter | None:
    try:
        output = subprocess.run(
            [path, "-I", "-c", PROBE],
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
    found = Path(facts["path"])
    if found.is_relative_to(BUILD) and not found.is_relative_to(OWN_BUILD):
        return None  # an environment that we have made; it would be made anew out of itself
    return Interpreter(**facts)
