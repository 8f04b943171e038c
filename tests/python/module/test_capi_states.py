"""Every entry of the C table in interpreters that it does not serve (K-01)."""

from __future__ import annotations

import pytest

CALLS = """
import ctypes, sys

P, I, L = ctypes.c_void_p, ctypes.c_int, ctypes.c_longlong
D, N = ctypes.c_double, ctypes.c_ssize_t
# result, arguments; 35 to 37 are no functions
ENTRIES = {
    0: (P, P, P), 1: (I, P, P, P), 2: (I, P), 3: (I, P), 4: (None, P, I), 5: (I, P), 6: (I, P),
    7: (I, P), 8: (I, P), 9: (P, P), 10: (I, P, P), 11: (P, P), 12: (I, P, P, P), 13: (P, P),
    14: (I, P), 15: (None, P, I), 16: (I, P), 17: (I, P), 18: (I, P, P, P, P), 19: (P,), 20: (P, P, I),
    21: (I,), 22: (P,), 23: (P, L), 24: (P, I), 25: (I, P), 26: (P,), 27: (I, P), 28: (None, P),
    38: (ctypes.c_long, P), 39: (P, P), 40: (I, D), 41: (I, P, P, D), 42: (P, P, D), 43: (I, P, P, P, D),
    44: (N, P, N, D, I, N),  # the last one is a pointer, and NULL
}
COUNTERS = range(29, 35)

def call(address, slot, result, *arguments):
    slots = (ctypes.c_void_p * 45).from_address(address)
    values = [id(sys) if argument is P else 0 for argument in arguments]
    return ctypes.PYFUNCTYPE(result, *arguments)(slots[slot])(*values)

def check(address):
    for slot, (result, *arguments) in ENTRIES.items():
        try:
            value = call(address, slot, result, *arguments)
        except RuntimeError as error:
            assert "interpreter" in str(error), error
        else:
            raise AssertionError(f"entry {slot} gave {value}")

def count(address):
    return [call(address, slot, I) for slot in COUNTERS]
"""

INTERPRETERS = """
import os
if sys.version_info >= (3, 13):
    import _interpreters as interpreters
    create = lambda: interpreters.create("legacy")
else:
    import _xxsubinterpreters as interpreters
    create = lambda: interpreters.create(isolated=False)

def run(interpreter, text):
    failure = interpreters.run_string(interpreter, text)
    assert failure is None, failure

ADDRESS = """
ADDRESS = """
import ctypes, scheduler
get = ctypes.pythonapi.PyCapsule_GetPointer
get.restype, get.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]
address = get(scheduler._C_API, b"scheduler._C_API")
"""
INTERPRETERS += repr(ADDRESS)


@pytest.mark.spec("K-01")
def test_no_entry_crashes_when_the_interpreter_that_imported_first_has_ended(run_script):
    program = f"""{CALLS}{INTERPRETERS}
reader, writer = os.pipe()
interpreter = create()
run(interpreter, ADDRESS + f"import os; os.write({{writer}}, str(address).encode())")
address = int(os.read(reader, 100))
interpreters.destroy(interpreter)
check(address)
assert count(address) == [0] * 6
import scheduler
scheduler.getmain()
assert count(address)[0] == 1
print("over")
"""
    assert run_script(program).stdout == "over\n"


@pytest.mark.spec("K-01")
def test_no_entry_works_on_another_interpreter(run_script):
    program = f"""{CALLS}{INTERPRETERS}
exec(ADDRESS)
scheduler.getmain()
interpreter = create()
run(interpreter, {CALLS!r} + f"check({{address}}); assert count({{address}})[0] == 1")
interpreters.destroy(interpreter)
assert call(address, 21, I) == 1
print("over")
"""
    assert run_script(program).stdout == "over\n"
