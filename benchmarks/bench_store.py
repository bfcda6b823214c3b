"""How many durable commits a second the SQLite store makes, and in what groups.

Each commit is what a step makes of the store: two entries and two events, under the fence of its execution. `work` is
the time that each committer spends computing between its commits, as an engine does: it competes with the store's
writer for the interpreter. Then come reads, alone and beside busy committers, and commits of one row, alone and beside
another process with 32 busy committers.

python -m benchmarks.bench_store [folder]
"""

import asyncio
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

from benchmarks.measures import Bar, Table, folder_of
from orbits_iac.model.ids import ExecutionId, StepKey, WorkerId
from orbits_iac.model.rows import EntryRow, EventRow, ExecutionRow, MessageRow, TaskRow
from orbits_iac.model.states import State
from orbits_iac.store.contract import Fence, Store, Transaction
from orbits_iac.store.sqlite import SqliteStore

STEPS = 10  # an execution's


async def main() -> None:
    """Measure, print a table, and keep it."""
    with folder_of(sys.argv) as folder:
        table = Table("store", Path(folder))
        for committers, work, commits in ((1, 0, 2000), (32, 0, 30000), (32, 65, 20000), (256, 65, 20000)):
            async with SqliteStore(Path(folder) / f"{committers}-{work}.db") as store:
                await _commits(table, store, committers, work * 1e-6, commits)
        async with SqliteStore(Path(folder) / "32-0.db") as store:
            await _reads(table, store)
        async with SqliteStore(Path(folder) / "shared.db") as store:
            await _beside_another_process(table, store, Path(folder) / "shared.db")
        table.write()


async def _commits(table: Table, store: SqliteStore, committers: int, work: float, commits: int) -> None:
    left = iter(range(commits // STEPS))
    groups = store.groups
    start = time.perf_counter()
    await asyncio.gather(*(_committer(store, left, work) for _ in range(committers)))
    took = time.perf_counter() - start
    busy = f", each {work * 1e6:.0f} us busy in between" if work else ""
    table.add(f"commits a second of {committers} committers{busy}", commits / took, "/s")
    table.add("    commits a group", commits / (store.groups - groups), "")


async def _committer(store: Store, left: Iterator[int], work: float) -> None:
    for number in left:
        fence = await _started(store, number)
        for step in range(STEPS):
            end = time.perf_counter() + work
            while time.perf_counter() < end:
                pass
            await store.commit(_step(fence, step))


async def _started(store: Store, number: int) -> Fence:
    name = ExecutionId(f"01hz{number:08}")
    await store.commit(
        Transaction(
            put=[
                TaskRow(id=name, kind="Bench", build="b", owner=WorkerId("w"), token=1),
                ExecutionRow(
                    id=name,
                    root=name,
                    kind="Bench",
                    command="update",
                    argument="{}",
                    build="b",
                    who="me",
                    digest="d",
                    created_at=1.0,
                ),
            ]
        )
    )
    return Fence(execution=name, token=1)


_TOKEN = "0123456789abcdef"  # noqa: S105 - the kind of token that an action is given


def _step(fence: Fence, step: int) -> Transaction:
    name, at = fence.execution, time.time()
    started = EntryRow(
        execution=name,
        key=StepKey(f"update/step{step + 1}:Noop"),
        kind="Noop",
        digest="0123456789abcdef",
        argument='{"n": 1}',
        token=_TOKEN,
        started_at=at,
    )
    ended = EntryRow(
        execution=name,
        key=StepKey(f"update/step{step}:Noop"),
        kind="Noop",
        digest="0123456789abcdef",
        argument='{"n": 1}',
        token=_TOKEN,
        started_at=at,
        state=State.SUCCESS,
        result='{"ok": true, "id": "vm-1234567890"}',
        seq=step,
        at=at,
    )
    events = [
        EventRow(at=at, execution=name, root=name, key=row.key, kind="Noop", before=State.SLEEPING, after=row.state)
        for row in (started, ended)
    ]
    return Transaction(fence=fence, put=[started, ended], events=events)


async def _reads(table: Table, store: Store) -> None:
    name = ExecutionId("01hz00000000")
    for what, read in (
        ("get", lambda: store.get(TaskRow, name)),
        ("next_due", store.next_due),
        ("load", lambda: store.load(name)),
        ("find", lambda: store.find(ExecutionRow, parent=name)),
        ("tail 100", lambda: store.tail(0, limit=100)),
    ):
        alone = await _timed(read)
        left = iter(range(10_000, 1_000_000))
        busy = [asyncio.create_task(_committer(store, left, 65e-6)) for _ in range(32)]
        beside = await _timed(read)
        for task in busy:
            task.cancel()
        await asyncio.gather(*busy, return_exceptions=True)
        table.add(f"read: {what}", alone * 1e6, "us")
        table.add(f"read: {what}, beside 32 committers", beside * 1e6, "us")


async def _beside_another_process(table: Table, store: SqliteStore, path: Path) -> None:
    alone = await _one_row("alone", store)
    table.add("a commit of one row: median", alone[len(alone) // 2], "ms")
    busy = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "benchmarks.bench_store", "--busy", path, stdout=asyncio.subprocess.PIPE
    )
    try:
        if busy.stdout is not None:
            await busy.stdout.readline()
        beside = await _one_row("beside", store)
        table.add("a commit of one row, beside a busy process: median", beside[len(beside) // 2], "ms", Bar(5))
        table.add("a commit of one row, beside a busy process: worst", beside[-1], "ms", Bar(50))
    finally:
        busy.kill()
        await busy.communicate()


async def _one_row(what: str, store: SqliteStore) -> list[float]:
    took: list[float] = []
    for number in range(500):
        start = time.perf_counter()
        await store.commit(Transaction(put=[MessageRow(execution=ExecutionId(what), id=str(number), what="event")]))
        took.append((time.perf_counter() - start) * 1e3)
        await asyncio.sleep(0.002)
    return sorted(took)


async def _busy(path: str) -> None:
    async with SqliteStore(path) as store:
        left = iter(range(1_000_000))
        committers = [asyncio.create_task(_committer(store, left, 65e-6)) for _ in range(32)]
        await asyncio.sleep(0.2)
        print("busy", flush=True)
        await asyncio.gather(*committers)


async def _timed(read: Callable[[], Awaitable[object]]) -> float:
    start = time.perf_counter()
    for _ in range(300):
        await read()
    return (time.perf_counter() - start) / 300


if __name__ == "__main__":
    asyncio.run(_busy(sys.argv[2]) if sys.argv[1:2] == ["--busy"] else main())
