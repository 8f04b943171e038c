"""SQLAlchemy's asyncio engine over aiosqlite, used by plain functions on tasklets."""

from __future__ import annotations

import pytest

import scheduler
from scheduler import aio
from support.event_loops import PLAIN_AND_UVLOOP

pytest.importorskip("aiosqlite", reason="no wheel for this interpreter")
pytest.importorskip("greenlet", reason="no wheel for this interpreter")
sqlalchemy = pytest.importorskip("sqlalchemy", reason="no wheel for this interpreter")
engines = pytest.importorskip("sqlalchemy.ext.asyncio")


@pytest.fixture(params=PLAIN_AND_UVLOOP, ids=lambda factory: factory.__name__)
def factory(request):
    return request.param


def test_sqlalchemy_with_aiosqlite(host, tmp_path):
    def work():
        engine = engines.create_async_engine(f"sqlite+aiosqlite:///{tmp_path}/file.db")
        table = sqlalchemy.Table(
            "numbers", sqlalchemy.MetaData(), sqlalchemy.Column("number", sqlalchemy.Integer)
        )
        lock = scheduler.sync.Lock()

        async def create():
            async with engine.begin() as connection:
                await connection.run_sync(table.metadata.create_all)

        async def insert(number):
            async with engine.begin() as connection:
                await connection.execute(table.insert().values(number=number))

        def insert_some(numbers):
            for number in numbers:
                with lock:
                    aio.await_(insert(number))

        async def total():
            async with engine.connect() as connection:
                select = sqlalchemy.select(sqlalchemy.func.sum(table.c.number))
                return (await connection.execute(select)).scalar()

        aio.await_(create())
        with scheduler.TaskletGroup() as group:
            for first in range(4):
                group.start(insert_some, range(first, 20, 4))
        result = aio.await_(total())
        aio.await_(engine.dispose())
        return result

    assert host(work) == sum(range(20))
