"""Programs that recurse without end, by way of Python and of C: each defines a function `f`.

Called, it ends in RecursionError, MemoryError, SyntaxError or ValueError, as CPython sees fit. What takes
longest to nest is nested once; the rest is dropped where `f` is called, and so destroyed there.
"""

from __future__ import annotations

import sys

# CPython counts how deep these go, and stops them.
COUNTED = {
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
one, other = nest(), nest()
def f():
    one == other
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
    "regular expression": """
import re
def f():
    re.compile('(' * 20000 + ')' * 20000)
""",
    "isinstance": """
it = (int,)
for _ in range(1000000):
    it = (it,)
def f():
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
    "__new__": """
class A:
    def __new__(cls):
        return A()
f = A
""",
    "__call__": """
class A:
    def __call__(self):
        return self()
f = A()
""",
    "lru_cache": """
import functools
@functools.lru_cache(None)
def g(n):
    return g(n + 1)
def f():
    g(0)
""",
    "starred call": """
def f(*args):
    return f(*args)
""",
    "pickle of objects": """
import pickle
class A:
    pass
def f():
    it = None
    for _ in range(200000):
        outer = A()
        outer.it = it
        it = outer
    pickle.dumps(it)
""",
    "compile attributes": """
def f():
    compile('a' + '.b' * 200000, 'x', 'eval')
""",
}

if sys.version_info >= (3, 15):
    # CPython 3.15.2 does not count these calls, on no stack: they go on until memory is used up.
    del COUNTED["starred call"]

# These it does not count. The parser and marshal stop by limits of their own, which need 700 KiB and
# 410 KiB of stack.
UNCOUNTED = {
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
    "parser lists": """
import ast
def f():
    ast.parse('[' * 5000 + ']' * 5000)
""",
    "parser calls": """
import ast
def f():
    ast.parse('f(' * 5000 + ')' * 5000)
""",
    "parser not": """
import ast
def f():
    ast.parse('not ' * 20000 + '1')
""",
    "parser minus": """
import ast
def f():
    ast.parse('-' * 20000 + '1')
""",
    "marshal dumps": """
import marshal
def f():
    it = []
    for _ in range(200000):
        it = [it]
    marshal.dumps(it)
""",
    "marshal loads": """
import marshal
def f():
    marshal.loads((b'[' + (1).to_bytes(4, 'little')) * 5000 + b'N')
""",
}
