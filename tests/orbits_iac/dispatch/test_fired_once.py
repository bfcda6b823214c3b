"""Schedules that are due, and real workers, one killed while it asks for their cycles: each is asked for once."""

import asyncio
import time
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from orbits_iac import Every, Orbits, Settings
from orbits_iac.engine import schedules
from orbits_iac.model.rows import ExecutionRow, RecordRow, RevisionRow, Row, ScheduleRow, amended
from orbits_iac.store.contract import Transaction

from .forking import Zygote
from .zygote import KilledCycle

RECORDS, EVERY = 300, Every(timedelta(hours=1))


@pytest.fixture(params=["sqlite", "mongodb"])
def forking(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Zygote]:
    made = Zygote(tmp_path)
    if request.param == "mongodb":
        made.store = request.getfixturevalue("mongodb")
    yield made
    made.close()


def due_now(number: int, build: str) -> list[Row]:
    """A record that stands, and whose schedule is due."""
    kind, identity, now = KilledCycle.__name__, str(number), time.time()
    schedule = schedules.first(kind, identity, EVERY, build=build, now=now, chance=0.0)
    return [
        RecordRow(kind=kind, identity=identity, revision=1, last_number=1, build=build),
        RevisionRow(kind=kind, identity=identity, number=1, argument=f'{{"name":"{identity}"}}', build=build, at=now),
        amended(schedule, due=now - 1, slot=now - 1),
    ]


async def test_what_a_killed_worker_was_about_to_ask_for_is_asked_for_once_by_another(forking: Zygote) -> None:
    key = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="
    async with Orbits(Settings(store=forking.store, secret_key=key), work=False) as orbits, asyncio.timeout(60):  # type: ignore[arg-type] # pydantic makes it secret
        store = orbits.store
        await orbits.register_build()
        for start in range(0, RECORDS, 100):
            rows = [row for number in range(start, start + 100) for row in due_now(number, orbits.engine.build)]
            await store.commit(Transaction(put=rows))
        killed, other = [await forking.fork(secret_key=key, lease="PT2S") for _ in range(2)]
        while not (fired := await store.count(ExecutionRow, kind=KilledCycle.__name__)):
            await store.changed(0.05)
        await forking.kill(killed)
        assert 0 < fired < RECORDS
        while await store.due(ScheduleRow, now=time.time(), limit=1):
            await store.changed(0.05)
        cycles = Counter(row.identity for row in await store.find(ExecutionRow, kind=KilledCycle.__name__))
        assert cycles == Counter(str(number) for number in range(RECORDS))
        assert all(row.slot > time.time() for row in await store.find(ScheduleRow))
        await forking.kill(other)
    assert "defect" not in forking.said()
