"""A trace as an HTML file: it is whole, it is safe, and all of the trace is in it. tests/site looks at it
in a browser."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import re
import struct
import zlib
from html.parser import HTMLParser
from typing import Any

import pytest

from scheduler.tracing import _page
from scheduler.tracing._model import Arrow, Mark, Park, Sample, Slice, Tasklet, Thread, Trace
from scheduler.tracing._page import write_page
from support.traces import make_trace

EVIL = "</script><script>alert(1)</script><!--<img src=x onerror=alert(2)>&amp;\u2028\ud800\"'"


class Page(HTMLParser):
    """What a browser would make of the text: the elements, and what is in those that hold text only."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: dict[str, list[str]] = {}
        self.inside = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        self.texts.setdefault(tag, []).append("")
        self.inside = tag

    def handle_endtag(self, tag: str) -> None:
        self.inside = ""

    def handle_data(self, data: str) -> None:
        if self.inside:
            self.texts[self.inside][-1] += data


def page_of(trace: Trace) -> str:
    file = io.StringIO()
    write_page(trace, file)
    return file.getvalue()


def facts_of(text: str) -> dict[str, Any]:
    facts = json.loads(Page(text).texts["script"][0])
    assert isinstance(facts, dict)
    return facts


def column(facts: dict[str, Any], name: str, code: str = "i") -> list[int]:
    offset, count = facts["columns"][name]
    data = zlib.decompress(base64.b64decode(facts["data"]))
    return list(struct.unpack_from(f"<{count}{code}", data, offset))


def sums(differences: list[int]) -> list[int]:
    return [sum(differences[: end + 1]) for end in range(len(differences))]


def small_trace(name: str = "smith") -> Trace:
    return Trace(
        9_000_000_000,
        "game.py",
        threads=[Thread(7, "MainThread")],
        tasklets=[Tasklet(30, "main", "", 7), Tasklet(31, name, "game.py:12", 7)],
        slices=[
            Slice(30, 7, "running", 0, 5, "yielded"),
            Slice(31, 7, "ready", 0, 5, "turn"),
            Slice(31, 7, "running", 5, 8_000_000_000, "blocked"),
            Slice(31, 7, "blocked", 8_000_000_000, 9_000_000_000, "trace over", 4),
        ],
        arrows=[Arrow("wake", 30, 2, 31, 3, 4), Arrow("transfer", 31, 6, 30, 9)],
        marks=[Mark(7, 4, "frame 1")],
        parks=[Park(7, 100, 5_000_000_100)],
        samples=[Sample(7, 1, 2, 3, 4), Sample(7, 5_000_000_000, 20, 30, 40)],
        lost=3,
    )


@pytest.mark.spec("PAGE-01")
def test_all_of_the_trace_is_in_the_page() -> None:
    facts = facts_of(page_of(small_trace()))
    assert (facts["program"], facts["duration"], facts["lost"]) == ("game.py", 9_000_000_000, 3)
    assert facts["threads"] == [{"number": 7, "name": "MainThread"}]
    assert facts["tasklets"] == [
        {"number": 30, "name": "main", "location": "", "thread": 0},
        {"number": 31, "name": "smith", "location": "game.py:12", "thread": 0},
    ]
    assert sums(column(facts, "slice begin", "q")) == [0, 0, 5, 8_000_000_000]
    assert column(facts, "slice length", "q") == [5, 5, 7_999_999_995, 1_000_000_000]
    assert column(facts, "slice state") == [0, 1, 0, 2]
    assert column(facts, "slice tasklet") == [0, 1, 1, 1]
    assert column(facts, "slice thread") == [0, 0, 0, 0]
    assert column(facts, "slice channel") == [0, 0, 0, 4]
    reasons = [facts["reasons"][reason] for reason in column(facts, "slice why")]
    assert reasons == ["yielded", "turn", "blocked", "trace over"]
    assert sums(column(facts, "arrow target time", "q")) == [3, 9]
    assert column(facts, "arrow span", "q") == [1, 3]
    assert (column(facts, "arrow source"), column(facts, "arrow target")) == ([0, 1], [1, 0])
    assert (column(facts, "arrow kind"), column(facts, "arrow channel")) == ([1, 0], [4, 0])
    assert (sums(column(facts, "mark time", "q")), facts["marks"]) == ([4], ["frame 1"])
    assert sums(column(facts, "sample time", "q")) == [1, 5_000_000_000]
    assert column(facts, "sample runnable") == [2, 20]
    assert column(facts, "sample blocked") == [3, 30]
    assert column(facts, "sample stacks") == [4, 40]
    assert sums(column(facts, "park begin", "q")) == [100]
    assert column(facts, "park length", "q") == [5_000_000_000]
    assert column(facts, "park thread") == [0]


