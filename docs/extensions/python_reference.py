"""The directive `.. python-reference:: name...`: public names, described by their docstrings.

autodoc would call `scheduler.tasklet` an alias, because the name of the class is `Tasklet`. The
docstrings have one form: a signature that inspect reads, text, and the sections of SECTIONS. At the
end of the build a public name that no page has described is a warning.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from operator import attrgetter
from typing import Any

from docutils import nodes
from docutils.statemachine import StringList
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective

import scheduler

logger = logging.getLogger(__name__)
SECTIONS = ("Parameters", "Returns", "Raises", "Threads", "Example")
SECTION = re.compile(rf"^({'|'.join(SECTIONS)}):$", re.MULTILINE)


def entry(name: str) -> Iterator[str]:
    """The lines of reST for a public name."""
    value = attrgetter(name)(scheduler)
    if not inspect.isclass(value):
        yield from description("py:function", name + signature(value), value.__doc__)
        return
    kind = "py:exception" if issubclass(value, BaseException) else "py:class"
    made = "" if kind == "py:exception" else signature(value)
    yield from description(kind, name + made, value.__doc__)
    members = {key: member for key, member in vars(value).items() if not key.startswith("_")}
    documented = {key: member for key, member in members.items() if member.__doc__}
    attributes = [key for key, member in documented.items() if not callable(member)]
    methods = [key for key, member in documented.items() if callable(member)]
    for role, keys in (("py:method", methods), ("py:attribute", attributes)):
        for key in sorted(keys, key=str.lower):
            suffix = signature(documented[key]) if role == "py:method" else ""
            lines = description(role, f"{key}{suffix}", documented[key].__doc__)
            yield from (f"   {line}" if line else "" for line in lines)


def signature(value: Any) -> str:
    try:
        # A class written in Python is called with what its __init__ takes.
        written = inspect.isclass(value) and inspect.isfunction(value.__init__)
        found = inspect.signature(value.__init__ if written else value)
    except ValueError:  # a type that cannot be called
        return ""
    own = [one.replace(annotation=one.empty) for one in found.parameters.values()]
    if own and own[0].name == "self":
        del own[0]
    return str(inspect.Signature(own))


def description(directive: str, name: str, docstring: str | None) -> Iterator[str]:
    yield from ("", f".. {directive}:: {name}", "")
    text = inspect.cleandoc(docstring or "")
    before, *sections = SECTION.split(text)
    for line in prose(before):
        yield f"   {line}" if line else ""
    for title, body in zip(sections[::2], sections[1::2], strict=True):
        yield from ("", f"   **{title}**", "")
        lines = inspect.cleandoc(body).splitlines()
        if title == "Example":
            yield from ("   .. code-block:: pycon", "")
            yield from (f"      {line}" for line in lines)
        elif title in ("Parameters", "Raises"):
            yield from (f"   {line}" if line else "" for line in definitions(lines))
        else:
            yield from (f"   {line}" if line else "" for line in prose("\n".join(lines)))
        yield ""


def prose(text: str) -> Iterator[str]:
    """Paragraphs; what is indented below a colon is a table in plain text."""
    in_table = False
    for line in text.splitlines():
        if line.startswith("    ") and not in_table:
            yield from ("", "::", "")
            in_table = True
        elif in_table and line and not line.startswith("    "):
            in_table = False
            yield ""
        item = "* " if line.startswith("* ") else ""  # of a list
        yield line if in_table else item + escaped(line.removeprefix(item))


def definitions(lines: list[str]) -> Iterator[str]:
    """`name: text`, with further lines indented, as a list."""
    for line in lines:
        name, colon, text = line.partition(": ")
        if colon and not line.startswith(" ") and re.fullmatch(r"[\w*, ]+", name):
            yield f"* {', '.join(f'``{one}``' for one in name.split(', '))}: {escaped(text)}"
        else:
            yield f"  {escaped(line.strip())}" if line else ""


def escaped(text: str) -> str:
    return re.sub(r"\*", r"\\*", text)


class PythonReference(SphinxDirective):
    required_arguments = 1
    final_argument_whitespace = True

    def run(self) -> list[nodes.Node]:
        names = self.arguments[0].split()
        described(self.env).update(names)
        lines = [".. py:currentmodule:: scheduler", ""]
        for name in names:
            lines += entry(name)
        container = nodes.container()
        self.state.nested_parse(StringList(lines, "docstrings"), 0, container)
        return container.children


def described(env: BuildEnvironment) -> set[str]:
    """The names that pages have described so far; kept with the rest that Sphinx knows."""
    names: set[str] = vars(env).setdefault("python_reference_names", set())
    return names


def check_all(app: Sphinx, env: BuildEnvironment) -> None:
    # BrokenBarrierError is CPython's.
    of_sync = {f"sync.{name}" for name in scheduler.sync.__all__} - {"sync.BrokenBarrierError"}
    of_aio = {f"aio.{name}" for name in scheduler.aio.__all__}
    of_testing = {f"testing.{name}" for name in scheduler.testing.__all__}
    if missing := (set(scheduler.__all__) | of_sync | of_aio | of_testing) - described(env):
        logger.warning("reference/python.rst does not describe %s", ", ".join(sorted(missing)))


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_directive("python-reference", PythonReference)
    app.connect("env-check-consistency", check_all)
    return {"parallel_read_safe": False}
