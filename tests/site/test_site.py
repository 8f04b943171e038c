"""The site that `make docs` has made, in a browser, as wide as a phone and as a desk's screen.

Each page is kept as a picture in build/docs/screenshots. Needs Chromium; SITE names another directory.
"""

from __future__ import annotations

import functools
import http.server
import os
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "docs" / "extensions"))
from from_readmes import address_of  # noqa: E402

SITE = Path(os.environ.get("SITE", ROOT / "build" / "docs" / "html"))
SCREENSHOTS = SITE.parent / "screenshots"
WIDTHS = {"phone": 390, "desk": 1280}
PAGES = sorted(
    page.relative_to(SITE).as_posix() for page in SITE.rglob("*.html") if "_static" not in page.parts
)
assert PAGES, f"there is no site in {SITE}: `make docs` makes it"
SMALLEST_LETTERS = 10  # pixels
# What one would look for, and a page that has to be among the first that are found.
SOUGHT = {
    "select": "guides/select.html",
    "timeout": "guides/time.html",
    "sleep": "guides/time.html",
    "requests": "guides/http-and-databases.html",
    "database": "guides/http-and-databases.html",
    "sqlite3": "guides/http-and-databases.html",
    "numpy": "guides/stacks.html",
    "lock": "guides/locks.html",
    "deadlock": "guides/debugging.html",
    "trace": "guides/tracing.html",
    "perfetto": "guides/tracing.html",
}
FIRST = 5


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *args: Any) -> None:
        pass


@pytest.fixture(scope="session")
def address() -> Iterator[str]:
    handler = functools.partial(Quiet, directory=str(SITE))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()


@pytest.fixture(scope="session", params=WIDTHS)
def screen(request: pytest.FixtureRequest, browser: Browser) -> Iterator[Page]:
    page = browser.new_page(viewport={"width": WIDTHS[request.param], "height": 844})
    yield page
    page.close()


# What reaches over the right edge of the screen, but for what is inside of something that scrolls.
TOO_WIDE = """() => {
    const scrolls = e => e.tagName != "ARTICLE"
        && (/auto|scroll/.test(getComputedStyle(e).overflowX) || scrolls(e.parentElement));
    return [...document.querySelectorAll("article *")]
        .filter(e => e.getBoundingClientRect().right > innerWidth + 1 && !scrolls(e.parentElement))
        .map(e => e.outerHTML.slice(0, 200));
}"""
# Code of which something is to the right of what one sees.
CUT_OFF = """() => [...document.querySelectorAll("div.notranslate:not(.highlight-text) pre")]
    .filter(e => e.scrollWidth > e.clientWidth + 1).map(e => e.innerText.slice(0, 200))"""
# How high the letters of drawings come out.
LETTERS = """() => [...document.querySelectorAll("article img[src$='.svg']")]
    .map(e => 14 * e.getBoundingClientRect().width / e.naturalWidth)"""


@pytest.mark.parametrize("name", PAGES)
def test_page_fits_its_screen(name: str, screen: Page, address: str) -> None:
    screen.goto(f"{address}/{name}")
    width = screen.viewport_size["width"]
    picture = SCREENSHOTS / f"{width}" / f"{name.removesuffix('.html').replace('/', '-')}.png"
    screen.screenshot(path=picture, full_page=True)
    assert screen.evaluate(TOO_WIDE) == []
    assert screen.evaluate("document.documentElement.scrollWidth") <= width
    assert screen.evaluate(CUT_OFF) == []
    assert all(letters >= SMALLEST_LETTERS for letters in screen.evaluate(LETTERS))


@pytest.mark.parametrize("word, wanted", SOUGHT.items())
def test_search_finds(word: str, wanted: str, browser: Browser, address: str) -> None:
    page = browser.new_page()
    page.goto(f"{address}/search.html?q={word}")
    page.wait_for_selector(f"ul.search li a[href*='{wanted}']")
    links = page.eval_on_selector_all("ul.search li > a", "links => links.map(e => e.getAttribute('href'))")
    page.close()
    pages = list(dict.fromkeys(link.partition("#")[0].partition("?")[0] for link in links))
    assert wanted in pages[:FIRST], pages


def test_code_can_be_copied_and_output_is_not_code(browser: Browser, address: str) -> None:
    page = browser.new_page()
    page.goto(f"{address}/guides/killing.html")
    blocks = page.locator("div.highlight-python")
    assert page.locator("button.copybtn").count() == blocks.count() > 0
    page.close()


def test_a_reader_gets_to_the_guides_and_to_whole_programs(browser: Browser, address: str) -> None:
    page = browser.new_page()
    programs = [path.name for path in (ROOT / "examples").glob("*.py")]
    pages = {"The guides": ["How do I end a tasklet"], "Examples": programs, "How it compares": ["gevent"]}
    for link, says in pages.items():
        page.goto(f"{address}/index.html")
        page.locator("article").get_by_role("link", name=link, exact=True).click()
        text = page.locator("article").inner_text()
        assert [words for words in says if words not in text] == []
    page.close()


@pytest.mark.parametrize(
    "remote, page",
    [
        ("https://host.example/owner/name.git", "https://host.example/owner/name"),
        ("https://user:secret@host.example/owner/name", "https://host.example/owner/name"),
        ("git@host.example:owner/name.git", "https://host.example/owner/name"),
        ("ssh://git@host.example/owner/name", "https://host.example/owner/name"),
        ("/srv/name.git", ""),
        ("", ""),
    ],
)
def test_the_site_links_to_the_repository_if_one_can_look_at_it(remote: str, page: str) -> None:
    assert address_of(remote) == page
