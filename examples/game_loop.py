"""A game loop: each frame gives tasklets a few milliseconds and then draws, whatever is left.

    python game_loop.py                     what happened
    python game_loop.py --plot frames.svg   and a plot of the frame times (needs matplotlib)
    python game_loop.py --trace game.html   and a page that shows whom one more character holds up

Characters are tasklets that sleep between their deeds. They are a group: if one fails, the others end
and the error comes out of `run()`. The path finder is one long
calculation that yields after every step: `run(timeout=...)` starts no turn once the budget is
spent, so it is spread over as many frames as it needs, and the game goes on meanwhile. What happens
does not depend on how fast the machine is; in which frame it happens does.
"""

from __future__ import annotations

import argparse
import importlib
import sys
import time
from collections.abc import Callable

import scheduler

FRAME = 1 / 100  # seconds from one frame to the next
BUDGET = 0.002  # seconds of it that tasklets may use


Log = list[str]


class Game:
    def __init__(self) -> None:
        self.frame = 0
        self.busy: list[float] = []  # seconds that the tasklets used, for each frame

    def run(self, plans: dict[str, Callable[[Game, Log], None]]) -> dict[str, Log]:
        """Frame after frame, until all characters have done what they had to do."""
        logs: dict[str, Log] = {name: [] for name in plans}

        def play() -> None:
            with scheduler.TaskletGroup() as characters:
                for name, plan in plans.items():
                    characters.start(plan, self, logs[name])

        game = scheduler.tasklet(play)()
        next_frame = time.perf_counter()
        while game.alive:
            scheduler.trace_mark(f"frame {self.frame}")  # nothing without a trace
            begin = time.perf_counter()
            scheduler.run(timeout=BUDGET)  # who has no turn now comes first in the next frame
            self.busy.append(time.perf_counter() - begin)
            next_frame += FRAME
            time.sleep(max(0.0, next_frame - time.perf_counter()))  # stands for drawing
            self.frame += 1
        return logs


def forge(game: Game, log: Log) -> None:
    for number in range(1, 4):
        scheduler.sleep(8 * FRAME)
        log.append(f"sword {number} is forged")


def patrol(game: Game, log: Log) -> None:
    for place in ("gate", "tower", "well", "gate"):
        log.append(f"at the {place}")
        scheduler.sleep(7 * FRAME)


def find_path(game: Game, log: Log) -> None:
    first = game.frame
    for _ in range(60):
        step_ends = time.perf_counter() + BUDGET / 5
        while time.perf_counter() < step_ends:  # stands for a step of the search
            pass
        scheduler.schedule()
    log.append("found in one frame" if game.frame == first else "found, some steps in each frame")


def prophesy(game: Game, log: Log) -> None:
    for number in range(1, 4):
        scheduler.sleep(7.5 * FRAME)
        thought_ends = time.perf_counter() + 5 * BUDGET
        while time.perf_counter() < thought_ends:  # a long calculation in one turn: what find_path() avoids
            pass
        log.append(f"prophecy {number}")


def plot(busy: list[float], file: str) -> None:
    try:
        pyplot = importlib.import_module("matplotlib.pyplot")
    except ImportError:
        sys.exit("--plot needs matplotlib: pip install matplotlib")
    pyplot.switch_backend("agg")  # no window
    figure, axes = pyplot.subplots(figsize=(8, 3), layout="constrained")
    axes.bar(range(len(busy)), [seconds * 1000 for seconds in busy], label="used by tasklets")
    axes.axhline(BUDGET * 1000, color="black", linestyle="--", label="budget")
    axes.set(xlabel="frame", ylabel="ms", title="Frame times of examples/game_loop.py")
    axes.legend()
    figure.savefig(file)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--plot", metavar="FILE", help="where to draw the frame times")
    parser.add_argument("--trace", metavar="FILE", help="where to write what happened: .html or .json")
    options = parser.parse_args()

    game = Game()
    plans: dict[str, Callable[[Game, Log], None]] = {"smith": forge, "guard": patrol, "path": find_path}
    if options.trace:
        with scheduler.trace(options.trace):
            logs = game.run(plans | {"oracle": prophesy})
    else:
        logs = game.run(plans)

    for name, log in logs.items():
        print(f"{name}: {', '.join(log)}")
    if options.plot:
        plot(game.busy, options.plot)


if __name__ == "__main__":
    main()
