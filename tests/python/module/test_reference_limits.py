"""What the reference lacks or limits (D-60 to D-67), and what this module does there."""

from __future__ import annotations

import contextvars
import ctypes

import pytest

import scheduler
from support.scheduling import queued, started
from support.threads import in_thread


# D-60: the reference's flat-mode tests never enabled flat mode.
@pytest.mark.spec("D-60", "S-07")
def test_the_mode_fixture_really_sets_the_mode(mode):
    assert scheduler.get_use_nested_tasklets() is (mode == "nested")
    log = []
    first, second = queued(log.append, 1), queued(log.append, 2)
    second.run()
    assert log == ([2] if mode == "nested" else [2, 1])
    assert first.alive is (mode == "nested")
    scheduler.run()


# D-61: no frame, no set_context, no cross-thread switch and pending kill. There is no
# `scheduler.current` or `main` here either.
@pytest.mark.spec("D-61", "M-02", "DEC-5")
def test_what_the_reference_did_not_have():
    assert not {"current", "main", "get_current"} & set(dir(scheduler))
    task = started(scheduler.schedule)
    assert task.frame is None or task.frame.f_code is not None
    fresh = scheduler.tasklet(len)
    assert fresh.set_context(contextvars.Context()) is fresh
    scheduler.run()


# D-62: a limit counts turns given by main only, and a limited run inside a tasklet is unlimited.
@pytest.mark.spec("D-62", "L-01", "L-02", "L-03")
def test_limits_and_nested_drives(drain):
    log = []

    def nest():
        for n in range(3):
            queued(log.append, n)
        scheduler.run()

    def limited_inside():
        scheduler.run_n_tasklets(1)
        log.append("inside")

    queued(nest)
    last = queued(log.append, "last")
    scheduler.run_n_tasklets(1)
    assert (log, last.alive) == (["last", 0, 1, 2], False)
    del log[:]
    queued(limited_inside)
    for n in range(3):
        queued(log.append, n)
    scheduler.run_n_tasklets(1)
    assert log == [0, 1, 2, "inside"]
    drain()


def c_function(slot, result, *arguments):
    """Entry `slot` of the C table as a function."""
    get = ctypes.pythonapi.PyCapsule_GetPointer
    get.restype, get.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]
    table = (ctypes.c_void_p * 40).from_address(get(scheduler._C_API, b"scheduler._C_API"))
    return ctypes.PYFUNCTYPE(result, *arguments)(table[slot])


# D-63: the counters of time-limited runs are those of the last such run in the process.
@pytest.mark.spec("D-63", "L-05")
def test_the_counters_of_time_limited_runs_are_shared_by_all_threads():
    run_for = c_function(23, ctypes.py_object, ctypes.c_longlong)
    completed, switched = c_function(33, ctypes.c_int), c_function(34, ctypes.c_int)

    def work(count):
        for _ in range(count):
            queued(len, "")
        run_for(10**10)

    work(3)
    assert (completed(), switched()) == (3, 6)
    in_thread(work, 2)
    assert (completed(), switched()) == (2, 4)


# D-64: sub-interpreters were not supported and state was static. Whatever the answer, no crash.
@pytest.mark.spec("D-64")
def test_a_sub_interpreter_works_or_says_that_it_does_not(run_script):
    done = run_script(
        """
        import sys
        if sys.version_info >= (3, 13):
            import _interpreters as interpreters
        else:
            import _xxsubinterpreters as interpreters
        import scheduler

        program = '''
        try:
            import scheduler
        except ImportError as error:
            print("refused", "scheduler" in str(error), flush=True)
        else:
            def body():
                log.append(ch.receive())
            log, ch = [], scheduler.channel()
            task = scheduler.tasklet(body)()
            scheduler.run()
            ch.send("value")
            print(log, task.alive, scheduler.getruncount(), flush=True)
        '''
        for _ in range(3):
            interpreter = interpreters.create()
            assert not interpreters.run_string(interpreter, program)
            interpreters.destroy(interpreter)
        log = []
        scheduler.tasklet(log.append)("main interpreter")
        scheduler.run()
        print(log)
        """
    )
    lines = done.stdout.splitlines()
    assert lines[:3] in (["['value'] False 1"] * 3, ["refused True"] * 3)
    assert lines[3:] == ["['main interpreter']"]


# D-66: the package showed the names of its imports and took over the extension's own attributes.
@pytest.mark.spec("D-66", "M-01", "M-02", "DEC-7")
def test_the_package_shows_public_names_only():
    import _scheduler

    public = {name for name in dir(scheduler) if not name.startswith("__")}
    extension = {name for name in dir(_scheduler) if not name.startswith("_")} | {"_C_API"}
    in_python = {
        "QueueChannel", "TaskletGroup", "block_trap", "blocked_tasklets", "dump_flight",
        "dump_tasklets", "flight_recorder", "get_include", "start_trace", "stop_trace", "tasklets",
        "timeout", "trace", "monitor",
    }  # fmt: skip
    assert public == extension | in_python | {"aio", "sync", "testing"}
    assert scheduler.__name__ == scheduler.__spec__.name == scheduler.__package__ == "scheduler"
    assert scheduler.__doc__ != _scheduler.__doc__
    for name in extension:
        assert getattr(scheduler, name) is getattr(_scheduler, name)


# D-67: the reference stands on greenlet; this module needs no other package.
@pytest.mark.spec("D-67", "M-07")
def test_no_other_package_is_needed(run_script):
    done = run_script(
        """
        import sys
        sys.modules["greenlet"] = None
        import scheduler
        scheduler.tasklet(print)("works")
        scheduler.run()
        """
    )
    assert done.stdout == "works\n"
