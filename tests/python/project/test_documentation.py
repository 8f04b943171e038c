"""Every code block of the documentation, and every example of a docstring, does what it says.

`support/code_blocks.py` tells what is done with which kind of block.
"""

from __future__ import annotations

import doctest
import inspect
import os
import re
import shlex
import subprocess
import sys
import sysconfig
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import scheduler
from support import code_blocks
from support.code_blocks import ADDRESS, DIRECTIVES, DOCS, LANGUAGES, RUN, Block
from support.compilers import c_compiler, cxx_compiler
from support.nats_server import nats_server
from support.places import ROOT

PAGES = code_blocks.pages()
PROGRAMS = code_blocks.blocks_in("python")
SESSIONS = code_blocks.blocks_in("pycon")

# Runs the session that it is given; prints what went wrong and then fails.
SESSION_RUNNER = """
import doctest, sys
test = doctest.DocTestParser().get_doctest(sys.argv[1], {}, sys.argv[2], sys.argv[2], 0)
assert test.examples
sys.exit(doctest.DocTestRunner(optionflags=doctest.ELLIPSIS).run(test).failed)
"""


def name_of(value: object) -> str:
    return value.name if isinstance(value, Block) else str(value)


@pytest.mark.parametrize("block", PROGRAMS, ids=name_of)
def test_program(block: Block, run_script: Callable, tmp_path: Path) -> None:
    if ADDRESS in block.text:
        with nats_server(tmp_path) as address:
            done = run_script(block.text.replace(ADDRESS, address))
    else:
        done = run_script(block.text)
    assert (done.stdout, done.stderr) == (block.output or "", "")


