"""Reads what callgrind writes: how many instructions of which function were executed.

https://valgrind.org/docs/manual/cl-format.html describes the format; the options that the file must
have been written with are in OPTIONS.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from typing import NamedTuple

# A line "0x1a2b 17" for each instruction: its address and how often it was executed.
OPTIONS = ("--dump-instr=yes", "--dump-line=no", "--compress-pos=no", "--collect-jumps=no")

# "ob=(1) /lib/x.so" names the object of the lines that follow and numbers it; then "ob=(1)" will
# do. Called objects and functions (cob, cfn) share the numbers of the others.
_NAME = re.compile(r"(c?)(ob|fn)=\((\d+)\)(?: (.*))?")
_COST = re.compile(r"(0x[0-9a-f]+) (\d+)")
_SUMMARY = re.compile(r"(?:summary|totals): (\d+)")

ANYWHERE = range(1 << 64)


class Cost(NamedTuple):
    """Executions of one instruction."""

    object: str  # file of the function
    function: str
    address: int  # in the object that holds the instruction, as its file counts addresses
    times: int


class FormatError(Exception):
    """The file is not as expected: another version of callgrind, or a run that was cut short."""


def costs(lines: Iterable[str]) -> Iterator[Cost]:
    """All instructions of a file, those of called functions where these are."""
    names: dict[tuple[str, str], str] = {}
    current = {"ob": "", "fn": ""}
    total = 0
    summary = None
    is_sum_of_call = False
    for line in lines:
        if cost := _COST.match(line):
            if not is_sum_of_call:
                times = int(cost[2])
                total += times
                yield Cost(current["ob"], current["fn"], int(cost[1], 16), times)
            is_sum_of_call = False
        elif match := _NAME.match(line):
            is_called, kind, number, name = match.groups()
            known = names.setdefault((kind, number), name or "")
            if not is_called:
                current[kind] = known
        elif line.startswith("calls="):
            is_sum_of_call = True
        elif match := _SUMMARY.match(line):
            summary = int(match[1])
    if total != summary:
        raise FormatError(f"the lines add up to {total}, callgrind says {summary}")


def executed_in(module: str, code_of: Callable[[str], range]) -> Callable[[Cost], bool]:
    """Tells whether an instruction is the module's.

    Callgrind files an instruction under the function that it believes to be running. It follows
    calls and returns on one stack, so that after a jump to another stack it can take some of our
    instructions for a part of the interpreter, until the next call. Addresses do not lie: what is
    filed under an object that has no code there, and fits into the module, is the module's.
    """
    own_code = code_of(module)

    def is_own(cost: Cost) -> bool:
        if cost.address not in own_code:
            return False
        return cost.object == module or cost.address not in code_of(cost.object)

    return is_own


@lru_cache
def code_of(path: str) -> range:
    """From the first to the last address of the code in an ELF file (64 bits, little-endian).

    Anywhere, if it is none: code that no file holds has absolute addresses.
    """
    try:
        with open(path, "rb") as file:
            content = file.read()
    except OSError:
        return ANYWHERE
    if content[:6] != b"\x7fELF\x02\x01":
        return ANYWHERE
    (table,) = struct.unpack_from("<Q", content, 32)
    entry_bytes, entries = struct.unpack_from("<HH", content, 54)
    ends: list[int] = []
    for index in range(entries):
        entry = struct.unpack_from("<IIQQQQQ", content, table + index * entry_bytes)
        kind, flags, _, address, _, _, length = entry
        if kind == 1 and flags & 1:  # PT_LOAD, PF_X
            ends += [address, address + length]
    return range(min(ends), max(ends)) if ends else ANYWHERE
