"""Random programs: a script for main and scripts for tasklets, made of small operations.

A program depends on its seed alone. It names tasklets and channels by number, so that the same
program can be played with the model and with the module.
"""

from __future__ import annotations

import dataclasses
import random
from typing import Any, NamedTuple

ME = -1  # stands for the tasklet that executes the operation
MAIN = 0  # the other tasklets are 1, 2, ...


class Operation(NamedTuple):
    """How an operation is written, the kinds of its arguments, and the group it belongs to."""

    text: str
    kinds: tuple[str, ...]
    group: str


OPERATIONS = {
    "schedule": Operation("schedule()", (), "yield"),
    "schedule_remove": Operation("schedule_remove()", (), "yield"),
    "run_all": Operation("run()", (), "drive"),
    "run_n": Operation("run_n_tasklets({})", ("turns",), "drive"),
    "start": Operation("start {} with {} unless alive", ("other", "script"), "start"),
    "insert": Operation("{}.insert()", ("tasklet",), "queue"),
    "remove": Operation("{}.remove()", ("tasklet",), "queue"),
    "run": Operation("{}.run()", ("tasklet",), "go"),
    "switch": Operation("{}.switch()", ("tasklet",), "go"),
    "restart": Operation("{}.bind({}).setup()", ("tasklet", "script"), "bind"),
    "bind": Operation("{}.bind({})", ("tasklet", "script"), "bind"),
    "bind_args": Operation("{}.bind({}, args)", ("tasklet", "script"), "bind"),
    "rebind_args": Operation("{}.bind(None, args)", ("tasklet",), "bind"),
    "unbind": Operation("{}.bind(None)", ("tasklet",), "bind"),
    "setup": Operation("{}.setup()", ("tasklet",), "bind"),
    "kill": Operation("{}.kill(pending={})", ("tasklet", "flag"), "kill"),
    "throw": Operation("{}.throw({}, pending={})", ("tasklet", "error", "flag"), "kill"),
    "raise_exception": Operation("{}.raise_exception({})", ("tasklet", "error"), "kill"),
    "send": Operation("{}.send({})", ("channel", "value"), "transfer"),
    "receive": Operation("{}.receive()", ("channel",), "transfer"),
    "receive_next": Operation("next({})", ("channel",), "transfer"),
    "send_exception": Operation("{}.send_exception({})", ("channel", "error"), "transfer"),
    "prefer": Operation("{}.preference = {}", ("channel", "preference"), "channel"),
    "close": Operation("{}.close()", ("channel",), "channel"),
    "open": Operation("{}.open()", ("channel",), "channel"),
    "clear": Operation("{}.clear()", ("channel",), "channel"),
    "unblock_all": Operation("unblock_all_channels() if at most one is in use", (), "channel"),
    "block_trap": Operation("getcurrent().block_trap = {}", ("flag",), "setting"),
    "switch_trap": Operation("switch_trap({})", ("delta",), "setting"),
    "nested": Operation("set_use_nested_tasklets({})", ("flag",), "setting"),
    "fail": Operation("raise {}", ("error",), "end"),
    "leave": Operation("return", (), "end"),
}

# How an operation's exception is treated by the script it stands in.
CATCHES_ERRORS = ""
CATCHES_NOTHING = "   # lets exceptions out"
CATCHES_EXIT_TOO = "   # survives TaskletExit"

ERRORS = ("Boom", "Boom(instance)", "TaskletExit", "TaskletExit(instance)", "Doom", "None")


@dataclasses.dataclass(frozen=True)
class Op:
    """One operation of a script. `trapped`: the switch trap is set while it is executed."""

    name: str
    arguments: tuple[Any, ...] = ()
    trapped: bool = False
    catches: str = CATCHES_ERRORS

    def __str__(self) -> str:
        text, kinds, _ = OPERATIONS[self.name]
        text = text.format(*map(_argument_text, kinds, self.arguments))
        return ("with switch trap: " if self.trapped else "") + text + self.catches


def _argument_text(kind: str, value: Any) -> str:
    if kind in ("tasklet", "other"):
        return tasklet_name(value)
    prefix = {"channel": "c", "script": "s"}.get(kind, "")
    return f"{prefix}{value}"


def tasklet_name(number: int) -> str:
    return {ME: "me", MAIN: "main"}.get(number, f"t{number}")


class Profile(NamedTuple):
    """The size of a program and how often it does what. The others have their usual weight."""

    name: str
    tasklets: int
    channels: int
    main_length: int
    script_length: int
    steps: int  # operations executed before every script ends
    weights: dict[str, float]


