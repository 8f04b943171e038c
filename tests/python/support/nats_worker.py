"""A process that does jobs which it gets from a NATS server, by the tasklets of one thread.

    python nats_worker.py URL NAME queue|stream

Over the subject `news` it says "ready PID", and "holding PID" where a job wants it to stand still. It ends
on a message over `end`.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
from collections.abc import Callable
from typing import Any

import nats
from nats.js.api import ConsumerConfig
from nats.js.errors import ServiceUnavailableError

import scheduler
from scheduler import aio

TASKLETS = 3


class Worker:
    def __init__(self, url: str, name: str) -> None:
        self.name = name
        self.client = aio.await_(nats.connect(url))
        self.streams = self.client.jetstream()
        self.end = aio.await_(self.client.subscribe("end"))

    def tell(self, news: str) -> None:
        aio.await_(self.client.publish("news", f"{news} {os.getpid()}".encode()))
        aio.await_(self.client.flush())

    def stand_still(self) -> None:
        self.tell("holding")
        scheduler.channel().receive()

    def answer_requests(self) -> Callable[[], None]:
        queue = aio.await_(self.client.subscribe("jobs", queue="workers"))

        def run() -> None:
            while True:
                message = aio.await_(queue.next_msg(timeout=None))
                number = json.loads(message.data)["number"]
                aio.await_(asyncio.sleep(0.001))
                aio.await_(message.respond(json.dumps([self.name, number**2]).encode()))

        return run

    def do_jobs(self) -> Callable[[], None]:
        config = ConsumerConfig(ack_wait=1.0)
        queue = aio.await_(self.streams.pull_subscribe("jobs", durable="workers", config=config))

        def run() -> None:
            while True:
                # Unavailable: a server that has just begun may not have got as far as to deliver.
                with contextlib.suppress(nats.errors.TimeoutError, ServiceUnavailableError):
                    (message,) = aio.await_(queue.fetch(1, timeout=10))
                    self.do_job(message)

        return run

    def do_job(self, message: Any) -> None:
        job = json.loads(message.data)
        number, holds = job["number"], message.metadata.num_delivered == 1 and job["holds"]
        if holds == "before the result":
            self.stand_still()
        result = json.dumps([self.name, number**2, message.metadata.num_delivered]).encode()
        aio.await_(self.streams.publish("results", result, headers={"Nats-Msg-Id": str(number)}))
        if holds == "after the result":
            self.stand_still()
        aio.await_(message.ack_sync(timeout=10))

    def run(self, kind: str) -> None:
        make = self.answer_requests if kind == "queue" else self.do_jobs
        with scheduler.TaskletGroup() as group:
            for _ in range(TASKLETS):
                group.start(make())
            self.tell("ready")
            aio.await_(self.end.next_msg(timeout=None))
            group.kill()
        aio.await_(self.client.close())


if __name__ == "__main__":
    url, name, kind = sys.argv[1:]
    aio.run(lambda: Worker(url, name).run(kind))
