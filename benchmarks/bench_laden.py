"""What a store of MongoDB costs that holds 100,000 finished and 10,000 waiting executions, beside an empty one.

Both are databases of one server, asked in turns: what else the machine does falls on both. Then the command line, which
is a new process each time.

python -m benchmarks.bench_laden [folder] [address of another store]
"""

import asyncio
import json
import random
import statistics
import subprocess
import sys
import time
from collections.abc import Awaitable, Iterator
from pathlib import Path
from typing import Any

from benchmarks.measures import Bar, Table, folder_of
from benchmarks.stores import Stores, fill, stores
from benchmarks.workload import Steps
from orbits_iac import Orbits, Settings
from orbits_iac.model.ids import ExecutionId, StepKey, WorkerId, new_id
from orbits_iac.model.rows import (
    EntryRow,
    EventRow,
    ExecutionRow,
    MessageRow,
    RecordRow,
    RevisionRow,
    Row,
    TaskRow,
    WaitRow,
)
from orbits_iac.model.states import State
from orbits_iac.store.contract import Store, Transaction

FINISHED = 100_000
WAITING = 10_000
RECORDS = 2_000
REVISIONS = 5  # of each
ROUNDS = 150
CALLS = 7
MONTH = 30 * 86_400.0
WORKER = WorkerId("bench")


async def main() -> None:
    """Measure, print a table, and keep it."""
    with folder_of(sys.argv) as name, stores(Path(name), sys.argv[2:]) as found:
        table = Table("laden", Path(name))
        waiting = await _laden(table, found)
        await _claims(table, found, waiting)
        await _whole(table, found)
        _commands(table, found.address("laden"), Path(name))
        if found.measured:
            table.write()


def _opened(found: Stores, name: str, *, work: bool = False) -> Orbits:
    return Orbits(Settings(store=found.address(name)), work=work)


async def _laden(table: Table, found: Stores) -> list[ExecutionId]:
    """Fill one of the two stores; the executions that wait in it. The other one gets a single one."""
    waiting: list[ExecutionId] = []
    for name, finished, asleep, records in (("empty", 0, 1, 0), ("laden", FINISHED, WAITING, RECORDS)):
        async with _opened(found, name) as orbits:
            await orbits.register_build()
            build, start = orbits.engine.build, time.perf_counter()
            await fill(orbits.store, _finished(finished, build))
            await fill(orbits.store, _records(records, build))
            waiting = [new_id(time.time()) for _ in range(asleep)]
            await fill(orbits.store, _waiting(waiting, build))
            if name == "laden":
                table.add("100,000 finished and 10,000 waiting, written", time.perf_counter() - start, "s")
    return waiting


def _execution(name: ExecutionId, build: str, at: float, state: State) -> ExecutionRow:
    return ExecutionRow(
        id=name,
        root=name,
        kind="Steps",
        command="run",
        argument='{"steps":1,"gated":false}',
        build=build,
        who="bench",
        digest=name,
        state=state,
        created_at=at,
        started_at=at,
        ended_at=at + 60 if state is State.SUCCESS else None,
        result="1" if state is State.SUCCESS else None,
    )


def _event(name: ExecutionId, at: float, state: State) -> EventRow:
    return EventRow(at=at, execution=name, root=name, kind="Steps", before=State.SLEEPING, after=state)


def _finished(count: int, build: str) -> Iterator[Row]:
    now = time.time()
    for number in range(count):
        at = now - MONTH * (count - number) / count
        name = new_id(at)
        yield _execution(name, build, at, State.SUCCESS)
        yield EntryRow(
            execution=name, key=StepKey("step:Step:0"), kind="Step", state=State.SUCCESS, result="0", seq=1, at=at
        )
        yield _event(name, at, State.SUCCESS)


def _waiting(names: list[ExecutionId], build: str) -> Iterator[Row]:
    now = time.time()
    for number, name in enumerate(names):
        key = StepKey("go:event")
        yield _execution(name, build, now, State.IN_PROGRESS)
        yield TaskRow(id=name, kind="Steps", build=build, due=now + 86_400 + number if number % 2 else None)
        yield EntryRow(execution=name, key=key, kind="Go", command="event", asked_at=now)
        yield WaitRow(event="Go", execution=name, key=key, root=name)
        yield _event(name, now, State.IN_PROGRESS)


