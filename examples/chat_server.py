"""A chat server: for each guest a tasklet that reads and one that writes, on asyncio's streams.

Run as a program, it talks to itself over the loopback interface and ends.
"""

from __future__ import annotations

import asyncio
from asyncio import StreamReader, StreamWriter
from contextlib import suppress

import scheduler
from scheduler import TaskletGroup, aio

NAME_WITHIN, LINE_WITHIN, CLOSED_WITHIN = 2.0, 60.0, 2.0  # seconds
guests: dict[str, scheduler.channel[str]] = {}  # what each is to read


def tell_all(line: str) -> None:
    for lines in list(guests.values()):
        with suppress(TimeoutError):  # who does not read misses some
            lines.send(line, timeout=0)


def write(lines: scheduler.channel[str], writer: StreamWriter) -> None:
    try:
        for line in lines:
            writer.write(f"{line}\n".encode())
            aio.await_(writer.drain())
    except ConnectionError:
        pass  # the guest has gone
    finally:
        hang_up(writer)


def hang_up(writer: StreamWriter) -> None:
    writer.close()
    with suppress(TimeoutError, ConnectionError):  # the other side may have done so before
        aio.await_(writer.wait_closed(), CLOSED_WITHIN)


def serve(reader: StreamReader, lines: scheduler.channel[str]) -> None:
    """One guest, from first to last line; the first one is the name."""
    name = ""
    try:
        while line := aio.await_(reader.readline(), LINE_WITHIN if name else NAME_WITHIN).decode().rstrip():
            if name:
                tell_all(f"{name}: {line}")
            else:
                guests[name := line] = lines
                tell_all(f"* {name} comes in, {len(guests)} here")
    except TimeoutError:
        lines.send("* You say nothing")
    finally:
        if guests.pop(name, None) is not None:
            tell_all(f"* {name} leaves")
        lines.close(wake=True)


def main() -> None:
    def let_in(reader: StreamReader, writer: StreamWriter) -> None:
        lines: scheduler.channel[str] = scheduler.buffered(100)
        try:
            room.start(serve, reader, lines)
            room.start(write, lines, writer)
        except RuntimeError:  # somebody has failed, and the room is closing
            writer.close()

    with TaskletGroup() as room:
        server = aio.await_(asyncio.start_server(let_in, "127.0.0.1", 0))
        try:
            talk(server.sockets[0].getsockname()[1])
        finally:
            server.close()


PATIENCE = 10.0  # seconds that a guest of the demonstration waits for a line


class Guest:
    """The other side, for the demonstration."""

    def __init__(self, name: str, port: int) -> None:
        self.name = name
        self.reader, self.writer = aio.await_(asyncio.open_connection("127.0.0.1", port))

    def say(self, line: str) -> None:
        self.writer.write(f"{line}\n".encode())

    def hear(self, count: int = 1) -> None:
        for _ in range(count):
            line = aio.await_(self.reader.readline(), PATIENCE).decode().rstrip()
            print(f"{self.name} reads: {line}")


def talk(port: int) -> None:
    ann, bob, cid = guests = [Guest(name, port) for name in ("ann", "bob", "cid")]
    ann.say("ann")
    ann.hear()
    bob.say("bob")
    bob.hear()
    bob.say("Is anybody here?")
    ann.hear(2)
    ann.say("Only me.")
    bob.hear(2)
    hang_up(bob.writer)
    ann.hear(2)
    cid.hear()
    for guest in guests:
        hang_up(guest.writer)


if __name__ == "__main__":
    aio.run(main)
