"""A chat server: sockets are read on one thread, tasklets on another one serve who is connected.

    thread "network"                     thread "chat"
    waits for sockets      --lines-->    one tasklet for each guest, one that lets new guests in

The network thread knows sockets and no chat; it hands lines over through QueueChannels, whose
send() never waits. A tasklet of the chat is straight-line code: greet, then receive until the guest
leaves. To keep it short, lines are written as if each guest read at once; one that does not holds
up the chat.

Run as a program, it talks to itself over the loopback interface and ends.
"""

from __future__ import annotations

import contextlib
import selectors
import socket
import threading

import scheduler

TIMEOUT = 30.0  # seconds that a guest waits for a line


class Connection:
    """A guest's socket. The network thread reads from it, the chat writes to it and closes it."""

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


Arrivals = scheduler.QueueChannel[Connection | None]


def read_sockets(listener: socket.socket, stop: socket.socket, arrivals: Arrivals) -> None:
    """The network thread: until `stop` can be read."""
    with selectors.DefaultSelector() as selector:
        selector.register(listener, selectors.EVENT_READ)
        selector.register(stop, selectors.EVENT_READ)
        while True:
            for key, _ in selector.select():
                if key.fileobj is stop:
                    hang_up(selector, arrivals)
                    return
                if key.fileobj is listener:
                    connection = Connection(listener.accept()[0])
                    selector.register(connection.sock, selectors.EVENT_READ, connection)
                    arrivals.send(connection)
                else:
                    read_from(key.data, selector)


def hang_up(selector: selectors.BaseSelector, arrivals: Arrivals) -> None:
    arrivals.send(None)
    for key in selector.get_map().values():
        if isinstance(key.data, Connection):
            key.data.lines.send(None)


def read_from(connection: Connection, selector: selectors.BaseSelector) -> None:
    try:
        data = connection.sock.recv(4096)
    except ConnectionError:
        data = b""
    if data:
        connection.feed(data)
    else:
        selector.unregister(connection.sock)
        connection.lines.send(None)


class Room:
    """Who is there. All its tasklets are on one thread and have their turns in turn: no lock."""

    def __init__(self) -> None:
        self.guests: dict[str, Connection] = {}

    def tell_all(self, line: str) -> None:
        for connection in self.guests.values():
            connection.write(line)

    def serve(self, connection: Connection) -> None:
        """One guest, from first to last line; the first one is the name."""
        with connection.sock:
            name = connection.lines.receive()
            if name is None:
                return
            self.guests[name] = connection
            self.tell_all(f"* {name} comes in, {len(self.guests)} here")
            for line in iter(connection.lines.receive, None):
                self.tell_all(f"{name}: {line}")
            del self.guests[name]
            self.tell_all(f"* {name} leaves")


def chat(arrivals: Arrivals) -> None:
    """The chat's thread: until no guest can come and the last one has left."""
    room = Room()

    def let_in() -> None:
        for connection in iter(arrivals.receive, None):
            scheduler.tasklet(room.serve)(connection)

    scheduler.tasklet(let_in)()
    scheduler.run(threadblock=True)


class Guest:
    """The other side, for the demonstration: an ordinary client that blocks."""

    def __init__(self, name: str, port: int) -> None:
        self.name = name
        self.sock = socket.create_connection(("127.0.0.1", port), TIMEOUT)
        self.incoming = self.sock.makefile(encoding="utf-8")
        self.say(name)

    def say(self, line: str) -> None:
        self.sock.sendall(line.encode() + b"\n")

    def hear(self) -> None:
        print(f"{self.name} reads: {self.incoming.readline().rstrip()}")

    def leave(self) -> None:
        self.incoming.close()
        self.sock.close()


def talk(port: int) -> None:
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


def main() -> None:
    arrivals = Arrivals()
    ear, stop = socket.socketpair()
    with ear, stop, socket.create_server(("127.0.0.1", 0)) as listener:
        threads = [
            threading.Thread(target=read_sockets, args=(listener, ear, arrivals), name="network"),
            threading.Thread(target=chat, args=(arrivals,), name="chat"),
        ]
        for thread in threads:
            thread.start()
        talk(listener.getsockname()[1])
        stop.send(b"!")
        for thread in threads:
            thread.join()
    print("both threads are done")


if __name__ == "__main__":
    main()
