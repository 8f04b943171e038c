"""A trace as one HTML file: the viewer, and the trace as columns of numbers in it. Needs no network."""

from __future__ import annotations

import base64
import hashlib
import html
import json
import sys
import zlib
from array import array
from collections.abc import Iterable, Iterator
from importlib.resources import files
from string import Template
from typing import TextIO

from ._model import Trace

_STATES = {"running": 0, "ready": 1, "blocked": 2}
_KINDS = {"transfer": 0, "wake": 1}
# In the order in which they need each other.
_SCRIPTS = (
    "data.js",
    "figures.js",
    "rows.js",
    "peaks.js",
    "view.js",
    "draw.js",
    "overview.js",
    "tables.js",
    "describe.js",
    "controls.js",
    "main.js",
)


def write_page(trace: Trace, file: TextIO) -> None:
    """Write a trace as a page for a browser.

    Parameters:
        trace: what to show.
        file: gets ASCII only, so that its encoding does not matter.
    """
    viewer = files(__package__).joinpath("viewer")
    style = viewer.joinpath("page.css").read_text("utf-8")
    script = "".join(viewer.joinpath(name).read_text("utf-8") for name in _SCRIPTS)
    page = Template(viewer.joinpath("page.html").read_text("utf-8"))
    title = html.escape(f"{trace.program}: a trace of its tasklets")
    text = page.substitute(
        policy=_policy(style, script),
        title=title.encode("ascii", "xmlcharrefreplace").decode(),
        style=style,
        script=script,
        trace=_to_json(_describe(trace)),
    )
    file.write(text)


def _policy(style: str, script: str) -> str:
    """What the browser lets the page do: to run these two texts. It loads nothing and connects to nobody."""

    def name(text: str) -> str:
        return "'sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() + "'"

    return f"default-src 'none'; style-src {name(style)}; script-src {name(script)}"


def _to_json(value: object) -> str:
    """That can stand in a script element: whatever a name contains, it ends no element and begins none."""
    text = json.dumps(value, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


class _Columns:
    """Columns of numbers, one behind the other: little-endian, and deflated."""

    def __init__(self) -> None:
        self.places: dict[str, tuple[int, int]] = {}  # byte and count of numbers
        self._data = bytearray()

    def add(self, name: str, values: Iterable[int], code: str = "i") -> None:
        column = array(code, values)
        if sys.byteorder == "big":
            column.byteswap()
        self.places[name] = (len(self._data), len(column))
        self._data += column.tobytes()

    def add_times(self, name: str, values: Iterable[int]) -> None:
        self.add(name, values, "q")

    def packed(self) -> str:
        return base64.b64encode(zlib.compress(self._data)).decode()


def _differences(values: Iterable[int]) -> Iterator[int]:
    """Each less the one before. They are small, and deflate well."""
    last = 0
    for value in values:
        yield value - last
        last = value


class _Owners:
    """Numbers of the trace as indexes of a list; who is named by an event alone gets an entry as well."""

    def __init__(self, known: Iterable[int]) -> None:
        self._indexes = {number: index for index, number in enumerate(known)}

    def __call__(self, number: int) -> int:
        return self._indexes.setdefault(number, len(self._indexes))

    def unknown(self, known: int) -> list[int]:
        return list(self._indexes)[known:]


def _describe(trace: Trace) -> dict[str, object]:
    thread = _Owners(entry.number for entry in trace.threads)
    tasklet = _Owners(entry.number for entry in trace.tasklets)
    columns = _Columns()
    reasons = _add_slices(trace, columns, tasklet, thread)
    _add_arrows(trace, columns, tasklet)
    marks = sorted(trace.marks, key=lambda mark: mark.time)
    columns.add_times("mark time", _differences(mark.time for mark in marks))
    columns.add("mark thread", (thread(mark.thread) for mark in marks))
    _add_samples(trace, columns, thread)
    parks = sorted(trace.parks, key=lambda park: park.begin)
    columns.add_times("park begin", _differences(park.begin for park in parks))
    columns.add_times("park length", (park.end - park.begin for park in parks))
    columns.add("park thread", (thread(park.thread) for park in parks))

    tasklets = [
        {
            "number": entry.number,
            "name": entry.name,
            "location": entry.location,
            "thread": thread(entry.thread),
        }
        for entry in trace.tasklets
    ]
    tasklets += [
        {"number": number, "name": "", "location": "", "thread": thread(_thread_of(trace, number))}
        for number in tasklet.unknown(len(trace.tasklets))
    ]
    threads = [{"number": entry.number, "name": entry.name} for entry in trace.threads]
    threads += [{"number": number, "name": ""} for number in thread.unknown(len(trace.threads))]
    return {
        "program": trace.program,
        "duration": trace.duration,
        "lost": trace.lost,
        "threads": threads,
        "tasklets": tasklets,
        "reasons": reasons,
        "marks": [mark.name for mark in marks],
        "columns": columns.places,
        "data": columns.packed(),
    }


def _thread_of(trace: Trace, tasklet: int) -> int:
    """Of a tasklet that only events name: its description has been overwritten."""
    found = (entry.thread for entry in trace.slices if entry.tasklet == tasklet)
    return next(found, trace.threads[0].number if trace.threads else 0)


def _add_slices(trace: Trace, columns: _Columns, tasklet: _Owners, thread: _Owners) -> list[str]:
    """The distinct reasons for which slices end, which their column has the indexes of."""
    slices = sorted(trace.slices, key=lambda entry: entry.begin)
    reasons: dict[str, int] = {}
    columns.add_times("slice begin", _differences(entry.begin for entry in slices))
    columns.add_times("slice length", (entry.end - entry.begin for entry in slices))
    columns.add("slice state", (_STATES[entry.state] for entry in slices))
    columns.add("slice tasklet", (tasklet(entry.tasklet) for entry in slices))
    columns.add("slice thread", (thread(entry.thread) for entry in slices))
    columns.add("slice why", (reasons.setdefault(entry.why, len(reasons)) for entry in slices))
    columns.add("slice channel", (entry.channel for entry in slices))
    return list(reasons)


def _add_arrows(trace: Trace, columns: _Columns, tasklet: _Owners) -> None:
    arrows = sorted(trace.arrows, key=lambda entry: entry.target_time)
    columns.add_times("arrow target time", _differences(entry.target_time for entry in arrows))
    columns.add_times("arrow span", (entry.target_time - entry.source_time for entry in arrows))
    columns.add("arrow source", (tasklet(entry.source) for entry in arrows))
    columns.add("arrow target", (tasklet(entry.target) for entry in arrows))
    columns.add("arrow kind", (_KINDS[entry.kind] for entry in arrows))
    columns.add("arrow channel", (entry.channel for entry in arrows))


def _add_samples(trace: Trace, columns: _Columns, thread: _Owners) -> None:
    samples = sorted(trace.samples, key=lambda entry: entry.time)
    columns.add_times("sample time", _differences(entry.time for entry in samples))
    columns.add("sample thread", (thread(entry.thread) for entry in samples))
    columns.add("sample runnable", (entry.runnable for entry in samples))
    columns.add("sample blocked", (entry.blocked for entry in samples))
    columns.add("sample stacks", (entry.stacks for entry in samples))
