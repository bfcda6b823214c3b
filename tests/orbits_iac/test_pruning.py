"""What goes and what stays when old executions and revisions are pruned."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

import pytest
from pydantic import SecretStr

from orbits_iac import Orbits, Outputs, Resource, Settings, Workflow, action, pruning
from orbits_iac.model.errors import ExecutionFailed, Refused, StoreError, UsageError
from orbits_iac.model.ids import ExecutionId, RecordId, StepKey, WorkerId
from orbits_iac.model.rows import (
    TABLES,
    BuildRow,
    Child,
    EntryRow,
    EventRow,
    ExecutionRow,
    MessageRow,
    RecordRow,
    RevisionRow,
    Row,
    TaskRow,
    WorkerRow,
    amended,
)
from orbits_iac.model.states import State
from orbits_iac.store import open_store
from orbits_iac.store.contract import Store, Transaction
from orbits_iac.testing.clock import Clock

YEAR = 366 * 86_400.0


SETTINGS = Settings(store="memory:", secret_key=SecretStr("MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="))


class Size(Outputs):
    size: int


class Part(Resource[Size]):
    name: str
    size: int
    fails: bool = False

    def identity(self) -> str:
        return self.name

    async def define_update(self) -> Size:
        if self.fails:
            raise ValueError("no")
        return Size(size=self.size)


class Whole(Resource[Size]):
    size: int
    part: int
    fails: bool = False

    def identity(self) -> str:
        return "whole"

    async def define_update(self) -> Size:
        await self.do("part", Part(name="part", size=self.part))
        if self.fails:
            raise ValueError("no")
        return Size(size=self.size)


@pytest.fixture(params=["memory", "sqlite", "mongodb"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    url = request.getfixturevalue("mongodb") if request.param == "mongodb" else "memory:"
    url = f"sqlite:{tmp_path / 'store.db'}" if request.param == "sqlite" else url
    async with open_store(url) as opened:
        yield opened


@pytest.fixture
async def orbits(store: Store) -> AsyncIterator[Orbits]:
    async with Orbits(SETTINGS, store=store, clock=Clock()) as made:
        yield made


async def prune(store: Store, *, keep: int = 2, ahead: float = YEAR, dry: bool = False) -> tuple[list[str], list[str]]:
    """Prune a year from now; the revisions, and the roots with how many executions of each, that went."""
    known = await pruning.survey(store)
    before = max((row.ended_at or 0.0 for row in await store.find(ExecutionRow)), default=0.0) + ahead
    revisions = [
        f"{name.record} {name.number}" async for name, _ in pruning.prune_revisions(store, known, keep=keep, dry=dry)
    ]
    executions = list[str]()
    async for tree in pruning.old_executions(store, known, before=before):
        if dry or await pruning.prune_execution(store, tree):
            executions.append(f"{tree.root.id} {len(tree.goes)}")
    return revisions, executions


async def everything(store: Store) -> dict[str, list[Row]]:
    return {name: list(await store.find(table)) for table, name in TABLES.items()}


async def numbers(store: Store, kind: str) -> list[int]:
    return [row.number for row in await store.find(RevisionRow, kind=kind)]


def ended(name: str, **fields: Any) -> ExecutionRow:
    given: dict[str, Any] = {"root": name, "kind": "Kind", "command": "update", "build": "b", "argument": "{}"}
    given |= {"who": "me", "digest": "d", "created_at": 1.0, "ended_at": 2.0, "state": State.SUCCESS, **fields}
    return ExecutionRow(id=ExecutionId(name), **given)


def entry(name: str, key: str, **fields: Any) -> EntryRow:
    return EntryRow(execution=ExecutionId(name), key=StepKey(key), kind="Step", **fields)


def event(root: str) -> EventRow:
    return EventRow(at=1.0, execution=ExecutionId(root), root=ExecutionId(root))


async def put(store: Store, *rows: Row) -> None:
    await store.commit(Transaction(put=rows, events=[event(row.root) for row in rows if isinstance(row, ExecutionRow)]))


async def test_execution_that_ended_long_ago_goes_with_all_below_it(store: Store) -> None:
    below = ended("b", root="a", parent="a")
    message = MessageRow(execution=ExecutionId("b"), id="m", what="event")
    await put(store, ended("a"), below, entry("a", "k", child="b"), entry("b", "k"), message)
    later = ended("late", ended_at=2.0 + YEAR)
    await put(store, later)
    _, gone = await prune(store, ahead=-YEAR / 2)
    assert gone == ["a 2"]
    left = await everything(store)
    assert {name for name, rows in left.items() if rows} == {"execution", "event"}
    assert left["execution"] == [later]
    assert {row.root for row in await store.tail(0)} == {"late"}


@pytest.mark.parametrize(
    "below",
    [
        {"ended_at": None, "state": State.EXECUTING},
        {"ended_at": None, "state": State.PAUSED},
        {"state": State.QUARANTINED},
        {"ended_at": 10 * YEAR},
    ],
    ids=["under way", "paused", "waits for a decision", "ended lately"],
)
async def test_execution_stays_whole_while_anything_below_it_is_needed(store: Store, below: dict[str, Any]) -> None:
    await put(store, ended("a"), ended("b", root="a", parent="a", **below), entry("a", "k"), entry("b", "k"))
    before = await everything(store)
    assert await prune(store, ahead=-YEAR) == ([], [])
    assert await everything(store) == before


async def test_what_an_execution_under_way_waits_for_stays(store: Store) -> None:
    """It has joined a child of somebody else's, and was paused before it read how that had ended."""
    await put(store, ended("a"), ended("b", root="a", parent="a"))
    waiting = ended("w", ended_at=None, state=State.PAUSED)
    task = TaskRow(id=waiting.id, kind="Kind", build="b")
    await put(store, waiting, task, entry("w", "k", child="b"))
    assert await prune(store) == ([], [])
    await put(store, entry("w", "k", child="b", seq=1))
    assert (await prune(store))[1] == ["a 2"]


