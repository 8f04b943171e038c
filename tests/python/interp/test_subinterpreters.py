"""Sub-interpreters that share the GIL (D-64): each has a module of its own, with its own tasklets.

Interpreters with a GIL of their own refuse the import or work; see test_reference_limits.py.
"""

from __future__ import annotations

import sys

import pytest

from support.waiting import TIMEOUT

PRELUDE = """
import gc, sys, threading
if sys.version_info >= (3, 13):
    import _interpreters as interpreters
    create = lambda: interpreters.create("legacy")
else:
    import _xxsubinterpreters as interpreters
    create = lambda: interpreters.create(isolated=False)
import scheduler

# Without the package, which takes an interpreter longer than all the rest; some tests import it as well.
IN_THERE = '''
import _thread, os
import _scheduler as scheduler

def start(function, *args):
    task = scheduler.tasklet(function)(*args)
    task.run()
    keep.append(task)
    return task

def noting(suspend):
    def body():
        try:
            suspend()
        finally:
            os.write(1, b"finally\\\\n")
    return body

keep, ch = [], scheduler.channel()
'''

def run(interpreter, text):
    failure = interpreters.run_string(interpreter, text)  # raised before 3.13
    assert failure is None, failure

def counts():
    gc.collect()
    return (scheduler.get_active_tasklet_count(), scheduler.get_number_of_active_channels(),
            scheduler.get_number_of_active_schedule_managers(), scheduler.getruncount())

def here(function):
    function()

def in_tasklet(function):
    scheduler.tasklet(function)()
    scheduler.run()

def in_thread(function):
    thread = threading.Thread(target=function)
    thread.start()
    thread.join()

def check_main():
    "This interpreter's tasklets: one waits on a channel, one is paused; both go on."
    ch.send(len(log))
    paused.run()
    assert not (receiving.alive or paused.alive or ch.balance)
    assert log == [0, "paused"], log

log, ch = [], scheduler.channel()
receiving = scheduler.tasklet(lambda: log.append(ch.receive()))()
paused = scheduler.tasklet(lambda: scheduler.schedule_remove() or log.append("paused"))()
scheduler.run()
"""


@pytest.fixture
def run_program(run_script):
    """Runs the prelude and then this text; returns the lines on stdout."""

    def run(text):
        done = run_script(PRELUDE + text)
        assert done.stderr == ""
        return done.stdout.splitlines()

    return run


LEFT_OVER = {  # and how many `finally` blocks there are to be run
    "new": ("keep.append(scheduler.tasklet(print).bind(args=('wrong',)))", 0),
    "queued": ("keep.append(scheduler.tasklet(print)('wrong'))", 0),
    "yielded": ("start(noting(scheduler.schedule))", 1),
    "paused": ("start(noting(scheduler.schedule_remove))", 1),
    "receiving": ("start(noting(ch.receive))", 1),
    "sending": ("start(noting(lambda: ch.send(0)))", 1),
    "nested": ("start(noting(lambda: start(noting(scheduler.schedule_remove))))", 2),
    "kept by nobody": ("start(noting(ch.receive)); keep.clear()", 1),
    "kept by sys": ("import sys; sys.keep = keep; start(noting(scheduler.schedule_remove))", 1),
    "pending killed": ("start(noting(scheduler.schedule_remove)).kill(pending=True)", 1),
    "trap set": ("start(noting(scheduler.schedule_remove)); scheduler.switch_trap(1)", 1),
    "callback set": (
        "start(noting(ch.receive)); scheduler.set_schedule_callback(lambda *_: None)",
        1,
    ),
    "in a thread local": ("x = _thread._local(); x.y = start(noting(ch.receive)); keep.clear()", 1),
    "manager kept": ("start(noting(ch.receive)); keep.append(scheduler.get_schedule_manager())", 1),
    "many": ("[start(noting(ch.receive)) for _ in range(100)]", 100),
}

# Where the interpreter is run, and where it is destroyed.
PLACES = """
    (here, here), (in_tasklet, in_tasklet), (in_tasklet, here), (here, in_tasklet), (here, in_thread)
"""


@pytest.mark.spec("D-64", "H-05", "H-09", "D-42", "N-01")
@pytest.mark.parametrize("name", LEFT_OVER)
def test_an_interpreter_may_be_destroyed_with_tasklets_left_over(run_program, name):
    make, blocks = LEFT_OVER[name]
    lines = run_program(
        f"""
before = counts()
for place, other_place in [{PLACES}]:
    interpreter = create()
    place(lambda: run(interpreter, IN_THERE + {make!r}))
    other_place(lambda: interpreters.destroy(interpreter))
    assert counts() == before
    print(place.__name__, other_place.__name__, flush=True)
check_main()
"""
    )
    places = [line for line in lines if line != "finally"]
    assert len(places) == 5
    assert lines == [line for place in places for line in (*["finally"] * blocks, place)]


@pytest.mark.spec("D-64", "H-05", "H-02", "N-01")
def test_an_interpreter_may_have_threads_with_tasklets(run_program):
    lines = run_program(
        """
before = counts()
for _ in range(3):
    interpreter = create()
    run(interpreter, IN_THERE + '''
import threading
import scheduler
got = []

def work():
    tasks = [scheduler.tasklet(lambda: [ch.send(n) for n in range(50)])()]
    start(noting(scheduler.schedule_remove))  # left over by the thread
    while tasks[0].alive:
        scheduler.run()

thread = threading.Thread(target=work)
thread.start()
receiver = start(lambda: got.extend(ch.receive() for _ in range(50)))
while receiver.alive:
    scheduler.run()
thread.join()
assert got == list(range(50)) and ch.balance == 0
assert scheduler.get_number_of_active_schedule_managers() == 1
start(ch.receive)  # left over by the main thread
''')
    interpreters.destroy(interpreter)
    assert counts() == before
check_main()
print("end")
"""
    )
    assert lines == ["finally"] * 3 + ["end"]


