"""The C and C++ compilers for tests that compile something."""

from __future__ import annotations

import os
import shlex
import shutil


def cxx_compiler() -> list[str]:
    """The C++ compiler: $CXX, or the first that is there."""
    return _compiler("CXX", ("c++", "g++", "clang++"))


def c_compiler() -> list[str]:
    """The C compiler: $CC, or the first that is there."""
    return _compiler("CC", ("cc", "gcc", "clang"))


def _compiler(variable: str, names: tuple[str, ...]) -> list[str]:
    if os.environ.get(variable):
        return shlex.split(os.environ[variable])
    for name in names:
        if shutil.which(name):
            return [name]
    raise AssertionError(f"none of {', '.join(names)} was found: set {variable}")
