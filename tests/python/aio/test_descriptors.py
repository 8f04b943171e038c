"""aio.wait_readable() and wait_writable(): exact, whatever ends the wait or happens to the descriptor."""

from __future__ import annotations

import asyncio
import errno
import os
import socket
import tempfile

import pytest

import scheduler
from scheduler import aio
from support.scheduling import queued

LATE = 30.0

pytestmark = pytest.mark.spec("AIO-09")


@pytest.fixture
def pair():
    here, there = socket.socketpair()
    here.setblocking(False)
    there.setblocking(False)
    with here, there:
        yield here, there


@pytest.fixture(params=["unbound", "bound"])
def spawn(request):
    """Starts a tasklet of the function, and lets it wait."""

    def start(function, *args):
        if request.param == "unbound":
            task = queued(function, *args)
        else:
            box = []

            def noting():
                box.append(scheduler.getcurrent())
                return function(*args)

            owner = asyncio.get_running_loop().create_task(aio.call(noting))
            owner.add_done_callback(lambda owner: owner.cancelled() or owner.exception())
            aio.await_(asyncio.sleep(0))
            task = box.pop()
        while task.scheduled:
            aio.await_(asyncio.sleep(0))
        return task

    return start


def fill(sock):
    try:
        while True:
            sock.send(b"x" * 65536)
    except BlockingIOError:
        pass


def read_into(log, sock):
    aio.wait_readable(sock)
    log.append(sock.recv(10))


def test_ready_now_and_later(host, pair, spawn):
    here, there = pair
    log = []

    def work():
        task = spawn(read_into, log, here)
        assert log == []
        there.send(b"later")
        task.join()
        there.send(b"before")
        spawn(read_into, log, here).join()
        aio.wait_writable(here.fileno(), timeout=LATE)

    host(work)
    assert log == [b"later", b"before"]


def test_both_directions_and_several_tasklets_on_one_descriptor(host, pair, spawn):
    here, there = pair
    log = []

    def wait(name, function):
        function(here, LATE)
        log.append(name)

    def work():
        fill(here)
        tasks = [
            spawn(wait, *args)
            for args in (("r1", aio.wait_readable), ("w", aio.wait_writable), ("r2", aio.wait_readable))
        ]
        there.send(b"x")
        tasks[0].join()
        tasks[2].join()
        assert sorted(log) == ["r1", "r2"]
        while True:
            try:
                there.recv(1 << 20)
            except BlockingIOError:
                break
        tasks[1].join()

    host(work)
    assert log[2:] == ["w"]


def test_time_limits(host, pair):
    here, there = pair

    def work():
        for timeout in (0, 0.005):
            with pytest.raises(TimeoutError, match=rf"was not readable within {timeout} s"):
                aio.wait_readable(here, timeout)
        with pytest.raises(TimeoutError, match="the time of scheduler.timeout"):
            with scheduler.timeout(0.005):
                aio.wait_readable(here)
        there.send(b"x")
        aio.wait_readable(here, LATE)  # what was given up leaves nothing behind
        assert here.recv(10) == b"x"
        with pytest.raises(TimeoutError):
            aio.wait_readable(here, 0.005)

    host(work)


@pytest.mark.parametrize("how", ["kill", "throw", "kill after the event"])
def test_kill_and_throw_leave_the_others_waiting(host, pair, spawn, how):
    here, there = pair
    log = []

    def reader(name):
        try:
            aio.wait_readable(here)
            log.append((name, here.recv(1)))
        except (scheduler.TaskletExit, KeyError) as error:
            log.append((name, type(error)))

    def work():
        victim, other = spawn(reader, "victim"), spawn(reader, "other")
        if how == "throw":
            victim.throw(KeyError, "thrown", pending=True)
        elif how == "kill":
            victim.kill(pending=True)
        else:
            there.send(b"x")
            victim.kill(pending=True)
        victim.join()
        if how != "kill after the event":
            assert other.alive
            there.send(b"x")
        other.join()

    host(work)
    assert log == [("victim", KeyError if how == "throw" else scheduler.TaskletExit), ("other", b"x")]


