"""The thread that tells readers what this program's tasklets do."""

from __future__ import annotations

import atexit
import json
import os
import selectors
import socket
import threading
import time

from ._looks import Looks
from ._moment import restore
from ._pace import SECOND, Pace, cost_of
from ._places import check_length, check_name, credentials_of, default_name, is_own, make_directory

MOST_READERS = 16
_ROOM = 1 << 20  # bytes that a reader may lag behind


class Server:
    """A listening socket, its readers, and the thread that serves them."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.path = make_directory() / f"{os.getpid()}.{name}"
        # It gets its name when it listens: who finds one that refuses removes it.
        unready = self.path.with_name(f"_{os.getpid()}")
        check_length(self.path)
        self._remove_stale()
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._wakes, self._is_woken = socket.socketpair()
        self._readers: list[socket.socket] = []
        self._is_ending = False
        try:
            self._listener.bind(os.fspath(unready))
            os.chmod(unready, 0o600)
            self._listener.listen(MOST_READERS)
            self._listener.setblocking(False)
            os.rename(unready, self.path)
            self._thread = threading.Thread(target=self._serve, name="scheduler.monitor", daemon=True)
            self._thread.start()
        except BaseException:
            self.close()
            unready.unlink(missing_ok=True)
            raise

    def _remove_stale(self) -> None:
        """What an earlier process of this number has left behind."""
        for path in self.path.parent.glob(f"{os.getpid()}.*"):
            path.unlink(missing_ok=True)
        self.path.with_name(f"_{os.getpid()}").unlink(missing_ok=True)

    def end(self) -> None:
        self._is_ending = True
        self._wakes.send(b"e")
        self._thread.join()
        self.close()

    def close(self) -> None:
        self.path.unlink(missing_ok=True)
        self.forget()

    def forget(self) -> None:
        """Closes what this process has of it: in the child of a fork that is a copy."""
        for one in (self._listener, self._wakes, self._is_woken, *self._readers):
            one.close()

    def _serve(self) -> None:
        try:
            self._serve_readers()
        finally:
            for reader in self._readers:  # whatever went wrong, they are not to wait for more
                reader.close()

    def _serve_readers(self) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(self._listener, selectors.EVENT_READ)
            selector.register(self._is_woken, selectors.EVENT_READ)
            looks, pace = Looks(), Pace()
            while not self._is_ending:
                for key, _ in selector.select(pace.until_look() if self._readers else None):
                    if key.fileobj is self._listener:
                        self._accept()
                if not self._readers:
                    looks = Looks()  # how long it waits without anybody looking is not known
                elif not self._is_ending and not pace.until_look():
                    self._look(looks, pace)

    def _accept(self) -> None:
        try:
            reader, _ = self._listener.accept()
        except OSError:  # gone already; or no descriptor is left, and it would be asked again at once
            time.sleep(SECOND)
            return
        if len(self._readers) >= MOST_READERS or not is_own(credentials_of(reader)):
            reader.close()
            return
        reader.shutdown(socket.SHUT_RD)  # nothing that it sends is taken
        reader.setblocking(False)
        reader.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _ROOM)
        self._readers.append(reader)

    def _look(self, looks: Looks, pace: Pace) -> None:
        is_to_tell = pace.is_to_tell()
        if is_to_tell:
            line, took = cost_of(lambda: _encode(looks.tell(self.name, os.getpid())))
            self._readers = [reader for reader in self._readers if _send(reader, line)]
            pace.note_telling()
        else:
            _, took = cost_of(looks.look)
        pace.note_look(took)


def _encode(state: object) -> bytes:
    return json.dumps(state, separators=(",", ":")).encode() + b"\n"


def _send(reader: socket.socket, line: bytes) -> bool:
    """False: it has gone, or does not read what it gets; it is closed."""
    try:
        if reader.send(line, socket.MSG_NOSIGNAL | socket.MSG_DONTWAIT) == len(line):
            return True
    except OSError:
        pass
    reader.close()
    return False


_lock = threading.Lock()
_running: Server | None = None


def start(name: str | None) -> None:
    global _running
    wanted = None if name is None else check_name(name)
    with _lock:
        if _running is None:
            _running = Server(wanted or default_name())
            atexit.register(stop)
        elif wanted not in (None, _running.name):
            raise RuntimeError(f"this program is monitored already, under the name {_running.name!r}")


def stop() -> None:
    """At exit, and for tests."""
    global _running
    with _lock:
        server, _running = _running, None
    if server is not None:
        atexit.unregister(stop)
        server.end()


def _forget() -> None:
    """In the child of a fork the thread does not exist, and the socket is the parent's."""
    global _running, _lock
    server, _running = _running, None
    _lock = threading.Lock()
    restore()
    if server is not None:
        atexit.unregister(stop)
        server.forget()


os.register_at_fork(after_in_child=_forget)
