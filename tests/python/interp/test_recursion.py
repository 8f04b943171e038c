"""Deep recursion in tasklets: RecursionError, never a crash, and the stack is usable afterwards
(S-08, D-49)."""

from __future__ import annotations

import sys

import pytest

import scheduler
from support.endless_recursion import COUNTED, UNCOUNTED
from support.interpreter import LEAST_STACK
from support.scheduling import queued, started


@pytest.fixture
def recursion_limit():
    """Sets the interpreter's recursion limit for the test."""
    before = sys.getrecursionlimit()
    yield sys.setrecursionlimit
    sys.setrecursionlimit(before)


@pytest.mark.spec("S-08")
@pytest.mark.usefixtures("mode")
def test_twenty_interleaved_recursions(drain):
    log = []

    def recurse(name, depth):
        if depth % 50 == 0:
            scheduler.schedule()
        if depth == 0:
            return 0
        return 1 + recurse(name, depth - 1)

    def body(name):
        log.append((name, recurse(name, 400)))

    for name in range(20):
        queued(body, name)
    drain()
    assert log == [(name, 400) for name in range(20)]


@pytest.mark.spec("S-08")
@pytest.mark.usefixtures("mode")
def test_a_switch_at_every_level_on_the_way_down_and_up(drain):
    def recurse(depth):
        scheduler.schedule()
        result = 1 + recurse(depth - 1) if depth else 0
        scheduler.schedule()
        return result

    results = []
    for depth in (10, 200, 3):
        queued(lambda depth=depth: results.append(recurse(depth)))
    drain()
    assert results == [3, 10, 200]


@pytest.mark.spec("S-08")
def test_the_depth_of_one_tasklet_does_not_count_for_another(drain, recursion_limit):
    recursion_limit(400)
    results = []

    def recurse(depth):
        if depth:
            return 1 + recurse(depth - 1)
        scheduler.schedule()
        return 0

    for _ in range(10):
        queued(lambda: results.append(recurse(200)))
    drain()
    assert results == [200] * 10


@pytest.mark.spec("S-08")
def test_the_recursion_limit_holds_inside_tasklets(drain, recursion_limit):
    recursion_limit(300)
    depths = []

    def recurse(depth):
        depths.append(depth)
        recurse(depth + 1)

    def body():
        with pytest.raises(RecursionError):
            recurse(1)

    for _ in range(3):
        del depths[:]
        queued(body)
        drain()
        assert 150 < max(depths) <= 300


@pytest.mark.spec("S-08")
def test_a_raised_limit_reaches_tasklets_that_are_suspended(drain, recursion_limit):
    results = []

    def recurse(depth):
        return 1 + recurse(depth - 1) if depth else 0

    def body():
        scheduler.schedule_remove()
        results.append(recurse(1100))

    task = started(body)
    recursion_limit(1150)  # more than 3.11 allows by default, where Python calls count
    task.run()
    drain()
    assert results == [1100]


ENDLESS = COUNTED | UNCOUNTED

OUTCOME = """
import scheduler

{program}

def outcome():
    try:
        f()
    except (RecursionError, MemoryError, SyntaxError, ValueError) as error:
        return type(error).__name__
    return "no error"
"""

IN_MAIN_AND_TASKLETS = OUTCOME + """
def body(name):
    results.append(outcome())
    scheduler.schedule()
    results.append(sorted([3, 1, 2], key=lambda n: -n))   # the stack is usable afterwards
    results.append(outcome())

results = []
for name in "ab":
    scheduler.tasklet(body)(name)
scheduler.run()
plain = outcome()
print(plain)
print(*results[:2], *results[3::2])
print(results[2] == results[4] == [3, 2, 1], len(results))
"""

# Each test below runs in a process of its own: a crash is a failure, not the end of the tests.
ERRORS = {"RecursionError", "MemoryError", "SyntaxError", "ValueError"}


@pytest.mark.spec("S-08")
@pytest.mark.parametrize("name", ENDLESS)
def test_endless_recursion_ends_in_an_error_and_the_process_lives(run_script, name):
    done = run_script(IN_MAIN_AND_TASKLETS.replace("{program}", ENDLESS[name]))
    plain, inside, state = done.stdout.splitlines()
    assert state == "True 6"
    assert plain in ERRORS | {"no error"}  # a main thread has a larger stack: it may end well there
    for outcome in inside.split():
        assert outcome in ({"RecursionError"} if name in COUNTED else ERRORS)
    assert len(inside.split()) == 4


@pytest.mark.spec("S-08", "H-01")
@pytest.mark.parametrize("name", ENDLESS)
def test_endless_recursion_in_a_tasklet_of_another_thread(run_script, name):
    """The thread's own stack has 8 MiB; that of its tasklet must bound the recursion."""
    program = OUTCOME.replace("{program}", ENDLESS[name])
    done = run_script(
        program
        + """
import threading

def work():
    for _ in range(2):
        scheduler.tasklet(lambda: print(outcome()))()
        scheduler.run()

thread = threading.Thread(target=work)
thread.start()
thread.join()
"""
    )
    outcomes = done.stdout.split()
    assert len(outcomes) == 2
    assert set(outcomes) <= ({"RecursionError"} if name in COUNTED else ERRORS)


# Without the GIL CPython 3.13 would collect some 500 times while a program nests a million tuples.
AT_EACH_SIZE = OUTCOME + """
import gc
import sys

gc.disable()
for size in sys.argv[1:]:
    scheduler.set_stack_size(int(size) * 1024)
    scheduler.tasklet(lambda: print(size, outcome(), flush=True))()
    scheduler.run()
"""


