"""`python -m scheduler top`: the tasklets of a running program, refreshed in the terminal."""

from __future__ import annotations

import argparse
import json
import os
import shutil
import socket
import sys
from collections.abc import Iterator, Sequence
from operator import itemgetter
from pathlib import Path
from typing import Any

from . import _places
from ._places import Program

State = dict[str, Any]
_NOT_MONITORED = "it has to call scheduler.monitor(), or to be started with SCHEDULER_MONITOR=1"
_HIDE, _SHOW, _HOME, _REST = "\x1b[?25l", "\x1b[?25h", "\x1b[H", "\x1b[J"
_LINE_END = "\x1b[K\n"


def main(arguments: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m scheduler top",
        description="The tasklets of a running program, by processor time and by how long they wait. "
        f"The program asks for it: {_NOT_MONITORED}.",
        allow_abbrev=False,
    )
    parser.add_argument(
        "program", nargs="?", metavar="PID-or-NAME", help="may be left out if there is one only"
    )
    parser.add_argument("--by", choices=("processor", "wait"), default="processor", help="which come first")
    parser.add_argument("--once", action="store_true", help="print it once, measured over a second, and end")
    parser.add_argument("--json", action="store_true", help="a line of JSON each second, or one with --once")
    chosen = parser.parse_args(arguments)
    try:
        with find(chosen.program) as connection:
            show(read(connection), chosen)
    except LookupError as error:
        sys.exit(f"scheduler top: {error.args[0]}")
    except (OSError, RuntimeError) as error:
        sys.exit(f"scheduler top: {error}")
    except KeyboardInterrupt:
        pass


def find(wanted: str | None) -> socket.socket:
    """A connection to the program. LookupError: there is none, or there are several."""
    there: list[tuple[Program, socket.socket]] = []
    for program in _places.programs():
        if wanted is None or wanted in (str(program.pid), program.name):
            connection = _places.connect(program)
            if connection is not None:
                there.append((program, connection))
    if len(there) == 1:
        return there[0][1]
    for _, connection in there:
        connection.close()
    if there:
        several = ", ".join(f"{program.pid} ({program.name})" for program, _ in there)
        raise LookupError(f"there are several programs: {several}. Give the number of one")
    if wanted is None:
        raise LookupError(f"no program of yours is monitored: {_NOT_MONITORED}")
    if wanted.isdecimal() and not Path("/proc", wanted).exists():
        raise LookupError(f"there is no process {wanted}")
    raise LookupError(f"no program {wanted} of yours is monitored: {_NOT_MONITORED}")


def read(connection: socket.socket) -> Iterator[State]:
    """What the program tells, until it ends."""
    with connection.makefile("rb") as lines:
        for line in lines:
            if not line.endswith(b"\n"):  # it ended in the middle of it
                return
            state = json.loads(line)
            assert isinstance(state, dict)
            yield state


def show(states: Iterator[State], chosen: argparse.Namespace) -> None:
    if chosen.once:
        show_once(states, chosen)
    elif chosen.json:
        for state in states:
            print(json.dumps(state), flush=True)
    elif sys.stdout.isatty():
        refresh(states, chosen.by)
    else:
        for state in states:
            print(*table(state, chosen.by, 160, None), "", sep="\n", flush=True)


def show_once(states: Iterator[State], chosen: argparse.Namespace) -> None:
    """The second state: the first has measured nothing yet."""
    state = next((state for state in states if state["seconds"]), None)
    if state is None:
        raise LookupError("the program has ended")
    if chosen.json:
        print(json.dumps(state))
    else:
        width = shutil.get_terminal_size((160, 24)).columns
        print(*table(state, chosen.by, width, None), sep="\n")


def refresh(states: Iterator[State], by: str) -> None:
    sys.stdout.write(_HIDE + _HOME + _REST)
    try:
        for state in states:
            width, height = shutil.get_terminal_size()
            lines = table(state, by, width, height - 1)
            sys.stdout.write(_HOME + "".join(line + _LINE_END for line in lines) + _REST)
            sys.stdout.flush()
    finally:
        sys.stdout.write(_SHOW)
    print("The program has ended.")


_COLUMNS = ("%CPU", "TIME", "TURNS/s", "FOR", "STATE", "NAME", "WHAT")
_HEADING = "{:>6} {:>8} {:>8} {:>8}  {:<8} {:<24} {}".format(*_COLUMNS)


def table(state: State, by: str, width: int, height: int | None) -> list[str]:
    """Lines of at most `width` characters, `height` of them at most."""
    key = itemgetter("share", "processor", "turns_a_second") if by == "processor" else itemgetter("since")
    tasklets = [entry for entry in state["tasklets"] if by == "processor" or entry["state"] != "running"]
    tasklets.sort(key=key, reverse=True)
    lines = [*_summary(state), "", _HEADING]
    lines += [_row(entry, state) for entry in tasklets]
    if state["left_out"]:
        lines.append(f"and {state['left_out']} tasklets more")
    if height is not None and len(lines) > height:
        hidden = len(lines) - height + 1
        lines = [*lines[: height - 1], f"... {hidden} lines more"]
    return [_printable(line)[:width].rstrip() for line in lines]


def _summary(state: State) -> Iterator[str]:
    counts = ", ".join(f"{number} {what}" for what, number in sorted(state["counts"].items()))
    share = sum(entry["share"] for entry in state["tasklets"])
    who = f"{state['name']}, process {state['pid']}"
    yield f"{who}: {counts or 'no tasklets'}; {100 * share:.0f} % of a processor"
    names = [f"{thread['name'] or thread['ident']}" for thread in state["threads"]]
    yield f"{len(names)} thread{'' if len(names) == 1 else 's'}: {', '.join(names)}"


def _row(entry: State, state: State) -> str:
    # A prefix of a path says less than the end of it.
    place = os.path.join(*Path(entry["place"]).parts[-2:]) if entry["place"] else ""
    wait = str(entry["wait"]).split(" at 0x")[0].replace("<scheduler.", "").strip()
    names = {thread["ident"]: thread["name"] for thread in state["threads"]}
    on = f"[{names.get(entry['thread']) or entry['thread']}]" if len(state["threads"]) > 1 else ""
    what = "  ".join(filter(None, (wait, place, on)))
    return (
        f"{100 * entry['share']:6.1f} {seconds_text(entry['processor']):>8} {entry['turns_a_second']:8.0f} "
        f"{seconds_text(entry['since']):>8}  {entry['state']:<8} {entry['name'][:24]:<24} {what}"
    )


def seconds_text(seconds: float) -> str:
    if seconds < 100:
        return f"{seconds:.2f} s"
    if seconds < 6000:
        return f"{seconds / 60:.1f} min"
    return f"{seconds / 3600:.1f} h"


def _printable(line: str) -> str:
    """A name may hold anything, also what a terminal obeys."""
    return "".join(letter if letter.isprintable() else "?" for letter in line)