async def test_row_that_says_who_made_what_stands_stays_without_its_journal(store: Store, orbits: Orbits) -> None:
    for part in (1, 2):
        await orbits.run(Whole(size=1, part=part))
    record = await store.get(RecordRow, "Whole", "whole")
    assert record is not None
    await prune(store, keep=2)
    rows = await store.find(ExecutionRow)
    assert {row.id for row in rows} >= {record.made_by}
    assert all(row.pruned and row.argument and row.who for row in rows)
    assert await store.find(EntryRow) == []
    assert await prune(store, keep=2) == ([], [])
    with pytest.raises(Refused, match="was pruned: its journal is gone"):
        await orbits.execution(rows[0].id).replay("part")


def part(revision: int) -> Child:
    return Child(ref="part", kind="Part", identity="part", owned=True, revision=revision)


async def test_revision_that_another_is_made_of_stays_until_that_one_has_gone(store: Store) -> None:
    """The whole is made of revision 1 of its part in its first, and of the last in those after it."""
    parts = [RevisionRow(kind="Part", identity="part", number=number, argument="{}") for number in range(1, 6)]
    made_of = [part(1), part(5)]
    for number, child in enumerate(made_of, 1):
        row = RevisionRow(kind="Whole", identity="whole", number=number, argument="{}", children=(child,))
        await put(store, row)
    record = RecordRow(kind="Whole", identity="whole", revision=2, last_number=2, children=(part(5),))
    await put(store, *parts, record, RecordRow(kind="Part", identity="part", revision=5, last_number=5))
    assert (await prune(store))[0] == ["Part part 2", "Part part 3"]
    third = RevisionRow(kind="Whole", identity="whole", number=3, argument="{}", children=(part(5),))
    await put(store, third, amended(record, version=2, revision=3, last_number=3))
    assert (await prune(store))[0] == ["Whole whole 1", "Part part 1"]
    assert await prune(store) == ([], [])


async def test_whole_goes_back_after_its_history_was_pruned(store: Store, orbits: Orbits) -> None:
    for size in range(1, 6):
        await orbits.run(Whole(size=size, part=size * 10))
    await prune(store)
    assert await numbers(store, "Whole") == await numbers(store, "Part") == [4, 5]
    assert await orbits.record(Whole, "whole").rollback() == Size(size=4)
    assert await orbits.record(Part, "part").outputs() == Size(size=40)
    with pytest.raises(ExecutionFailed, match="has no revision 2"):
        await orbits.record(Whole, "whole").rollback(to=2)


