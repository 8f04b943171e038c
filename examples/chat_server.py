"""A chat server: sockets are read on one thread, tasklets on another one serve who is connected.

    thread "network"                     thread "chat"
    waits for sockets      --lines-->    one tasklet for each guest, one that lets new guests in

The network thread knows sockets and no chat; it hands lines over through QueueChannels, whose
send() never waits. A tasklet of the chat is straight-line code: greet, then receive until the guest
leaves, or says nothing for too long. All guests are a group: when the chat closes, it waits until the last
one has been served. To keep it short, lines are written as if each guest read at once; one that
does not holds up the chat.

Run as a program, it talks to itself over the loopback interface and ends.
"""

from __future__ import annotations

import contextlib
import selectors
import socket
import threading

import scheduler
from scheduler import sync

NAME_WITHIN = 2.0  # seconds in which a guest has to say who it is
LINE_WITHIN = 30.0  # seconds between two lines
TIMEOUT = 30.0  # seconds that a guest waits for a line


class Connection:
    """A guest's socket. The network thread reads from it and closes it, the chat writes to it."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.lines = scheduler.QueueChannel[str | None]()  # None: the guest has left
        self.unfinished = b""

    def feed(self, data: bytes) -> None:
        *complete, self.unfinished = (self.unfinished + data).split(b"\n")
        self.lines.send_sequence(line.decode() for line in complete)

    def write(self, line: str) -> None:
        with contextlib.suppress(OSError):  # gone: the None in `lines` tells
            self.sock.sendall(line.encode() + b"\n")

    def hang_up(self) -> None:
        with contextlib.suppress(OSError):
            self.sock.shutdown(socket.SHUT_RDWR)  # the network thread comes to its end


Arrivals = scheduler.QueueChannel[Connection]


def read_sockets(
    listener: socket.socket, stop: socket.socket, arrivals: Arrivals, closing: sync.Event
) -> None:
    """The network thread: until `stop` can be read. Sets `closing` then."""
    with selectors.DefaultSelector() as selector:
        selector.register(listener, selectors.EVENT_READ)
        selector.register(stop, selectors.EVENT_READ)
        while True:
            for key, _ in selector.select():
                if key.fileobj is stop:
                    closing.set()
                    close_all(selector)
                    return
                if key.fileobj is listener:
                    connection = Connection(listener.accept()[0])
                    selector.register(connection.sock, selectors.EVENT_READ, connection)
                    arrivals.send(connection)
                else:
                    read_from(key.data, selector)


def close_all(selector: selectors.BaseSelector) -> None:
    for key in selector.get_map().values():
        if isinstance(key.data, Connection):
            key.data.sock.close()


def read_from(connection: Connection, selector: selectors.BaseSelector) -> None:
    try:
        data = connection.sock.recv(4096)
    except ConnectionError:
        data = b""
    if data:
        connection.feed(data)
    else:
        selector.unregister(connection.sock)
        connection.sock.close()
        connection.lines.send(None)


class Room:
    """Who is there. All its tasklets are on one thread and have their turns in turn: no lock."""

    def __init__(self, closing: sync.Event) -> None:
        self.closing = closing
        self.guests: dict[str, Connection] = {}

    def tell_all(self, line: str) -> None:
        for connection in self.guests.values():
            connection.write(line)

    def line_from(self, connection: Connection, within: float) -> str | None:
        """What the guest says next; None if it has left or is to go."""
        line: str | None = None
        try:
            _, line = scheduler.select(connection.lines, self.closing, timeout=within)
        except TimeoutError:
            connection.write(f"* You said nothing for {within:g} seconds")
        return line

    def serve(self, connection: Connection) -> None:
        """One guest, from first to last line; the first one is the name."""
        name = None
        try:
            if (name := self.line_from(connection, NAME_WITHIN)) is None:
                return
            self.guests[name] = connection
            self.tell_all(f"* {name} comes in, {len(self.guests)} here")
            while (line := self.line_from(connection, LINE_WITHIN)) is not None:
                self.tell_all(f"{name}: {line}")
        finally:  # also if this tasklet is killed
            connection.hang_up()
            if name is not None:
                del self.guests[name]
                self.tell_all(f"* {name} leaves")


def chat(arrivals: Arrivals, closing: sync.Event) -> None:
    """The chat's thread: until `closing` is set and the last guest has left."""
    room = Room(closing)

    def let_in() -> None:
        with scheduler.TaskletGroup() as guests:
            while (connection := scheduler.select(arrivals, closing)[1]) is not None:
                guests.start(room.serve, connection)

    scheduler.tasklet(let_in)()
    scheduler.run(threadblock=True)


class Guest:
    """The other side, for the demonstration: an ordinary client that blocks."""

    def __init__(self, name: str, port: int, shy: bool = False) -> None:
        self.name = name
        self.sock = socket.create_connection(("127.0.0.1", port), TIMEOUT)
        self.incoming = self.sock.makefile(encoding="utf-8")
        if not shy:
            self.say(name)

    def say(self, line: str) -> None:
        self.sock.sendall(line.encode() + b"\n")

    def hear(self) -> None:
        print(f"{self.name} reads: {self.incoming.readline().rstrip()}")

    def leave(self) -> None:
        self.incoming.close()
        self.sock.close()


def talk(port: int) -> None:
    cid = Guest("cid", port, shy=True)
    ann = Guest("ann", port)
    ann.hear()
    bob = Guest("bob", port)
    for guest in (ann, bob):
        guest.hear()
    bob.say("Is anybody here?")
    ann.hear()
    ann.say("Only me.")
    for _ in range(2):
        bob.hear()
    ann.hear()
    bob.leave()
    ann.hear()
    ann.leave()
    cid.hear()
    cid.leave()


def main() -> None:
    arrivals, closing = Arrivals(), sync.Event()
    ear, stop = socket.socketpair()
    with ear, stop, socket.create_server(("127.0.0.1", 0)) as listener:
        threads = [
            threading.Thread(target=read_sockets, args=(listener, ear, arrivals, closing)),
            threading.Thread(target=chat, args=(arrivals, closing)),
        ]
        for thread in threads:
            thread.start()
        try:
            talk(listener.getsockname()[1])
        finally:
            stop.send(b"!")
            for thread in threads:
                thread.join()
    print("both threads are done")


if __name__ == "__main__":
    main()
