"""EX-39: The C table through ctypes: time-limited run.

Rules: K-01, K-05, L-04, L-05, K-26
"""

import ctypes, scheduler, time

get = ctypes.pythonapi.PyCapsule_GetPointer
get.restype, get.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]
slots = (ctypes.c_void_p * 40).from_address(get(scheduler._C_API, b"scheduler._C_API"))
run_for = ctypes.PYFUNCTYPE(ctypes.py_object, ctypes.c_longlong)(slots[23])
completed = ctypes.PYFUNCTYPE(ctypes.c_int)(slots[33])
switched = ctypes.PYFUNCTYPE(ctypes.c_int)(slots[34])
run_count = ctypes.PYFUNCTYPE(ctypes.c_int)(slots[21])

for _ in range(3):
    scheduler.tasklet(time.sleep)(0)
print(run_count(), run_for(10**10), run_count(), completed(), switched())
for _ in range(5):
    scheduler.tasklet(time.sleep)(0)
run_for(0)
print(run_count(), completed(), switched())
rounds = 0
while run_count() > 1:
    run_for(0)
    rounds += 1
print(rounds)
