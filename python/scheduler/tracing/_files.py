"""What a trace is written to: the name says in which format."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from ._raw import Recording

Path = str | os.PathLike[str]

RAW = ".raw"
_GZIP = ".gz"
_PAGES = (".html", ".htm")
_CHROME = ".json"


def check_path(file: Path) -> str:
    """The file's name, if a trace can be written to it.

    Raises:
        TypeError: it is no path.
        ValueError: its name says nothing of a format.
        OSError: there is no such directory, or it is one.
    """
    path = os.fspath(file)
    if not isinstance(path, str):
        raise TypeError(f"the file must be a str or an os.PathLike of str, not {type(file).__name__}")
    plain = path.removesuffix(_GZIP)
    if not plain.endswith((*_PAGES, _CHROME)) and not path.endswith(RAW):
        raise ValueError(
            "the name of a trace's file ends in .json or .html, in these with .gz, or in .raw, "
            f"not as {path!r} does"
        )
    if os.path.isdir(path):
        raise IsADirectoryError(f"{path!r} is a directory: name a file in it")
    directory = os.path.dirname(path) or os.curdir
    if not os.path.isdir(directory):
        raise FileNotFoundError(f"there is no directory {directory!r} for the trace {path!r}")
    if not os.access(path if os.path.exists(path) else directory, os.W_OK):
        raise PermissionError(f"the trace {path!r} cannot be written")
    return path


def write(recording: Recording, path: str, seconds: float | None = None) -> None:
    """Write a recording, or its last `seconds`, in the format that the name tells. Not a raw one."""
    # Who records needs none of this before.
    from ._reading import read

    trace = read(recording, seconds)
    unfinished = path + ".unfinished"
    try:
        with _open(unfinished, is_packed=path.endswith(_GZIP)) as file:
            if path.removesuffix(_GZIP).endswith(_PAGES):
                from ._page import write_page

                write_page(trace, file)
            else:
                from ._chrome import write_chrome

                write_chrome(trace, file)
        os.replace(unfinished, path)
    except BaseException:
        if os.path.exists(unfinished):
            os.unlink(unfinished)
        raise


def _open(path: str, is_packed: bool) -> TextIO:
    if is_packed:
        import gzip

        return gzip.open(path, "wt", encoding="utf-8", compresslevel=6)
    return open(path, "w", encoding="utf-8")
