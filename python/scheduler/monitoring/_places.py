"""Where the sockets of monitored programs are, and who may use them."""

from __future__ import annotations

import errno
import os
import re
import socket
import stat
import struct
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

_NAME = re.compile(r"(?!\d+\Z)[A-Za-z0-9_.-]{1,40}")
_SOCKET = re.compile(r"(\d+)\.([A-Za-z0-9_.-]{1,40})")
_LONGEST_PATH = 107  # bytes of sockaddr_un, but for the zero at the end
_CREDENTIALS = struct.Struct("3i")  # pid, uid, gid: what SO_PEERCRED tells


class Program(NamedTuple):
    """A program that can be looked at, or whose socket is still there."""

    pid: int
    name: str
    path: Path


def check_name(name: str) -> str:
    if not isinstance(name, str):
        raise TypeError(f"name must be a str or None, not {type(name).__name__}")
    if not _NAME.fullmatch(name):
        raise ValueError(
            f"{name!r} is no name for a program: letters, digits, '_', '-' and '.', not only digits"
        )
    return name


def default_name() -> str:
    """Of the program's file; "python" if it has none."""
    path = Path(sys.argv[0] if sys.argv else "")
    stem = path.parent.name if path.name == "__main__.py" else path.stem
    name = re.sub(r"[^A-Za-z0-9_.-]", "_", stem)[:40]
    return name if _NAME.fullmatch(name) else "python"


def directory() -> Path:
    """The directory of the sockets; nobody has looked yet whether it is there."""
    runtime = os.environ.get("XDG_RUNTIME_DIR", "")
    if os.path.isabs(runtime) and _is_own_directory(runtime):
        return Path(runtime, "scheduler")
    return Path(tempfile.gettempdir(), f"scheduler-{os.geteuid()}")


def _is_own_directory(path: str) -> bool:
    try:
        status = os.lstat(path)
    except OSError:
        return False
    return stat.S_ISDIR(status.st_mode) and status.st_uid == os.geteuid()


def make_directory() -> Path:
    """It, made if need be, and checked: anybody may have made one of that name in /tmp."""
    path = directory()
    try:
        os.mkdir(path, 0o700)
    except FileExistsError:
        pass
    check_directory(path)
    return path


def check_directory(path: Path) -> None:
    status = os.lstat(path)
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.geteuid() or status.st_mode & 0o077:
        raise RuntimeError(
            f"{path} has to be a directory of this user's that nobody else may enter (chmod 700): "
            "put that right or remove it, or set XDG_RUNTIME_DIR to another directory of yours"
        )


def check_length(path: Path) -> None:
    if len(os.fsencode(path)) > _LONGEST_PATH:
        raise RuntimeError(
            f"{path} is longer than the {_LONGEST_PATH} bytes that a Unix socket's path may have: "
            "set XDG_RUNTIME_DIR or TMPDIR to a shorter one"
        )


def is_own(credentials: bytes) -> bool:
    """Whether what SO_PEERCRED says of the other end means this user. Root is another user as well."""
    if len(credentials) != _CREDENTIALS.size:
        return False
    _, user, _ = _CREDENTIALS.unpack(credentials)
    return bool(user == os.geteuid())


def credentials_of(connection: socket.socket) -> bytes:
    return connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)


def programs() -> list[Program]:
    """Those of this user whose sockets are there, but this one, in the order of their numbers."""
    path = directory()
    try:
        check_directory(path)
        names = os.listdir(path)
    except FileNotFoundError:
        return []
    matches = filter(None, map(_SOCKET.fullmatch, names))
    found = (Program(int(match[1]), match[2], path / match[0]) for match in matches)
    return sorted(program for program in found if program.pid != os.getpid())


def connect(program: Program) -> socket.socket | None:
    """None if nobody is there: a program that was killed leaves its socket behind. That is removed."""
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        connection.connect(os.fspath(program.path))
    except OSError as error:
        connection.close()
        if error.errno not in (errno.ECONNREFUSED, errno.ENOENT):
            raise
        program.path.unlink(missing_ok=True)
        return None
    if is_own(credentials_of(connection)):
        return connection
    connection.close()
    raise RuntimeError(f"{program.path} belongs to another user's program")
