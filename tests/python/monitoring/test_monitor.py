"""scheduler.monitor(): who may look at a program, what it tells, and what that costs (MON-01 to MON-05)."""

from __future__ import annotations

import json
import os
import signal
import socket
import stat
import struct
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import scheduler
from scheduler.monitoring import _places, _server
from scheduler.monitoring._moment import HASTE, moment
from scheduler.monitoring._pace import PAUSE, REST, SECOND, WAKING, Pace
from support.waiting import TIMEOUT, join

State = dict[str, Any]


# ------------------------------------------------------------------------------------- who may look


@pytest.mark.spec("MON-01")
def test_only_this_user_gets_to_the_socket(sockets: Path, stops: None) -> None:
    scheduler.monitor("game")
    assert stat.S_IMODE(sockets.stat().st_mode) == 0o700
    (path,) = sockets.iterdir()
    assert path.name == f"{os.getpid()}.game"
    assert stat.S_ISSOCK(path.stat().st_mode)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert _server._running is not None
    assert _server._running._listener.family == socket.AF_UNIX


@pytest.mark.spec("MON-01")
@pytest.mark.parametrize("mode", [0o750, 0o705, 0o711, 0o777])
def test_a_directory_that_is_open_to_others_is_refused(sockets: Path, mode: int) -> None:
    sockets.mkdir()
    sockets.chmod(mode)
    with pytest.raises(RuntimeError, match="nobody else may enter"):
        scheduler.monitor()
    assert list(sockets.iterdir()) == []
    with pytest.raises(RuntimeError, match="chmod 700"):
        _places.programs()


