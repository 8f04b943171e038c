"""What tools/ decides: the cache of interpreters, the search for them, the table of suites."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from support.places import PYTHON_TESTS, ROOT
from support.waiting import TIMEOUT

TOOLS = ROOT / "tools"
sys.path.insert(0, str(TOOLS))
import interpreters  # noqa: E402
import suites  # noqa: E402

sys.path.remove(str(TOOLS))

Shell = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    """Runs lines after those of common.sh, with a cache of their own; $entry is a place in it."""

    def run(code: str, **env: str) -> subprocess.CompletedProcess[str]:
        common = f". {TOOLS}/common.sh; entry=$(place thing recipe)\n{BUILD}\n{code}"
        env = {**os.environ, "XDG_CACHE_HOME": str(tmp_path), **env}
        return subprocess.run(
            ["bash", "-c", common], env=env, capture_output=True, text=True, timeout=TIMEOUT
        )

    return run


# The directory that it is given is empty.
BUILD = """
build() {
    rmdir "$1" && mkdir -p "$1/entry"
    echo content >"$1/entry/file"
    touch "$1/rest"
}
"""


def in_cache(directory: Path) -> set[str]:
    return {path.name for path in (directory / "scheduler-dev").iterdir()}


# ------------------------------------------------------------------------------------------- cache


def test_an_entry_is_made_once_and_nothing_else_stays(shell: Shell, tmp_path: Path) -> None:
    done = shell('make_entry $entry build; make_entry $entry false; cat $entry/file; echo "${entry##*/}"')
    assert done.returncode == 0, done.stderr
    *_, content, name = done.stdout.splitlines()
    assert content == "content" and "is there already" in done.stdout
    assert in_cache(tmp_path) == {name, f"{name}.lock"}


def test_another_recipe_is_another_entry(shell: Shell) -> None:
    places = shell("place thing recipe; place thing recipe; place thing re cipe; place thing other").stdout
    first, again, *others = places.split()
    assert first == again and len({first, *others}) == 3


def test_what_an_interrupted_build_left_is_not_taken_for_complete(shell: Shell, tmp_path: Path) -> None:
    done = shell("interrupted() { build $1; kill -KILL $$; }; make_entry $entry interrupted")
    assert done.returncode == -9
    (lock,), (left,) = (list((tmp_path / "scheduler-dev").glob(end)) for end in ("*.lock", "*.partial-*"))
    assert in_cache(tmp_path) == {lock.name, left.name}
    done = shell("make_entry $entry build; cat $entry/file")
    assert done.stdout == "content\n", done.stderr
    assert in_cache(tmp_path) == {lock.stem, lock.name}


def test_a_failed_build_is_not_taken_for_complete(shell: Shell) -> None:
    done = shell("failing() { build $1; false; touch $1/went-on; }; make_entry $entry failing")
    assert done.returncode != 0
    assert shell("ls -d $entry $entry.partial-*/went-on").stdout == ""


def test_two_at_once_make_it_once(shell: Shell) -> None:
    done = shell("""
        mkfifo $XDG_CACHE_HOME/{begun,go_on}
        slow() { echo made >&2; echo >$XDG_CACHE_HOME/begun; read <$XDG_CACHE_HOME/go_on; build $1; }
        (make_entry $entry slow) & read <$XDG_CACHE_HOME/begun
        { make_entry $entry slow | tee /dev/stderr; } 2>&1 | {
            read line && echo "$line" && echo >$XDG_CACHE_HOME/go_on && cat
        }
        wait
        cat $entry/file""")
    assert done.returncode == 0 and done.stdout.endswith("content\n"), done.stderr
    assert "Another process makes" in done.stdout and "is there already" in done.stdout
    assert (done.stdout + done.stderr).count("made") == 1


def test_nothing_is_removed_through_a_mount(shell: Shell, tmp_path: Path) -> None:
    mounts = tmp_path / "mountinfo"
    entry = shell("make_entry $entry build >&2; echo $entry").stdout.strip()
    mounts.write_text(f"36 35 98:0 / {entry}/dev rw,noatime - devtmpfs devtmpfs rw\n")
    done = shell("remove $cache", MOUNTS=str(mounts))
    assert done.returncode == 1 and f"{entry}/dev is mounted there" in done.stderr
    assert Path(entry, "file").exists()
    mounts.write_text(f"36 35 98:0 / {tmp_path} rw,noatime - ext4 /dev/root rw\n")
    assert shell("remove $cache", MOUNTS=str(mounts)).returncode == 0
    assert not Path(entry).parent.exists()


def test_in_root_leaves_no_mount_behind() -> None:
    if subprocess.run(["unshare", "--mount", "true"], capture_output=True).returncode != 0:
        pytest.skip("mounting is not allowed here")
    mounts = Path("/proc/self/mountinfo")
    before = mounts.read_text()
    inside = [TOOLS / "in_root.sh", "/", "cat", mounts]
    seen = subprocess.run(inside, capture_output=True, text=True, check=True, cwd="/tmp").stdout
    assert len(seen.splitlines()) > len(before.splitlines())
    assert mounts.read_text() == before


def test_output_goes_to_a_log_which_is_named_when_a_command_fails(shell: Shell, tmp_path: Path) -> None:
    done = shell(f"cd {tmp_path}; logged apt 'Installing x' echo many lines")
    assert done.returncode == 0 and "many lines" not in done.stdout
    done = shell(f"cd {tmp_path}; logged apt 'Installing y' sh -c 'echo no; exit 3'; echo went on")
    assert done.returncode == 1 and "went on" not in done.stdout
    assert "many lines" in done.stderr and "exit code 3, see" in done.stderr
    assert (tmp_path / "build/logs/apt.log").read_text().endswith("\nno\n")


# ------------------------------------------------------------------------------ apt's configuration

DEB822 = """\
# a comment
Types: deb
URIs: http://mirror.example/debian http://other.example/debian
Suites: bookworm bookworm-updates
Components: main contrib
Signed-By: /usr/share/keyrings/mirror.gpg

