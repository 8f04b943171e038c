"""numpy and scipy in tasklets of the default size: what a thread can run, a tasklet can.

BLAS and LAPACK count on a thread's stack: OpenBLAS has frames of half a MiB and more. The results are
compared with those of the main tasklet, whose stack is the thread's own.
"""

from __future__ import annotations

import sysconfig

import pytest

if sysconfig.get_config_var("Py_DEBUG"):
    pytest.skip(
        "there are no wheels of numpy and scipy for debug builds, whose ABI is another one",
        allow_module_level=True,
    )

JOBS = """
import os, sys
os.environ["OPENBLAS_NUM_THREADS"] = "2"
os.environ["OPENBLAS_THREAD_TIMEOUT"] = "4"  # else its threads spin, and the main one waits for a core
import numpy, scipy.fft, scipy.linalg
import scheduler

def matrix(size, seed=1):
    return numpy.random.default_rng(seed).random((size, size)) + numpy.eye(size) * size

def symmetric(size):
    return matrix(size) + matrix(size).T

JOBS = {
    "inv": lambda n: numpy.linalg.inv(matrix(n)),
    "solve": lambda n: numpy.linalg.solve(matrix(n), matrix(n, 2)),
    "det": lambda n: numpy.linalg.slogdet(matrix(n)),
    "svd": lambda n: numpy.linalg.svd(matrix(n), compute_uv=False),
    "eigvals": lambda n: numpy.sort_complex(numpy.linalg.eigvals(matrix(n))),
    "eigh": lambda n: numpy.linalg.eigvalsh(symmetric(n)),
    "product": lambda n: matrix(n) @ matrix(n, 2),
    "fft": lambda n: numpy.fft.fft2(matrix(n)),
    "sort": lambda n: numpy.sort(matrix(n), axis=None),
    "scipy inv": lambda n: scipy.linalg.inv(matrix(n)),
    "scipy solve": lambda n: scipy.linalg.solve(matrix(n), matrix(n, 2)),
    "scipy det": lambda n: scipy.linalg.det(matrix(n) / n),
    "scipy svd": lambda n: scipy.linalg.svdvals(matrix(n)),
    "scipy eigh": lambda n: scipy.linalg.eigvalsh(symmetric(n)),
    "scipy fft": lambda n: scipy.fft.fft2(matrix(n)),
    "scipy expm": lambda n: scipy.linalg.expm(matrix(n) / (n * n)),
}

def same(one, other):
    if isinstance(one, tuple):
        return all(map(same, one, other))
    return numpy.allclose(one, other, rtol=1e-9, atol=1e-9)
"""


@pytest.mark.spec("DEC-11")
@pytest.mark.timeout(300)
@pytest.mark.parametrize("size", [300, pytest.param(600, marks=pytest.mark.heavy)])
def test_each_gives_in_a_tasklet_what_it_gives_in_main(run_script, size):
    done = run_script(
        JOBS
        + """
size = int(sys.argv[1])
for name, job in JOBS.items():
    expected = job(size)
    results = []
    scheduler.tasklet(lambda: results.append(job(size)))()
    scheduler.run()
    print(name, same(expected, results[0]), sep=": ", flush=True)
""",
        str(size),
        timeout=250,
    )
    lines = done.stdout.splitlines()
    assert len(lines) == 16
    assert [line for line in lines if not line.endswith(": True")] == []


@pytest.mark.spec("DEC-11")
@pytest.mark.timeout(300)
def test_many_at_once_leave_each_other_alone(run_script):
    """Tasklets that wait, between others that compute, find their stacks as they left them.

    Stacks lie beside each other in the order in which tasklets start.
    """
    done = run_script(
        JOBS
        + """
gate = scheduler.channel()
unharmed = []
wrong = []

def neighbour(number):
    def descend(depth):
        kept = [number, depth, "kept"]
        if depth:
            list(map(descend, [depth - 1]))
        else:
            gate.receive()
        if kept == [number, depth, "kept"] and depth == 5:
            unharmed.append(number)
    descend(5)

def compute(name, job, expected):
    for _ in range(2):
        if not same(expected, job(300)):
            wrong.append(name)
        scheduler.schedule()

count = 0
for name, job in JOBS.items():
    scheduler.tasklet(neighbour)(count)
    scheduler.tasklet(compute)(name, job, job(300))
    count += 1
scheduler.run()
waiting = -gate.balance
while gate.balance:
    gate.send(None)
scheduler.run()
print(waiting == count, sorted(unharmed) == list(range(count)), wrong)
""",
        timeout=250,
    )
    assert done.stdout.split() == ["True", "True", "[]"]


@pytest.mark.spec("DEC-11")
@pytest.mark.timeout(300)
def test_in_the_tasklets_of_another_thread(run_script):
    """The thread itself has a stack of 512 KiB: it is the tasklets' size that counts."""
    done = run_script(
        JOBS
        + """
import threading

expected = JOBS["inv"](300)
results = []

def work():
    for _ in range(4):
        scheduler.tasklet(lambda: results.append(JOBS["inv"](300)))()
    scheduler.run()

threading.stack_size(512 * 1024)
thread = threading.Thread(target=work)
thread.start()
thread.join()
print(len(results), all(same(expected, result) for result in results))
""",
        timeout=250,
    )
    assert done.stdout.split() == ["4", "True"]
