"""Allocations that fail: those of CPython, and calls for memory that the module makes."""

from __future__ import annotations

import ctypes
import subprocess

from support.compilers import cxx_compiler
from support.places import NATIVE

KINDS = ("new", "mmap", "madvise", "mprotect")


def build_library(directory):
    """The library to preload."""
    source = NATIVE / "failing_memory.cpp"
    library = directory / "failing_memory.so"
    options = ("-std=c++17", "-O1", "-shared", "-fPIC")
    command = [*cxx_compiler(), *options, str(source), "-o", str(library), "-ldl"]
    subprocess.run(command, check=True, timeout=120)
    return library


class Objects:
    """Failures of CPython's own allocators."""

    lasts = False

    def __init__(self):
        import _testcapi  # noqa: PLC0415

        self.set = _testcapi.set_nomemory
        self.remove = _testcapi.remove_mem_hooks

    def fail_after(self, calls):
        self.set(calls, calls + 1)

    def has_failed(self):
        """If not, the failure is still to come, and soon."""
        try:
            [bytearray(100) for _ in range(50)]
        except MemoryError:
            return False
        finally:
            self.remove()
        return True


class Calls:
    """Failures of the preloaded library."""

    lasts = True

    def __init__(self, kind):
        library = ctypes.PyDLL(None)
        self.kind = KINDS.index(kind)
        self.set = library.fail_after
        self.set.argtypes = [ctypes.c_int, ctypes.c_long]
        self.get = library.has_failed

    def fail_after(self, calls):
        self.set(self.kind, calls)

    def has_failed(self):
        return self.get(self.kind) == 1
