"""The C function table through ctypes, for tests of what only the table offers."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import Any

import scheduler

_get_pointer = ctypes.pythonapi.PyCapsule_GetPointer
_get_pointer.restype = ctypes.c_void_p
_get_pointer.argtypes = [ctypes.py_object, ctypes.c_char_p]
_slots = (ctypes.c_void_p * 40).from_address(_get_pointer(scheduler._C_API, b"scheduler._C_API"))


def _function(slot: int, result: Any, *arguments: Any) -> Callable[..., Any]:
    return ctypes.PYFUNCTYPE(result, *arguments)(_slots[slot])


get_run_count = _function(21, ctypes.c_int)
run_with_timeout = _function(23, ctypes.py_object, ctypes.c_longlong)
run_n_tasklets = _function(24, ctypes.py_object, ctypes.c_int)
get_completed = _function(33, ctypes.c_int)
get_switched = _function(34, ctypes.c_int)
