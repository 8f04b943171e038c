"""Deep recursion in tasklets: RecursionError, never a crash, and the stack is usable afterwards
(S-08, D-49)."""

from __future__ import annotations

import sys

import pytest

import scheduler
from helpers import queued, started


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
    recursion_limit(1150)  # 3.11 counts Python calls against the C stack, which has room for 1,200
    task.run()
    drain()
    assert results == [1100]


# Programs that recurse without end, by way of Python and of C. Each must end in a RecursionError
# or, where CPython itself says so, in a MemoryError; the tasklet goes on afterwards.
ENDLESS = {
    "python": """
def f(n=0):
    return f(n + 1)
""",
    "method": """
class A:
    def g(self):
        return self.g()
f = A().g
""",
    "sorted key": """
def f(_=None):
    return sorted([1, 2], key=f)
""",
    "__getattr__": """
class A:
    def __getattr__(self, name):
        return getattr(self, name + 'x')
def f():
    return A().x
""",
    "__init__": """
class A:
    def __init__(self):
        A()
f = A
""",
    "__add__": """
class A:
    def __add__(self, other):
        return self + other
def f():
    A() + 1
""",
    "__eq__": """
class A:
    def __eq__(self, other):
        return [self] == [A()]
def f():
    return A() == A()
""",
    "__repr__": """
class A:
    def __repr__(self):
        return repr([A()])
def f():
    repr(A())
""",
    "map": """
def f(_=None):
    return list(map(f, [1]))
""",
    "reduce": """
import functools
def f(*_):
    return functools.reduce(f, [1, 2])
""",
    "partial": """
import functools
def f():
    return functools.partial(f)()
""",
    "generator": """
def g():
    yield from g()
def f():
    return list(g())
""",
    "exec": """
def f():
    exec('f()', globals())
""",
    "property": """
class A:
    @property
    def p(self):
        return self.p
def f():
    A().p
""",
    "getter": """
def f():
    return max([1], key=lambda _: f())
""",
    "str.format": """
class A:
    def __format__(self, spec):
        return f'{self}'
def f():
    f'{A()}'
""",
    "nested list repr": """
def f():
    it = []
    for _ in range(200000):
        it = [it]
    repr(it)
""",
    "nested dict compare": """
def nest():
    it = {}
    for _ in range(200000):
        it = {0: it}
    return it
def f():
    nest() == nest()
""",
    "json": """
import json
def f():
    it = []
    for _ in range(200000):
        it = [it]
    json.dumps(it)
""",
    "json loads": """
import json
def f():
    json.loads('[' * 200000)
""",
    "pickle": """
import pickle
def f():
    it = []
    for _ in range(200000):
        it = [it]
    pickle.dumps(it)
""",
    "compile": """
def f():
    compile('+'.join(['a'] * 200000), 'x', 'eval')
""",
    "ast": """
import ast
def f():
    ast.literal_eval('-' * 5000 + '1')
""",
    "parser brackets": """
import ast
def f():
    ast.parse('(' * 5000 + ')' * 5000)
""",
    "regular expression": """
import re
def f():
    re.compile('(' * 20000 + ')' * 20000)
""",
    "isinstance": """
def f():
    it = (int,)
    for _ in range(200000):
        it = (it,)
    isinstance('', it)
""",
    "deep copy": """
import copy
def f():
    it = []
    for _ in range(200000):
        it = [it]
    copy.deepcopy(it)
""",
}

TEMPLATE = """
import scheduler

{program}

def outcome():
    try:
        f()
    except (RecursionError, MemoryError, SyntaxError, ValueError) as error:
        return type(error).__name__
    return "no error"

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


@pytest.mark.spec("S-08")
@pytest.mark.parametrize("name", ENDLESS)
def test_endless_recursion_ends_in_an_error_and_the_process_lives(run_script, name):
    done = run_script(TEMPLATE.replace("{program}", ENDLESS[name]))
    plain, inside, state = done.stdout.splitlines()
    assert state == "True 6"
    expected = {"RecursionError", "MemoryError", "SyntaxError"}
    for outcome in inside.split():
        # A main thread has a larger stack, so there a construct may still end well.
        assert outcome in expected | {plain}
    assert len(inside.split()) == 4


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
            # The compiler counts recursion, so there a tasklet may have to stop earlier than main.
            earlier = tasklet[0] == "RecursionError" and main[0] in ("RecursionError", "ValueError")
            print(main == tasklet or earlier, main, tasklet)
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
