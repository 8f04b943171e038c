"""Pages of the site that are made from what a code host shows: examples, comparison, list of guides.

Such a page consists of a title and a link, which is where its text is for who reads it as a file. On the site
the text is in the link's place.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

from sphinx.application import Sphinx

DOCS = Path(__file__).parents[1]
ROOT = DOCS.parent
LINE_OF_A_LINK = re.compile(r"^\[[^\]]+\]\([^)]+\)$", re.MULTILINE)


def between(page: Path, begin: str, end: str) -> str:
    return page.read_text().partition(begin)[2].partition(end)[0]


def guides() -> str:
    return between(DOCS / "README.md", "One question each:\n", "The exact contract")


def comparison() -> str:
    text = between(ROOT / "README.md", "## How it compares\n", "## ")
    # From a page in docs/; what is elsewhere is not on the site.
    return re.sub(r"\[([^\]]+)\]\((?!docs/)[^)]+\)", r"\1", text).replace("](docs/", "](")


def programs() -> str:
    """The programs in the list of examples/README.md: what they show, and their text."""
    return "\n".join(sections((ROOT / "examples" / "README.md").read_text()))


def sections(readme: str) -> Iterator[str]:
    for name, shows in re.findall(r"^\| \[.+?\]\((.+?)\) \| (.+) \|$", readme, re.MULTILINE):
        place = ROOT / "examples" / name
        yield f"\n## {name}\n\n{shows[0].upper()}{shows[1:]}.\n"
        for file in sorted(place.glob("*.cpp")) if place.is_dir() else [place]:
            language = "python" if file.suffix == ".py" else "cpp"
            yield f"```{{literalinclude}} ../{file.relative_to(ROOT)}\n:language: {language}\n```\n"


MADE = {"guides": guides, "comparison": comparison, "examples": programs}


def repository() -> str:
    """Where this checkout was cloned from, if one can look at it there."""
    command = ["git", "-C", str(ROOT), "remote", "get-url", "origin"]
    if not (ROOT / ".git").exists():  # it may be below somebody else's
        return ""
    try:
        origin = subprocess.run(command, capture_output=True, text=True).stdout.strip()
    except OSError:  # no git
        return ""
    return address_of(origin)


def address_of(origin: str) -> str:
    """For a browser, of what git calls a remote; without a user's name or password."""
    page = re.sub(r"^(?:ssh://)?git@([^:/]+)[:/]", r"https://\1/", origin).removesuffix(".git")
    return re.sub(r"//[^/]*@", "//", page) if page.startswith("https://") else ""


def fill(app: Sphinx, docname: str, source: list[str]) -> None:
    if docname in MADE:
        source[0] = LINE_OF_A_LINK.sub(lambda _: MADE[docname](), source[0], count=1)
    if docname == app.config.root_doc and (page := repository()):
        source[0] += f"\n```{{toctree}}\n:hidden:\n:caption: Elsewhere\nThe repository <{page}>\n```\n"


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("source-read", fill)
    return {"parallel_read_safe": True}
