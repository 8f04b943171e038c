"""The page that shows a trace, in a browser: as it is, and with a trace of 200,000 slices.

Needs Chromium, and no network: a page that asks for anything fails the test.
"""

from __future__ import annotations

import sys
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

ROOT = Path(__file__).parents[2]
SLICES = 200_000
MANY = 3_000  # tasklets
ROWS_OF_TASKLETS = "viewer.rows.list.filter(row => row.kind == 'tasklet').length"
EVIL = "</script><script>window.hacked = 1</script><img src=x onerror='window.hacked = 1'>"


def import_without_module() -> None:
    """What writes pages needs nothing of the extension module, which this interpreter need not have."""
    for name, folder in (("scheduler", "python/scheduler"), ("support", "tests/python/support")):
        package = types.ModuleType(name)
        package.__path__ = [str(ROOT / folder)]
        sys.modules[name] = package


import_without_module()
from scheduler.tracing._model import Park, Trace  # noqa: E402
from scheduler.tracing._page import write_page  # noqa: E402
from support.traces import make_trace  # noqa: E402


class Watched:
    """A page that fails the test if it complains, or asks for anything but itself."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.complaints: list[str] = []
        page.on("console", lambda message: self.complaints.append(message.text))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("request", self.note)

    def note(self, request: Any) -> None:
        if request.url != self.page.url and not request.url.startswith("file://"):
            self.complaints.append(request.url)

    def evaluate(self, script: str) -> Any:
        return self.page.evaluate(script)

    def until(self, condition: str) -> None:
        """Waits until it is so."""
        self.evaluate(
            "new Promise(done => { const look = () => "
            f"({condition}) ? done(true) : requestAnimationFrame(look); look(); }})"
        )

    def after_frame(self, script: str) -> Any:
        """What it is once what has been changed is drawn."""
        return self.evaluate(
            f"new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => done({script}))))"
        )


@pytest.fixture(params=["light", "dark"])
def scheme(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def show(browser: Browser, tmp_path: Path) -> Iterator[Any]:
    opened: list[Watched] = []

    def open_page(trace: Trace, **options: Any) -> Watched:
        file = tmp_path / f"trace{len(opened)}.html"
        with file.open("w") as target:
            write_page(trace, target)
        watched = Watched(browser.new_page(viewport={"width": 1280, "height": 800}, **options))
        opened.append(watched)
        watched.page.goto(file.as_uri())
        # Not wait_for_function(), which makes code of text in the page: the page's policy refuses that.
        watched.page.wait_for_selector("html[data-viewer=ready]")
        watched.after_frame("true")
        return watched

    yield open_page
    for watched in opened:
        assert watched.complaints == []
        watched.page.close()


def test_it_shows_all_slices_in_both_colour_schemes(show: Any, scheme: str) -> None:
    trace = make_trace(500)
    seen = show(trace, color_scheme=scheme)
    assert seen.evaluate("viewer.trace.slices.count") == 500
    assert seen.evaluate(ROWS_OF_TASKLETS) == len(trace.tasklets)
    turns = [
        sum(entry.state == "running" and entry.thread == thread.number for entry in trace.slices)
        for thread in trace.threads
    ]
    assert seen.evaluate("viewer.trace.of_thread.map(track => track.length)") == turns
    assert "500 slices" in seen.page.locator("#facts").inner_text()
    assert seen.evaluate("viewer.painter.counts.rectangles") > 100
    ground, text = (seen.evaluate(f"viewer.painter.colours.{name}") for name in ("ground", "text"))
    assert contrast(ground, text) > 7
    faint = seen.evaluate("viewer.painter.colours.faint")
    assert contrast(ground, faint) > 4.5


def contrast(one: str, other: str) -> float:
    """As the guidelines for web content count it; 4.5 is enough for text."""

    def brightness(colour: str) -> float:
        parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    dark, light = sorted((brightness(one), brightness(other)))
    return (light + 0.05) / (dark + 0.05)


def test_the_scheme_may_change_while_it_is_open(show: Any) -> None:
    seen = show(make_trace(50), color_scheme="light")
    before = seen.evaluate("viewer.painter.colours.ground")
    seen.page.emulate_media(color_scheme="dark")
    assert seen.after_frame("viewer.painter.colours.ground") != before


def test_where_a_thread_sleeps_is_told(show: Any) -> None:
    trace = make_trace(100, threads=1)
    trace.parks.append(Park(1, trace.duration, trace.duration + 1000))
    trace.duration += 1000
    seen = show(trace)
    assert seen.evaluate("viewer.trace.parks_of.map(track => track.length)") == [1]
    assert seen.evaluate("viewer.trace.parks.end[0]") == trace.duration


def test_main_tasklets_are_grey_and_not_counted_as_work(show: Any) -> None:
    trace = make_trace(300, threads=1)
    trace.tasklets[0].location = ""
    seen = show(trace)
    assert seen.evaluate("viewer.trace.is_main").count(True) == 1
    others = sum(entry.state == "running" and entry.tasklet != 1 for entry in trace.slices)
    assert seen.evaluate("viewer.trace.work_of[0].length") == others
    assert seen.evaluate("viewer.painter.colour_of(0) == viewer.painter.colours.main")


def test_keys_zoom_pan_and_choose(show: Any) -> None:
    seen = show(make_trace(500))
    page = seen.page
    page.locator("#timeline").focus()
    whole = seen.evaluate("viewer.view.span")
    page.keyboard.press("+")
    page.keyboard.press("w")
    assert seen.evaluate("viewer.view.span") == pytest.approx(whole / 1.3**2)
    begin = seen.evaluate("viewer.view.from")
    page.keyboard.press("ArrowRight")
    assert seen.evaluate("viewer.view.from") > begin
    page.keyboard.press("a")
    assert seen.evaluate("viewer.view.from") == pytest.approx(begin)
    page.keyboard.press("ArrowDown")
    page.keyboard.press("n")
    page.keyboard.press("n")
    words = seen.after_frame("document.getElementById('details').textContent")
    assert words.startswith("main ")
    page.keyboard.press("Enter")
    assert seen.evaluate("viewer.view.span") < whole / 1.3**2
    page.keyboard.press("Home")
    assert seen.evaluate("viewer.view.span") == whole
    page.keyboard.press("Escape")
    assert seen.evaluate("viewer.view.chosen") is None
    page.keyboard.press("?")
    assert page.locator("#help").is_visible()


def test_the_mouse_zooms_pans_and_tells(show: Any) -> None:
    seen = show(make_trace(500))
    page = seen.page
    whole = seen.evaluate("viewer.view.span")
    box = page.locator("#timeline").bounding_box()
    page.mouse.move(box["x"] + 700, box["y"] + 10)  # over the time scale
    under = seen.evaluate("viewer.view.time_at(700)")
    page.mouse.wheel(0, -600)
    seen.until(f"viewer.view.span < {whole}")
    assert seen.evaluate("viewer.view.time_at(700)") == pytest.approx(under)
    begin = seen.evaluate("viewer.view.from")
    page.mouse.move(box["x"] + 700, box["y"] + 200)
    page.mouse.down()
    page.mouse.move(box["x"] + 600, box["y"] + 200, steps=3)
    page.mouse.up()
    assert seen.evaluate("viewer.view.from") > begin
    # A turn in the row of the first thread.
    place = seen.evaluate(
        """(() => { const { view, trace } = viewer; const track = trace.of_thread[0];
        const slice = track.order[track.first_ending_after((view.from + view.to) / 2)];
        view.show_slice(slice);
        return [view.x_of((trace.slices.begin[slice] + trace.slices.end[slice]) / 2),
                trace.tasklet_name(trace.slices.tasklet[slice])]; })()"""
    )
    x, name = place
    seen.after_frame("true")
    page.mouse.move(box["x"] + x, box["y"] + 38 + 26 + 12)
    assert page.locator("#tip b").inner_text() == name
    assert "has its turn for" in page.locator("#tip").inner_text()
    page.mouse.click(box["x"] + x, box["y"] + 38 + 26 + 12)
    assert seen.after_frame("document.getElementById('details').textContent").startswith(name)


def test_a_tasklet_is_found_by_its_name(show: Any) -> None:
    trace = make_trace(4000, names=[f"agent {number:03}" for number in range(300)], threads=1)
    seen = show(trace)
    page = seen.page
    page.keyboard.press("/")
    page.keyboard.type("AGENT 29")
    assert page.locator("#found").inner_text() == "1 of 10"
    assert seen.evaluate("viewer.trace.tasklet_name(viewer.view.chosen.tasklet)") == "agent 290"
    row = seen.evaluate(
        "(() => { const { view } = viewer; const row = view.rows.row_of(view.chosen.tasklet);"
        "return [row.top - view.scroll, view.tracks_height]; })()"
    )
    assert 0 <= row[0] < row[1]  # it is seen
    page.keyboard.press("Enter")
    assert seen.evaluate("viewer.trace.tasklet_name(viewer.view.chosen.tasklet)") == "agent 291"
    assert page.locator("#tasklets tbody tr").count() == 10
    page.locator("#only").check()
    assert seen.evaluate(ROWS_OF_TASKLETS) == 10
    page.locator("#search").fill("nobody")
    assert page.locator("#found").inner_text() == "0 found"
    assert "No tasklet of that name" in page.locator("#tasklets").inner_text()


def test_a_late_scroll_event_does_not_take_back_where_the_view_has_gone(show: Any) -> None:
    seen = show(make_trace(4000, names=[f"agent {number:03}" for number in range(300)], threads=1))
    late = """(() => { const scroller = document.getElementById("scroller");
        viewer.view.scroll_to(1000); scroller.dispatchEvent(new Event("scroll"));
        return viewer.view.scroll; })()"""
    seen.evaluate("viewer.view.scroll_to(500)")
    seen.after_frame("true")
    assert seen.evaluate(late) == 1000
    seen.evaluate("document.getElementById('scroller').scrollTop = 200")  # by hand
    seen.until("viewer.view.scroll == 200")


def test_the_table_tells_who_ran_and_who_waited_longest(show: Any) -> None:
    trace = make_trace(2000)
    seen = show(trace)
    page = seen.page
    ran: dict[int, int] = {}
    for entry in trace.slices:
        if entry.state == "running":
            ran[entry.tasklet] = ran.get(entry.tasklet, 0) + entry.end - entry.begin
    names = {entry.number: entry.name for entry in trace.tasklets}
    first = page.locator("#tasklets tbody tr").first.locator("td")
    assert first.nth(0).inner_text() == names[max(ran, key=lambda number: ran[number])]
    page.get_by_role("button", name="Longest wait").click()
    waits = [entry for entry in trace.slices if entry.state != "running"]
    longest = max(waits, key=lambda entry: entry.end - entry.begin)
    assert first.nth(0).inner_text() == names[longest.tasklet]
    heading = page.locator("#tasklets th[aria-sort]")
    assert (heading.inner_text().split(" \u25be")[0], heading.get_attribute("aria-sort")) == (
        "Longest wait",
        "descending",
    )
    first.nth(8).get_by_role("button").click()
    chosen = seen.evaluate("viewer.view.chosen.slice")
    assert seen.evaluate(f"viewer.trace.slices.begin[{chosen}]") == longest.begin
    page.get_by_role("tab", name="Channels").click()
    channels = {entry.channel for entry in trace.slices if entry.channel}
    assert page.locator("#channels tbody tr").count() == len(channels)


def test_200_000_slices_are_drawn_by_what_is_seen(show: Any) -> None:
    names = [f"agent {number}" for number in range(40)]
    seen = show(make_trace(SLICES, names=names))
    assert seen.evaluate("viewer.trace.slices.count") == SLICES
    # At most two rectangles for two pixels of each row, whatever the trace; a few for each row beside.
    limit = "viewer.painter.counts.rows * (viewer.view.tracks_width + 10) + 2000"
    whole = seen.after_frame("viewer.painter.counts.rectangles")
    assert 1000 < whole <= seen.evaluate(limit)
    drawn = seen.evaluate("viewer.view.show(0, viewer.trace.duration / 1000)")
    drawn = seen.after_frame("viewer.painter.counts.rectangles")
    assert drawn < whole
    assert seen.evaluate("viewer.painter.counts.arrows") > 0


def test_of_thousands_of_tasklets_those_in_view_are_drawn(show: Any) -> None:
    names = [f"agent {number}" for number in range(MANY)]
    seen = show(make_trace(4 * MANY, names=names, threads=1))
    assert seen.evaluate("viewer.painter.counts.rows") < 60
    assert seen.page.locator("#tasklets tbody tr").count() == 100
    assert seen.evaluate(ROWS_OF_TASKLETS) == MANY


def test_the_share_of_time_is_right_at_any_zoom(show: Any) -> None:
    trace = make_trace(2000, threads=1)
    seen = show(trace)
    middle = trace.duration / 2
    busy = sum(
        max(0, min(entry.end, middle) - entry.begin)
        for entry in trace.slices
        if entry.state == "running" and entry.begin < middle
    )
    share = seen.evaluate(f"viewer.trace.of_thread[0].share(0, 0, {middle})")
    assert share == pytest.approx(busy / middle)


def test_names_are_text(show: Any) -> None:
    trace = make_trace(200, names=[EVIL, "other"], threads=1)
    trace.program = EVIL
    trace.threads[0].name = EVIL
    trace.tasklets[0].location = EVIL
    for mark in trace.marks:
        mark.name = EVIL
    seen = show(trace)
    for tab in ("Channels", "Longest turns", "Tasklets"):
        seen.page.get_by_role("tab", name=tab).click()
    seen.page.locator("#search").fill("script")
    seen.page.locator("#timeline").focus()
    seen.page.keyboard.press("n")
    assert seen.after_frame("window.hacked") is None
    assert seen.page.locator("h1").inner_text() == EVIL
    assert seen.page.locator("img").count() == 0


def test_an_empty_trace_says_so(show: Any) -> None:
    seen = show(Trace(0, "game.py"))
    assert "Nothing was recorded" in seen.page.locator("#nothing").inner_text()
    assert not seen.page.locator("#timeline").is_visible()


def test_lost_events_are_told(show: Any) -> None:
    trace = make_trace(100)
    trace.lost = 1234
    seen = show(trace)
    assert seen.page.locator("#lost").inner_text().startswith("1,234 events")


def test_everything_can_be_reached_by_keyboard_and_has_a_name(show: Any) -> None:
    seen = show(make_trace(200))
    nameless = seen.evaluate(
        "[...document.querySelectorAll('button, input, canvas[tabindex], [role=tabpanel]')]"
        ".filter(e => !(e.textContent.trim() || e.ariaLabel || e.labels?.length"
        " || e.getAttribute('aria-labelledby'))).map(e => e.outerHTML)"
    )
    assert nameless == []
    reached = set()
    for _ in range(12):
        seen.page.keyboard.press("Tab")
        reached.add(seen.evaluate("document.activeElement.id"))
    assert {"search", "only", "closer", "arrows", "keys", "timeline", "tab-tasklets"} <= reached
    seen.page.locator("#tab-tasklets").focus()
    seen.page.keyboard.press("ArrowRight")
    assert seen.page.locator("#channels").is_visible()


def test_it_fits_a_phone(show: Any) -> None:
    seen = show(make_trace(200))
    seen.page.set_viewport_size({"width": 390, "height": 800})
    assert seen.after_frame("document.documentElement.scrollWidth") <= 390
    assert seen.evaluate("viewer.view.tracks_width") > 200
