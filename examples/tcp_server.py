"""A TCP server: a tasklet for each client, straight-line code that waits where it has to.

It keeps words: `set tea 3` and `get tea`. Run as a program, it talks to itself and ends.
"""

import asyncio
import contextlib
import functools
from collections.abc import Iterator

import scheduler
from scheduler import aio

PATIENCE = 10.0  # seconds between two lines of a client
Store = dict[str, str]


@contextlib.contextmanager
def closing(writer: asyncio.StreamWriter) -> Iterator[None]:
    """Closes the connection in the end, and does not mind if the other side has done so before."""
    try:
        yield
    finally:
        writer.close()
        with contextlib.suppress(TimeoutError, ConnectionError):
            aio.await_(writer.wait_closed(), timeout=PATIENCE)


def serve(store: Store, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """One client, from its first line to its last."""
    with closing(writer), contextlib.suppress(TimeoutError, ConnectionError):
        while line := aio.await_(reader.readline(), timeout=PATIENCE):
            writer.write(answer(store, *line.decode().split()).encode() + b"\n")
            aio.await_(writer.drain(), timeout=PATIENCE)


def answer(store: Store, command: str = "", key: str = "", value: str = "") -> str:
    if command == "set":
        store[key] = value
        return "done"
    return store.get(key, "unknown") if command == "get" else "what?"


def client(port: int, name: str) -> str:
    """The other side, for the demonstration."""
    reader, writer = aio.await_(asyncio.open_connection("127.0.0.1", port))
    answers = []
    with closing(writer):
        for line in (f"get {name}", f"set {name} 3", f"get {name}", "bye"):
            writer.write(line.encode() + b"\n")
            answers.append(aio.await_(reader.readline(), timeout=PATIENCE).decode().strip())
    return f"{name}: {', '.join(answers)}"


def main() -> None:
    connected = functools.partial(aio.call, serve, {})  # a tasklet for each
    server = aio.await_(asyncio.start_server(connected, "127.0.0.1", 0))
    try:
        port = server.sockets[0].getsockname()[1]
        with scheduler.TaskletGroup() as group:
            clients = [group.start(client, port, name) for name in ("tea", "milk")]
            for one in clients:
                print(one.result())
    finally:
        server.close()
        for task in scheduler.tasklets():  # which serve still: wait_closed() of 3.11 does not wait
            if task.name == "serve":
                task.join(timeout=PATIENCE)


if __name__ == "__main__":
    aio.run(main)