def _records(count: int, build: str) -> Iterator[Row]:
    for number in range(count):
        identity = str(number)
        yield RecordRow(kind="Hourly", identity=identity, revision=REVISIONS, last_number=REVISIONS, build=build)
        for revision in range(1, REVISIONS + 1):
            argument = json.dumps({"number": number})
            yield RevisionRow(
                kind="Hourly", identity=identity, number=revision, argument=argument, build=build, who="bench", at=1.0
            )


async def _claims(table: Table, found: Stores, waiting: list[ExecutionId]) -> None:
    """A claim, and the waking of one that waits until it is claimed, in turns."""
    async with _opened(found, "empty") as empty, _opened(found, "laden") as laden:
        [only] = await empty.store.find(TaskRow)
        names = {empty.store: [only.id], laden.store: random.Random(6).sample(waiting, ROUNDS)}  # noqa: S311
        took: dict[tuple[str, Store], list[float]] = {}
        for number in range(ROUNDS):
            for store in (empty.store, laden.store) if number % 2 else (laden.store, empty.store):
                name = names[store][number % len(names[store])]
                message = MessageRow(execution=name, id=str(number), what="event")
                woken = await _timed(store.commit(_wake(message)))
                took.setdefault(("wake", store), []).append(woken)
                claimed = await _timed(_claim_one(store))
                took.setdefault(("claim", store), []).append(claimed)
                task = await store.get(TaskRow, name)
                if task is None or task.owner != WORKER:
                    raise SystemExit("another one was claimed than the one that was due")
                await store.release(WORKER, now=time.time() + 86_400)
                await store.commit(Transaction(delete=[message]))
        for what in ("wake", "claim"):
            _compare(table, what, took[what, empty.store], took[what, laden.store])


def _wake(message: MessageRow) -> Transaction:
    return Transaction(put=[message], wake=[message.execution], wake_at=time.time())


async def _claim_one(store: Store) -> None:
    if not await store.claim(WORKER, now=time.time(), limit=64):
        raise SystemExit("nothing was due")


async def _whole(table: Table, found: Stores) -> None:
    """An execution of one step, from asking to its end, by a worker in this process."""
    async with _opened(found, "empty", work=True) as empty, _opened(found, "laden", work=True) as laden:
        took: dict[Orbits, list[float]] = {empty: [], laden: []}
        for number in range(ROUNDS):
            for orbits in (empty, laden) if number % 2 else (laden, empty):
                took[orbits].append(await _timed(orbits.run(Steps(steps=1))))
    _compare(table, "an execution of one step, asked for and done", took[empty][10:], took[laden][10:])


def _compare(table: Table, what: str, empty: list[float], laden: list[float]) -> None:
    ours, theirs = statistics.median(laden), statistics.median(empty)
    table.add(f"{what}: median, store with 110,000 executions", ours * 1e3, "ms")
    table.add("    to that in an empty one", ours / theirs, "times", Bar(1.2))


def _commands(table: Table, address: str, folder: Path) -> None:
    orbits = str(Path(sys.executable).with_name("orbits"))
    listed = subprocess.run(
        [orbits, "get", "--json", f"--store={address}"], check=True, cwd=folder, stdout=subprocess.PIPE
    )
    execution = json.loads(listed.stdout)[0]["id"]
    for what in (["get"], ["get", execution], ["get", "Hourly", "7"], ["history", "Hourly", "7"]):
        took: list[float] = []
        for _ in range(CALLS):
            start = time.perf_counter()
            subprocess.run([orbits, *what, f"--store={address}"], check=True, cwd=folder, stdout=subprocess.DEVNULL)
            took.append((time.perf_counter() - start) * 1e3)
        said = " ".join("ID" if word == execution else word for word in what)
        table.add(f"orbits {said}", statistics.median(took), "ms", Bar(400))


async def _timed(act: Awaitable[Any]) -> float:
    start = time.perf_counter()
    await act
    return time.perf_counter() - start


if __name__ == "__main__":
    asyncio.run(main())
