"""What tools/ decides: the cache of interpreters, the search for them, the plan of the suites."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

import pytest

from support.places import PYTHON_TESTS, ROOT
from support.waiting import TIMEOUT

TOOLS = ROOT / "tools"
sys.path.insert(0, str(TOOLS))
import apt_sources  # noqa: E402
import cache  # noqa: E402
import common  # noqa: E402
import interpreters  # noqa: E402
import suites  # noqa: E402

sys.path.remove(str(TOOLS))


@pytest.fixture
def entry(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setattr(cache, "DIRECTORY", tmp_path / "cache")
    return cache.place("thing", "recipe")


def build(work: Path) -> Path:
    assert list(work.iterdir()) == []
    (work / "made").mkdir()
    (work / "made" / "file").write_text("content")
    (work / "rest").write_text("")
    return work / "made"


# ------------------------------------------------------------------------------------------- cache


def test_an_entry_is_made_once_and_nothing_else_stays(entry: Path) -> None:
    cache.make(entry, build)
    assert (entry / "file").read_text() == "content"
    cache.make(entry, lambda work: pytest.fail("made twice"))
    assert {path.name for path in cache.DIRECTORY.iterdir()} == {entry.name, f"{entry.name}.lock"}


def test_another_recipe_is_another_entry(entry: Path) -> None:
    assert cache.place("thing", "recipe") == entry
    assert cache.place("thing", "re", "cipe") != entry != cache.place("thing", "other")


def test_what_an_interrupted_build_left_is_not_taken_for_complete(entry: Path) -> None:
    def interrupted(work: Path) -> Path:
        build(work)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cache.make(entry, interrupted)
    assert not entry.exists()
    cache.make(entry, build)
    assert (entry / "file").exists()
    assert {path.name for path in cache.DIRECTORY.iterdir()} == {entry.name, f"{entry.name}.lock"}


def test_two_at_once_make_it_once(entry: Path) -> None:
    begun, go_on, made = threading.Event(), threading.Event(), []

    def slow(work: Path) -> Path:
        made.append(work)
        begun.set()
        assert go_on.wait(TIMEOUT)
        return build(work)

    threads = [threading.Thread(target=cache.make, args=(entry, slow)) for _ in range(2)]
    for thread in threads:
        thread.start()
        assert begun.wait(TIMEOUT)
    go_on.set()
    for thread in threads:
        thread.join(TIMEOUT)
    assert len(made) == 1 and entry.is_dir()


def test_nothing_is_removed_through_a_mount(
    entry: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    cache.make(entry, build)
    mounts = tmp_path / "mountinfo"
    monkeypatch.setattr(cache, "MOUNTS", mounts)
    mounts.write_text(f"36 35 98:0 / {entry}/dev rw,noatime - devtmpfs devtmpfs rw\n")
    with pytest.raises(common.Failure, match=f"{entry}/dev is mounted there"):
        cache.remove(cache.DIRECTORY)
    assert (entry / "file").exists()
    mounts.write_text(f"36 35 98:0 / {tmp_path} rw,noatime - ext4 /dev/root rw\n")
    cache.remove(cache.DIRECTORY)
    assert not cache.DIRECTORY.exists()


def test_in_root_leaves_no_mount_behind() -> None:
    if subprocess.run(["unshare", "--mount", "true"], capture_output=True).returncode != 0:
        pytest.skip("mounting is not allowed here")
    before = cache.MOUNTS.read_text()
    inside = [TOOLS / "in_root.sh", "/", "cat", "/proc/self/mountinfo"]
    seen = subprocess.run(inside, capture_output=True, text=True, check=True, cwd="/tmp").stdout
    assert len(seen.splitlines()) > len(before.splitlines())
    assert cache.MOUNTS.read_text() == before


# ------------------------------------------------------------------------------ apt's configuration

DEB822 = """\
# a comment
Types: deb
URIs: http://mirror.example/debian http://other.example/debian
Suites: bookworm bookworm-updates
Components: main contrib
Signed-By: /usr/share/keyrings/debian.gpg