@pytest.mark.spec("D-64", "H-04", "S-07", "N-01", "M-08")
def test_state_and_settings_are_each_interpreters_own(run_program):
    lines = run_program(
        """
before = counts()
scheduler.set_use_nested_tasklets(False)
scheduler.set_schedule_callback(lambda *_: log.append("wrong"))
scheduler.switch_trap(3)
interpreter = create()
run(interpreter, '''
import scheduler
assert scheduler.get_use_nested_tasklets() is True
assert scheduler.get_schedule_callback() is None
assert scheduler.switch_trap(0) == 0
assert scheduler.get_number_of_active_channels() == 0
assert scheduler.get_active_tasklet_count() == 1  # main
assert scheduler.get_number_of_active_schedule_managers() == scheduler.getruncount() == 1
calls = []
scheduler.set_schedule_callback(lambda *pair: calls.append(pair))
scheduler.tasklet(len)("")
scheduler.run()
assert len(calls) == 2
scheduler.switch_trap(1)
''')
assert scheduler.get_use_nested_tasklets() is False
assert scheduler.switch_trap(-3) == 3
scheduler.set_schedule_callback(None)
scheduler.set_use_nested_tasklets(True)
assert counts() == before
interpreters.destroy(interpreter)
check_main()
print("end")
"""
    )
    assert lines == ["end"]


@pytest.mark.spec("D-64", "R-02", "S-06")
def test_tasklets_of_the_main_interpreter_may_run_others_in_turn(run_program):
    lines = run_program(
        """
def use(number):
    interpreter = create()
    for step in range(3):
        run(interpreter, IN_THERE + f'''
for n in range(3):
    scheduler.tasklet(start)(ch.receive)
scheduler.run()
assert ch.balance == -3
for task in keep[:2]:
    ch.send({step})
    scheduler.run()
assert not task.alive and ch.balance == -1
''')
        log.append((number, step))
        scheduler.schedule()
    interpreters.destroy(interpreter)
    current = scheduler.getcurrent()
    assert current is tasks[number] and current.times_switched_to == 4, current.times_switched_to

before = counts()
tasks = [scheduler.tasklet(use)(n) for n in range(3)]
scheduler.run()
assert log == [(n, step) for step in range(3) for n in range(3)], log
assert not any(task.alive for task in tasks)
log.clear()
tasks.clear()
assert counts() == before
check_main()
print("end")
"""
    )
    assert lines == ["end"]


@pytest.mark.spec("D-64", "H-09")
@pytest.mark.parametrize("left_over", ["", "start(scheduler.channel().receive)"])
def test_an_interpreter_may_be_left_to_the_end_of_the_program(run_script, left_over):
    """CPython ends it, later versions with a warning; the exit code is the program's."""
    done = run_script(
        f"{PRELUDE}\nrun(create(), IN_THERE + {left_over!r})\ncheck_main()\nsys.exit(5)",
        check=False,
        flags=("-W", "ignore"),
    )
    assert (done.returncode, done.stdout) == (5, "")
    assert done.stderr == "" or sys.version_info >= (3, 13)


# ---- threads that are gone -------------------------------------------------------------------------

OTHER_THREAD = """
import sys, threading
if sys.version_info >= (3, 13):
    import _interpreters as interpreters
    create = lambda: interpreters.create("legacy")
else:
    import _xxsubinterpreters as interpreters
    create = lambda: interpreters.create(isolated=False)

def in_thread(function, *args):
    thread = threading.Thread(target=function, args=args)
    thread.start()
    thread.join()

for _ in range(200):
    interpreter = create()
    in_thread(interpreters.run_string, interpreter, '''
import os
import _scheduler as scheduler  # to import the package takes three times as long as all of this
def body():
    try:
        scheduler.schedule_remove()
    finally:
        os.write(1, b"x")
task = scheduler.tasklet(body)()
task.run()
''')
    in_thread(interpreters.destroy, interpreter)
"""


@pytest.mark.spec("D-64", "H-05")
@pytest.mark.timeout(6 * TIMEOUT)
def test_an_interpreter_may_be_run_and_destroyed_on_threads_that_are_gone(run_script):
    # An interpreter takes 20 ms and more, on a busy machine ten times as long.
    done = run_script(OTHER_THREAD, timeout=5 * TIMEOUT)
    assert (done.stdout, done.stderr) == ("x" * 200, "")


# ---- the bounds of the C stack ---------------------------------------------------------------------

DEEP = """
import os, {imports}

class Dying:
    def __del__(self):
        os.write(1, b"x")

def chain(count):
    link = None
    for _ in range(count):
        link = (Dying(), [link])

def endless(_=None):
    return sorted([1, 2], key=endless)

chain(300)
os.write(1, b"|")
try:
    endless()
except RecursionError:
    os.write(1, b"RecursionError|")
"""


@pytest.mark.spec("D-64", "S-08")
@pytest.mark.parametrize("imports", ["sys", "scheduler"])
def test_code_of_an_interpreter_knows_how_deep_the_stack_of_a_tasklet_is(run_script, imports):
    """What it drops is destroyed at once, and recursion ends in an error that can be caught."""
    text = DEEP.format(imports=imports)
    done = run_script(
        PRELUDE
        + f"""
interpreter = create()
in_tasklet(lambda: run(interpreter, {text!r}))
interpreters.destroy(interpreter)
"""
    )
    assert (done.stdout, done.stderr) == ("x" * 300 + "|RecursionError|", "")