Types: deb
URIs: http://security.example/debian
Suites: bookworm-security
Components: main
"""
ONE_LINE = """\
deb http://third.example/apt bookworm-pgdg main
deb [signed-by=/usr/share/keyrings/mirror.gpg] http://mirror.example/debian bookworm main
"""
WITHOUT_KEYRING = "deb http://mirror.example/debian bookworm main\n"


@pytest.mark.parametrize(
    "file, content, keyring",
    [
        ("sources.list.d/debian.sources", DEB822, "/usr/share/keyrings/mirror.gpg"),
        ("sources.list", ONE_LINE, "/usr/share/keyrings/mirror.gpg"),
        ("sources.list", WITHOUT_KEYRING, "/usr/share/keyrings/debian-archive-keyring.gpg"),
    ],
)
def test_the_mirror_is_this_machines(
    file: str, content: str, keyring: str, shell: Shell, tmp_path: Path
) -> None:
    if not shutil.which("apt-get"):
        pytest.skip("there is no apt")
    (tmp_path / "sources.list.d").mkdir()
    (tmp_path / "os-release").write_text("ID=debian\nVERSION_CODENAME=bookworm\n")
    (tmp_path / "apt.conf").write_text(
        f'Dir::Etc::sourcelist "{tmp_path}/sources.list";\n'
        f'Dir::Etc::sourceparts "{tmp_path}/sources.list.d";\n'
    )
    env = {"OS_RELEASE": str(tmp_path / "os-release"), "APT_CONFIG": str(tmp_path / "apt.conf")}
    done = shell("debian_mirror 'it works'", **env)
    assert done.returncode == 1 and "no entry for main of bookworm" in done.stderr
    (tmp_path / file).write_text(content)
    done = shell('debian_mirror "it works"; echo "$mirror $keyring"', **env)
    assert done.stdout == f"http://mirror.example/debian {keyring}\n", done.stderr


def test_elsewhere_than_on_debian_it_says_so(shell: Shell, tmp_path: Path) -> None:
    (tmp_path / "os-release").write_text("ID=fedora\n")
    for place in (tmp_path / "os-release", tmp_path / "none"):
        done = shell("debian_mirror 'it works'", OS_RELEASE=str(place))
        assert done.returncode == 1 and "Only on Debian it works" in done.stderr


# ------------------------------------------------------------------------------------- interpreters


def test_debug_builds_are_only_used_when_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHON_VERSIONS", "")
    assert interpreters.wanted_versions() == ["3.13t", "3.11", "3.12", "3.13", "3.14", "3.15"]
    monkeypatch.setenv("PYTHON_VERSIONS", "3.15 3.14d")
    assert interpreters.wanted_versions() == ["3.14d", "3.15"]
    monkeypatch.setenv("PYTHON_VERSIONS", "3.16")
    with pytest.raises(SystemExit, match="CPython 3.16 is not supported; supported: 3.11 3.12"):
        interpreters.wanted_versions()


def test_what_is_not_found_is_named_with_the_way_to_get_it() -> None:
    assert interpreters.listed(["3.15", "3.11"]) == "3.11, 3.15 (to get it: make newer-pythons)"
    assert "make free-threaded" in interpreters.listed(["3.13t"])


def script(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


def facts(version: str, path: Path | str, has_library: bool = True) -> str:
    library = str(has_library).lower()
    return (
        f'echo \'{{"version": "{version}", "release": "{version}.2", "path": "{path}", "has_headers": true,'
        f' "has_library": {library}}}\''
    )


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A directory in which interpreters are looked for: PATH is `here`, pyenv and a root are below it."""
    monkeypatch.setattr(interpreters, "cached", lambda script: str(tmp_path / "root"))
    monkeypatch.setattr(interpreters, "inside", lambda root: (tmp_path / "enter", root) if root else ())
    monkeypatch.setattr(interpreters, "SYSTEM_PLACES", ("/system",))
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path / "pyenv"))
    monkeypatch.setenv("PATH", str(tmp_path / "here"))
    return tmp_path


