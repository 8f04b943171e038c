"""The curves as SVG. The same figures give the same file, byte for byte."""

from __future__ import annotations

from pathlib import Path

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter

from .curves import Lines
from .rows import KIB

matplotlib.rcParams.update(
    {
        "svg.hashsalt": "scheduler",
        "svg.fonttype": "none",
        "font.family": "sans-serif",
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.grid": True,
        "grid.alpha": 0.3,
        "legend.frameon": False,
        "figure.figsize": (8.5, 4.2),
    }
)


def write(curves: dict[str, Lines], directory: Path) -> None:
    """yield.svg and memory.svg."""
    directory.mkdir(parents=True, exist_ok=True)
    figure = Figure(layout="constrained")
    axes = draw(figure, curves["yields"])
    axes.set(title="One turn", xlabel="tasklets that take turns", ylabel="calls of gc.isenabled()")
    axes.set(xscale="log", yscale="log")
    axes.xaxis.set_major_formatter("{x:,.0f}")
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.yaxis.set_major_formatter("{x:,g}")
    axes.yaxis.set_minor_formatter(NullFormatter())
    save(figure, directory / "yield.svg")

    figure = Figure(layout="constrained")
    lines = curves["memory"].items()
    axes = draw(figure, {name: [(x, y / KIB) for x, y in points] for name, points in lines})
    axes.set(title="Memory of one who waits, page tables included")
    axes.set(xlabel="C-level frames above it", ylabel="KiB", ylim=(0, None))
    save(figure, directory / "memory.svg")


def draw(figure: Figure, lines: Lines) -> Axes:
    axes = figure.add_subplot()
    for name, points in lines.items():
        axes.plot(*zip(*points), marker="o", markersize=4, label=name)
    figure.legend(loc="outside right upper")
    return axes


def save(figure: Figure, path: Path) -> None:
    figure.savefig(path, format="svg", metadata={"Date": None, "Creator": None})
