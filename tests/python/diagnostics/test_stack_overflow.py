"""A tasklet that overflows its stack ends the process with a message that names it.

The C library's compiler of regular expressions recurses, and CPython does not count how deep.
"""

from __future__ import annotations

import signal
import subprocess

import pytest

from support.compilers import c_compiler
from support.interpreter import LEAST_STACK

MESSAGE = "Fatal error: stack overflow in "
ADVICE = "Give tasklets larger stacks with scheduler.set_stack_size()"
OF_FAULTHANDLER = "Fatal Python error: Segmentation fault"

# The fixture run_script enables faulthandler.
PLAIN = """
import faulthandler
faulthandler.disable()
"""
OVERFLOW = """
import ctypes, os, signal, sys, threading
import scheduler

def overflow():
    pattern, compiled = b"(" * 1_000_000, ctypes.create_string_buffer(256)
    print("ready", flush=True)
    ctypes.PyDLL(None).regcomp(compiled, pattern, 1)  # with the GIL
    print("not reached", flush=True)

def run(function, *args):
    scheduler.tasklet(function)(*args)
    scheduler.run()
"""


@pytest.fixture
def crash(run_script):
    """Runs a program that must end by a signal; the lines that it has written to stderr."""

    def run(*parts, by=signal.SIGSEGV, reaches="ready"):
        done = run_script("\n".join(parts), check=False)
        assert done.returncode == -by, done
        assert done.stdout.split() == ([reaches] if reaches else []), done
        return done.stderr.splitlines()

    return run


def test_the_message_names_the_tasklet_its_thread_and_its_stack(crash):
    lines = crash(
        PLAIN,
        OVERFLOW,
        """
scheduler.set_stack_size(256 * 1024)
size = scheduler.stack_stats()["stack_bytes"]
print(threading.get_ident(), size, file=sys.stderr, flush=True)
run(overflow)
""",
    )
    ident, size = lines[0].split()
    message = lines[1]
    assert 216 * 1024 < int(size) <= 256 * 1024
    assert message == (
        f"{MESSAGE}tasklet overflow (thread {ident}): its stack of {size} bytes is full. "
        f"{ADVICE}, or recurse less deeply in C code."
    )


@pytest.mark.spec("DEC-11")
def test_at_the_default_size(crash):
    (message,) = crash(PLAIN, OVERFLOW, "run(overflow)")
    assert message.startswith(MESSAGE + "tasklet overflow (thread ")


@pytest.mark.parametrize(
    "make, shown",
    [
        ("lambda: overflow()", "tasklet <lambda> ("),
        ("wörker", "tasklet w?rker ("),
        ("long", "tasklet " + "x" * 200 + " ("),
    ],
    ids=["lambda", "not ASCII", "long"],
)
def test_names_of_all_kinds(crash, make, shown):
    (message,) = crash(
        PLAIN,
        OVERFLOW,
        f"""
def wörker():
    overflow()
def long():
    overflow()
long.__name__ = "x" * 100_000
run({make})
""",
    )
    assert message.startswith(MESSAGE + shown)


def test_the_right_one_of_many(crash):
    (message,) = crash(
        PLAIN,
        OVERFLOW,
        """
def named(name):
    def body():
        scheduler.schedule()
        scheduler.schedule()
        if name == "seventh":
            overflow()
    body.__name__ = name
    return body

for name in ("fifth", "sixth", "seventh", "eighth"):
    scheduler.tasklet(named(name))()
scheduler.run()
""",
    )
    assert message.startswith(MESSAGE + "tasklet seventh (")


def test_on_another_thread(crash):
    """Such a thread has no alternate stack of anybody else."""
    ident, message = crash(
        PLAIN,
        OVERFLOW,
        """
def work():
    print(threading.get_ident(), file=sys.stderr, flush=True)
    run(overflow)

run(len, "")
thread = threading.Thread(target=work)
thread.start()
thread.join()
""",
    )
    assert message.startswith(f"{MESSAGE}tasklet overflow (thread {ident}): ")


def test_in_a_forked_child(crash):
    (message,) = crash(
        PLAIN,
        OVERFLOW,
        """
run(len, "")
child = os.fork()
if child == 0:
    run(overflow)
    os._exit(1)
_, status = os.waitpid(child, 0)
os.kill(os.getpid(), os.WTERMSIG(status))
""",
    )
    assert message.startswith(MESSAGE + "tasklet overflow (")


def test_in_the_middle_of_a_switch_nobody_is_named(crash):
    """A schedule callback runs on a tasklet's stack when that is no longer the current one."""
    (message,) = crash(
        PLAIN,
        OVERFLOW,
        """
def callback(previous, next):
    if next is second:
        overflow()

scheduler.set_schedule_callback(callback)
first, second = (scheduler.tasklet(scheduler.schedule)() for _ in range(2))
scheduler.run()
""",
    )
    assert message.startswith(MESSAGE + "a tasklet (thread ")


