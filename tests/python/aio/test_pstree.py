"""`python -m asyncio pstree`: who waits for whom, where tasklets are in between."""

from __future__ import annotations

import re
import subprocess
import sys
import textwrap

import pytest

from support.waiting import TIMEOUT

pytestmark = pytest.mark.skipif(sys.version_info < (3, 14), reason="pstree came with CPython 3.14")

PROGRAM = """
    import asyncio, scheduler, sys
    from scheduler import aio

    async def work(ready):
        ready.set()
        await asyncio.sleep(60)

    async def fetch(name):
        ready = asyncio.Event()
        task = asyncio.create_task(work(ready), name=f"{name}'s work")
        await ready.wait()
        print(name, flush=True)
        await task

    def plain(name):
        aio.await_(fetch(name))

    def nested(name):
        aio.await_(aio.call(plain, name))

    async def main():
        async with aio.host():
            asyncio.current_task().set_name("main")
            scheduler.tasklet(plain, name="own")("own")
            waits = asyncio.create_task(aio.receive(scheduler.channel()), name="waits for a channel")
            async with asyncio.TaskGroup() as group:
                group.create_task(aio.call(plain, "called"), name="called")
                group.create_task(aio.call(nested, "nested"), name="nested")

    asyncio.run(main())
"""


def edges(tree: str) -> set[tuple[str, str]]:
    """Pairs of Tasks of which the first awaits the second; "" awaits those at the top."""
    found, above = set(), [(-1, "")]
    for line in tree.splitlines():
        if match := re.match(r"(.*?)\(T\) (.*)", line):
            depth, name = len(match[1]), match[2].strip()
            while above[-1][0] >= depth:
                above.pop()
            found.add((above[-1][1], name))
            above.append((depth, name))
    return found


def test_who_waits_for_whom_through_tasklets():
    command = [sys.executable, "-c", textwrap.dedent(PROGRAM)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert {process.stdout.readline().strip() for _ in range(3)} == {"own", "called", "nested"}
            shown = subprocess.run(
                [sys.executable, "-m", "asyncio", "pstree", str(process.pid)],
                capture_output=True, text=True, timeout=TIMEOUT,
            )  # fmt: skip
        finally:
            process.kill()
    if shown.returncode and re.search("Operation not permitted|Permission denied", shown.stderr):
        pytest.skip("this user may not look into other processes (ptrace)")
    assert shown.returncode == 0, shown.stderr
    assert edges(shown.stdout) == {
        ("", "main"),
        ("main", "called"),
        ("called", "called's work"),
        ("main", "nested"),
        ("nested", "nested's work"),
        ("", "own"),
        ("own", "own's work"),
        ("", "waits for a channel"),
    }
