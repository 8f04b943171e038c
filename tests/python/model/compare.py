"""Compares what the module does with what the model does, and reports the first difference."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from typing import Any

from .player import Failed, Line, Trace, play
from .programs import Program, make_program
from .scheduler_model import Model

CONTEXT = 20  # lines shown before the first difference


def compare(program: Program, module: Any, make_player: Any = None) -> str | None:
    """Plays `program` with the model and with `module`; returns a report if the traces differ.

    `make_player` makes the player of the module, if it is not a plain one.
    """
    expected = play(program, Model())
    found, error = _play_guarded(program, module, make_player)
    for number, line in enumerate(expected):
        if number >= len(found) or not _same(line, found[number]):
            return _report(program, expected, found, number, error)
    if error is not None or len(found) > len(expected):
        return _report(program, expected, found, len(expected), error)
    return None


def _play_guarded(
    program: Program, module: Any, make_player: Any
) -> tuple[Trace, Exception | None]:
    trace: Trace = []
    try:
        play(program, module, trace, make_player)
    except Exception as error:
        return trace, error
    return trace, None


def _same(expected: Line, found: Line) -> bool:
    """Error messages are free, but the words that the specification names must be in them."""
    if isinstance(expected.outcome, Failed) and isinstance(found.outcome, Failed):
        if expected.outcome.text not in found.outcome.text:
            return False
        found = found._replace(outcome=found.outcome._replace(text=expected.outcome.text))
    return expected == found


def _report(
    program: Program, expected: Trace, found: Trace, number: int, error: Exception | None
) -> str:
    first = max(0, number - CONTEXT)
    parts = [
        f"the module differs from the model in line {number}.",
        str(program),
        "\nTrace so far:",
    ]
    parts += map(str, expected[first:number])
    for who, trace in (("model", expected), ("module", found)):
        parts.append(f"\n{who}:")
        parts.append(trace[number].in_full() if number < len(trace) else "      (has ended)")
    if error is not None:
        parts.append(f"\nplaying it with the module ended by {error!r}")
    return "\n".join(parts)


def shrink(program: Program, fails: Callable[[Program], bool]) -> Program:
    """Leaves out operations, and tasklets' scripts from the end, as long as `fails` stays true."""
    shrunk = True
    while shrunk:
        shrunk = False
        for smaller in _smaller_programs(program):
            if fails(smaller):
                program, shrunk = smaller, True
                break
    return program


def _smaller_programs(program: Program) -> Iterator[Program]:
    for number in range(-1, len(program.scripts)):
        script = program.main if number < 0 else program.scripts[number]
        for size in sorted({max(1, len(script) // 2), 1}, reverse=True):
            for start in range(0, len(script), size):
                smaller = copy.deepcopy(program)
                target = smaller.main if number < 0 else smaller.scripts[number]
                del target[start : start + size]
                yield smaller


def smallest_report(seed: int, module: Any) -> str:
    """Reports the difference of a seed's program that differs, having made the program small."""
    program = make_program(seed)
    smallest = shrink(program, lambda smaller: compare(smaller, module) is not None)
    return compare(smallest, module) or f"seed {seed} did not differ when played again"