def test_a_descriptor_that_is_closed_with_notice(host, pair, spawn):
    here, there = pair
    log = []

    def reader():
        try:
            aio.wait_readable(here)
        except OSError as error:
            log.append(error.errno)

    def work():
        task = spawn(reader)
        aio.notify_closing(here)
        here.close()
        task.join()
        with pytest.raises(OSError, match="the file descriptor is closed"):
            aio.wait_readable(here)

    host(work)
    assert log == [errno.EBADF]


def test_a_number_that_is_used_again(host, spawn):
    """The first file is closed without notice: who waits for the new one gets its events."""
    log = []

    def reader(name, fd):
        try:
            aio.wait_readable(fd)
            log.append((name, os.read(fd, 10)))
        except OSError as error:
            log.append((name, error.errno))

    def work():
        first = os.pipe()
        old = spawn(reader, "old", first[0])
        os.close(first[0])
        second = os.pipe()
        assert second[0] == first[0]
        new = spawn(reader, "new", second[0])
        old.join()
        assert log == [("old", errno.EBADF)]
        os.write(second[1], b"for the new one")
        new.join()
        # Once more, with nobody waiting when it is closed.
        os.close(second[0])
        third = os.pipe()
        newest = spawn(reader, "newest", third[0])
        os.write(third[1], b"again")
        newest.join()
        for fd in (first[1], second[1], *third):
            os.close(fd)

    host(work)
    assert log[1:] == [("new", b"for the ne"), ("newest", b"again")]


def test_the_other_end_goes(host, pair, spawn):
    here, there = pair
    log = []

    def work():
        task = spawn(read_into, log, here)
        there.close()
        task.join()

    host(work)
    assert log == [b""]


def test_beside_a_transport_of_the_loop(host, pair):
    """The loop reads from a duplicate, and even from the descriptor itself."""
    here, there = pair

    def work():
        loop = asyncio.get_running_loop()
        seen = []
        loop.add_reader(here.fileno(), lambda: (seen.append(True), loop.remove_reader(here.fileno())))
        there.send(b"x")
        aio.wait_readable(here)
        while not seen:
            aio.await_(asyncio.sleep(0))
        loop.remove_reader(here.fileno())

    host(work)


@pytest.mark.spec("AIO-11")
def test_bad_input(host):
    def work():
        with pytest.raises(TypeError, match=r"is an int or has fileno\(\), as str has not"):
            aio.wait_readable("0")
        with pytest.raises(OSError, match="the file descriptor is closed"):
            aio.wait_writable(-1)
        with pytest.raises(OSError) as caught:
            aio.wait_readable(987654)
        assert caught.value.errno == errno.EBADF
        with pytest.raises(ValueError, match="timeout"):
            aio.wait_readable(0, -1)
        with tempfile.TemporaryFile() as file:
            aio.wait_readable(file)  # always ready
        reading, writing = os.pipe()
        with scheduler.block_trap():
            with pytest.raises(RuntimeError, match="block_trap"):
                aio.wait_readable(reading)
        os.close(reading)
        os.close(writing)

    host(work)


def test_an_echo_server_of_plain_sockets(host):
    """The manner in which blocking code is written, and a loop that serves all of it."""

    def receive(sock):
        while True:
            try:
                return sock.recv(100)
            except BlockingIOError:
                aio.wait_readable(sock, LATE)

    def serve(sock):
        with sock:
            while data := receive(sock):
                sock.send(data)

    def accept(listener):
        for _ in range(20):
            aio.wait_readable(listener)
            sock, _ = listener.accept()
            sock.setblocking(False)
            queued(serve, sock)

    def client(address, number):
        with socket.create_connection(address) as sock:
            sock.setblocking(False)
            for turn in range(3):
                text = f"{number} {turn}".encode()
                sock.send(text)
                assert receive(sock) == text
        return number

    def work():
        with socket.create_server(("127.0.0.1", 0)) as listener:
            listener.setblocking(False)
            server = queued(accept, listener)
            with scheduler.TaskletGroup() as group:
                clients = [group.start(client, listener.getsockname(), number) for number in range(20)]
            server.join()
            aio.await_(asyncio.sleep(0.005))
            return [one.result() for one in clients]

    assert host(work) == list(range(20))