async def test_revision_that_stands_and_the_last_good_ones_stay_below_many_abandoned_ones(store: Store) -> None:
    revisions = [
        RevisionRow(kind="K", identity="i", number=number, argument="{}", abandoned=number > 3)
        for number in range(1, 9)
    ]
    await put(store, *revisions, RecordRow(kind="K", identity="i", revision=3, last_number=8))
    gone, _ = await prune(store, keep=2)
    assert sorted(gone) == ["K i 1", "K i 4", "K i 5", "K i 6"]
    assert await numbers(store, "K") == [2, 3, 7, 8]


async def test_what_was_there_before_stays_as_long_as_anything_of_it_stands(store: Store) -> None:
    revisions = [
        RevisionRow(kind="K", identity=name, number=number, argument="{}") for name in "ij" for number in range(6)
    ]
    stands = RecordRow(kind="K", identity="i", revision=5, last_number=5)
    await put(store, *revisions, stands, RecordRow(kind="K", identity="j", revision=None, last_number=5))
    gone, _ = await prune(store, keep=2)
    assert sorted(gone) == ["K i 1", "K i 2", "K i 3", "K j 0", "K j 1", "K j 2", "K j 3"]


async def test_record_that_is_busy_or_becomes_so_keeps_all_of_its_revisions(store: Store) -> None:
    revisions = [RevisionRow(kind="K", identity="i", number=number, argument="{}") for number in range(1, 6)]
    record = RecordRow(kind="K", identity="i", revision=5, last_number=5)
    await put(store, *revisions, record)
    known = await pruning.survey(store)
    await put(store, amended(record, version=2, queue=(ExecutionId("rollback"),)))
    assert [name async for name, _ in pruning.prune_revisions(store, known, keep=2)] == []
    assert await prune(store) == ([], [])
    assert await numbers(store, "K") == [1, 2, 3, 4, 5]


async def test_thing_that_never_came_to_a_revision_can_still_be_uninstalled(store: Store, orbits: Orbits) -> None:
    """Its commands take their argument from the last update that was asked for."""
    with pytest.raises(ExecutionFailed):
        await orbits.run(Part(name="p", size=1, fails=True))
    await prune(store)
    (row,) = await store.find(ExecutionRow, kind="Part", identity="p")
    assert '"size":1' in row.argument.replace(" ", "")
    await orbits.record(Part, "p").uninstall()


async def test_execution_that_is_taken_up_again_meanwhile_loses_nothing(store: Store) -> None:
    await put(store, ended("a"), entry("a", "k"))
    known = await pruning.survey(store)
    (tree,) = [tree async for tree in pruning.old_executions(store, known, before=YEAR)]
    await put(store, TaskRow(id=ExecutionId("a"), kind="Kind", build="b"))
    before = await everything(store)
    assert not await pruning.prune_execution(store, tree)
    assert await everything(store) == before


DONE: list[str] = []


@action
async def note(text: str) -> str:
    DONE.append(text)
    if text == "fails" and DONE.count(text) == 1:
        raise ValueError("not yet")
    return text


class Noted(Workflow[list[str]]):
    """A step that stays finished, and one that fails the first time."""

    async def define(self) -> list[str]:
        return [await self.do("first", note("first")), await self.do("fails", note("fails"))]


class Between:
    """A store before whose n-th call something else is done."""

    def __init__(self, store: Store, at: int, then: Callable[[], Awaitable[object]]) -> None:
        self._store = store
        self._left = at
        self._then = then

    @property
    def came_to_it(self) -> bool:
        return self._left <= 0

    def __getattr__(self, name: str) -> Any:
        async def call(*arguments: Any, **named: Any) -> Any:
            self._left -= 1
            if self._left == 0:
                await self._then()
            return await getattr(self._store, name)(*arguments, **named)

        return call


async def failed(store: Store) -> ExecutionId:
    """An execution whose second step has failed."""
    DONE.clear()
    async with Orbits(Settings(store="memory:"), store=store) as orbits:
        execution = await orbits.start(Noted())
        await execution.ended()
    return execution.id


async def replayed(orbits: Orbits, execution: ExecutionId, path: str) -> bool:
    """Ask for a replay, and let it go on to its end, an hour later; False if what pruning has done forbids it."""
    try:
        await orbits.execution(execution).replay(path)
    except (Refused, UsageError) as error:
        if "was pruned: its journal is gone" not in str(error) and "there is no execution" not in str(error):
            raise
        return False
    clock = Clock()
    await clock.advance(timedelta(hours=1))
    async with Orbits(Settings(store="memory:"), store=orbits.store, clock=clock) as later:
        assert await later.execution(execution) == ["first", "fails"]
    return True


