"""Libraries of today, unchanged, from plain code on tasklets; all on the loopback interface."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import urllib.request

import pytest

import scheduler
from scheduler import aio
from support.event_loops import PLAIN_AND_UVLOOP
from support.interpreter import HAS_GIL

aiohttp = pytest.importorskip("aiohttp", reason="no wheel for this interpreter")
web = pytest.importorskip("aiohttp.web")

# Without the GIL aiohttp has no C extensions.
REQUESTS = 1000 if HAS_GIL else 100
CONNECTIONS = 50


@pytest.fixture(params=PLAIN_AND_UVLOOP, ids=lambda factory: factory.__name__)
def factory(request):
    return request.param


def serve(function):
    """Starts a server whose handler is a plain function on a tasklet; returns its port and how to stop it."""

    async def handler(request):
        return web.Response(text=await aio.call(function, request))

    async def start():
        application = web.Application()
        application.router.add_get("/{number}", handler)
        runner = web.AppRunner(application, access_log=None)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        return runner, runner.addresses[0][1]

    runner, port = aio.await_(start())
    return port, lambda: aio.await_(runner.cleanup())


def test_an_aiohttp_server_of_plain_functions_and_a_thousand_requests(host):
    lock = scheduler.sync.Semaphore(10)
    running = [0, 0]  # now, at most

    def handle(request):
        running[0] += 1
        running[1] = max(running)
        with lock:  # of tasklets: only this request waits
            aio.await_(asyncio.sleep(0))
        running[0] -= 1
        return str(2 * int(request.match_info["number"]))

    def client(session, port, number):
        response = aio.await_(session.get(f"http://127.0.0.1:{port}/{number}"))
        assert aio.await_(response.text()) == str(2 * number)

    def work():
        port, stop = serve(handle)
        session = aio.await_(make_session())
        with scheduler.TaskletGroup() as group:
            for number in range(REQUESTS):
                group.start(client, session, port, number)
        aio.await_(session.close())
        stop()
        return running

    async def make_session():
        return aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=CONNECTIONS))

    now, most = host(work)
    assert now == 0 and most > 1


def test_a_blocking_client_in_worker_threads(host):
    def fetch(port, number):
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/{number}", timeout=30) as response:
            return response.read()

    def work():
        port, stop = serve(lambda request: request.match_info["number"] * 2)
        with scheduler.TaskletGroup() as group:
            members = [group.start(aio.to_thread, fetch, port, number) for number in range(8)]
        stop()
        return [member.result() for member in members]

    assert host(work) == [f"{number}{number}".encode() for number in range(8)]


def test_a_blocking_database_in_worker_threads(host, tmp_path):
    path = tmp_path / "file.db"

    def query(statement, *parameters):
        with sqlite3.connect(path) as connection:
            rows = connection.execute(statement, parameters).fetchall()
        connection.close()
        return rows

    def work():
        aio.to_thread(query, "create table numbers (number integer)")
        with scheduler.TaskletGroup() as group:
            for number in range(10):
                group.start(aio.to_thread, query, "insert into numbers values (?)", number)
        return aio.to_thread(query, "select count(*), sum(number) from numbers")

    assert host(work) == [(10, 45)]


def test_a_websockets_server_and_clients_of_plain_functions(host):
    server = pytest.importorskip("websockets.asyncio.server", reason="no wheel for this interpreter")
    client = pytest.importorskip("websockets.asyncio.client")
    closed = pytest.importorskip("websockets.exceptions").ConnectionClosedOK

    def answer(socket):
        with contextlib.suppress(closed):
            while True:
                aio.await_(socket.send(aio.await_(socket.recv()).upper()))

    def ask(port, words):
        socket = aio.await_(client.connect(f"ws://127.0.0.1:{port}", proxy=None))
        answers = []
        for word in words:
            aio.await_(socket.send(word))
            answers.append(aio.await_(socket.recv()))
        aio.await_(socket.close())
        return answers

    def work():
        listening = aio.await_(server.serve(lambda socket: aio.call(answer, socket), "127.0.0.1", 0))
        port = listening.sockets[0].getsockname()[1]
        with scheduler.TaskletGroup() as group:
            members = [group.start(ask, port, [f"a{number}", "b"]) for number in range(5)]
        listening.close()
        aio.await_(listening.wait_closed())
        return [member.result() for member in members]

    assert host(work) == [[f"A{number}", "B"] for number in range(5)]
