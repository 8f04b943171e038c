"""Source of hosts, as it was written for the reference, compiles against our headers by every standard."""

from __future__ import annotations

import re
import subprocess
import sysconfig

import pytest

import scheduler
from support.compilers import cxx_compiler
from support.places import ROOT

HOST = ROOT / "tests" / "capi" / "old_names_host.cpp"
STRICT = ("-Wall", "-Wextra", "-Werror", "-fsyntax-only")
OF_THE_REFERENCE = 40  # the first members of the table


@pytest.mark.spec("K-05")
def test_the_host_has_every_name_of_the_reference() -> None:
    header = (ROOT / "include" / "Scheduler.h").read_text()
    members = re.findall(r"^SCHEDULER_SLOT\((\d+), (\w+)\);", header, re.MULTILINE)
    names = [name for number, name in members if int(number) < OF_THE_REFERENCE]
    assert len(names) == OF_THE_REFERENCE
    used = set(re.findall(r"\b[aA]pi->(\w+)", HOST.read_text()))
    assert set(names) - used == set()


@pytest.mark.spec("K-02", "K-04")
@pytest.mark.parametrize("standard", ["11", "14", "17", "20"])
def test_it_compiles(standard: str) -> None:
    includes = [f"-I{sysconfig.get_paths()['include']}", f"-I{scheduler.get_include()}"]
    command = [*cxx_compiler(), f"-std=c++{standard}", *STRICT, *includes, str(HOST)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