PROFILES = (
    Profile("tiny", 2, 1, 6, 3, 60, {"transfer": 3}),
    Profile("channels", 5, 2, 16, 7, 200, {"transfer": 12, "channel": 2, "kill": 0.5}),
    Profile("kills", 4, 1, 16, 7, 200, {"kill": 5, "transfer": 4, "yield": 4}),
    Profile("life", 4, 1, 16, 7, 200, {"bind": 4, "queue": 4, "go": 5, "yield": 4}),
    Profile("large", 9, 3, 30, 10, 500, {"transfer": 6, "go": 5, "yield": 4}),
)
USUAL = {"start": 3, "go": 3, "setting": 0.3, "end": 0.4}


@dataclasses.dataclass
class Program:
    """What to play. `nested` is the mode it begins with; `stepping` is how main ends it:
    by run_n_tasklets(1) again and again, or by run()."""

    seed: int
    profile: Profile
    nested: bool
    stepping: bool
    watch_switches: bool
    watch_channels: bool
    main: list[Op]
    scripts: list[list[Op]]

    def __str__(self) -> str:
        mode = "nested" if self.nested else "flat"
        end = "run_n_tasklets(1) again and again" if self.stepping else "run()"
        lines = [f"seed {self.seed}, profile {self.profile.name}, {mode} mode, ends by {end}"]
        for name, script in [("main", self.main), *_named_scripts(self.scripts)]:
            lines += [f"  {name}:", *(f"      {op}" for op in script)]
        return "\n".join(lines)


def _named_scripts(scripts: list[list[Op]]) -> list[tuple[str, list[Op]]]:
    return [(f"s{number}", script) for number, script in enumerate(scripts)]


def make_program(seed: int) -> Program:
    """The program of this seed. Neighbouring seeds differ in profile, mode and ending."""
    dice = random.Random(seed)
    rest, profile = divmod(seed, len(PROFILES))
    writer = _Writer(dice, PROFILES[profile])
    return Program(
        seed=seed,
        profile=PROFILES[profile],
        nested=rest % 2 == 0,
        stepping=rest // 2 % 2 == 1,
        watch_switches=dice.random() < 0.7,
        watch_channels=dice.random() < 0.3,
        main=writer.main(),
        scripts=writer.scripts(),
    )


class _Writer:
    """Writes the scripts of one program."""

    def __init__(self, dice: random.Random, profile: Profile) -> None:
        self._dice = dice
        self._profile = profile
        self._names = list(OPERATIONS)
        weights = {**USUAL, **profile.weights}
        sizes = {group: 0 for _, _, group in OPERATIONS.values()}
        for _, _, group in OPERATIONS.values():
            sizes[group] += 1
        self._weights = [
            weights.get(group, 1.0) / sizes[group] for _, _, group in OPERATIONS.values()
        ]

    def main(self) -> list[Op]:
        """Begins by starting most tasklets, so that something happens."""
        preface = [
            Op("start", (number, self._argument("script")))
            for number in range(1, self._profile.tasklets + 1)
            if self._dice.random() < 0.8
        ]
        return preface + self._script(self._profile.main_length)

    def scripts(self) -> list[list[Op]]:
        return [self._script(self._profile.script_length) for _ in range(self._profile.tasklets)]

    def _script(self, longest: int) -> list[Op]:
        """Sometimes a short one that is repeated, as by a loop."""
        rounds = self._dice.choices((1, 2, 4), (70, 20, 10))[0]
        length = max(1, self._dice.randint(1, longest) // rounds)
        return [self._op() for _ in range(length)] * rounds

    def _op(self) -> Op:
        name = self._dice.choices(self._names, self._weights)[0]
        arguments = tuple(self._argument(kind) for kind in OPERATIONS[name].kinds)
        catches = self._dice.choices(
            (CATCHES_ERRORS, CATCHES_NOTHING, CATCHES_EXIT_TOO), (70, 12, 18)
        )[0]
        return Op(name, arguments, self._dice.random() < 0.04, catches)

    def _argument(self, kind: str) -> Any:
        dice, profile = self._dice, self._profile
        match kind:
            case "tasklet":
                others = range(1, profile.tasklets + 1)
                return dice.choices((dice.choice(others), ME, MAIN), (88, 8, 4))[0]
            case "other":
                return dice.randint(1, profile.tasklets)
            case "script":
                return dice.randrange(profile.tasklets)
            case "channel":
                return dice.randrange(profile.channels)
            case "value":
                return dice.randrange(100)
            case "flag":
                return dice.random() < 0.4
            case "error":
                return dice.choices(ERRORS, (5, 2, 3, 1, 1, 1))[0]
            case "preference":
                return dice.choice((-1, 0, 1))
            case "turns":
                return dice.choice((0, 1, 1, 2, 3))
            case "delta":
                return dice.choice((1, -1))
        raise AssertionError(kind)