def test_an_interpreter_of_this_machine_is_preferred_to_one_in_a_root(machine: Path) -> None:
    script(machine / "root" / "system" / "python3.15", "")
    there = facts("3.15", "/usr/bin/python3.15")
    script(machine / "enter", f"""[ "$1" = {machine / "root"} ] && {there}""")
    found = interpreters.find("3.15")
    assert found and found.root == str(machine / "root")
    here = machine / "here" / "python3.15"
    script(here, facts("3.15", here))
    found = interpreters.find("3.15")
    assert found and (found.path, found.root) == (str(here), "")


def test_the_first_complete_interpreter_is_taken_and_of_pyenv_the_newest(machine: Path) -> None:
    for place in ("here", *(f"pyenv/versions/3.13.{patch}/bin" for patch in ("9", "10", "11t"))):
        path = machine / place / "python3.13"
        script(path, facts("3.13", path, has_library=place != "here"))
    found = interpreters.find("3.13")
    assert found and found.path == str(machine / "pyenv/versions/3.13.10/bin/python3.13")
    shutil.rmtree(machine / "pyenv")
    found = interpreters.find("3.13")
    assert found and found.path == str(machine / "here/python3.13") and not found.has_library
    # What is not what its name says, and a shim with nothing behind it.
    script(machine / "here" / "python3.12", facts("3.11", "/python"))
    script(machine / "here" / "python3.11", "exit 1")
    assert interpreters.find("3.12") is interpreters.find("3.11") is None


# ------------------------------------------------------------------------------------------- suites


def test_the_smaller_suites_are_files_that_exist() -> None:
    for names in (suites.MAIN_PART, suites.WITH_JIT, suites.SMOKE):
        assert {ROOT / name for name in suites.test_files(names)} < set(PYTHON_TESTS.rglob("test_*.py"))


def test_the_two_halves_are_all_test_files():
    first, second = suites.halves()
    found = [str(path.relative_to(ROOT)) for path in PYTHON_TESTS.rglob("test_*.py")]
    assert sorted(first + second) == sorted(found)
    assert abs(len(first) - len(second)) <= 1


def test_test_files_are_found_by_their_names():
    names = [path.name for path in PYTHON_TESTS.rglob("test_*.py")]
    assert sorted({name for name in names if names.count(name) > 1}) == []


@pytest.mark.parametrize(
    "file, content, ok, line",
    [
        ("3.12 pytest.log", "=== 3 passed, 1 skipped in 2.31s ===\n", True, "3 passed, 1 skipped in 2.31s"),
        ("3.12 pytest.failed", "FAILED a::b - why\n== 1 failed in 2s ==\n", False, "1 failed in 2s"),
        ("core.log", "100% tests passed, 0 tests failed out of 9\n\nTotal\n", True, "100% tests passed"),
        ("core.failed", "ninja: error\n", False, "no closing line"),
        ("3.12 capi.failed", "[  FAILED  ] A.B (1 ms)\n88% tests passed\n", False, "88% tests passed"),
        ("core.log", "ended too early\n", False, "no closing line"),
        ("core.log", "", False, "no closing line"),
        ("3.12 fuzz.failed", "repeat: fuzz 7\nfuzz: 9 programs, 1 failed\n", False, "fuzz: 9 programs"),
        ("3.12 counts.log", "counts: all as in the baseline\n", True, "counts: all as"),
        ("3.11 capi.log", "NOT RUN: no libpython\n", True, "NOT RUN: no libpython"),
        ("3.11 capi.failed", "NOT RUN: no libpython\n", False, "NOT RUN: no libpython"),
    ],
)
def test_the_table_has_what_a_suite_said_last(
    file: str, content: str, ok: bool, line: str, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:  # fmt: skip
    monkeypatch.setattr(suites, "RESULTS", tmp_path)
    (tmp_path / file).write_text(content)
    assert suites.report() is ok
    first, *details = capsys.readouterr().out.splitlines()
    suite, state, closing = (first[:24].strip(), first[25:29].strip(), first[31:])
    assert suite == Path(file).stem and closing.startswith(line)
    assert state == ("ok" if ok else "FAIL")
    if not ok:
        assert f"{suite}: {(content or 'no output').splitlines()[0]}" in details
