"""`host`: runs a function on a tasklet, in a loop of each kind; what the loop complains of is a failure."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

import scheduler
from scheduler import aio
from scheduler.aio import _background
from scheduler.aio._host import _here
from support.event_loops import FACTORIES, Complaints


@pytest.fixture(autouse=True)
def no_host_is_left() -> Iterator[None]:
    yield
    left, _here.host = _here.host, None
    if left is not None:
        left.close()
    assert left is None
    assert [task for task in scheduler._tasklets() if scheduler._get_bond(task) is not None] == []


@pytest.fixture(params=FACTORIES, ids=lambda factory: factory.__name__)
def factory(request: pytest.FixtureRequest) -> Callable[[], Any]:
    return request.param



@pytest.fixture
def host(factory: Callable[[], Any]) -> Callable[..., Any]:
    def run(function: Callable[..., Any], *args: Any, expected: list[str] | None = None) -> Any:
        complaints = Complaints()

        def work() -> Any:
            complaints.listen()
            return function(*args)

        try:
            return aio.run(work, loop_factory=factory)
        finally:
            if expected is not None:
                expected += complaints.log
            else:
                assert complaints.log == []

    return run


@pytest.fixture
def background() -> Iterator[None]:
    """Ends the loop's thread after the test."""
    yield
    _background.end()
