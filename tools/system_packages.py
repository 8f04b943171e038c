"""Installs the system's packages that are missing, or says what to install."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

from common import Failure, clean_environment, run_logged

if TYPE_CHECKING:
    from interpreters import Interpreter

# What a CPython with ctypes, pip and venv is built from: (library, header, package),
# {program: package}.
CPYTHON_LIBRARIES = (
    ("z", "zlib.h", "zlib1g-dev"),
    ("ssl", "openssl/ssl.h", "libssl-dev"),
    ("ffi", "ffi.h", "libffi-dev"),
)
CPYTHON_PROGRAMS = {"make": "make", "xz": "xz-utils"}


def install(missing: list[str]) -> bool:
    """Installs packages; returns whether there were any."""
    if not missing:
        return False
    install = f"apt-get install -y {' '.join(missing)}"
    if not shutil.which("apt-get"):
        raise Failure(f"Missing here (names of Debian's packages): {' '.join(missing)}")
    if os.geteuid() != 0:
        raise Failure(f"System packages are missing. Install them with\n    sudo {install}")
    run_logged(
        "apt",
        f"Installing missing system packages: {' '.join(missing)}",
        ("apt-get", "update", "-q"),
        (*install.split(), "-q", "--no-install-recommends"),
        env=clean_environment(DEBIAN_FRONTEND="noninteractive"),
    )
    return True


def ensure(interpreters: list[Interpreter], with_tests: bool) -> bool:
    """Makes sure of compiler, Boost.Context, GoogleTest and the parts of Debian's own Pythons.

    Returns whether something was installed; Failure when something is missing and cannot be.
    Looks only on Linux: elsewhere CMake says what is missing.
    """
    if platform.system() != "Linux":
        return False
    missing = _missing_libraries(with_tests) + _missing_python_parts(interpreters, with_tests)
    return install(missing)


def ensure_for_cpython() -> None:
    """Makes sure of what the build of an interpreter needs; Failure when something is missing."""
    missing = [package for name, package in CPYTHON_PROGRAMS.items() if not shutil.which(name)]
    compiler = os.environ.get("CXX") or "c++"
    has_compiler = shutil.which(compiler) is not None
    if not has_compiler:
        missing.append("g++")
    for name, header, package in CPYTHON_LIBRARIES:
        if not has_compiler or not _has_library(compiler, name, header):
            missing.append(package)
    install(missing)


def why_no_valgrind() -> str:
    """Makes sure of Valgrind where that needs no help from the user; else says what is missing."""
    if not shutil.which("valgrind"):
        try:
            install(["valgrind"])
        except Failure as failure:
            return " ".join(str(failure).split())
    return ""


def ensure_for_benchmarks() -> None:
    """Makes sure of Google Benchmark; on Linux only, as ensure()."""
    if platform.system() != "Linux" or os.environ.get("CMAKE_PREFIX_PATH"):
        return
    compiler = os.environ.get("CXX") or "c++"
    if not _has_library(compiler, "benchmark", "benchmark/benchmark.h"):
        install(["libbenchmark-dev"])


def _missing_libraries(with_tests: bool) -> list[str]:
    compiler = os.environ.get("CXX") or "c++"
    if not shutil.which(compiler):
        everything = ["g++", "libboost-context-dev"]
        return everything + (["libgtest-dev"] if with_tests else [])
    # Who names a place of his own has his libraries there.
    if os.environ.get("CMAKE_PREFIX_PATH"):
        return []
    missing = []
    if not _has_library(compiler, "boost_context", "boost/context/detail/fcontext.hpp"):
        missing.append("libboost-context-dev")
    if with_tests and not _has_library(compiler, "gtest", "gtest/gtest.h"):
        missing.append("libgtest-dev")
    return missing


def _has_library(compiler: str, name: str, header: str) -> bool:
    def found(library: str) -> bool:
        # The compiler answers with a path when it finds the file, else with the bare name.
        answer = subprocess.check_output([compiler, f"-print-file-name={library}"], text=True)
        return Path(answer.strip()).is_absolute()

    preprocess = [compiler, "-E", "-x", "c++", "-include", header, os.devnull]
    has_header = subprocess.run(preprocess, capture_output=True).returncode == 0
    return has_header and (found(f"lib{name}.a") or found(f"lib{name}.so"))


def _missing_python_parts(interpreters: list[Interpreter], with_tests: bool) -> list[str]:
    """Debian ships headers, libpython and venv of its own interpreters separately.

    It has no free-threaded ones.
    """
    missing = []
    for one in interpreters:
        if one.root or Path(one.path).parent != Path("/usr/bin") or one.is_free_threaded:
            continue
        release = one.version.removesuffix("d")
        if not one.has_headers or (with_tests and not one.has_library):
            missing.append(f"python{release}-{'dbg' if one.is_debug_build else 'dev'}")
        if not one.has_venv:
            missing.append(f"python{release}-venv")
    return missing
