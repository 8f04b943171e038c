"""Programs that fork: each is one of its own, and so is its child."""

from __future__ import annotations

import pytest

PRELUDE = """
import collections, gc, os, signal, sys, threading, warnings
import scheduler

warnings.simplefilter("ignore")  # later versions advise against fork() beside threads
log, threads = [], []
ready, go_on = threading.Event(), threading.Event()

def start(function, *args):
    task = scheduler.tasklet(function)(*args)
    task.run()
    return task

def noting(suspend):
    def body():
        try:
            suspend()
            log.append("went on")
        except scheduler.TaskletExit:
            log.append("exit")
            raise
    return body

def hold():
    ready.set()
    go_on.wait()

def keep_thread(function):
    "Starts a thread that calls function() and then holds still; function() may do so earlier."
    thread = threading.Thread(target=lambda: (function(), hold()))
    thread.start()
    ready.wait()
    ready.clear()
    threads.append(thread)

def let_go():
    go_on.set()
    for thread in threads:
        thread.join()

def wait_for(pid):
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    assert code == 0, code

def fork(child, leave=sys.exit):
    pid = os.fork()
    if pid == 0:
        signal.alarm(50)  # ends a child that hangs
        child()
        leave(0)
    wait_for(pid)

def managers():
    return scheduler.get_number_of_active_schedule_managers()
"""


@pytest.fixture
def run_program(run_script):
    """Runs the prelude and then this text; returns the lines on stdout.

    Both processes must end well, without a word on stderr. A child that fails ends with another
    exit code than 0, which its parent's `fork()` or `wait_for()` asserts.
    """

    def run(text):
        done = run_script(PRELUDE + text)
        assert done.stderr == ""
        return done.stdout.splitlines()

    return run
