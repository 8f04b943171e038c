"""`python -m scheduler trace`: runs a program and writes its trace, or converts a raw one."""

from __future__ import annotations

import argparse
import atexit
import os
import runpy
import sys
from pathlib import Path

from ._recording import DEFAULT_MAX_BYTES, start_trace


def main(arguments: list[str]) -> None:
    parser = _make_parser()
    own, of_module = _split(arguments)
    options = parser.parse_args(own)
    rest: list[str] = options.program + of_module
    if options.convert:
        if len(rest) != 1 or options.module:
            parser.error("--convert takes the name of the raw file and that of the trace")
        _convert(parser, options.convert, rest[0])
        return
    name = options.module or (rest.pop(0) if rest else None)
    if name is None:
        parser.error("which program? Give its file, or -m and its module")
    _run(parser, options, name, rest)


def _split(arguments: list[str]) -> tuple[list[str], list[str]]:
    """What comes after -m and its module is for that, as python -m has it."""
    at = 0
    while at < len(arguments) and arguments[at].startswith("-"):
        if arguments[at] == "-m":
            return arguments[: at + 2], arguments[at + 2 :]
        at += 2 if arguments[at] in ("-o", "--output", "--max-bytes", "--convert") else 1
    return arguments, []


def _make_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m scheduler trace",
        description="Run a program, and write what its tasklets do to a file.",
        usage="%(prog)s [-o FILE] [--max-bytes N] (PROGRAM.py | -m MODULE) [ARGUMENT ...]\n"
        "       %(prog)s --convert RAW FILE",
        allow_abbrev=False,
    )
    parser.add_argument(
        "-o", "--output", default="trace.json", metavar="FILE", help="by default trace.json; also .html, .gz"
    )
    parser.add_argument(
        "--max-bytes",
        type=int,
        default=DEFAULT_MAX_BYTES,
        metavar="N",
        help="for the raw events, 32 bytes each",
    )
    parser.add_argument("--convert", metavar="RAW", help="what a program that has crashed left: to FILE")
    parser.add_argument("-m", dest="module", metavar="MODULE", help="run a module, as python -m does")
    parser.add_argument("program", nargs=argparse.REMAINDER, help=argparse.SUPPRESS)
    return parser


def _convert(parser: argparse.ArgumentParser, raw: str, file: str) -> None:
    from . import _files, _raw

    try:
        path = _files.check_path(file)
        if path.endswith(_files.RAW):
            parser.error("a raw file is what is converted: name one that ends in .json or .html")
        recording = _raw.parse(Path(raw).read_bytes())
        _files.write(recording, path)
    except (OSError, ValueError) as error:
        parser.error(str(error))
    if recording.is_cut:
        print(f"{raw} ends in the middle of what was written last", file=sys.stderr)


def _run(
    parser: argparse.ArgumentParser, options: argparse.Namespace, name: str, arguments: list[str]
) -> None:
    if not options.module and not os.path.exists(name):
        parser.error(f"there is no program {name!r}")
    sys.argv = [name, *arguments]
    sys.path[0] = os.getcwd() if options.module else os.path.dirname(os.path.abspath(name))
    # Called after the trace has been written, when all threads have ended.
    atexit.register(_report, os.path.abspath(options.output))
    try:
        start_trace(os.path.abspath(options.output), max_bytes=options.max_bytes)
    except (OSError, ValueError) as error:
        atexit.unregister(_report)
        parser.error(str(error))
    if options.module:
        runpy.run_module(name, run_name="__main__", alter_sys=True)
    else:
        runpy.run_path(name, run_name="__main__")


def _report(path: str) -> None:
    if os.path.exists(path):
        print(f"trace written to {path}", file=sys.stderr)