async def check_whole_or_gone(store: Store, execution: ExecutionId, *, allowed: bool, path: str) -> None:
    """Either the replay went on with the journal as it was, and nothing is missing; or nothing of it is left."""
    entries, row = await store.find(EntryRow, execution=execution), await store.get(ExecutionRow, execution)
    if not allowed:
        assert (entries, row, await store.find(TaskRow)) == ([], None, [])
        return
    assert [entry.state for entry in entries] == [State.SUCCESS] * 2
    assert row is not None
    assert (row.state, row.pruned) == (State.SUCCESS, False)
    assert ["first", "fails", *(["first"] if not path else []), "fails"] == DONE


@pytest.mark.parametrize("first", ["replay", "prune"])
@pytest.mark.parametrize(("url", "path"), [("memory:", "fails"), ("memory:", ""), ("sqlite", "")])
async def test_replay_and_prune_at_once_leave_all_or_nothing(url: str, first: str, path: str, tmp_path: Path) -> None:
    """One of them begins, and before each of its calls in turn the other is done as a whole."""
    seen, at, came_to_it = set[bool](), 0, True
    while came_to_it:
        at += 1
        async with open_store(url if url == "memory:" else f"sqlite:{tmp_path / f'{at}.db'}") as opened:
            store = cast("Store", Unclosed(opened))
            execution, allowed = await failed(store), list[bool]()
            async with Orbits(Settings(store="memory:"), store=store, work=False) as orbits:
                came_to_it = await both(orbits, execution, path, first, at, allowed)
            if came_to_it:
                seen.add(allowed[0])
                await check_whole_or_gone(store, execution, allowed=allowed[0], path=path)
    assert seen == ({False} if first == "replay" else {True, False})
    assert at > 3


async def both(orbits: Orbits, execution: ExecutionId, path: str, first: str, at: int, allowed: list[bool]) -> bool:
    """Replay and prune; whether the first came to its call `at`, before which the second was done."""
    store, row = orbits.store, await orbits.execution(execution).row()
    assert row.ended_at is not None
    before = row.ended_at + 1

    async def replay() -> None:
        allowed.append(await replayed(orbits, execution, path))

    async def prune_old(through: Store = store) -> None:
        async for tree in pruning.old_executions(through, await pruning.survey(through), before=before):
            await pruning.prune_execution(through, tree)

    between = Between(store, at, prune_old if first == "replay" else replay)
    if first == "replay":
        orbits.engine.store = cast("Store", between)
        await replay()
    else:
        await prune_old(cast("Store", between))
    return between.came_to_it


def build(digest: str, order: int, **fields: Any) -> BuildRow:
    return BuildRow(digest=digest, order=order, **fields)


async def test_build_that_nothing_is_left_of_goes(store: Store) -> None:
    """One by one, what was made by it; the latest stays, so that the next one comes after it."""
    worker = WorkerRow(id=WorkerId("w"), build="worker")
    row, revision = (
        ended("a", build="execution"),
        RevisionRow(kind="K", identity="i", number=1, argument="{}", build="r"),
    )
    names = ("gone", "worker", "execution", "r", "record", "latest")
    await put(store, worker, row, revision, RecordRow(kind="K", identity="i", build="record"))
    await put(store, *(build(name, order) for order, name in enumerate(names, 1)), build("lately", 0, at=YEAR - 1))
    before = await everything(store)
    nothing = pruning.Gone()
    assert [one.digest for one in await pruning.prune_builds(store, nothing, now=YEAR, dry=True)] == ["gone"]
    assert await everything(store) == before
    would = pruning.Gone(executions={row.id}, revisions={pruning.Numbered(RecordId("K", "i"), 1)})
    found = await pruning.prune_builds(store, would, now=YEAR, dry=True)
    assert [one.digest for one in found] == ["execution", "gone", "r"]
    assert [one.digest for one in await pruning.prune_builds(store, nothing, now=YEAR)] == ["gone"]
    assert {one.digest for one in await store.find(BuildRow)} == {*names[1:], "lately"}


