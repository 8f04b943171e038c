"""The drawings of the documentation, as text; writes docs/images/*.svg.

    python docs/extensions/pictures.py [DIRECTORY]

They are kept in the repository too, so that a code host shows them. Each has a white ground of its
own and is readable on a dark page.
"""

from __future__ import annotations

import sys
from pathlib import Path
from xml.sax.saxutils import escape

HERE = Path(__file__).parent
HEAD = """<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" \
height="{height}" font-family="sans-serif" font-size="14" role="img">
<title>{title}</title>
<defs><marker id="head" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" markerHeight="8" \
orient="auto-start-reverse"><path d="M0 0L8 4L0 8z" fill="#555"/></marker></defs>
<rect width="{width}" height="{height}" rx="8" fill="#fff"/>
"""
FILLS = {
    "state": "#dbeafe",
    "main": "#e5e7eb",
    "turn": "#bbf7d0",
    "wait": "#fde68a",
    "end": "#fecaca",
    "plain": "#fff",
}


class Picture:
    """A drawing; coordinates are pixels from the upper left corner."""

    def __init__(self, title: str, width: int, height: int) -> None:
        self.parts = [HEAD.format(title=escape(title), width=width, height=height)]

    def box(self, x: int, y: int, w: int, h: int, text: str, fill: str = "state") -> None:
        self.parts.append(
            f'<rect x="{x}" y="{y}" width="{w}" height="{h}" rx="6" fill="{FILLS[fill]}" '
            'stroke="#555"/>\n'
        )
        lines = text.split("\n")
        top = y + h // 2 + 5 - 9 * (len(lines) - 1)
        for number, line in enumerate(lines):
            self.text(x + w // 2, top + 18 * number, line, "middle")

    def text(self, x: int, y: int, text: str, anchor: str = "start", grey: bool = False) -> None:
        colour = "#555" if grey else "#111"
        self.parts.append(
            f'<text x="{x}" y="{y}" text-anchor="{anchor}" fill="{colour}">{escape(text)}</text>\n'
        )

    def arrow(self, *points: tuple[int, int]) -> None:
        path = " ".join(f"{x},{y}" for x, y in points)
        self.parts.append(
            f'<polyline points="{path}" fill="none" stroke="#555" stroke-width="1.5" '
            'marker-end="url(#head)"/>\n'
        )

    def line(self, x1: int, y1: int, x2: int, y2: int) -> None:
        self.parts.append(f'<path d="M{x1} {y1}L{x2} {y2}" stroke="#999"/>\n')

    def svg(self) -> str:
        return "".join([*self.parts, "</svg>\n"])


def life_cycle() -> Picture:
    p = Picture("The life of a tasklet", 860, 400)
    p.box(30, 170, 120, 50, "new:\nno arguments", "plain")
    p.box(250, 170, 120, 50, "queued")
    p.box(520, 170, 120, 50, "having\nits turn", "turn")
    p.box(730, 170, 100, 50, "dead", "end")
    p.box(385, 30, 120, 50, "paused", "wait")
    p.box(385, 300, 120, 50, "blocked", "wait")

    p.arrow((150, 195), (250, 195))
    p.text(200, 187, "t(...), setup()", "middle")
    p.arrow((90, 170), (90, 45), (385, 45))
    p.text(235, 38, "bind(f, args)", "middle")

    p.arrow((370, 185), (520, 185))
    p.text(445, 178, "its turn comes", "middle")
    p.arrow((520, 208), (370, 208))
    p.text(445, 226, "schedule()", "middle")

    p.arrow((560, 170), (485, 80))
    p.text(545, 115, "schedule_remove(), switch()")
    p.arrow((405, 80), (335, 170))
    p.text(345, 125, "insert()", "end")
    p.text(335, 143, "run(), switch()", "end")
    p.arrow((350, 170), (425, 80))
    p.text(402, 125, "remove()")

    p.arrow((560, 220), (490, 300))
    p.text(545, 262, "send(), receive(), join():")
    p.text(545, 280, "nobody is there yet")
    p.arrow((400, 300), (320, 220))
    p.text(342, 262, "a partner comes,", "end")
    p.text(342, 280, "kill(), throw()", "end")

    p.arrow((640, 195), (730, 195))
    p.text(685, 187, "returns,", "middle")
    p.text(685, 214, "raises", "middle")
    p.arrow((780, 220), (780, 375), (90, 375), (90, 220))
    p.text(430, 392, "bind(f): it can be used again", "middle")
    return p


def run_loop() -> Picture:
    p = Picture("The queue of a thread, and where a turn ends", 860, 300)
    p.text(30, 40, "the queue of runnables of one thread", grey=True)
    for number, name in enumerate(["main", "t1", "t2", "t3", "t4"]):
        p.box(30 + 100 * number, 55, 90, 46, name, "main" if number == 0 else "state")
    p.text(75, 120, "runs the loop", "middle", grey=True)
    p.text(175, 120, "front", "middle", grey=True)
    p.text(475, 120, "end", "middle", grey=True)

    p.arrow((175, 128), (175, 190))
    p.box(115, 190, 120, 50, "t1 has\nits turn", "turn")
    p.arrow((235, 215), (475, 215), (475, 128))
    p.text(355, 207, "schedule(): to the end", "middle")
    p.arrow((175, 240), (175, 275), (690, 275))
    p.text(190, 268, "schedule_remove(): paused; must wait: blocked; returns, raises: dead")
    p.text(700, 280, "out of the queue")

    p.arrow((640, 78), (522, 78))
    p.text(650, 60, "t(...), setup(), insert()")
    p.text(650, 83, "its partner came")
    p.text(650, 106, "mail of another thread")
    return p


def nested_and_flat() -> Picture:
    p = Picture("t2.run() called by the main tasklet, nested and flat", 700, 300)

    def row(y: int, label: str, names: list[str], marked: str) -> None:
        p.text(30, y + 26, label)
        for number, name in enumerate(names):
            fill = "main" if name == "main" else "turn" if name in marked else "state"
            p.box(260 + 85 * number, y, 75, 40, name, fill)

    row(25, "the queue", ["main", "t1", "t2", "t3"], "")
    p.text(30, 105, "main calls t2.run()", grey=True)
    row(120, "nested: turns in the call", ["t2", "t3"], "t2 t3")
    p.text(440, 146, "then run() returns; t1 still waits")
    row(185, "flat: the queue then", ["main", "t2", "t1", "t3"], "t2")
    row(240, "flat: turns in the call", ["t2", "t1", "t3"], "t1 t2 t3")
    p.text(525, 266, "main goes on last")
    return p


def rendezvous() -> Picture:
    p = Picture("A sender meets a receiver of another thread", 820, 440)
    for x, name in ((40, "thread A"), (290, "channel"), (540, "thread B")):
        p.text(x + 110, 32, name, "middle")
    for x in (150, 400, 650):
        p.line(x, 44, x, 400)
    p.box(540, 60, 220, 46, "tasklet r: receive()\nnobody sends: r is blocked", "wait")
    p.arrow((540, 83), (480, 83))
    p.box(320, 60, 160, 46, "line: r", "wait")
    p.box(540, 125, 220, 46, "nothing else to run:\nthe thread parks", "main")
    p.box(40, 180, 220, 46, "tasklet s: send(x)\nr waits", "turn")
    p.arrow((260, 203), (320, 203))
    p.box(320, 180, 160, 64, "locked: r out of\nthe line, x to r,\nr into B's mail", "state")
    p.arrow((480, 212), (650, 212), (650, 265))
    p.text(560, 205, "wakes B", "middle")
    p.box(540, 265, 220, 46, "reads its mail:\nr is queued here", "state")
    returned = "send() returns\n(preference -1: the others of\nthread A go first)"
    p.box(40, 265, 220, 64, returned, "turn")
    p.box(540, 330, 220, 46, "r has its turn:\nreceive() returns x", "turn")
    p.arrow((650, 311), (650, 330))
    p.text(410, 425, "x changes hands at once; r runs on its own thread", "middle", grey=True)
    return p


def stack() -> Picture:
    p = Picture("One slot of a thread's stacks", 820, 270)
    p.text(30, 36, "low addresses", grey=True)
    p.text(790, 36, "high addresses", "end", grey=True)
    p.box(30, 50, 110, 80, "guard:\noverflow\nis a fault", "end")
    p.box(140, 50, 330, 80, "never touched: no memory", "plain")
    p.box(470, 50, 110, 80, "C stack", "turn")
    p.box(580, 50, 110, 80, "frames of\nPython code", "state")
    p.box(690, 50, 100, 80, "not used yet", "plain")
    p.arrow((575, 150), (480, 150))
    p.text(525, 172, "grows down", "middle")
    p.arrow((585, 150), (680, 150))
    p.text(635, 172, "grows up", "middle")
    p.arrow((580, 215), (580, 135))
    p.text(580, 232, "split: the middle of one page, which is all that a tasklet", "middle")
    p.text(580, 252, "takes that waits a few calls deep", "middle")
    return p


PICTURES = {
    "life-cycle": life_cycle,
    "run-loop": run_loop,
    "nested-and-flat": nested_and_flat,
    "rendezvous": rendezvous,
    "stack": stack,
}


def write_all(directory: Path) -> None:
    """Writes those that are not there as they should be."""
    directory.mkdir(exist_ok=True)
    for name, draw in PICTURES.items():
        file, text = directory / f"{name}.svg", draw().svg()
        if not file.is_file() or file.read_text() != text:
            file.write_text(text)


def setup(app: object) -> dict[str, bool]:
    """As an extension of Sphinx: draws before the pages are read."""
    write_all(HERE.parent / "images")
    return {"parallel_read_safe": True}


if __name__ == "__main__":
    write_all(Path(sys.argv[1]) if len(sys.argv) > 1 else HERE.parent / "images")
