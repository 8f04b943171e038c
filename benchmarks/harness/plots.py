"""The curves as SVG. The same figures give the same file, byte for byte."""

from __future__ import annotations

from pathlib import Path

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure

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
        "figure.figsize": (7.0, 4.2),
    }
)


def write(curves: dict[str, Lines], directory: Path) -> None:
    """yield.svg and memory.svg."""
    directory.mkdir(parents=True, exist_ok=True)
    figure = Figure(layout="constrained")
    axes = draw(figure, curves["yields"])
    axes.set(title="One turn", xlabel="tasklets that take turns", ylabel="calls of gc.isenabled()")
    axes.set(xscale="log", yscale="log")
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
    axes.legend()
    return axes


def save(figure: Figure, path: Path) -> None:
    figure.savefig(path, format="svg", metadata={"Date": None, "Creator": None})
