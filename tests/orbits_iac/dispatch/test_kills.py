"""Workers on one SQLite file that are killed at random moments: nothing is lost, repeated, or left hanging."""

import asyncio
import random
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from orbits_iac import Orbits, Settings, Step
from orbits_iac.model.ids import ExecutionId
from orbits_iac.model.rows import EntryRow, ExecutionRow, MessageRow, RecordRow, SubscriberRow, TaskRow, WorkerRow
from orbits_iac.model.states import ENDED, State

from .forking import Zygote
from .zygote import KilledChain, KilledGather, KilledSite, RingEnd

KILLS = 200
WORKERS = 2
MARKS = {"Mark", "MarkLater"}


@pytest.fixture
def forking(tmp_path: Path) -> Iterator[Zygote]:
    made = Zygote(tmp_path)
    yield made
    made.close()


@pytest.fixture
async def orbits(forking: Zygote) -> AsyncIterator[Orbits]:
    """What asks and reads; only the workers work."""
    async with Orbits(Settings(store=forking.store), work=False) as made:
        await made.register_build()  # before the workers do: what it asks for is of an earlier build then
        yield made


class Witness:
    """Remembers for each step how much had been done when its outcome was durable: it is not to be done after that."""

    def __init__(self, orbits: Orbits, forking: Zygote) -> None:
        self.ended: dict[ExecutionId, ExecutionRow] = {}
        self._orbits = orbits
        self._forking = forking
        self._finished: dict[str, int] = {}

    async def look(self) -> list[ExecutionRow]:
        """Look at everything that had not ended at the last look; those of it that still have not."""
        store = self._orbits.store
        rows = [row for row in await store.find(ExecutionRow) if row.id not in self.ended]
        entries = [entry for row in rows for entry in await store.find(EntryRow, execution=row.id)]
        done = len(self._forking.lines())
        for entry in entries:
            if entry.seq is not None and entry.kind in MARKS and not entry.skipped:
                self._finished.setdefault(entry.token, done)
        self.ended |= {row.id: row for row in rows if row.state in ENDED}
        return [row for row in rows if row.state not in ENDED]

    def repeated(self) -> list[list[str]]:
        """What was done though it was finished."""
        lines = enumerate(self._forking.lines())
        return [line for number, line in lines if number >= self._finished.get(line[1], number + 1)]

    def lost(self) -> set[str]:
        """Steps that are recorded as finished, and were never done."""
        return set(self._finished) - {token for _, token, _ in self._forking.lines()}


@pytest.mark.slow
async def test_two_hundred_kills_at_random_moments(forking: Zygote, orbits: Orbits) -> None:
    seed = random.SystemRandom().randrange(1 << 32)
    print(f"seed {seed}")  # noqa: T201 - to be run again with it
    chance, witness = random.Random(seed), Witness(orbits, forking)
    workers: list[int] = []
    wanted: dict[ExecutionId, int] = {}
    for number in range(KILLS):
        while len(workers) < WORKERS:
            workers.append(await forking.fork(concurrency=8))
        if len(await witness.look()) < 10:
            for step, result in _batch(number):
                wanted[(await orbits.start(step)).id] = result
        await forking.kill(workers.pop(chance.randrange(WORKERS)), after=chance.uniform(0.0, 0.15))
    workers.append(await forking.fork())
    async with asyncio.timeout(60):
        while await witness.look():
            await orbits.store.changed(0.1)
    for pid in workers:
        await forking.kill(pid)
    rows = witness.ended
    assert {rows[name].state for name in rows} == {State.SUCCESS}, forking.said()
    results = {name: orbits.engine.codec.decode(rows[name].result or "null", Any) for name in wanted}
    assert {name: r if isinstance(r, int) else r["worth"] for name, r in results.items()} == wanted
    assert witness.repeated() == []
    assert witness.lost() == set()
    for table in (TaskRow, MessageRow, SubscriberRow):
        assert await orbits.store.find(table) == []
    assert [row.queue for row in await orbits.store.find(RecordRow) if row.queue] == []
    once = {line[0]: {token for what, token, _ in forking.lines() if what == line[0]} for line in forking.lines()}
    assert {len(tokens) for what, tokens in once.items() if what.startswith("once")} == {1}
    assert "defect" not in forking.said()
    assert len(await orbits.store.find(WorkerRow)) <= WORKERS + 1  # those that nobody has missed yet


def _batch(number: int) -> Iterator[tuple[Step[Any], int]]:
    yield KilledChain(name=f"chain {number}"), 63
    yield KilledGather(name=f"gather {number}"), 0 + 1 + 2 + 3 + 3 + 2
    for version in (1, 2):
        yield KilledSite(name=f"site {number}", version=version), 2 * version + 7


async def test_a_ring_that_two_processes_close_at_the_same_moment(forking: Zygote, orbits: Orbits) -> None:
    pids = {str(await forking.fork(concurrency=1)) for _ in range(2)}
    ends = [await orbits.start(RingEnd(name=one, other=other)) for one, other in ("ab", "ba")]
    async with asyncio.timeout(60):
        while len(forking.lines()) < 2:
            await orbits.store.changed(0.05)
        assert {pid for _, _, pid in forking.lines()} == pids
        forking.log.with_suffix(".go").touch()
        rows = [await end.ended() for end in ends]
    assert {row.state for row in rows} == {State.REVERTED}, forking.said()
    # Two builds do not join: where the one that asked has imported more, the ring is closed by an execution of its own.
    closed = ("this would wait for itself", "this does itself again")
    assert all(any(text in row.failure.message for text in closed) for row in rows if row.failure is not None)
    for pid in pids:
        await forking.kill(int(pid))
    assert "defect" not in forking.said()
