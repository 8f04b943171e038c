"""Which rules of the specification have a test?

`spec_rules.txt` lists the rules. A Python test names the rules it pins by `spec("T-10", "D-01")`
(the marker `pytest.mark.spec`, on a test, a class, a module or a parameter set); a C++ test by the
macro `SPEC("K-01", "K-02")`; an example program by the id that its docstring begins with.
"""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from support.places import PYTHON_TESTS, ROOT

SOURCES = (
    *sorted(PYTHON_TESTS.rglob("test_*.py")),
    *sorted(PYTHON_TESTS.glob("examples/ex_*.py")),
    *sorted(ROOT.glob("tests/capi/**/*.cpp")),
    *sorted(ROOT.glob("tests/capi/**/*.h")),
    *sorted(ROOT.glob("tests/core/**/*.cpp")),
)

# A rule with one of these tags must have a test.
NEEDS_TEST = frozenset({"pinned", "documented", "scenario", "defect", "decision"})


def load_rules() -> dict[str, frozenset[str]]:
    """Rule id -> its tags."""
    rules = {}
    for line in (PYTHON_TESTS / "spec_rules.txt").read_text().splitlines():
        if line and not line.startswith("#"):
            rule, tags = line.split()
            rules[rule] = frozenset(tags.split(","))
    return rules


def rules_in_python(text: str) -> list[str]:
    """The arguments of every call of something called `spec`, and the id of an example."""
    module = ast.parse(text)
    found = re.findall(r"^EX-\d+", ast.get_docstring(module) or "")
    for node in ast.walk(module):
        if isinstance(node, ast.Call):
            name = getattr(node.func, "attr", getattr(node.func, "id", None))
            if name == "spec":
                found += [ast.literal_eval(argument) for argument in node.args]
    return found


def rules_in_cpp(text: str) -> list[str]:
    """The strings of every SPEC(...)."""
    return [
        rule
        for arguments in re.findall(r"\bSPEC\(([^)]*)\)", text)
        for rule in re.findall(r'"([^"]*)"', arguments)
    ]


@cache
def scan(sources: tuple[Path, ...] = SOURCES) -> dict[str, set[str]]:
    """Rule id -> names of the files whose tests name it."""
    named: dict[str, set[str]] = defaultdict(set)
    for source in sources:
        reader = rules_in_python if source.suffix == ".py" else rules_in_cpp
        for rule in reader(source.read_text()):
            named[rule].add(source.name)
    return dict(named)


def untested(rules: dict[str, frozenset[str]], named: Iterable[str]) -> tuple[list[str], list[str]]:
    """(rules that lack the test they need, other rules without a test), in the spec's order."""
    known = set(named)
    missing = [rule for rule in rules if rule not in known]
    needed = [rule for rule in missing if rules[rule] & NEEDS_TEST]
    return needed, [rule for rule in missing if rule not in needed]
