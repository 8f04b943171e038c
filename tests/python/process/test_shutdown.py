"""The end of the interpreter and of threads with tasklets left over (H-05, H-09, D-42, DEC-8).

Each test is a program of its own; it must end by itself, with the exit code that it would have
without the module, and without a word on stderr unless the test says so.
"""

from __future__ import annotations

import sys

import pytest

LEFT_OVER = {
    "new": "keep.append(scheduler.tasklet(print).bind(args=('wrong',)))",
    "queued": "keep.append(scheduler.tasklet(print)('wrong'))",
    "yielded": "start(scheduler.schedule)",
    "paused": "start(scheduler.schedule_remove)",
    "blocked in receive": "start(scheduler.channel().receive)",
    "blocked in send": "start(lambda: scheduler.channel().send(0))",
    "blocked for ever, catching": "start(lambda: stubborn(scheduler.channel().receive))",
    "pending killed": "start(scheduler.schedule_remove); keep[-1].kill(pending=True)",
    "pending killed, new": "keep.append(scheduler.tasklet(print)('wrong')); keep[-1].kill(True)",
    "pending throw": "start(scheduler.schedule_remove); keep[-1].throw(KeyError, pending=True)",
    "switch trap set": "start(scheduler.schedule_remove); scheduler.switch_trap(1)",
    "callbacks set": (
        "start(scheduler.schedule); scheduler.set_schedule_callback(lambda *_: None); "
        "scheduler.set_channel_callback(lambda *_: None)"
    ),
    "driver of others": "start(lambda: start(scheduler.schedule_remove))",
    "flat mode": "start(scheduler.schedule_remove); scheduler.set_use_nested_tasklets(False)",
    "closed channel": "ch = scheduler.channel(); start(ch.receive); ch.close()",
    "cycle": "start(lambda: (scheduler.getcurrent(), scheduler.schedule_remove()))",
    "in a generator": "start(lambda: next(pausing()))",
    "in a sort": "start(lambda: sorted([1, 2], key=lambda n: scheduler.schedule_remove() or n))",
    "limited run": "start(scheduler.schedule); scheduler.run_n_tasklets(1)",
    "many": "[start(scheduler.channel().receive) for _ in range(500)]",
}

PRELUDE = """
import sys, threading
import scheduler

keep = []

def start(function):
    keep.append(scheduler.tasklet(function)())
    keep[-1].run()

def stubborn(wait):
    while True:
        try:
            wait()
        except scheduler.TaskletExit:
            pass

def pausing():
    scheduler.schedule_remove()
    yield
"""


def program(*lines):
    """A program text: the prelude and these lines."""
    return PRELUDE + "\n".join(lines) + "\n"


@pytest.mark.spec("H-09", "D-42", "D-41")
@pytest.mark.parametrize("name", LEFT_OVER)
@pytest.mark.parametrize("kept", [True, False])
def test_a_program_may_end_with_tasklets_left_over(run_script, name, kept):
    done = run_script(program(LEFT_OVER[name], "" if kept else "keep.clear()", "print('end')"))
    assert (done.returncode, done.stdout) == (0, "end\n")
    if "catching" not in name:  # that one is given up after some tries, with a report
        assert done.stderr == ""


@pytest.mark.spec("H-09", "D-42", "H-05")
@pytest.mark.parametrize("name", LEFT_OVER)
def test_a_thread_may_end_with_tasklets_left_over(run_script, name):
    done = run_script(
        program(
            "def work():",
            f"    {LEFT_OVER[name]}",
            "thread = threading.Thread(target=work)",
            "thread.start()",
            "thread.join()",
            "print([task.alive for task in keep].count(True))",
            "scheduler.run()",
            "print(scheduler.get_number_of_active_schedule_managers())",
        )
    )
    assert (done.returncode, done.stdout) == (0, "0\n1\n")
    if "catching" not in name:
        assert done.stderr == ""


@pytest.mark.spec("H-09", "DEC-8", "T-18")
@pytest.mark.parametrize("where", ["schedule", "schedule_remove", "channel().receive"])
def test_finally_blocks_run_when_the_interpreter_ends(run_script, where):
    done = run_script(
        program(
            "import os",
            "def body():",
            "    try:",
            f"        scheduler.{where}()",
            "    finally:",
            "        os.write(1, b'finally\\n')",
            "start(body)",
            "os.write(1, b'end of program\\n')",
        )
    )
    assert (done.stdout, done.stderr) == ("end of program\nfinally\n", "")