@pytest.mark.spec("S-08")
@pytest.mark.parametrize("name", COUNTED)
def test_counted_recursion_is_safe_at_any_stack_size(run_script, name):
    sizes = [str(LEAST_STACK + more) for more in (0, 4, 32, 64, 192, 448, 4032, 16320)]
    done = run_script(AT_EACH_SIZE.replace("{program}", COUNTED[name]), *sizes)
    allowed = {"RecursionError"}
    if name == "exec" and sys.version_info >= (3, 14):
        allowed.add("MemoryError")  # the parser's, which is given the bounds of the stack since then
    lines = [line.split() for line in done.stdout.splitlines()]
    assert [size for size, _ in lines] == sizes
    assert {outcome for _, outcome in lines} <= allowed


@pytest.mark.spec("S-08")
@pytest.mark.parametrize("name", UNCOUNTED)
def test_what_counts_no_recursion_is_safe_from_1_mib_up(run_script, name):
    sizes = ["1024", "4096", "16384"]
    done = run_script(AT_EACH_SIZE.replace("{program}", UNCOUNTED[name]), *sizes)
    lines = [line.split() for line in done.stdout.splitlines()]
    assert [size for size, _ in lines] == sizes
    assert {outcome for _, outcome in lines} <= ERRORS


@pytest.mark.spec("S-08")
def test_making_an_exception_in_c_code_lifts_the_limit_for_no_other_tasklet(run_script):
    # While C code makes one, CPython takes a recursion too deep for an error that cannot be handled.
    done = run_script(
        """
        import scheduler

        class Switching(Exception):
            def __init__(self):
                scheduler.schedule()
                scheduler.schedule()

        def generating():
            yield

        def throw():
            generator = generating()
            next(generator)
            try:
                generator.throw(Switching)
            except Switching:
                print("thrown")

        def recurse():
            recurse()

        def ends():
            try:
                recurse()
            except RecursionError:
                print("caught")

        scheduler.tasklet(throw)()
        for _ in range(2):
            scheduler.tasklet(ends)()
        scheduler.run()
        ends()
        """
    )
    assert done.stdout.split() == ["caught", "caught", "thrown", "caught"]


@pytest.mark.spec("S-08")
def test_the_parser_gives_its_own_error(run_script):
    """The parser counts no recursion: the stack must be large enough for its own limit."""
    done = run_script(
        """
        import ast, scheduler

        def outcome(text):
            try:
                ast.literal_eval(text)
            except (MemoryError, RecursionError, SyntaxError, ValueError) as error:
                return type(error).__name__, str(error)

        texts = ["-" * 5000 + "1", "-" * 20000 + "1", "not " * 5000 + "1", "(" * 5000, "[" * 150]
        plain = [outcome(text) for text in texts]
        inside = []
        scheduler.tasklet(lambda: inside.extend(outcome(text) for text in texts))()
        scheduler.run()
        for main, tasklet in zip(plain, inside):
            # The compiler counts recursion, and how far main and a tasklet get differs.
            counted = {main[0], tasklet[0]} <= {"RecursionError", "ValueError"}
            print(main == tasklet or counted, main, tasklet)
        """
    )
    lines = done.stdout.splitlines()
    assert [line.split()[0] for line in lines] == ["True"] * 5, done.stdout
    assert "True ('MemoryError'" in lines[1]


@pytest.mark.spec("S-08", "R-10")
def test_an_uncaught_recursion_error_reaches_the_driver(drain):
    def recurse():
        recurse()

    task = queued(recurse)
    with pytest.raises(RecursionError):
        drain()
    assert task.alive is False
    log = []
    queued(log.append, "works on")
    drain()
    assert log == ["works on"]


NESTED = """
import sys
import scheduler

sys.setrecursionlimit(int(sys.argv[1]))
reached = 0

def nest():
    global reached
    reached += 1
    if reached < {depth}:
        task = scheduler.tasklet(nest)
        {step}
    return None

scheduler.tasklet(nest)()
try:
    scheduler.run()
    print("success", reached)
except RecursionError as error:
    print("RecursionError", bool(str(error)))
reached = {depth}  # whatever is still queued ends at once
scheduler.run()
log = []
scheduler.tasklet(log.append)("still works")
scheduler.run()
print(log, scheduler.getruncount())
"""


@pytest.mark.spec("D-49", "R-20", "S-08")
@pytest.mark.parametrize("limit", [1000, 100_000])
@pytest.mark.parametrize(
    "step",
    ["task().run()", "task(); scheduler.run()", "task().switch()", "task.bind(None, ()).switch()"],
    ids=["run", "scheduler.run", "switch", "switch as a call"],
)
def test_thousands_of_nested_runs_succeed_or_raise(run_script, step, limit):
    depth = 5000
    program = NESTED.replace("{depth}", str(depth)).replace("{step}", step)
    done = run_script(program, str(limit))
    first, last = done.stdout.splitlines()
    assert first in (f"success {depth}", "RecursionError True")
    assert last == "['still works'] 1"


@pytest.mark.spec("D-49", "R-20")
def test_hundreds_of_nested_runs_work(drain):
    depths = []

    def nest(depth):
        if depth:
            started(nest, depth - 1)
        depths.append(depth)

    queued(nest, 200)
    drain()
    assert depths == list(range(201))
