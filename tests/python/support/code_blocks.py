"""Finds the code blocks of README.md and of the pages under docs/.

What a block is follows from the word behind its fence:

    python    a program. It runs in a fresh interpreter; what it prints is in the `text` block that
              comes next, and without one it prints nothing. One with ADDRESS in it gets a NATS server
    pycon     a session, input and output as at the interpreter's prompt
    c, cpp    all blocks of a page together are compiled. A block of C is a program, with its output in
              the `text` block that comes next; it is linked with libpython and run
    text      output, or a drawing
    shell     commands, which are not run
    ini, cmake    pieces of configuration files, which are not run
    go        what a program here looks like in Go, which is not run
    {name}    a directive of Sphinx

Any other word, a fence without one, and code that is only indented are errors: nothing on a page
may look like Python and not be run.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from markdown_it import MarkdownIt

from support.places import ROOT

DOCS = ROOT / "docs"
LANGUAGES = {"python", "pycon", "c", "cpp", "text", "shell", "ini", "cmake", "go"}
# Directives that hold no code.
DIRECTIVES = {"{toctree}"}
RUN = re.compile(r"^[ >]*(?:```+|~~~+) *(?:python|pycon|py|py3|python3) *$", re.MULTILINE)

# Of the NATS server that programs of the documentation connect to; they get another one.
ADDRESS = "nats://localhost:4222"


@dataclass(frozen=True)
class Block:
    page: str  # relative to the root of the repository
    line: int  # of the fence
    language: str  # as written; empty for code that is only indented
    text: str
    output: str | None = None  # of the `text` block that comes next

    @property
    def name(self) -> str:
        return f"{self.page}:{self.line}"


def pages() -> list[Path]:
    return [ROOT / "README.md", *sorted(DOCS.rglob("*.md"))]


def blocks(page: Path) -> list[Block]:
    """All code blocks of a page, in order."""
    name = page.relative_to(ROOT).as_posix()
    tokens = MarkdownIt("commonmark").parse(page.read_text())
    found = []
    for number, token in enumerate(tokens):
        if token.type not in ("fence", "code_block"):
            continue
        assert token.map is not None
        language = token.info.split(" ")[0] if token.type == "fence" else ""
        following = tokens[number + 1] if number + 1 < len(tokens) else None
        is_output = (
            language in ("python", "c")
            and following is not None
            and (following.type, following.info) == ("fence", "text")
        )
        output = following.content if is_output and following is not None else None
        found.append(Block(name, token.map[0] + 1, language, token.content, output))
    return found


def blocks_in(*languages: str) -> list[Block]:
    """The blocks in these languages, of all pages."""
    return [block for page in pages() for block in blocks(page) if block.language in languages]
