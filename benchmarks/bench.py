"""Speed and memory of tasklets and channels, beside those of greenlet, gevent, asyncio and threads.

    python bench.py                           # every job; a table
    python bench.py --json new.json           # and the same as JSON
    python bench.py --compare old.json        # against an earlier result
    python bench.py --job yield_2 spawn       # only these

README.md tells how to read the result.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from harness import child, curves, report
from harness.processes import Harness, MeasurementFailed
from harness.rows import BY_NAME, MILLION, OWN, PEERS, ROWS


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    what = parser.add_argument_group("what is measured")
    what.add_argument("--job", nargs="+", metavar="NAME", choices=BY_NAME, help="only these jobs")
    what.add_argument("--tool", nargs="+", choices=PEERS, help="only these peers")
    what.add_argument("--no-peers", action="store_true", help="only the scheduler")
    what.add_argument("--million", action="store_true", help="1,000,000 tasklets too: 5 GB")
    what.add_argument("--quick", action="store_true", help="tiny counts: does it run at all?")
    what.add_argument("--from", type=Path, metavar="FILE", dest="given",
                      help="nothing: show an earlier result")  # fmt: skip
    output = parser.add_argument_group("what becomes of it")
    output.add_argument("--json", type=Path, metavar="FILE", help="write the result")
    output.add_argument("--compare", type=Path, metavar="OLD", help="show what has changed since")
    output.add_argument("--plots", type=Path, metavar="DIR", help="measure and draw the curves")
    output.add_argument("--markdown", type=Path, metavar="PAGE",
                        help="write the table between the markers of a page")  # fmt: skip
    output.add_argument("--list", action="store_true", help="only the names of the jobs")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    return parser.parse_args()


def chosen_rows(options: argparse.Namespace) -> list[Any]:
    if options.job:
        return [row for row in ROWS if row.name in options.job]
    return [row for row in ROWS if options.million or row.blocked != MILLION]


def result_of(options: argparse.Namespace) -> dict[str, Any]:
    if options.given:
        given: dict[str, Any] = json.loads(options.given.read_text())
        return given
    peers = [] if options.no_peers else options.tool or PEERS
    harness = Harness(Path(__file__), [OWN, *peers], options.quick)
    result = harness.measure(chosen_rows(options))
    if options.plots:
        result["curves"] = curves.measure(harness)
    return result


def main() -> None:
    options = arguments()
    if options.child:
        print(json.dumps(child.answer(json.loads(options.child))))
        return
    if options.list:
        print("\n".join(f"{row.name:<24} {row.title}" for row in ROWS))
        return
    old = json.loads(options.compare.read_text()) if options.compare else None
    try:
        result = result_of(options)
    except MeasurementFailed as failure:
        sys.exit(str(failure))
    print(report.text(result))
    if old is not None:
        print(f"\n{report.comparison(old, result)}")
    if options.json:
        options.json.write_text(json.dumps(result, indent=1) + "\n")
    if options.markdown:
        report.write_markdown(options.markdown, result)
    if options.plots:
        if "curves" not in result:
            sys.exit(f"{options.given} has no curves: it was measured without --plots")
        from harness import plots  # needs matplotlib

        plots.write(result["curves"], options.plots)


if __name__ == "__main__":
    main()
