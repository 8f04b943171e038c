"""A directory for sockets of each test's own, a monitored program, and a connection to this one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from socket import AF_UNIX, SOCK_STREAM, socket
from typing import Any

import pytest

from scheduler.monitoring import _server
from support.waiting import TIMEOUT

State = dict[str, Any]

# Says when it is ready, and ends when its input does.
PROGRAM = """
import sys, scheduler
{body}
print("ready", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def sockets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the sockets are: the directory is not made yet."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    return tmp_path / "scheduler"


@pytest.fixture
def stops() -> Iterator[None]:
    """Ends this process's monitor."""
    yield
    _server.stop()


@pytest.fixture
def connect(sockets: Path, stops: None) -> Iterator[Callable[[], socket]]:
    """Connects to this process's monitor."""
    made: list[socket] = []

    def connect() -> socket:
        assert _server._running is not None
        connection = socket(AF_UNIX, SOCK_STREAM)
        made.append(connection)
        connection.settimeout(TIMEOUT)
        connection.connect(os.fspath(_server._running.path))
        return connection

    yield connect
    for connection in made:
        connection.close()


@pytest.fixture
def read_states() -> Callable[[socket, int], list[State]]:
    """Some states that the program at the other end of a connection tells."""

    def read(connection: socket, count: int) -> list[State]:
        with connection.makefile("rb") as lines:
            return [json.loads(next(lines)) for _ in range(count)]

    return read


@pytest.fixture
def program(sockets: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """`program(body, name="x")`: another process, monitored under that name, that has run `body`."""
    with contextmanager(run_programs)() as start:
        yield start


def run_programs() -> Iterator[Callable[..., subprocess.Popen[str]]]:
    running: list[subprocess.Popen[str]] = []

    def start(body: str = "", name: str | None = None) -> subprocess.Popen[str]:
        call = "" if name is None else f"scheduler.monitor({name!r})\n"
        code = PROGRAM.format(body=call + body)
        process = subprocess.Popen(
            [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        running.append(process)
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        return process

    yield start
    for process in running:
        process.communicate(timeout=TIMEOUT)