async def test_build_that_is_registered_again_meanwhile_stays(store: Store) -> None:
    rows = [build("a", 1), build("b", 2)]
    await put(store, *rows)
    again = Between(store, 7, lambda: put(store, amended(rows[0], at=YEAR)))
    assert await pruning.prune_builds(cast("Store", again), pruning.Gone(), now=YEAR) == []
    assert again.came_to_it
    assert len(await store.find(BuildRow)) == 2


async def test_whoever_uses_a_build_registers_it_again_each_day(store: Store) -> None:
    clock = Clock()
    async with Orbits(SETTINGS, store=store, clock=clock, work=False) as orbits:
        await orbits.register_build()
        (first,) = await store.find(BuildRow)
        await clock.advance(timedelta(hours=23))
        await orbits.register_build()
        assert await store.find(BuildRow) == [first]
        await clock.advance(timedelta(hours=2))
        await orbits.register_build()
        (second,) = await store.find(BuildRow)
    assert second.at - first.at >= timedelta(hours=25).total_seconds()
    assert (second.digest, second.order) == (first.digest, first.order)


async def test_trial_deletes_nothing_and_says_what_would_go(store: Store, orbits: Orbits) -> None:
    for size in range(1, 6):
        await orbits.run(Whole(size=size, part=size))
    before = await everything(store)
    would = await prune(store, dry=True)
    assert await everything(store) == before
    assert all(would)
    assert await prune(store) == would


class Unclosed:
    """A store that stays open, whoever else has had it."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def open(self) -> None:
        """It is open already."""

    async def close(self) -> None:
        """It stays open."""

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)


class Failing:
    """A store whose n-th commit is not written; how large the transactions were."""

    def __init__(self, store: Store, at: int) -> None:
        self._store = store
        self._left = at
        self.largest = 0

    async def commit(self, transaction: Transaction) -> None:
        self._left -= 1
        if self._left == 0:
            raise StoreError("the process is dead")
        self.largest = max(self.largest, len(transaction.put) + len(transaction.delete))
        await self._store.commit(transaction)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)


async def made() -> Store:
    store = open_store("memory:")
    await store.open()
    clock = Clock()
    async with Orbits(Settings(store="memory:"), store=store, clock=clock) as orbits:
        for size in range(1, 5):
            await orbits.run(Whole(size=size, part=size))
    await store.open()
    for number in range(3):
        await put(store, ended(f"a{number}"), ended(f"b{number}", root=f"a{number}", parent=f"a{number}"))
        await put(store, entry(f"a{number}", "k"), entry(f"b{number}", "k"))
    return store


def shape(left: dict[str, list[Row]]) -> Any:
    """What is left, without ids and times, which differ from run to run; and the numbers of retries."""
    return {name: len(rows) for name, rows in left.items()}


async def test_pruning_that_was_cut_off_at_any_write_is_finished_by_the_next() -> None:
    whole = await made()
    await prune(whole)
    expected, at = shape(await everything(whole)), 0
    while True:
        at += 1
        cut = await made()
        try:
            await prune(cast("Store", Failing(cut, at)))
        except StoreError:
            await prune(cut)
            assert shape(await everything(cut)) == expected
        else:
            break
    assert at > 15


@pytest.mark.parametrize("store", ["memory", "sqlite"], indirect=True)  # seconds over MongoDB, and none the wiser
async def test_transactions_are_small_however_much_goes(store: Store) -> None:
    rows = [ended(f"b{number:04}", root="a", parent="a") for number in range(1200)]
    await put(store, ended("a"), *rows, *(entry("a", f"k{number:04}") for number in range(1200)))
    counted = Failing(store, 0)
    assert (await prune(cast("Store", counted)))[1] == ["a 1201"]
    assert counted.largest <= 500
    assert await store.find(ExecutionRow) == []
    assert len(await store.tail(0)) <= 1


async def test_room_is_given_back(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    async with open_store(f"sqlite:{path}") as store:
        await put(store, ended("a"), *(entry("a", f"k{n}", result=f'"{"x" * 1000}"') for n in range(2000)))
        await prune(store)
        others = asyncio.gather(*(put(store, ended(f"later{n}")) for n in range(50)))
        freed = await store.compact()
        await others
        assert freed > 2_000_000
        assert len(await store.find(ExecutionRow)) == 50
