"""Where this machine's apt finds Debian, so that other releases can be fetched from there too."""

from __future__ import annotations

import email
import platform
import re
import shutil
from dataclasses import dataclass
from email.message import Message
from pathlib import Path

from common import Failure

CONFIGURATION = Path("/etc/apt")
# "deb [options] place release components": options, place, release, components
ONE_LINE = re.compile(r"deb(?:-src)?\s+(\[[^]]*\]\s+)?(\S+)\s+(\S+)\s+(.*)")


@dataclass(frozen=True)
class Entry:
    """An entry of apt's configuration: the fields of a .sources file, or a line of a .list file."""

    mirror: str
    fields: Message | None = None
    options: str = ""

    def with_sources_of(self, release: str) -> tuple[str, str]:
        """Name and content of a file for apt with the source packages of another release."""
        if self.fields is None:
            return "debian.list", f"deb-src {self.options}{self.mirror} {release} main\n"
        fields = email.message_from_string(self.fields.as_string())
        for name, value in (("Types", "deb-src"), ("Suites", release), ("Components", "main")):
            fields.replace_header(name, value)
        return "debian.sources", fields.as_string()


def system_release() -> str:
    """Such as "debian 12"."""
    return " ".join(_system().get(name, "") for name in ("ID", "VERSION_ID"))


def entry(wanted: str) -> Entry:
    """The entry for main of this machine's release; a Failure about what is `wanted` elsewhere."""
    system = _system()
    if system.get("ID") != "debian" or not shutil.which("apt-get"):
        raise Failure(f"Only on Debian {wanted}")
    release = system.get("VERSION_CODENAME", "stable")

    parts = CONFIGURATION / "sources.list.d"
    for file in sorted(parts.glob("*.sources")):
        for stanza in re.split(r"\n\s*\n", _without_comments(file)):
            fields = email.message_from_string(stanza.lstrip("\n"))
            if _is_for(release, fields):
                return Entry(fields["URIs"].split()[0], fields=fields)
    for file in (CONFIGURATION / "sources.list", *sorted(parts.glob("*.list"))):
        for line in _without_comments(file).splitlines() if file.is_file() else ():
            match = ONE_LINE.match(line.strip())
            if match and match[3] == release and "main" in match[4].split():
                return Entry(match[2], options=match[1] or "")
    raise Failure(f"{CONFIGURATION} has no entry for main of {release}.")


def _system() -> dict[str, str]:
    try:
        return platform.freedesktop_os_release()
    except OSError:  # not Linux
        return {}


def _without_comments(file: Path) -> str:
    lines = file.read_text().splitlines(keepends=True)
    return "".join(line for line in lines if not line.startswith("#"))


def _is_for(release: str, fields: Message) -> bool:
    return (
        fields.get("Enabled", "yes") != "no"
        and release in fields.get("Suites", "").split()
        and "main" in fields.get("Components", "").split()
    )