@pytest.mark.spec("PAGE-01")
def test_records_out_of_order_are_put_in_order() -> None:
    trace = small_trace()
    for records in (trace.slices, trace.arrows, trace.samples):
        records.reverse()
    facts = facts_of(page_of(trace))
    for name in ("slice begin", "arrow target time", "sample time"):
        assert min(column(facts, name, "q")) >= 0


@pytest.mark.spec("PAGE-01")
def test_those_who_are_only_named_by_events_get_an_entry() -> None:
    """Their description may have been overwritten in a flight recorder."""
    trace = small_trace()
    trace.slices.append(Slice(99, 8, "running", 20, 30, "ended"))
    trace.arrows.append(Arrow("wake", 98, 10, 99, 20))
    facts = facts_of(page_of(trace))
    assert facts["threads"][1:] == [{"number": 8, "name": ""}]
    assert [(entry["number"], entry["thread"]) for entry in facts["tasklets"][2:]] == [(99, 1), (98, 0)]


@pytest.mark.spec("PAGE-02")
@pytest.mark.parametrize("place", ["program", "tasklet", "location", "thread", "mark", "why"])
def test_no_text_of_the_program_becomes_html(place: str) -> None:
    trace = small_trace()
    if place == "program":
        trace.program = EVIL
    elif place == "tasklet":
        trace.tasklets[1].name = EVIL
    elif place == "location":
        trace.tasklets[1].location = EVIL
    elif place == "thread":
        trace.threads[0].name = EVIL
    elif place == "mark":
        trace.marks[0].name = EVIL
    else:
        trace.slices[0].why = EVIL
    harmless, harmful = Page(page_of(small_trace())), Page(page_of(trace))
    assert harmful.elements == harmless.elements
    assert "alert" not in harmful.texts["script"][1]
    text = page_of(trace)
    assert "<script>alert" not in text and "<img" not in text and "<!--" not in text
    assert EVIL in strings_in(facts_of(text))


def strings_in(value: object) -> list[str]:
    """All strings in it."""
    if isinstance(value, str):
        return [value]
    if isinstance(value, dict):
        return [text for key in value for text in strings_in(value[key])]
    return [text for one in value for text in strings_in(one)] if isinstance(value, list) else []


@pytest.mark.spec("PAGE-02")
def test_it_is_ascii_whatever_the_names() -> None:
    trace = small_trace("K\u00f6nig \N{CROWN} \udc80")
    trace.program = "spi\u00ebl \udc80.py"
    assert page_of(trace).isascii()


@pytest.mark.spec("PAGE-02")
def test_it_runs_its_own_script_and_loads_nothing() -> None:
    text = page_of(small_trace())
    page = Page(text)
    policies = [
        attributes["content"] or ""
        for tag, attributes in page.elements
        if attributes.get("http-equiv") == "Content-Security-Policy"
    ]
    assert len(policies) == 1
    assert policies[0].startswith("default-src 'none'; ")
    for kind, content in (("style", page.texts["style"][0]), ("script", page.texts["script"][1])):
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert f"{kind}-src 'sha256-{digest}'" in policies[0]
    loads = [attributes for _, attributes in page.elements if {"src", "href", "action"} & set(attributes)]
    assert loads == []
    handlers = [name for _, attributes in page.elements for name in attributes if name.startswith("on")]
    assert handlers == []
    assert re.findall(r"https?://|\burl\(|@import", text) == []


@pytest.mark.spec("PAGE-02")
def test_the_viewer_makes_no_html_of_texts() -> None:
    text = page_of(small_trace())
    ways = r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b|new Function|DOMParser"
    assert re.findall(ways, text) == []


@pytest.mark.spec("PAGE-03")
def test_an_empty_trace_makes_a_page() -> None:
    facts = facts_of(page_of(Trace(0, "game.py")))
    assert facts["tasklets"] == []
    assert facts["columns"]["slice begin"] == [0, 0]


@pytest.mark.spec("PAGE-03")
def test_numbers_of_a_long_trace_stay_exact() -> None:
    trace = small_trace()
    hundred_days = 100 * 24 * 3600 * 10**9
    trace.slices.append(Slice(30, 7, "running", hundred_days, hundred_days + 1, "ended"))
    facts = facts_of(page_of(trace))
    assert sum(column(facts, "slice begin", "q")) == hundred_days
    assert hundred_days < 2**53  # what JavaScript's numbers hold


@pytest.mark.spec("PAGE-04")
def test_a_slice_takes_few_bytes() -> None:
    slices = 20_000
    small, large = page_of(make_trace(10)), page_of(make_trace(slices))
    assert (len(large) - len(small)) / slices < 40


def test_every_script_of_the_viewer_is_in_the_page() -> None:
    folder = _page.files("scheduler.tracing").joinpath("viewer")
    scripts = {entry.name for entry in folder.iterdir() if entry.name.endswith(".js")}
    assert scripts == set(_page._SCRIPTS)