@pytest.mark.spec("H-09", "DEC-8")
def test_a_program_may_end_in_the_middle_of_a_finally_block(run_script):
    done = run_script(
        program(
            "import os",
            "def body():",
            "    try:",
            "        raise KeyError",
            "    finally:",
            "        scheduler.schedule_remove()",
            "        os.write(1, b'must not go on\\n')",
            "start(body)",
            "print('end', flush=True)",
        )
    )
    assert (done.stdout, done.stderr) == ("end\n", "")


EXITS = {
    "sys.exit(3)": (3, ""),
    "raise SystemExit('message')": (1, "message"),
    "1 / 0": (1, "ZeroDivisionError"),
    "import os; os._exit(4)": (4, ""),
    "raise KeyboardInterrupt": (-2, "KeyboardInterrupt"),
}


@pytest.mark.spec("H-09", "E-21")
@pytest.mark.parametrize("way", EXITS)
@pytest.mark.parametrize("inside", [True, False])
def test_the_exit_code_is_that_of_the_program(run_script, way, inside):
    lines = [LEFT_OVER["paused"], LEFT_OVER["blocked in receive"]]
    if inside:
        lines += ["def leave():", f"    {way}", "scheduler.tasklet(leave)()", "scheduler.run()"]
    else:
        lines += [way]
    done = run_script(program(*lines), check=False)
    code, word = EXITS[way]
    if "KeyboardInterrupt" in way:
        assert done.returncode in (code, 130)
    else:
        assert done.returncode == code
    assert word in done.stderr


@pytest.mark.spec("H-09")
def test_atexit_functions_and_module_clean_up_may_use_the_scheduler(run_script):
    done = run_script(
        program(
            "import atexit",
            "ch = scheduler.channel()",
            "start(lambda: print('received', ch.receive()))",
            "@atexit.register",
            "def at_exit():",
            "    scheduler.tasklet(print)('from atexit')",
            "    ch.send('mail')",
        )
    )
    assert (done.stdout, done.stderr) == ("received mail\nfrom atexit\n", "")