def test_with_stacks_of_a_former_size(crash):
    (message,) = crash(
        PLAIN,
        OVERFLOW,
        f"""
def old():
    scheduler.schedule_remove()
    overflow()

task = scheduler.tasklet(old)()
task.run()
scheduler.set_stack_size({LEAST_STACK} * 1024)
run(len, "")
task.run()
""",
    )
    assert message.startswith(MESSAGE + "tasklet old (")
    assert int(message.split("its stack of ")[1].split()[0]) > 1_000_000


# ---- frames that step over what is left of the stack --------------------------------------------


@pytest.fixture(scope="session")
def large_frames(tmp_path_factory):
    """A library with a function whose frame is as large as it is told; it writes to the far end."""
    directory = tmp_path_factory.mktemp("large_frames")
    source, library = directory / "large_frames.c", directory / "large_frames.so"
    source.write_text("void step(long bytes) { volatile char frame[bytes]; frame[0] = 1; }")
    options = ["-fno-stack-clash-protection", "-fno-stack-protector", "-shared", "-fPIC"]
    command = [*c_compiler(), *options, str(source), "-o", str(library)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return library


STEP = """
import ctypes
step = ctypes.PyDLL({library!r}).step
step.argtypes = [ctypes.c_long]

def over(beyond):
    size = scheduler.stack_stats()["stack_bytes"]
    print("ready", flush=True)
    step(size + beyond)
    print("not reached", flush=True)
"""


@pytest.mark.spec("DEC-11")
@pytest.mark.parametrize(
    "size, beyond",
    [(8192, 0), (8192, 300), (8192, 600), (8192, 950), (65536, 950), (3072, 300)]
    + [(1024, 0), (1024, 80), (256, 0), (LEAST_STACK, -16)],
)
def test_a_large_frame_ends_in_the_guard_wherever_it_lands(crash, large_frames, size, beyond):
    """The guard is an eighth of the size, up to nearly 1 MiB."""
    (message,) = crash(
        PLAIN,
        OVERFLOW,
        STEP.format(library=str(large_frames)),
        f"""
scheduler.set_stack_size({size} * 1024)
gate = scheduler.channel()
for _ in range(20):
    scheduler.tasklet(gate.receive)()
run(over, {beyond} * 1024)
""",
    )
    assert message.startswith(MESSAGE + "tasklet over (")


@pytest.mark.spec("DEC-11")
@pytest.mark.parametrize("beyond", [0, 30])
def test_in_a_crowd_as_well(crash, large_frames, beyond):
    """Of the guards of a crowd only the upper 64 KiB are marked."""
    (message,) = crash(
        PLAIN,
        OVERFLOW,
        STEP.format(library=str(large_frames)),
        f"""
gate = scheduler.channel()
for _ in range(2000):
    scheduler.tasklet(gate.receive)()
run(over, {beyond} * 1024)
""",
    )
    assert message.startswith(MESSAGE + "tasklet over (")


@pytest.mark.spec("DEC-11")
def test_what_lands_below_the_marked_part_harms_nobody(run_script, large_frames):
    done = run_script(
        PLAIN
        + OVERFLOW
        + STEP.format(library=str(large_frames))
        + """
gate = scheduler.channel()
got = []
for number in range(2000):
    scheduler.tasklet(lambda number: got.append((number, gate.receive())))(number)
run(over, 500 * 1024)
while gate.balance:
    gate.send("here")
scheduler.run()
print(got == [(number, "here") for number in range(2000)])
"""
    )
    assert done.stdout.split() == ["ready", "not", "reached", "True"]


# ---- other handlers ----------------------------------------------------------------------------


def test_a_faulthandler_enabled_before_tells_the_traceback_too(crash):
    lines = crash(OVERFLOW, "run(overflow)")
    assert lines[0].startswith(MESSAGE + "tasklet overflow (")
    assert lines[1] == OF_FAULTHANDLER
    assert any(line.endswith("in overflow") for line in lines)


def test_a_faulthandler_enabled_later_has_the_word(crash):
    lines = crash(
        PLAIN,
        OVERFLOW,
        """
run(len, "")
faulthandler.enable()
run(overflow)
""",
    )
    assert lines[0] == OF_FAULTHANDLER
    assert any(line.endswith("in overflow") for line in lines)


@pytest.mark.parametrize("enable", ["before", "after"])
def test_faulthandler_on_another_thread(crash, enable):
    """faulthandler gives an alternate stack to the thread that enables it, and to no other."""
    lines = crash(
        PLAIN,
        OVERFLOW,
        f"""
def work():
    run(overflow)

if {enable == "before"}:
    faulthandler.enable()
run(len, "")
if {enable == "after"}:
    faulthandler.enable()
thread = threading.Thread(target=work)
thread.start()
thread.join()
""",
    )
    assert OF_FAULTHANDLER in lines
    assert any(line.endswith("in overflow") for line in lines)
    assert lines[0].startswith(MESSAGE) == (enable == "before")


def test_faulthandler_switched_on_and_off_keeps_the_handler(crash):
    (message,) = crash(
        PLAIN,
        OVERFLOW,
        """
run(len, "")
faulthandler.enable()
faulthandler.disable()
run(overflow)
""",
    )
    assert message.startswith(MESSAGE + "tasklet overflow (")


def test_a_python_handler_does_not_keep_the_process_in_a_loop(crash):
    """What CPython installs for it only takes a note, and returns to the same instruction."""
    (message,) = crash(
        PLAIN,
        """
import signal
signal.signal(signal.SIGSEGV, lambda *args: print("too late"))
""",
        OVERFLOW,
        "run(overflow)",
    )
    assert message.startswith(MESSAGE + "tasklet overflow (")


HANDLER = """
@ctypes.CFUNCTYPE(None, ctypes.c_int)
def handler(number):
    os.write(1, b"chained\\n")
    os._exit(7)

signal_ = ctypes.CDLL(None).signal
signal_.argtypes = [ctypes.c_int, ctypes.c_void_p]
signal_(signal.SIGSEGV, ctypes.cast(handler, ctypes.c_void_p))
"""


@pytest.mark.parametrize("cause", ["run(overflow)", "ctypes.string_at(0)", "signal.raise_signal(11)"])
def test_a_handler_of_the_host_is_called(run_script, cause):
    program = "\n".join([PLAIN, "import scheduler", "import ctypes, os, signal", HANDLER, OVERFLOW])
    done = run_script(f"{program}\nrun(len, '')\n{cause}\n", check=False)
    assert done.returncode == 7, done
    assert done.stdout.split()[-1] == "chained"
    assert (MESSAGE in done.stderr) == ("overflow" in cause)


# ---- other faults ------------------------------------------------------------------------------


@pytest.mark.parametrize("where", ["main", "tasklet"])
@pytest.mark.parametrize(
    "cause",
    ["ctypes.string_at(0)", "signal.raise_signal(signal.SIGSEGV)", "os.kill(os.getpid(), 11)"],
)
def test_other_faults_are_left_alone(crash, cause, where):
    call = f"run(lambda: {cause})" if where == "tasklet" else cause
    lines = crash(PLAIN, OVERFLOW, f"run(len, '')\n{call}", reaches=None)
    assert lines == []


def test_other_faults_reach_faulthandler(crash):
    lines = crash(OVERFLOW, "run(lambda: ctypes.string_at(0))", reaches=None)
    assert lines[0] == OF_FAULTHANDLER


def test_an_overflow_of_a_main_thread_is_left_alone(crash):
    lines = crash(
        PLAIN,
        OVERFLOW,
        """
import resource
resource.setrlimit(resource.RLIMIT_STACK, (1 << 20, resource.getrlimit(resource.RLIMIT_STACK)[1]))
run(len, "")
overflow()
""",
    )
    assert lines == []


def test_an_ignored_signal_stays_ignored(run_script):
    done = run_script(
        PLAIN
        + """
import os, signal
signal.signal(signal.SIGSEGV, signal.SIG_IGN)
"""
        + OVERFLOW
        + """
run(len, "")
os.kill(os.getpid(), signal.SIGSEGV)
print("alive")
"""
    )
    assert done.stdout.split() == ["alive"]


# ---- the alternate stacks ----------------------------------------------------------------------


def test_threads_give_their_alternate_stacks_back(run_script):
    done = run_script(
        OVERFLOW
        + """
def mappings():
    with open("/proc/self/maps") as maps:
        return sum(1 for _ in maps)

def threads(count):
    for _ in range(count):
        thread = threading.Thread(target=run, args=(len, ""))
        thread.start()
        thread.join()

threads(5)
before = mappings()
threads(100)
print(mappings() - before)
"""
    )
    assert int(done.stdout) < 20


@pytest.mark.parametrize("enable", ["before", "after"])
def test_a_process_with_faulthandler_ends_well(run_script, enable):
    done = run_script(
        PLAIN
        + ("faulthandler.enable()\n" if enable == "before" else "")
        + OVERFLOW
        + "run(len, '')\n"
        + ("faulthandler.enable()\n" if enable == "after" else "")
        + "run(len, '')\nprint('well')\n"
    )
    assert (done.stdout.split(), done.stderr) == (["well"], "")
