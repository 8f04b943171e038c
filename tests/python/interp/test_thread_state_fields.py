"""The table of the fields of CPython's thread state, against the headers of this interpreter (DEC-5)."""

from __future__ import annotations

import re
import sys
import sysconfig
from pathlib import Path

import pytest

from support.places import ROOT

TABLE = ROOT / "src/binding/interp/thread_state_fields.txt"
VERSIONS = ["3.11", "3.12", "3.13", "3.14", "3.15"]
KINDS = {"swapped", "thread", "empty"}
VERSION = "{}.{}".format(*sys.version_info)
STRUCTS = {
    "_ts": ("cpython/pystate.h", r"struct _ts \{"),
    "_PyThreadStateImpl": ("internal/pycore_tstate.h", r"typedef struct _PyThreadStateImpl \{"),
}


def rows(struct: str) -> list[list[str]]:
    """The rows of one struct: field, a kind for each version, reason."""
    sections = re.split(r"^\[(\w+)\]$", TABLE.read_text(), flags=re.MULTILINE)
    lines = sections[sections.index(struct) + 1].splitlines()
    return [line.split(None, len(VERSIONS) + 1) for line in lines if line and line[0] != "#"]


def kinds(struct: str, version: str) -> dict[str, str]:
    column = 1 + VERSIONS.index(version)
    return {row[0]: row[column] for row in rows(struct) if row[column] != "-"}


def body(text: str, head: str) -> str | None:
    """What stands between the braces of a struct, if the header has it."""
    found = re.search(head, text)
    if found is None:
        return None
    depth, end = 1, found.end()
    while depth:
        depth += {"{": 1, "}": -1}.get(text[end], 0)
        end += 1
    return text[found.end() : end - 1]


def fields(text: str) -> list[str]:
    """The names of a struct's members; of those under an #if too."""
    text = re.sub(r"/\*.*?\*/|//[^\n]*", "", text, flags=re.DOTALL)
    text = re.sub(r"^\s*#.*$", "", text, flags=re.MULTILINE)
    while "{" in text:
        text = re.sub(r"\{[^{}]*\}", "", text)
    members = [member.strip() for member in text.split(";")]
    pattern = r"\(\*(\w+)\)\(.*\)$|(\w+)\s*(?:\[\w+\])?$"
    found = [re.search(pattern, member) for member in members if member]
    return [match[1] or match[2] for match in found if match]


def header(name: str) -> str:
    path = Path(sysconfig.get_path("include")) / name
    if not path.exists():
        pytest.skip(f"CPython's headers are not installed: {path}")
    return path.read_text()


def test_the_members_of_a_struct_are_found() -> None:
    text = """struct _ts {
        PyObject *one, /* not; this */ ;  // nor; this
    #ifdef X
        struct { int inner; struct { int deeper; } more; } two;
    #endif
        void (*three)(void *); char four[64];
        enum { A = 0 } five;
    };"""
    inside = body(text, STRUCTS["_ts"][1])
    assert inside is not None
    assert fields(inside.replace(",", "")) == ["one", "two", "three", "four", "five"]
    assert body(text, STRUCTS["_PyThreadStateImpl"][1]) is None


@pytest.mark.parametrize("struct", STRUCTS)
def test_the_table_has_a_kind_for_each_version_and_a_reason(struct: str) -> None:
    for name, *others in rows(struct):
        assert len(others) == len(VERSIONS) + 1, name
        present = [kind.removesuffix("?") for kind in others[:-1] if kind != "-"]
        assert present, name
        assert set(present) <= KINDS, name
    names = [row[0] for row in rows(struct)]
    assert len(set(names)) == len(names)


@pytest.mark.spec("DEC-5")
@pytest.mark.parametrize("struct", STRUCTS)
def test_every_field_of_the_thread_state_is_in_the_table(struct: str) -> None:
    name, head = STRUCTS[struct]
    known = kinds(struct, VERSION)
    if not known:
        assert sys.version_info < (3, 13)
        return
    inside = body(header(name), head)
    assert inside is not None
    found = set(fields(inside))
    assert found - set(known) == set(), "decide what a switch does with them"
    assert {field for field, kind in known.items() if kind[-1] != "?"} - found == set()