@pytest.mark.parametrize("block", SESSIONS, ids=name_of)
def test_session(block: Block, run_script: Callable) -> None:
    done = run_script(SESSION_RUNNER, block.text, block.name, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_page_has_no_block_of_another_kind(page: Path) -> None:
    found = code_blocks.blocks(page)
    unknown = [block for block in found if block.language not in LANGUAGES | DIRECTIVES]
    assert [(block.name, block.language, block.text) for block in unknown] == []
    run = [block for block in PROGRAMS + SESSIONS if ROOT / block.page == page]
    assert len(run) == len(RUN.findall(page.read_text()))
    # A prompt is something to run as well.
    shown = [block for block in found if block.language == "text" and ">>> " in block.text]
    assert [block.name for block in shown] == []


def test_pages_in_rest_have_no_code() -> None:
    code = re.compile(r"code-block|literalinclude|>>> |^(?!\.\. ).*::$", re.MULTILINE)
    for page in DOCS.rglob("*.rst"):
        assert code.findall(page.read_text()) == []


def link_options() -> list[str]:
    """What links a program with this interpreter's library; empty if it has none."""
    get = sysconfig.get_config_var
    name = get("LDLIBRARY") if get("Py_ENABLE_SHARED") else get("LIBRARY")
    libraries = [Path(get(place), name) for place in ("LIBDIR", "LIBPL") if get(place) and name]
    library = next((path for path in libraries if path.exists()), None)
    if library is None:
        return []
    system = shlex.split(" ".join(get(part) or "" for part in ("LIBS", "SYSLIBS", "LINKFORSHARED")))
    return [str(library), f"-Wl,-rpath,{library.parent}", *system]


@pytest.mark.skipif(not link_options(), reason="this interpreter has no libpython to embed")
@pytest.mark.parametrize("block", code_blocks.blocks_in("c"), ids=name_of)
def test_program_in_c(block: Block, tmp_path: Path) -> None:
    source, program = tmp_path / "host.c", tmp_path / "host"
    source.write_text(block.text)
    includes = [f"-I{sysconfig.get_paths()['include']}", f"-I{scheduler.get_include()}"]
    command = [*c_compiler(), *includes, str(source), "-o", str(program), *link_options()]
    built = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert built.returncode == 0, f"{shlex.join(command)}\n{built.stderr}"
    home = os.pathsep.join([sys.base_prefix, sys.base_exec_prefix])
    packages = os.pathsep.join(path for path in sys.path if path)
    env = os.environ | {"PYTHONHOME": home, "PYTHONPATH": packages}
    done = subprocess.run([str(program)], capture_output=True, text=True, timeout=60, env=env)
    assert (done.returncode, done.stdout, done.stderr) == (0, block.output, "")


@pytest.mark.parametrize("language", ["c", "cpp"])
def test_c_and_cpp_blocks_compile(language: str, tmp_path: Path) -> None:
    """The blocks of a page, one after the other, are a source file."""
    compiler = c_compiler() if language == "c" else cxx_compiler()
    standard = "-std=c11" if language == "c" else "-std=c++17"
    includes = [f"-I{sysconfig.get_paths()['include']}", f"-I{scheduler.get_include()}"]
    strict = ["-Wall", "-Wextra", "-Werror", "-Wno-unused-function"]
    found = code_blocks.blocks_in(language)
    assert found
    for page in {block.page for block in found}:
        source = tmp_path / f"page.{language}"
        text = "\n".join(block.text for block in found if block.page == page)
        source.write_text(f'#line 1 "{page}"\n{text}')
        command = [*compiler, standard, *strict, *includes, "-fsyntax-only", str(source)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, f"{shlex.join(command)}\n{done.stderr}"


def documented() -> Iterator[tuple[str, object]]:
    """The package, its public names, and the public members of its classes."""
    yield "scheduler", scheduler
    yield from names_of(scheduler)


def documented_in_modules() -> Iterator[tuple[str, object]]:
    """The same of its modules."""
    for module in ("aio", "sync", "testing"):
        yield module, getattr(scheduler, module)
        members = names_of(getattr(scheduler, module))
        yield from ((f"{module}.{name}", value) for name, value in members)


def names_of(module: Any) -> Iterator[tuple[str, object]]:
    for name in module.__all__:
        value = getattr(module, name)
        yield name, value
        if inspect.isclass(value):
            for member in vars(value):
                if not member.startswith("_"):
                    yield f"{name}.{member}", inspect.getattr_static(value, member)


def examples() -> list:
    parser = doctest.DocTestParser()
    found = []
    for name, value in (*documented(), *documented_in_modules()):
        text = inspect.cleandoc(getattr(value, "__doc__", None) or "")
        if parser.get_examples(text):
            found.append(pytest.param(text, id=name))
    return found


@pytest.mark.parametrize("text", examples())
def test_example_of_a_docstring(text: str) -> None:
    report: list[str] = []
    test = doctest.DocTestParser().get_doctest(text, {}, "docstring", None, 0)
    doctest.DocTestRunner(verbose=False).run(test, out=report.append)
    assert "".join(report) == ""


def test_what_a_docstring_shows_is_an_example() -> None:
    """Code under "Example:", and behind the lines that import the package, has prompts."""
    without_prompt = re.compile(r"Example:\n +(?! |>>> )|^ *import scheduler$", re.MULTILINE)
    unrun = [
        name
        for name, value in (*documented(), *documented_in_modules())
        if without_prompt.search(getattr(value, "__doc__", None) or "")
    ]
    assert unrun == []


def test_every_page_is_in_the_list_of_pages() -> None:
    """docs/README.md is what a code host shows; Sphinx checks its own list, in index.md. Some are only for
    the site."""
    index = (DOCS / "README.md").read_text()
    listed = set(re.findall(r"\]\(([^)#]+\.(?:md|rst))\)", index))
    pages = [*DOCS.rglob("*.md"), *DOCS.rglob("*.rst")]
    own = {page.relative_to(DOCS).as_posix() for page in pages}
    only_for_the_site = {"index.md", "guides.md", "comparison.md", "examples.md"}
    assert own - only_for_the_site - {"README.md"} <= listed


def test_the_guide_to_migrating_has_every_name() -> None:
    text = (DOCS / "guides" / "migrating.md").read_text()
    words = set(re.findall(r"`(\w+)", text))
    names = {name.rpartition(".")[2] for name, _ in documented()} - {"scheduler"}
    kept_by_queue_channel = {"send_sequence", "data_queue"}
    assert names - kept_by_queue_channel - words == set()


def test_the_guide_to_the_c_api_has_every_member() -> None:
    header = (ROOT / "include" / "Scheduler.h").read_text()
    guide = (DOCS / "c-api.md").read_text()
    members = set(re.findall(r"SCHEDULER_SLOT\(\d+, (\w+)\)", header))
    table = guide.partition("## What there is")[2].partition("\n## ")[0]
    prefixes = re.compile(r"^Py(Tasklet|Channel|QueueChannel|Scheduler)_")
    assert len(members) == 64
    assert {prefixes.sub("", name) for name in members} <= set(re.findall(r"`(\w+)`", table))


def test_the_guide_by_task_has_every_name() -> None:
    text = (DOCS / "python-api.md").read_text()
    members = (*documented(), *documented_in_modules())
    names = {name.rpartition(".")[2] for name, _ in members} - {"scheduler"}
    assert sorted(name for name in names if not re.search(rf"\b{name}\b", text)) == []


def test_the_functions_to_break_at_exist() -> None:
    text = " ".join((ROOT / "CONTRIBUTING.md").read_text().split())
    names = re.findall(r"`break (\w+)`", text)
    sources = [path.read_text() for path in (ROOT / "src").rglob("*.*")]
    assert len(names) >= 3
    assert [n for n in names if not any(re.search(rf"\b{n}\(", s) for s in sources)] == []


def test_pictures_are_those_that_the_text_draws(tmp_path: Path) -> None:
    script = DOCS / "extensions" / "pictures.py"
    subprocess.run([sys.executable, "-B", str(script), str(tmp_path)], check=True, timeout=60)
    drawn = {file.name: file.read_text() for file in tmp_path.iterdir()}
    assert drawn
    assert drawn == {name: (DOCS / "images" / name).read_text() for name in drawn}


def test_links_between_files_lead_somewhere() -> None:
    broken = []
    for page in PAGES:
        for target in re.findall(r"\]\(([^)\s#:]+)(?:#[^)]*)?\)", page.read_text()):
            if not (page.parent / target).exists():
                broken.append(f"{page.relative_to(ROOT)}: {target}")
    assert broken == []
