"""The end of a process, step by step: exits, hooks, atexit, threads that last longer (H-05, H-09).

At the end of a program CPython waits for the threads that are not daemons, calls the atexit
functions, last registered first, and tears the interpreter down. The main thread's tasklets are
unwound by an atexit function of the module, registered when it was imported. For the tasklets that
may be left over then see test_shutdown.py, for daemon threads test_daemon_threads.py.
"""

from __future__ import annotations

import pytest

# `early` is called at exit after the module's own function, `late` before it.
PRELUDE = """
import atexit, os, subprocess, sys, threading

early = None
atexit.register(lambda: early and early())

import scheduler

keep = []

def start(function, *args):
    keep.append(scheduler.tasklet(function)(*args))
    keep[-1].run()
    return keep[-1]

def say(*words):
    "Not by print(): at this stage sys.stdout may be gone, and processes may be many."
    os.write(1, (" ".join(map(str, words)) + "\\n").encode())

def paused(name):
    try:
        scheduler.schedule_remove()
    finally:
        say("unwound", name)

start(paused, "main's")
"""


@pytest.fixture
def run_program(run_script):
    """Runs the prelude and then this text; returns exit code, lines on stdout, stderr."""

    def run(text):
        done = run_script(PRELUDE + text, check=False)
        return done.returncode, done.stdout.splitlines(), done.stderr.rstrip()

    return run


# ---- exits ---------------------------------------------------------------------------------------


@pytest.mark.spec("H-09", "E-21")
@pytest.mark.parametrize("nested", [True, False])
def test_sys_exit_in_a_tasklet_lets_others_run_on_its_way(run_program, nested):
    """Its `finally` block yields: the others have their turn, then the exit goes on."""
    code, lines, errors = run_program(
        f"""
scheduler.set_use_nested_tasklets({nested})

def leave():
    try:
        sys.exit(4)
    finally:
        scheduler.schedule()
        say("leaving")

scheduler.tasklet(leave)()
scheduler.tasklet(say)("other")
scheduler.run()
say("not reached")
"""
    )
    assert (code, lines, errors) == (4, ["other", "leaving", "unwound main's"], "")


@pytest.mark.spec("H-09")
@pytest.mark.parametrize("where", ["tasklet", "nested tasklet", "thread", "atexit"])
def test_os_exit_stops_the_process_where_it_is(run_program, where):
    text = {
        "tasklet": "start(os._exit, 3)",
        "nested tasklet": "start(start, os._exit, 3)",
        "thread": "threading.Thread(target=start, args=(os._exit, 3)).start(); go_on.wait()",
        "atexit": "atexit.register(start, os._exit, 3)",
    }[where]
    assert run_program(f"go_on = threading.Event()\n{text}") == (3, [], "")


@pytest.mark.spec("H-09")
def test_exec_from_a_tasklet_replaces_the_program(run_program):
    code, lines, errors = run_program(
        "start(os.execv, sys.executable, [sys.executable, '-c', 'print(\"replaced\")'])"
    )
    assert (code, lines, errors) == (0, ["replaced"], "")


@pytest.mark.spec("H-09", "H-05")
def test_child_programs_started_in_a_tasklet(run_program):
    """With a function that is called in the child between fork and exec, on the tasklet's stack."""
    code, lines, errors = run_program(
        """
ch = scheduler.channel()

def receive():
    ch.send(ch.receive() + 1)

def hook():
    start(receive)
    ch.send(1)
    say("hook got", ch.receive())

def call():
    command = [sys.executable, "-c", "print('child program')"]
    for function in (None, hook):
        subprocess.run(command, check=True, preexec_fn=function, timeout=50)
        scheduler.schedule()
    say("balance", ch.balance)

start(call)
scheduler.run()
"""
    )
    assert (code, errors) == (0, "")
    assert lines == [
        "child program", "hook got 2", "child program", "balance 0", "unwound main's"
    ]  # fmt: skip


# ---- hooks ---------------------------------------------------------------------------------------


