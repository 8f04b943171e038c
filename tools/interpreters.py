"""Finds the CPython interpreters on this machine, and those that `make` has put into the cache.

By hand: libraries that look for interpreters do not tell whether one can be compiled against and embedded,
and do not know of one that is in a Debian of its own.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FREE_THREADED = "3.13t"
NEWER = ("3.14", "3.15")
# From the least to the most preferred one, where one of them is enough.
SUPPORTED = (FREE_THREADED, "3.11", "3.12", "3.13", *NEWER)
# Debug builds are used when they are asked for by name.
DEBUG_BUILDS = tuple(f"{version}d" for version in SUPPORTED if version != FREE_THREADED)
HOW = {FREE_THREADED: "make free-threaded"} | dict.fromkeys((*NEWER, "3.14d", "3.15d"), "make newer-pythons")
SYSTEM_PLACES = ("/usr/local/bin", "/usr/bin")

# Run by a candidate: what it is, and whether programs can be compiled against it.
PROBE = """
import json, os, sys, sysconfig
get = sysconfig.get_config_var
directory = get("LIBDIR") or ""
places = {directory, get("LIBPL") or "", os.path.join(directory, get("MULTIARCH") or "")} - {""}
names = [name for name in (get("LDLIBRARY"), get("LIBRARY")) if name]
print(json.dumps({
    "version": sys.implementation.name.replace("cpython", "") + "%d.%d" % sys.version_info[:2]
    + ("t" if get("Py_GIL_DISABLED") else "") + ("d" if get("Py_DEBUG") else ""),
    "release": sys.version.split()[0],
    "path": sys.executable,
    "has_headers": os.path.exists(os.path.join(sysconfig.get_path("include"), "Python.h")),
    "has_library": any(os.path.exists(os.path.join(place, name)) for place in places for name in names),
}))
"""


@dataclass(frozen=True)
class Interpreter:
    version: str  # such as "3.12"; "3.13t" is free-threaded, "3.14d" a debug build
    release: str  # such as "3.12.1"
    path: str
    has_headers: bool  # Python.h: the module can be compiled
    has_library: bool  # libpython: it can be embedded
    root: str = ""  # the directory of the Debian system that it belongs to, if not this machine's


def cached(script: str, *options: str) -> str:
    """Where the script puts its interpreters."""
    return subprocess.check_output([ROOT / "tools" / script, *options, "--place"], text=True).strip()


def inside(root: str) -> tuple[str, ...]:
    """The words before a command for what is below `root`."""
    return (str(ROOT / "tools" / "in_root.sh"), root) if root else ()


def wanted_versions() -> list[str]:
    """PYTHON_VERSIONS of the environment, or all supported ones; the most preferred one last."""
    versions = os.environ.get("PYTHON_VERSIONS", "").split() or SUPPORTED
    known = DEBUG_BUILDS + SUPPORTED
    if unknown := [version for version in versions if version not in known]:
        these = f"{' '.join(sorted(SUPPORTED))}; debug builds: {' '.join(DEBUG_BUILDS)}"
        raise SystemExit(f"CPython {unknown[0]} is not supported; supported: {these}")
    return sorted(versions, key=known.index)


def listed(versions: Iterable[str]) -> str:
    """Names versions that were not found, and says how to get one."""
    return ", ".join(f"{one} (to get it: {HOW[one]})" if one in HOW else one for one in sorted(versions))


def find_all() -> list[Interpreter]:
    return [one for version in wanted_versions() if (one := find(version))]


def find(version: str) -> Interpreter | None:
    """The best interpreter of a version: the first complete one, else the first that runs. Those of this
    machine come before one in a Debian of its own."""
    first = None
    for root in ("", cached("newer_pythons.sh")):
        for path in _paths(version, root):
            one = _probe(path, version, root)
            if one and one.has_headers and one.has_library:
                return one
            first = first or one
    return first


def _paths(version: str, root: str) -> Iterator[str]:
    """Paths of programs; with a root, seen from there."""
    release = version.removesuffix("d")
    names = [f"python{version}"] + ([f"python{release}-dbg"] if version != release else [])
    places = [*SYSTEM_PLACES]
    if not root:
        # Newest first; pyenv names the free-threaded builds as in "3.13.2t".
        pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv", "versions")
        number, kind = release.removesuffix("t"), "t" if release.endswith("t") else ""
        globs = [f"{number}.{digits}{kind}/bin" for digits in ("[0-9][0-9]", "[0-9]")]
        own = [str(place) for glob in globs for place in sorted(pyenv.glob(glob), reverse=True)]
        path = os.environ.get("PATH", "").split(os.pathsep)
        places = [*path, *own, f"{cached('free_threaded.sh')}/bin", *places]
    for place in filter(None, dict.fromkeys(places)):
        for name in names:
            if os.access(f"{root}{os.path.join(place, name)}", os.X_OK):
                yield os.path.join(place, name)


def _probe(path: str, version: str, root: str) -> Interpreter | None:
    command = [*inside(root), path, "-I", "-c", PROBE]
    try:
        done = subprocess.run(command, cwd=ROOT, capture_output=True, check=True, timeout=300)
        facts = json.loads(done.stdout)
    except (OSError, ValueError, subprocess.SubprocessError):
        return None  # a shim of a version manager, for instance, with nothing behind it
    # An environment that we have made would be made anew out of itself.
    if facts["version"] != version or Path(facts["path"]).is_relative_to(ROOT / "build"):
        return None
    return Interpreter(**facts, root=root)