@pytest.mark.spec("MON-01")
def test_a_link_in_the_place_of_the_directory_is_refused(sockets: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir(mode=0o700)
    sockets.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(RuntimeError, match="has to be a directory"):
        scheduler.monitor()


@pytest.mark.spec("MON-01")
def test_without_a_directory_of_the_user_it_is_among_temporary_files(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    wanted = tmp_path / f"scheduler-{os.geteuid()}"
    for runtime in ("", "relative", str(tmp_path / "missing"), __file__):
        monkeypatch.setenv("XDG_RUNTIME_DIR", runtime)
        assert _places.directory() == wanted
    monkeypatch.delenv("XDG_RUNTIME_DIR")
    assert _places.make_directory() == wanted
    assert stat.S_IMODE(wanted.stat().st_mode) == 0o700


@pytest.mark.spec("MON-01")
def test_another_user_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    def of(user: int) -> bytes:
        return struct.pack("3i", 1, user, 0)

    own = os.geteuid()
    assert _places.is_own(of(own))
    assert not _places.is_own(of(own + 1))
    assert not _places.is_own(b"")
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert not _places.is_own(of(0))


@pytest.mark.spec("MON-01")
def test_a_reader_that_is_another_user_is_sent_away(
    connect: Callable[[], socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    scheduler.monitor()
    monkeypatch.setattr(_server, "is_own", lambda credentials: False)
    assert connect().recv(1) == b""


@pytest.mark.spec("MON-01")
def test_a_path_that_is_too_long_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    long = tmp_path / ("x" * 100)
    long.mkdir(mode=0o700)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(long))
    with pytest.raises(RuntimeError, match="set XDG_RUNTIME_DIR or TMPDIR to a shorter one"):
        scheduler.monitor()


@pytest.mark.spec("MON-02")
@pytest.mark.parametrize("name", ["", "a b", "../x", "1234", "x" * 41, "a\n", "\u00fc", "a/b"])
def test_a_name_that_cannot_be_one_is_refused(sockets: Path, name: str) -> None:
    with pytest.raises(ValueError, match="is no name for a program"):
        scheduler.monitor(name)
    with pytest.raises(TypeError, match="name must be a str or None, not int"):
        scheduler.monitor(12)  # type: ignore[arg-type]


@pytest.mark.spec("MON-02")
@pytest.mark.parametrize(
    "file, name",
    [
        ("/x/game.py", "game"),
        ("", "python"),
        ("-c", "-c"),
        ("/x/tools/__main__.py", "tools"),
        ("a game!.py", "a_game_"),
        ("123.py", "python"),
    ],
)
def test_the_usual_name_is_that_of_the_file(
    file: str, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", [file])
    assert _places.default_name() == name


@pytest.mark.spec("MON-02")
def test_it_may_be_asked_for_again_but_under_no_other_name(sockets: Path, stops: None) -> None:
    scheduler.monitor("game")
    scheduler.monitor("game")
    scheduler.monitor()
    with pytest.raises(RuntimeError, match="already, under the name 'game'"):
        scheduler.monitor("other")
    assert len(list(sockets.iterdir())) == 1


# ------------------------------------------------------------------------------------ what it tells


@pytest.mark.spec("MON-03")
def test_it_tells_who_does_what(
    connect: Callable[[], socket.socket], read_states: Callable[[socket.socket, int], list[State]]
) -> None:
    channel: scheduler.channel[int] = scheduler.channel()
    waiter = scheduler.tasklet(channel.receive, name="waiter")()
    scheduler.run()
    queued = scheduler.tasklet(print, name="queued")()
    scheduler.monitor("game")
    first, second = read_states(connect(), 2)
    assert (second["name"], second["pid"]) == ("game", os.getpid())
    assert (first["seconds"], second["seconds"] > 0) == (0.0, True)
    told = {entry["name"]: entry for entry in second["tasklets"]}
    assert {"waiter", "queued", "main"} <= set(told)
    assert told["waiter"]["state"] == "blocked"
    assert told["waiter"]["wait"].startswith("receives on <scheduler.Channel balance=-1")
    assert told["waiter"]["since"] > 0
    assert told["waiter"]["turns"] == waiter.times_switched_to
    assert told["queued"]["state"] == "new"
    assert told["main"]["main"] and told["main"]["state"] == "running"
    assert told["main"]["thread"] == threading.get_ident()
    assert {"blocked": 1, "new": 1}.items() <= second["counts"].items()
    assert threading.current_thread().name in [entry["name"] for entry in second["threads"]]
    queued.kill()
    channel.send(1)


@pytest.mark.spec("MON-03")
def test_processor_time_is_that_of_who_uses_it(
    connect: Callable[[], socket.socket],
) -> None:
    """Turns that are on when it looks, and no end of them before it has been told: no clock decides."""
    is_told = threading.Event()

    def compute() -> None:
        while not is_told.is_set():
            pass

    def read() -> None:
        with connection.makefile("rb") as lines:
            for line in lines:
                used = {entry["name"]: entry["processor"] for entry in json.loads(line)["tasklets"]}
                if used.get("computes", 0) > 0:
                    seen.append(used)
                    break
        is_told.set()

    seen: list[dict[str, float]] = []
    scheduler.monitor()
    connection = connect()
    reader = threading.Thread(target=read)
    reader.start()
    scheduler.tasklet(compute, name="computes")()
    scheduler.run()
    join(reader)
    assert seen[0]["computes"] > seen[0]["main"]


@pytest.mark.spec("MON-03")
def test_of_many_those_are_told_that_matter(
    connect: Callable[[], socket.socket],
    read_states: Callable[[socket.socket, int], list[State]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("scheduler.monitoring._looks.MOST_TOLD", 10)
    channel: scheduler.channel[int] = scheduler.channel()
    tasks = [scheduler.tasklet(channel.receive)() for _ in range(50)]
    scheduler.run()
    scheduler.monitor()
    (state,) = read_states(connect(), 1)
    assert len(state["tasklets"]) <= 10
    assert len(state["tasklets"]) + state["left_out"] == sum(state["counts"].values()) >= 51
    for task in tasks:
        task.kill()


# --------------------------------------------------------------------- readers can do nothing to it


@pytest.mark.spec("MON-04")
def test_what_a_reader_sends_is_not_taken(connect: Callable[[], socket.socket]) -> None:
    scheduler.monitor()
    connection = connect()
    assert connection.recv(1) == b"{"  # it has been accepted
    with pytest.raises(BrokenPipeError):
        connection.send(b"x", socket.MSG_NOSIGNAL)


@pytest.mark.spec("MON-04")
def test_all_readers_are_told_the_same(
    connect: Callable[[], socket.socket], read_states: Callable[[socket.socket, int], list[State]]
) -> None:
    scheduler.monitor()
    first = connect()
    read_states(first, 1)
    second = connect()
    (told,) = read_states(second, 1)
    later = read_states(first, 1)
    while later[-1]["seconds"] and later[-1] != told:
        assert len(later) < 10
        later += read_states(first, 1)
    assert later[-1] == told


@pytest.mark.spec("MON-04")
def test_a_reader_that_does_not_read_is_dropped() -> None:
    near, far = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    with near, far:
        near.setblocking(False)
        line = b"x" * 1_000_000
        while _server._send(near, line):
            pass
        assert near.fileno() == -1


@pytest.mark.spec("MON-04")
def test_there_is_room_for_some_readers(
    connect: Callable[[], socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_server, "MOST_READERS", 2)
    scheduler.monitor()
    two = [connect() for _ in range(2)]
    assert [one.recv(1) for one in two] == [b"{", b"{"]
    assert connect().recv(1) == b""


@pytest.mark.spec("MON-04")
def test_after_a_look_it_rests_a_hundred_times_as_long() -> None:
    now = [50.0]
    pace = Pace(lambda: now[0])
    assert pace.until_look() == 0.0 and pace.is_to_tell()
    pace.note_telling()
    pace.note_look(0.0)
    assert pace.until_look() == pytest.approx(PAUSE)
    pace.note_look(0.5)
    assert pace.until_look() == pytest.approx(REST * (0.5 + WAKING))
    assert REST >= 100
    now[0] += 0.99 * SECOND
    assert not pace.is_to_tell()
    now[0] += 0.02 * SECOND
    assert pace.is_to_tell()


@pytest.mark.spec("MON-04")
def test_a_look_leaves_the_switch_interval_as_the_program_has_set_it() -> None:
    usual = sys.getswitchinterval()
    try:
        for interval in (0.005, 0.1, HASTE / 2):
            sys.setswitchinterval(interval)
            with moment():
                assert sys.getswitchinterval() == pytest.approx(min(interval, HASTE))
            for _ in range(3):
                with moment():
                    pass
            assert sys.getswitchinterval() == pytest.approx(interval)
        with moment():
            sys.setswitchinterval(0.07)
        assert sys.getswitchinterval() == pytest.approx(0.07)
    finally:
        sys.setswitchinterval(usual)


@pytest.mark.spec("MON-04")
def test_a_tasklet_is_not_kept_alive_by_having_been_told(
    connect: Callable[[], socket.socket], read_states: Callable[[socket.socket, int], list[State]]
) -> None:
    scheduler.monitor()
    connection = connect()
    task = scheduler.tasklet(print, name="short")()
    states = read_states(connection, 2)
    assert "short" in [entry["name"] for entry in states[-1]["tasklets"]]
    task.kill()
    del task
    while "short" in [entry["name"] for entry in states[-1]["tasklets"]]:
        states += read_states(connection, 1)


# ------------------------------------------------------------------------- its life, and that of others


@pytest.mark.spec("MON-05")
def test_the_end_of_the_program_removes_the_socket(
    program: Callable[..., subprocess.Popen[str]], sockets: Path
) -> None:
    process = program(name="game")
    assert [path.name for path in sockets.iterdir()] == [f"{process.pid}.game"]
    process.communicate(timeout=TIMEOUT)
    assert process.returncode == 0
    assert list(sockets.iterdir()) == []


@pytest.mark.spec("MON-05")
def test_a_socket_that_was_left_behind_is_removed(
    program: Callable[..., subprocess.Popen[str]], sockets: Path
) -> None:
    process = program(name="game")
    process.send_signal(signal.SIGKILL)
    process.wait(TIMEOUT)
    (left,) = _places.programs()
    assert left.pid == process.pid
    assert _places.connect(left) is None
    assert _places.programs() == []


@pytest.mark.spec("MON-05")
def test_one_of_an_earlier_process_of_that_number_is_replaced(sockets: Path, stops: None) -> None:
    sockets.mkdir(mode=0o700)
    for name in ("old", "game"):
        with socket.socket(socket.AF_UNIX) as old:
            old.bind(os.fspath(sockets / f"{os.getpid()}.{name}"))
    scheduler.monitor("game")
    assert [path.name for path in sockets.iterdir()] == [f"{os.getpid()}.game"]


@pytest.mark.spec("MON-05")
def test_the_child_of_a_fork_is_not_monitored_and_its_parent_is(
    program: Callable[..., subprocess.Popen[str]],
    sockets: Path,
    read_states: Callable[[socket.socket, int], list[State]],
) -> None:
    process = program(
        """
import os, threading
child = os.fork()
if not child:
    names = [thread.name for thread in threading.enumerate()]
    assert names == ["MainThread"], names
    scheduler.monitor("child")
    assert sorted(os.listdir(os.environ["XDG_RUNTIME_DIR"] + "/scheduler"))[-1].endswith(".child")
    sys.exit(0)
assert os.waitpid(child, 0)[1] == 0
""",
        name="parent",
    )
    (found,) = _places.programs()
    assert (found.pid, found.name) == (process.pid, "parent")
    connection = _places.connect(found)
    assert connection is not None
    with connection:
        (state,) = read_states(connection, 1)
    assert (state["pid"], state["name"]) == (process.pid, "parent")


@pytest.mark.spec("MON-05")
@pytest.mark.parametrize("wish, name", [("1", "-c"), ("game", "game"), ("0", None), ("", None)])
def test_the_environment_can_ask_for_it(
    program: Callable[..., subprocess.Popen[str]],
    monkeypatch: pytest.MonkeyPatch,
    sockets: Path,
    wish: str,
    name: str | None,
) -> None:
    monkeypatch.setenv("SCHEDULER_MONITOR", wish)
    program()
    assert [entry.name for entry in _places.programs()] == ([name] if name else [])


@pytest.mark.spec("MON-05")
def test_an_environment_that_asks_for_nonsense_does_no_harm(
    run_script: Callable, sockets: Path
) -> None:
    code = "import scheduler; print('it runs')"
    done = run_script(code, env={"SCHEDULER_MONITOR": "not a name"})
    assert done.stdout == "it runs\n"
    assert "RuntimeWarning: SCHEDULER_MONITOR=not a name: this program is not monitored" in done.stderr


@pytest.mark.spec("MON-05")
def test_importing_the_package_starts_no_thread(run_script: Callable) -> None:
    code = """
    import sys, scheduler
    print([name for name in ("socket", "threading", "scheduler.monitoring._server") if name in sys.modules])
    """
    assert run_script(code).stdout == "[]\n"


@pytest.mark.spec("MON-05", "DEC-3")
def test_a_deadlock_is_still_noticed(
    connect: Callable[[], socket.socket], deadlock_timeout: Callable[[float | None], None]
) -> None:
    """After the time for which a main tasklet waits for other threads: the monitor's is one."""
    scheduler.monitor()
    deadlock_timeout(0.01)
    channel: scheduler.channel[int] = scheduler.channel()
    with pytest.raises(RuntimeError, match="Deadlock"):
        channel.receive()
