"""Tasklets of several processes over a NATS server; what is promised, and what is not."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

import scheduler
from scheduler import aio
from support.event_loops import PLAIN_AND_UVLOOP
from support.nats_server import nats_server
from support.places import ROOT
from support.waiting import TIMEOUT

WORKER = ROOT / "tests" / "python" / "support" / "nats_worker.py"


@pytest.fixture(params=PLAIN_AND_UVLOOP, ids=lambda factory: factory.__name__)
def factory(request):
    return request.param


@pytest.fixture
def server(tmp_path) -> Iterator[str]:
    with nats_server(tmp_path) as url:
        yield url


@pytest.fixture
def connect(server):
    """Connects from a tasklet."""
    nats = pytest.importorskip("nats")
    return lambda: aio.await_(nats.connect(server))


class Workers:
    """Processes that do jobs, and what they say."""

    def __init__(self, client: Any, url: str, kind: str, count: int) -> None:
        self.client = client
        self.news = aio.await_(client.subscribe("news"))
        aio.await_(client.flush())
        command = (sys.executable, str(WORKER), url)
        self.processes = {f"w{i}": subprocess.Popen([*command, f"w{i}", kind]) for i in range(count)}
        for _ in self.processes:
            assert self.next_news()[0] == "ready"

    def next_news(self) -> tuple[str, int]:
        what, pid = aio.await_(self.news.next_msg(timeout=TIMEOUT)).data.split()
        return what.decode(), int(pid)

    def end(self) -> dict[str, int]:
        aio.await_(self.client.publish("end"))
        aio.await_(self.client.flush())
        return {name: aio.to_thread(one.wait, TIMEOUT) for name, one in self.processes.items()}


@contextmanager
def workers(*arguments: Any) -> Iterator[Workers]:
    made = Workers(*arguments)
    try:
        yield made
    finally:
        for one in made.processes.values():
            one.kill()
            one.wait()


def encode(number: int, holds: str = "") -> bytes:
    return json.dumps({"number": number, "holds": holds}).encode()


def test_processes_share_the_jobs_of_a_queue_group(host, server, connect):
    numbers = range(60)

    def ask(client, number):
        return json.loads(aio.await_(client.request("jobs", encode(number), timeout=TIMEOUT)).data)

    def work():
        client = connect()
        with workers(client, server, "queue", 3) as those:
            with scheduler.TaskletGroup() as group:
                members = [group.start(ask, client, number) for number in numbers]
            assert those.end() == dict.fromkeys(those.processes, 0)
        aio.await_(client.close())
        return [member.result() for member in members], set(those.processes)

    answers, names = host(work)
    assert [square for _, square in answers] == [number**2 for number in numbers]
    assert {name for name, _ in answers} == names


# The loops are those of who asks, the places those of who does the jobs: each once.
@pytest.mark.parametrize(
    "factory, count, place",
    [
        pytest.param(PLAIN_AND_UVLOOP[0], 2, "before the result", id="before the result"),
        pytest.param(PLAIN_AND_UVLOOP[-1], 3, "after the result", id="after the result"),
    ],
    indirect=["factory"],
)
def test_no_job_of_a_killed_process_is_lost(host, server, connect, count, place):
    numbers, held = range(30), 7

    def work():
        client = connect()
        streams = client.jetstream()
        aio.await_(streams.add_stream(name="JOBS", subjects=["jobs"], retention="workqueue"))
        aio.await_(streams.add_stream(name="RESULTS", subjects=["results"]))
        results = aio.await_(streams.subscribe("results", ordered_consumer=True))
        with workers(client, server, "stream", count) as those:
            for number in numbers:
                aio.await_(streams.publish("jobs", encode(number, place if number == held else "")))
            what, pid = those.next_news()
            assert what == "holding"
            os.kill(pid, signal.SIGKILL)
            done = [aio.await_(results.next_msg(timeout=TIMEOUT)).data for _ in numbers]
            while aio.await_(streams.stream_info("JOBS")).state.messages:  # until they are acknowledged
                aio.await_(asyncio.sleep(0.01))
            ends = those.end()
        # Each job has one result, also if it was done twice.
        assert aio.await_(streams.stream_info("RESULTS")).state.messages == len(numbers)
        aio.await_(client.close())
        return [json.loads(one) for one in done], Counter(ends.values())

    done, ends = host(work)
    assert sorted(square for _, square, _ in done) == [number**2 for number in numbers]
    assert ends == {-signal.SIGKILL: 1, 0: count - 1}
    (deliveries,) = (delivery for _, square, delivery in done if square == held**2)
    assert deliveries == (1 if place == "after the result" else 2)


def wait_until_heard(client, subject, subscription):
    """Sends empty messages: a server may drop for a moment what others send, after flush() as well."""
    while True:
        aio.await_(client.publish(subject))
        with contextlib.suppress(TimeoutError):
            return aio.await_(subscription.next_msg(timeout=0.2))


def test_a_subject_keeps_the_order_of_one_sender_and_nothing_for_who_is_not_there(host, connect):
    def work():
        client, other = connect(), connect()
        aio.await_(client.publish("numbers", b"too early"))
        aio.await_(client.flush())
        numbers = aio.await_(other.subscribe("numbers"))
        wait_until_heard(client, "numbers", numbers)
        for number in range(100):
            aio.await_(client.publish("numbers", encode(number)))
        got = []
        while len(got) < 100:
            data = aio.await_(numbers.next_msg(timeout=TIMEOUT)).data
            got += [data] if data else []
        with pytest.raises(Exception, match="no responders"):
            aio.await_(client.request("nobody", b"", timeout=TIMEOUT))
        for one in (client, other):
            aio.await_(one.close())
        return got

    assert host(work) == [encode(number) for number in range(100)]


def test_a_killed_tasklet_leaves_its_message_to_others(host, connect):
    """In await_() of next_msg(): what comes later goes to whoever asks next."""

    def work():
        client = connect()
        words = aio.await_(client.subscribe("words"))
        victim = scheduler.tasklet(lambda: aio.await_(words.next_msg(timeout=None)))()
        aio.await_(asyncio.sleep(0.01))
        victim.kill(pending=True)
        victim.join()
        aio.await_(client.publish("words", b"tea"))
        word = aio.await_(words.next_msg(timeout=TIMEOUT)).data
        aio.await_(client.close())
        return word

    assert host(work) == b"tea"