Types: deb
URIs: http://security.example/debian
Suites: bookworm-security
Components: main
"""
ONE_LINE = """\
deb http://third.example/apt bookworm-pgdg main
deb [signed-by=/usr/share/keyrings/debian.gpg] http://mirror.example/debian bookworm main
"""


@pytest.mark.parametrize(
    "file, content, expected",
    [
        (
            "sources.list.d/debian.sources",
            DEB822,
            "Types: deb-src\nURIs: http://mirror.example/debian http://other.example/debian\n"
            "Suites: trixie\nComponents: main\nSigned-By: /usr/share/keyrings/debian.gpg\n",
        ),
        (
            "sources.list",
            ONE_LINE,
            "deb-src [signed-by=/usr/share/keyrings/debian.gpg] http://mirror.example/debian "
            "trixie main\n",
        ),
    ],
)
def test_the_mirror_is_this_machines(
    file: str, content: str, expected: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(apt_sources, "CONFIGURATION", tmp_path)
    monkeypatch.setattr(
        apt_sources, "_system", lambda: {"ID": "debian", "VERSION_CODENAME": "bookworm"}
    )
    monkeypatch.setattr(apt_sources.shutil, "which", lambda name: f"/usr/bin/{name}")
    (tmp_path / "sources.list.d").mkdir()
    with pytest.raises(common.Failure, match="no entry for main of bookworm"):
        apt_sources.entry("it works")
    (tmp_path / file).write_text(content)
    entry = apt_sources.entry("it works")
    assert entry.mirror == "http://mirror.example/debian"
    assert entry.with_sources_of("trixie")[1].strip() == expected.strip()


def test_elsewhere_than_on_debian_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(apt_sources, "_system", lambda: {"ID": "fedora"})
    with pytest.raises(common.Failure, match="Only on Debian it works"):
        apt_sources.entry("it works")


# ------------------------------------------------------------------------------------- interpreters


def test_debug_builds_are_only_used_when_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHON_VERSIONS", "")
    assert interpreters.wanted_versions() == ["3.13t", "3.11", "3.12", "3.13", "3.14", "3.15"]
    monkeypatch.setenv("PYTHON_VERSIONS", "3.15 3.14d")
    assert interpreters.wanted_versions() == ["3.14d", "3.15"]
    monkeypatch.setenv("PYTHON_VERSIONS", "3.16")
    with pytest.raises(common.Failure, match="CPython 3.16 is not supported; supported: 3.11 3.12"):
        interpreters.wanted_versions()


def test_what_is_not_found_is_named_with_the_way_to_get_it() -> None:
    assert interpreters.listed(["3.15", "3.11"]) == "3.11, 3.15 (to get it: make newer-pythons)"
    assert "make free-threaded" in interpreters.listed(["3.13t"])


def script(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


def test_an_interpreter_of_this_machine_is_preferred_to_one_in_a_root(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    facts = (
        '{"version": "3.15", "release": "3.15.2", "path": "%s", "usable": true,'
        ' "has_venv": true, "has_headers": true, "has_library": true}'
    )
    root, here = tmp_path / "root", tmp_path / "here"
    script(root / "system" / "python3.15", "")
    script(tmp_path / "enter", f"""[ "$1" = {root} ] && echo '{facts % "/usr/bin/python3.15"}'""")
    monkeypatch.setattr(interpreters.newer_pythons, "PLACE", root)
    monkeypatch.setattr(
        interpreters.newer_pythons, "inside", lambda root: (tmp_path / "enter", root)
    )
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path))
    monkeypatch.setenv("PATH", str(here))
    monkeypatch.setattr(interpreters, "SYSTEM_PLACES", ("/system",))

    found = interpreters.find("3.15")
    assert found and found.root == str(root) and found.inside == (tmp_path / "enter", root)
    assert interpreters.find("3.15", this_machines=True) is None
    script(here / "python3.15", f"echo '{facts % (here / 'python3.15')}'")
    found = interpreters.find("3.15")
    assert found and found.root == "" and found.inside == ()


# ------------------------------------------------------------------------------------------- suites


def interpreter(version: str) -> interpreters.Interpreter:
    return interpreters.Interpreter(version, f"{version}.1", "/python", True, True, True)


def test_the_plan_names_every_suite_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(suites, "_suites_at_once", lambda: 2)
    monkeypatch.setenv("PYTEST_ARGS", "")
    alone = suites.planned([interpreter("3.13")])
    assert alone == ["core", "3.13 capi", "3.13 pytest 1/2", "3.13 pytest 2/2", "3.13 counts"]
    both = suites.planned([interpreter("3.13t"), interpreter("3.15d")])
    assert both == ["core", "3.13t capi", "3.15d capi", "3.13t pytest", "3.15d pytest", "counts"]


def test_the_two_parts_are_all_tests(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(suites, "_suites_at_once", lambda: 2)
    monkeypatch.setenv("PYTEST_ARGS", "")
    (_, first), (_, second) = suites._parts("3.13", alone=True)
    assert sorted(first + second) == sorted(PYTHON_TESTS.rglob("test_*.py"))
    monkeypatch.setenv("PYTEST_ARGS", "-k channel")
    assert suites._parts("3.13", alone=True) == [("3.13 pytest", [])]


def test_output_goes_to_a_log_which_is_named_when_a_command_fails(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setattr(common, "ROOT", tmp_path)
    monkeypatch.setattr(common, "LOGS", tmp_path / "logs")
    common.run_logged("apt", "Installing x", ("echo", "many lines"))
    assert "many lines" not in capsys.readouterr().out
    with pytest.raises(common.Failure, match=r"many lines\n(.*\n)*.*exit code 3, see .*apt\.log"):
        common.run_logged("apt", "Installing y", ("sh", "-c", "echo no; exit 3"))
