"""Tables of results: for the terminal, against an older result, for a Markdown page."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from .rows import BY_NAME, BYTES, CALLS, GIGABYTES, MAPPINGS, MICROSECONDS, OWN, PEERS, ROWS, Row

BEGIN, END = "<!-- figures: begin -->", "<!-- figures: end -->"
NONE = "-"

Result = dict[str, Any]


def amount(value: float | None, unit: str) -> str:
    if value is None:
        return NONE
    formats: dict[str, Callable[[float], str]] = {
        CALLS: lambda f: f"{f:,.2f} f" if f < 10 else f"{f:,.0f} f",
        BYTES: lambda b: f"{b:,.0f} B",
        GIGABYTES: lambda b: f"{b:.2f} GB",
        MICROSECONDS: lambda us: f"{us:.2f} us",
        MAPPINGS: lambda n: f"{n:,.0f}",
    }
    return formats[unit](value)


def goal(row: Row) -> str:
    if row.goal is None:
        return NONE
    unit = "" if row.unit == MAPPINGS else f" {row.unit}"
    return f"{row.goal:,g}{unit}"


def met(row: Row, own: Result) -> str:
    if row.goal is None:
        return NONE
    return "yes" if own["figure"] <= row.goal else "no"


def measured(result: Result) -> Iterable[tuple[Row, Result]]:
    """The rows of a result and what each tool did, in the order of the table."""
    return ((row, result["jobs"][row.name]) for row in ROWS if row.name in result["jobs"])


def table(head: list[str], lines: list[list[str]]) -> str:
    """Aligned: the first column to the left, the others to the right."""
    columns = list(zip(head, *lines))
    widths = [max(map(len, column)) for column in columns]

    def aligned(cells: Iterable[str]) -> str:
        padded = [
            cell.rjust(width) if number else cell.ljust(width)
            for number, (cell, width) in enumerate(zip(cells, widths))
        ]
        return "  ".join(padded).rstrip()

    return "\n".join([aligned(head), "-" * (sum(widths) + 2 * len(head) - 2), *map(aligned, lines)])


def own_cells(row: Row, tools: Result) -> list[str]:
    """ns, figure, goal and whether it is met."""
    own = tools.get(OWN)
    if own is None:
        return [NONE, NONE, goal(row), NONE]
    ns = f"{own['ns']:.1f}" if "ns" in own else NONE
    return [ns, amount(own["figure"], row.unit), goal(row), met(row, own)]


def peer_cells(row: Row, tools: Result, peers: list[str]) -> list[str]:
    return [amount(tools.get(peer, {}).get("figure"), row.unit) for peer in peers]


def peers_in(result: Result) -> list[str]:
    return [peer for peer in PEERS if any(peer in tools for tools in result["jobs"].values())]


def conditions(result: Result) -> str:
    """Where and with what it was measured, in one sentence."""
    machine = result["machine"]
    floors = [
        tools[OWN]["floor_ns"] for _, tools in measured(result) if "floor_ns" in tools.get(OWN, {})
    ]
    f = f"; f = {min(floors):.0f} to {max(floors):.0f} ns" if floors else ""
    versions = ", ".join(f"{name} {version}" for name, version in result["versions"].items())
    return (
        f"{result['date']}, {machine['cores']} cores of {machine['processor']} "
        f"({machine['architecture']}), {machine['system']}, load {machine['load']} at the start; "
        f"{versions}{f}"
    )


def text(result: Result) -> str:
    rows = list(measured(result))
    parts = [
        conditions(result),
        table(
            ["job", "ns", "figure", "goal", "met"],
            [[row.title, *own_cells(row, tools)] for row, tools in rows],
        ),
    ]
    if peers := peers_in(result):
        lines = [
            [row.title, *peer_cells(row, tools, [OWN, *peers])]
            for row, tools in rows
            if len(tools) > 1
        ]
        parts.append(table(["job", OWN, *peers], lines))
    parts += [f"{what}: left out, {why}" for what, why in result["skipped"].items()]
    if result["quick"]:
        parts.append("Quick run: too short to be of any meaning.")
    return "\n\n".join(parts)


def comparison(old: Result, new: Result) -> str:
    """Old and new figures of what is in both."""
    lines = []
    for row, tools in measured(new):
        for tool, now in tools.items():
            before = old["jobs"].get(row.name, {}).get(tool)
            if before is None:
                continue
            title = row.title if tool == OWN else f"{row.title} ({tool})"
            change = (now["figure"] / before["figure"] - 1) * 100
            figures = [amount(one["figure"], row.unit) for one in (before, now)]
            lines.append([title, *figures, f"{change:+.1f}%"])
    notes = [f"old: {conditions(old)}", f"new: {conditions(new)}"]
    return "\n".join([*notes, "", table(["job", "old", "new", "change"], lines)])


def markdown(result: Result) -> str:
    peers = peers_in(result)
    head = ["job", "ns", "figure", "goal", "met", *peers]
    lines = [head, ["---"] + ["---:"] * (len(head) - 1)]
    for row, tools in measured(result):
        lines.append([row.title, *own_cells(row, tools), *peer_cells(row, tools, peers)])
    skipped = [
        f"\nNot measured: {BY_NAME[name].title} ({why})."
        for name, why in result["skipped"].items()
        if name in BY_NAME
    ]
    rows = [f"| {' | '.join(line)} |" for line in lines]
    return "\n".join([f"{conditions(result)}.", "", *rows, *skipped])


def write_markdown(page: Path, result: Result) -> None:
    """Puts the table between the markers of a page."""
    content = page.read_text()
    if content.count(BEGIN) != 1 or content.count(END) != 1:
        raise SystemExit(f"{page}: the table goes between one line {BEGIN} and one line {END}")
    before, rest = content.split(BEGIN)
    after = rest.split(END)[1]
    page.write_text(f"{before}{BEGIN}\n{markdown(result)}\n{END}{after}")
