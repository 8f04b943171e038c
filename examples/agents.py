"""A game of 5,000 agents, each a tasklet with a turn a frame: sheep graze, wolves track and eat them."""

import random
from collections import Counter

import scheduler

AGENTS = 5_000
SIZE = 150  # fields on each side of the meadow


class Meadow:
    def __init__(self, group: scheduler.TaskletGroup) -> None:
        self.group, self.dice, self.frame = group, random.Random(1), 0
        self.grass: dict[int, int] = {}  # in which frame it has grown again
        self.tracks: dict[int, scheduler.tasklet] = {}  # which sheep has been there last

    def live(self, kind: str, place: int, energy: int) -> None:
        scheduler.getcurrent().name = kind
        while energy > 0:
            place = (place + self.dice.choice((-SIZE, -1, 1, SIZE))) % (SIZE * SIZE)
            energy += (self.graze if kind == "sheep" else self.hunt)(place) - 1
            if energy > 20:
                energy -= 12
                self.group.start(self.live, kind, place, 10)
            scheduler.schedule()  # until the next frame

    def graze(self, place: int) -> int:
        self.tracks[place] = scheduler.getcurrent()
        if self.frame < self.grass.get(place, 0):
            return 0
        self.grass[place] = self.frame + 5
        return 3

    def hunt(self, place: int) -> int:
        prey = self.tracks.pop(place, None)
        if prey is None or not prey.alive:
            return 0
        prey.kill(alone=True)  # here and now; nobody else has a turn by that
        return 3


def main() -> None:
    with scheduler.TaskletGroup() as group:  # should an agent fail, the game ends with its error
        meadow = Meadow(group)
        for kind in ["wolf", *["sheep"] * 19] * (AGENTS // 20):
            group.start(meadow.live, kind, meadow.dice.randrange(SIZE * SIZE), 10)
        for meadow.frame in range(1, 51):
            scheduler.pump()  # one turn for each
            if meadow.frame % 10 == 0:  # stands for drawing
                there = Counter(task.name for task in scheduler.tasklets())
                print(f"frame {meadow.frame}: {there['sheep']} sheep, {there['wolf']} wolves")
        group.kill()


if __name__ == "__main__":
    main()
