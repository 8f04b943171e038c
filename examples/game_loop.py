"""A game loop: each frame gives tasklets a few milliseconds and then draws, whatever is left.

    python game_loop.py                     what happened
    python game_loop.py --plot frames.svg   and a plot of the frame times (needs matplotlib)

Characters are tasklets that sleep for some frames between their deeds. The path finder is one long
calculation that yields after every step: `run(timeout=...)` starts no turn once the budget is
spent, so it is spread over as many frames as it needs, and the game goes on meanwhile. What happens
does not depend on how fast the machine is; in which frame it happens does.
"""

from __future__ import annotations

import argparse
import importlib
import sys
import time
from collections import defaultdict

import scheduler

FRAME = 1 / 100  # seconds from one frame to the next
BUDGET = 0.002  # seconds of it that tasklets may use


class Game:
    def __init__(self) -> None:
        self.frame = 0
        self.busy: list[float] = []  # seconds that the tasklets used, for each frame
        self._alarm = defaultdict[int, scheduler.channel[None]](scheduler.channel)

    def sleep(self, frames: int) -> None:
        """Lets the current tasklet wait for some frames."""
        self._alarm[self.frame + frames].receive()

    def run(self, characters: dict[str, scheduler.tasklet]) -> None:
        """Frame after frame, until all characters have done what they had to do."""
        next_frame = time.perf_counter()
        while any(character.alive for character in characters.values()):
            begin = time.perf_counter()
            self._wake()
            scheduler.run(timeout=BUDGET)  # who has no turn now comes first in the next frame
            self.busy.append(time.perf_counter() - begin)
            next_frame += FRAME
            time.sleep(max(0.0, next_frame - time.perf_counter()))  # stands for drawing
            self.frame += 1

    def _wake(self) -> None:
        alarm = self._alarm.pop(self.frame, None)
        while alarm is not None and alarm.balance < 0:
            alarm.preference = 1  # the sleepers are queued, this goes on
            alarm.send(None)


def forge(game: Game, log: list[str]) -> None:
    for number in range(1, 4):
        game.sleep(frames=8)
        log.append(f"sword {number} is forged")


def patrol(game: Game, log: list[str]) -> None:
    for place in ("gate", "tower", "well", "gate"):
        log.append(f"at the {place}")
        game.sleep(frames=7)


def find_path(game: Game, log: list[str]) -> None:
    first = game.frame
    for _ in range(60):
        step_ends = time.perf_counter() + BUDGET / 5
        while time.perf_counter() < step_ends:  # stands for a step of the search
            pass
        scheduler.schedule()
    log.append("found in one frame" if game.frame == first else "found, some steps in each frame")


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
    options = parser.parse_args()

    game = Game()
    plans = {"smith": forge, "guard": patrol, "path": find_path}
    logs: dict[str, list[str]] = {name: [] for name in plans}
    game.run({name: scheduler.tasklet(plan)(game, logs[name]) for name, plan in plans.items()})

    for name, log in logs.items():
        print(f"{name}: {', '.join(log)}")
    if options.plot:
        plot(game.busy, options.plot)


if __name__ == "__main__":
    main()
