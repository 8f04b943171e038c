"""The directive `.. c-reference::`: the members of the table in Scheduler.h, with their comments.

The header has a plain form: `// ---- title ----` begins a section; the comment before a member
describes it; a member is `SCHEDULER_ROUTINE(result, name, (parameters));` or a variable.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from docutils import nodes
from docutils.statemachine import StringList
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

HEADER = Path(__file__).parents[2] / "include" / "Scheduler.h"
SECTION = re.compile(r"// -+ (.+?) -*$")
ROUTINE = re.compile(r"SCHEDULER_ROUTINE\((.+?), (\w+),\s*\((.*)\)\);$", re.DOTALL)
VARIABLE = re.compile(r"(\w+\*+ \w+);$")


def reference(header: str) -> Iterator[str]:
    """The lines of reST for the general part of the header and for each member."""
    lines = header.splitlines()
    begin = lines.index("typedef struct SchedulerCAPI {")
    end = lines.index("} SchedulerCAPI;")
    yield from general_part(lines)
    comment: list[str] = []
    code: list[str] = []
    for line in map(str.strip, lines[begin + 1 : end]):
        if section := SECTION.match(line):
            yield from ("", f".. rubric:: {section[1].capitalize()}", "")
        elif line.startswith("//"):
            comment.append(line[2:].strip())
        elif line:
            code.append(line)
            if line.endswith(";"):
                yield from member(" ".join(code), comment)
                comment, code = [], []
    assert not comment and not code


def general_part(lines: list[str]) -> Iterator[str]:
    """What holds for every function: paragraphs that begin with a word and a full stop."""
    first = lines.index("// What holds for every function of the table:")
    text = [line[2:].strip() for line in lines[first + 1 : lines.index("#pragma once")]]
    for paragraph in re.split(r"\n\n", escaped("\n".join(text)).strip()):
        title, _, rest = paragraph.partition(". ")
        yield from ("", f"**{title}.** {rest}", "")


def member(code: str, comment: list[str]) -> Iterator[str]:
    if routine := ROUTINE.match(code):
        result, name, parameters = routine.groups()
        yield f".. c:function:: {result} {name}({parameters})"
    else:
        variable = VARIABLE.match(code)
        assert variable, code
        yield f".. c:var:: {variable[1]}"
    yield ""
    yield from (f"   {line}" for line in escaped("\n".join(comment)).splitlines())
    yield ""


def escaped(text: str) -> str:
    """`*` means itself, outside the backquotes that mark code."""
    parts = re.split(r"(`[^`]*`)", text)
    return "".join(part if part.startswith("`") else part.replace("*", r"\*") for part in parts)


class CReference(SphinxDirective):
    def run(self) -> list[nodes.Node]:
        self.env.note_dependency(str(HEADER))
        lines = list(reference(HEADER.read_text()))
        container = nodes.container()
        self.state.nested_parse(StringList(lines, str(HEADER)), 0, container)
        return container.children


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_directive("c-reference", CReference)
    return {"parallel_read_safe": True}
