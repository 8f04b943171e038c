"""Memory of blocked tasklets, and that it is given back (Linux: the figures are the kernel's)."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path

import pytest

from support.waiting import most_of_memory

BYTES_PER_TASKLET = 11_000
MAPPINGS = 200

# Prints what a number of blocked tasklets costs, one call deep, as JSON.
BLOCKED = """
import json, sys
import scheduler

def usage():
    with open("/proc/self/status") as status:
        fields = dict(line.split(":", 1) for line in status)
    resident, tables = (int(fields[name].split()[0]) * 1024 for name in ("VmRSS", "VmPTE"))
    with open("/proc/self/maps") as maps:
        return resident + tables, sum(1 for _ in maps)

def body():
    ch.receive()
    served[0] += 1

count = int(sys.argv[1])
ch = scheduler.channel()
served = [0]
for _ in range(100):
    scheduler.tasklet(body)()
scheduler.run()
bytes_before, mappings_before = usage()
for _ in range(count):
    scheduler.tasklet(body)()
scheduler.run()
bytes_after, mappings_after = usage()
balance = ch.balance
for _ in range(1000):
    ch.send(None)
ch.clear()
print(json.dumps({
    "bytes": (bytes_after - bytes_before) / count,
    "mappings": mappings_after - mappings_before,
    "waiting": -balance,
    "served": served[0],
    "left": scheduler.get_active_tasklet_count(),
}))
"""


def available_bytes():
    """Memory that the machine can still give."""
    for line in Path("/proc/meminfo").read_text().splitlines():
        name, value = line.split(":")
        if name == "MemAvailable":
            return int(value.split()[0]) * 1024
    raise AssertionError("/proc/meminfo does not tell how much memory is available")


@pytest.mark.spec("C-15", "G-07")
@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    "count", [10_000, 100_000, pytest.param(1_000_000, marks=pytest.mark.heavy)]
)
def test_blocked_tasklets_are_small_and_need_few_mappings(run_script, count):
    needed = count * BYTES_PER_TASKLET
    with most_of_memory() if count == 1_000_000 else contextlib.nullcontext():
        if available_bytes() < needed:
            pytest.fail(
                f"{count:,} tasklets may take {needed / 1e9:.1f} GB, and only "
                f"{available_bytes() / 1e9:.1f} GB are available: run this test on a larger machine"
            )
        found = json.loads(run_script(BLOCKED, str(count), timeout=500).stdout)
    assert found["waiting"] == count + 100
    assert found["served"] == 1000
    assert found["left"] == 1  # main
    assert found["bytes"] <= BYTES_PER_TASKLET, found
    assert found["mappings"] <= MAPPINGS, found


RESIDENT = """
def resident():
    with open("/proc/self/statm") as statm:
        return int(statm.read().split()[1]) * 4096
"""


@pytest.mark.spec("G-04", "G-05")
def test_one_tasklet_after_the_other_uses_the_same_memory(run_script):
    done = run_script(
        RESIDENT
        + """
import scheduler

def run(count):
    for _ in range(count):
        scheduler.tasklet(len)("")
        scheduler.run()

run(1000)
before = resident()
run(100_000)
print(resident() - before)
"""
    )
    assert int(done.stdout) < 1_000_000


@pytest.mark.spec("G-04", "G-08")
def test_deeply_used_stacks_are_given_back(run_script):
    done = run_script(
        RESIDENT
        + """
import scheduler

def descend(depth):
    if depth:
        sorted([1], key=lambda _: descend(depth - 1))   # about 5 KB of C stack each
    else:
        scheduler.schedule_remove()

def generation():
    tasks = [scheduler.tasklet(descend)(40) for _ in range(300)]
    scheduler.run()
    return tasks

before = resident()
tasks = generation()
deep = resident()
for task in tasks:
    task.run()
del tasks, task
for _ in range(400):
    scheduler.tasklet(len)("")
scheduler.run()
print(deep - before, resident() - before)
for _ in range(3):
    for task in generation():
        task.kill()
print(resident() - before)
"""
    )
    deep, after, again = (int(number) for number in done.stdout.split())
    assert deep > 300 * 40 * 2000
    assert after < deep / 2
    assert again < deep


@pytest.mark.spec("H-05", "N-01")
def test_threads_give_their_stacks_back(run_script):
    done = run_script(
        RESIDENT
        + """
import threading
import scheduler

def work():
    for _ in range(200):
        scheduler.tasklet(scheduler.schedule)()
    scheduler.run()

def threads(count):
    for _ in range(count):
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()

threads(5)
before = resident()
threads(100)
print(resident() - before)
"""
    )
    assert int(done.stdout) < 8_000_000


CROWD = """
import scheduler

def descend(depth):
    if depth:
        sorted([1], key=lambda _: descend(depth - 1))   # about 5 KB of C stack each
    else:
        scheduler.schedule_remove()

def wave(count=16_000):
    tasks = [scheduler.tasklet(descend)(2) for _ in range(count)]
    scheduler.run()
    during = scheduler.stack_stats()["resident_bytes"]
    for task in tasks:
        task.run()
    return during

def resident():
    return scheduler.stack_stats()["resident_bytes"]
"""


@pytest.mark.spec("G-04", "G-08")
@pytest.mark.timeout(300)
def test_a_crowd_that_is_over_keeps_little(run_script):
    """No call, and no turn of another tasklet, is needed for that."""
    done = run_script(CROWD + "print(wave(), resident())", timeout=250)
    during, after = map(int, done.stdout.split())
    assert during > 16_000 * 12_000
    assert after < during / 10


@pytest.mark.spec("G-04", "G-08")
@pytest.mark.timeout(300)
def test_a_steady_crowd_keeps_its_memory_until_it_stays_away(run_script):
    done = run_script(
        CROWD
        + """
import time

def faults():
    with open("/proc/self/stat") as stat:
        return int(stat.read().rsplit(")", 1)[1].split()[7])

wave(4000)
wave(4000)
before = faults()
wave(4000)
print(faults() - before, resident())
deadline = time.monotonic() + 60
while resident() > 1200 * 32_768 and time.monotonic() < deadline:
    time.sleep(0.2)
    for _ in range(100):
        scheduler.tasklet(len)("")
    scheduler.run()
print(resident())
""",
        timeout=250,
    )
    new_pages, kept, at_last = map(int, done.stdout.split())
    assert new_pages < 4000  # of some 20,000 that the wave uses
    assert kept > 4000 * 12_000
    assert at_last < kept / 2