@pytest.mark.spec("H-09", "E-20")
def test_the_exception_hook_may_use_the_scheduler(run_program):
    code, lines, errors = run_program(
        """
ch = scheduler.channel()
receiver = start(lambda: say("told of", ch.receive()))

def hook(kind, value, traceback):
    ch.send(kind.__name__)
    scheduler.run()

sys.excepthook = hook
start(lambda: 1 / 0)
"""
    )
    assert (code, lines, errors) == (1, ["told of ZeroDivisionError", "unwound main's"], "")


@pytest.mark.spec("H-05", "E-20")
def test_the_exception_hook_of_threads_may_use_the_scheduler(run_program):
    code, lines, errors = run_program(
        """
ch = scheduler.channel()
start(lambda: say("told of", ch.receive()))

def hook(args):
    task = start(ch.send, args.exc_type.__name__)
    start(paused, "the hook's")

threading.excepthook = hook
thread = threading.Thread(target=start, args=(lambda: 1 / 0,))
thread.start()
thread.join()
scheduler.run()
"""
    )
    assert (code, errors) == (0, "")
    assert lines == ["unwound the hook's", "told of ZeroDivisionError", "unwound main's"]


@pytest.mark.spec("DEC-8", "H-09")
def test_the_unraisable_hook_may_use_the_scheduler_at_exit(run_program):
    code, lines, errors = run_program(
        """
def angry():
    try:
        scheduler.schedule_remove()
    finally:
        raise LookupError("while being unwound")

def hook(args):
    scheduler.channel()
    say("told of", args.exc_value, scheduler.getruncount() > 0)

sys.unraisablehook = hook
start(angry)
"""
    )
    assert (code, errors) == (0, "")
    assert sorted(lines) == ["told of while being unwound True", "unwound main's"]


# ---- atexit --------------------------------------------------------------------------------------


@pytest.mark.spec("H-09", "S-01", "N-01")
def test_functions_that_run_after_the_modules_own_have_a_fresh_start(run_program):
    code, lines, errors = run_program(
        """
def early():
    old = keep[0]
    say(old.alive, old.thread_id, scheduler.get_number_of_active_schedule_managers())
    try:
        old.run()
    except RuntimeError:
        say("refused")
    ch = scheduler.channel()
    scheduler.tasklet(lambda: say("received", ch.receive()))()
    scheduler.run()
    ch.send("late mail")
    scheduler.run()
    start(paused, "a late one")
    say(scheduler.getruncount(), scheduler.get_number_of_active_schedule_managers())
"""
    )
    assert (code, errors) == (0, "")
    assert lines == [
        "unwound main's", "False -1 0", "refused", "received late mail", "1 1",
        "unwound a late one",
    ]  # fmt: skip


@pytest.mark.spec("H-09", "E-20", "E-21")
@pytest.mark.parametrize("when", ["early", "late"])
@pytest.mark.parametrize("error", ["ZeroDivisionError", "SystemExit", "KeyboardInterrupt"])
def test_errors_in_exit_functions_are_reported_and_the_rest_goes_on(run_program, when, error):
    define = "early = fail" if when == "early" else "atexit.register(fail)"
    code, lines, errors = run_program(
        f"""
def fail():
    def body():
        raise {error}
    say("failing")
    scheduler.tasklet(body)()
    scheduler.run()

{define}
"""
    )
    assert code == 0
    order = ["failing", "unwound main's"]
    assert lines == (order if when == "late" else order[::-1])
    assert f"\n{error}" in errors and "in fail" in errors


@pytest.mark.spec("H-09", "DEC-8")
@pytest.mark.parametrize("inside", [True, False])
def test_a_program_may_call_the_exit_functions_itself_and_go_on(run_program, inside):
    """The main thread's tasklets end there if none of them has its turn, else later."""
    code, lines, errors = run_program(
        f"""
start(atexit._run_exitfuncs) if {inside} else atexit._run_exitfuncs()
say("alive", keep[0].alive)
start(paused, "second")
scheduler.tasklet(say)("goes on")
scheduler.run()
"""
    )
    assert (code, errors) == (0, "")
    if inside:
        assert lines[:2] == ["alive True", "goes on"]
        assert sorted(lines[2:]) == ["unwound main's", "unwound second"]
    else:
        assert lines == ["unwound main's", "alive False", "goes on", "unwound second"]