@pytest.mark.spec("H-09")
def test_finalizers_that_use_the_scheduler_late_do_no_harm(run_script):
    done = run_script(
        program(
            "class Late:",
            "    def __init__(self):",
            "        self.scheduler, self.ch = scheduler, scheduler.channel()",
            "    def __del__(self):",
            "        try:",
            "            self.scheduler.tasklet(len)('')",
            "            self.scheduler.run()",
            "            self.ch.receive()",
            "        except Exception:",
            "            pass",
            "late = Late()",
            "late.me = late",
            "sys.late = Late()",
            "start(scheduler.schedule_remove)",
        )
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.spec("H-09", "H-05")
@pytest.mark.parametrize(
    "sleep", ["time.sleep(1000)", "threading.Event().wait()", "lock.acquire()"]
)
@pytest.mark.parametrize("inside", ["tasklet", "nested tasklet", "plain"])
def test_a_daemon_thread_asleep_inside_a_tasklet(run_script, sleep, inside):
    """It is ended by force when the interpreter finalises: the exit code must not suffer."""
    lines = [
        "import time",
        "lock = threading.Lock()",
        "lock.acquire()",
        "asleep = threading.Event()",
        "def sleeper():",
        "    asleep.set()",
        f"    {sleep}",
        "def nested():",
        "    scheduler.tasklet(sleeper)().run()",
        "def work():",
        "    scheduler.tasklet(scheduler.schedule_remove)().run()",
    ]
    call = {
        "tasklet": "scheduler.tasklet(sleeper)().run()",
        "nested tasklet": "scheduler.tasklet(nested)().run()",
        "plain": "sleeper()",
    }[inside]
    lines += [
        f"    {call}",
        "threading.Thread(target=work, daemon=True).start()",
        "asleep.wait()",
        "sys.exit(7)",
    ]
    done = run_script(program(*lines), check=False)
    assert (done.returncode, done.stdout, done.stderr) == (7, "", "")


@pytest.mark.spec("H-09", "H-05")
def test_a_daemon_thread_that_keeps_switching_while_the_interpreter_ends(run_script):
    done = run_script(
        program(
            "going = threading.Event()",
            "def body():",
            "    while True:",
            "        going.set()",
            "        scheduler.schedule()",
            "def work():",
            "    for _ in range(3):",
            "        scheduler.tasklet(body)()",
            "    scheduler.run()",
            "threading.Thread(target=work, daemon=True).start()",
            "going.wait()",
            "sys.exit(5)",
        ),
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (5, "", "")


@pytest.mark.spec("H-09", "H-07", "D-41")
def test_a_manager_object_may_be_kept_to_the_end(run_script):
    done = run_script(
        program(
            "managers = [scheduler.get_schedule_manager()]",
            "def work():",
            "    managers.append(scheduler.get_schedule_manager())",
            "    start(scheduler.schedule_remove)",
            "thread = threading.Thread(target=work)",
            "thread.start()",
            "thread.join()",
            "start(scheduler.schedule_remove)",
            "print('end')",
        )
    )
    assert (done.stdout, done.stderr) == ("end\n", "")


@pytest.mark.spec("H-05", "H-09")
def test_a_thread_that_leaves_its_function_from_inside_a_tasklet(run_script):
    done = run_script(
        program(
            "def leave():",
            "    raise SystemExit  # ends a thread silently",
            "def work():",
            "    start(scheduler.schedule_remove)",
            "    scheduler.tasklet(leave)()",
            "    scheduler.run()",
            "thread = threading.Thread(target=work)",
            "thread.start()",
            "thread.join()",
            "print([task.alive for task in keep], [task.thread_id for task in keep])",
        )
    )
    assert done.stderr == ""
    assert done.stdout in ("[False] [-1]\n",)


@pytest.mark.spec("H-05", "H-09", "S-03")
def test_fork_leaves_the_forking_threads_tasklets_usable(run_script):
    if sys.platform == "win32":
        raise AssertionError("this module is not tested on Windows")
    done = run_script(
        program(
            "import os, warnings",
            "warnings.simplefilter('ignore')  # forking with threads around is the point here",
            "ch = scheduler.channel()",
            "def note(name):",
            "    try:",
            "        ch.receive()",
            "        os.write(1, name + b' served\\n')",
            "    except scheduler.TaskletExit:",
            "        os.write(1, name + b' killed\\n')",
            "ready, done = threading.Event(), threading.Event()",
            "def work():",
            "    start(lambda: (scheduler.schedule_remove(), note(b'other thread')))",
            "    ready.set()",
            "    done.wait()",
            "    keep.clear()",
            "thread = threading.Thread(target=work)",
            "thread.start()",
            "ready.wait()",
            "start(lambda: note(b'mine'))",
            "pid = os.fork()",
            "if pid == 0:",
            "    ch.send(0)",
            "    start(lambda: os.write(1, b'new in the child\\n'))",
            "    managers = scheduler.get_number_of_active_schedule_managers()",
            "    os.write(1, b'managers %d\\n' % managers)",
            "    sys.exit(6)",
            "assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 6",
            "os.write(1, b'parent\\n')",
            "done.set()",
            "thread.join()",
            "ch.send(0)",
        )
    )
    assert done.stdout.splitlines() == [
        "mine served", "new in the child", "managers 1", "parent", "mine served",
    ]  # fmt: skip
    assert done.stderr == ""


@pytest.mark.spec("H-05", "H-09", "D-18")
def test_tasklets_of_ended_threads_may_live_until_the_interpreter_ends(run_script):
    done = run_script(
        program(
            "def work():",
            "    keep.extend([scheduler.tasklet(), scheduler.getmain()])",
            "    keep.append(scheduler.tasklet(len)(''))",
            "    start(scheduler.schedule_remove)",
            "    start(scheduler.channel().receive)",
            "for _ in range(10):",
            "    thread = threading.Thread(target=work)",
            "    thread.start()",
            "    thread.join()",
            "sys.keep = keep",
            "print(len(keep))",
        )
    )
    assert (done.stdout, done.stderr) == ("50\n", "")


@pytest.mark.spec("H-09", "D-42")
def test_tasklets_that_yield_or_wait_while_they_are_being_unwound(run_script):
    done = run_script(
        program(
            "ch = scheduler.channel()",
            "def body():",
            "    try:",
            "        scheduler.schedule_remove()",
            "    finally:",
            "        for operation in (scheduler.schedule, ch.receive, lambda: ch.send(0)):",
            "            try:",
            "                operation()",
            "            except (scheduler.TaskletExit, RuntimeError):",
            "                pass",
            "        scheduler.tasklet(print)('too late')",
            "for _ in range(3):",
            "    start(body)",
            "print('end', flush=True)",
        )
    )
    assert done.stdout == "end\n"
    assert done.returncode == 0


@pytest.mark.spec("H-05", "H-09", "M-01")
def test_the_module_can_be_imported_and_never_used(run_script):
    done = run_script("import scheduler, _scheduler")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.spec("H-09", "E-20")
def test_an_error_of_the_program_is_reported_as_usual(run_script):
    done = run_script(
        program(
            "def fail():",
            "    raise LookupError('uncaught')",
            "start(scheduler.schedule_remove)",
            "scheduler.tasklet(fail)()",
            "scheduler.run()",
        ),
        check=False,
    )
    assert done.returncode == 1
    assert "in fail" in done.stderr
    assert "\nLookupError: uncaught\n" in done.stderr