@pytest.mark.spec("H-09", "D-42")
def test_a_program_may_forget_all_exit_functions(run_program):
    """Then the tasklets die with the thread state, when modules may be gone: no harm is done."""
    code, lines, errors = run_program(
        """
def body():
    try:
        scheduler.schedule_remove()
    finally:
        pass

start(body)
start(scheduler.channel().receive)
keep[0].run()
atexit._clear()
"""
    )
    assert (code, lines, errors) == (0, ["unwound main's"], "")


# ---- threads that last longer than the main thread's code ----------------------------------------

LATER = """
def later():
    threading.main_thread().join()  # over: its code has ended
    {}

thread = threading.Thread(target=later)
thread.start()
"""


@pytest.mark.spec("H-05", "H-09", "H-02")
def test_threads_are_waited_for_before_the_main_threads_tasklets_end(run_program):
    code, lines, errors = run_program(
        LATER.format(
            """say(keep[0].alive)
    start(paused, "the thread's")
    start(scheduler.channel().receive)"""
        )
    )
    assert (code, errors) == (0, "")
    assert lines == ["True", "unwound the thread's", "unwound main's"]


@pytest.mark.spec("H-09", "H-02", "H-05")
@pytest.mark.parametrize("runs", [True, False])
def test_mail_of_such_a_thread_is_read_at_exit(run_program, runs):
    """What it serves goes on if an exit function runs the queue, else it is unwound."""
    code, lines, errors = run_program(
        f"""
ch = scheduler.channel()

def receive():
    try:
        say("received", ch.receive())
        scheduler.schedule_remove()
    finally:
        say("unwound the receiver")

start(receive)
if {runs}:
    atexit.register(scheduler.run)
"""
        + LATER.format("ch.send('a letter'); say(keep[1].scheduled, ch.balance)")
    )
    assert (code, errors) == (0, "")
    assert lines[0] == "True 0"
    assert lines[1:-2] == (["received a letter"] if runs else [])
    assert sorted(lines[-2:]) == ["unwound main's", "unwound the receiver"]


@pytest.mark.spec("H-01", "H-09", "E-10", "DEC-2")
def test_such_a_thread_may_kill_and_queue_the_main_threads_tasklets(run_program):
    code, lines, errors = run_program(
        """
killed, queued = start(paused, "killed"), start(paused, "queued")
atexit.register(lambda: say("at exit", scheduler.getruncount()))
"""
        + LATER.format("killed.kill(pending=True); queued.insert()")
    )
    assert (code, errors) == (0, "")
    assert lines[0].startswith("at exit")
    assert sorted(lines[1:]) == ["unwound killed", "unwound main's", "unwound queued"]


@pytest.mark.spec("H-09", "H-05")
def test_functions_of_threadings_own_exit_come_first(run_program):
    code, lines, errors = run_program(
        """
def at_threading_exit():
    start(paused, "in threading's exit")
    scheduler.tasklet(say)("runs in threading's exit")
    scheduler.run()

threading._register_atexit(at_threading_exit)
atexit.register(say, "atexit")
"""
    )
    assert (code, errors) == (0, "")
    assert lines[:2] == ["runs in threading's exit", "atexit"]
    assert sorted(lines[2:]) == ["unwound in threading's exit", "unwound main's"]


@pytest.mark.spec("H-05", "H-09", "N-01")
def test_chains_of_threads_that_outlive_each_other(run_program):
    code, lines, errors = run_program(
        """
def generation(number, older):
    start(paused, f"generation {number}")
    me = threading.current_thread()
    if number < 5:
        threading.Thread(target=generation, args=(number + 1, me)).start()
    else:
        all_there.set()
    older.join()  # its tasklets have been unwound
    say("generation", number, scheduler.get_number_of_active_schedule_managers() <= 7 - number)

all_there = threading.Event()
threading.Thread(target=generation, args=(1, threading.main_thread())).start()
all_there.wait()  # later versions start no thread once the main thread's code has ended
"""
    )
    assert (code, errors) == (0, "")
    expected = []
    for n in range(1, 6):
        expected += [f"generation {n} True", f"unwound generation {n}"]
    assert lines == [*expected, "unwound main's"]
