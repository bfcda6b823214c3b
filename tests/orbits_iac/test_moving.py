"""A store that is exported and imported: nothing is lost, nothing is half, and what waited goes on."""

import asyncio
import dataclasses
import io
import json
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from orbits_iac import Orbits, exporting, importing, queries
from orbits_iac.exported import MOVED, Exported, Lines
from orbits_iac.model.errors import Refused, StoreError, UsageError
from orbits_iac.model.ids import ExecutionId
from orbits_iac.model.rows import (
    TABLES,
    EventRow,
    ExecutionRow,
    ImportRow,
    MessageRow,
    RecordRow,
    RevisionRow,
    ScheduleRow,
    TaskRow,
    WorkerRow,
    amended,
)
from orbits_iac.model.states import State
from orbits_iac.store import open_store
from orbits_iac.store.contract import Store, Transaction
from orbits_iac.store.memory import MemoryStore
from orbits_iac.store.sqlite import SqliteStore

from .moving import DEAD, Freed, Warehouse, fill, owners, settings, states


class Origin:
    """A store with a history, what it was exported as, and who waits in it."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.waiting: dict[str, str] = {}
        self.export = file.with_name("state.jsonl")


async def exported(store: Store) -> bytes:
    out = io.BytesIO()
    await exporting.export(store, await exporting.header(store, "default", at=1.0, live=False), out.write)
    return out.getvalue()


def _quiet(what: str) -> None:
    """Nobody looks."""


async def imported(store: Store, file: Path, *, replace: bool = False) -> importing.Imported:
    read = Exported(file)
    end = await importing.verify(read, _quiet)
    return await importing.read_into(store, read, end, _quiet, at=1.0, lease=0.1, replace=replace)


def rows(export: bytes) -> list[bytes]:
    """The lines but for the header."""
    return export.splitlines()[1:]


@pytest.fixture(scope="module")
def _origin(tmp_path_factory: pytest.TempPathFactory) -> Origin:
    made = Origin(tmp_path_factory.mktemp("origin") / "state.db")

    async def make() -> None:
        async with SqliteStore(made.file) as store:
            made.waiting.update(await fill(store))
            made.export.write_bytes(await exported(store))

    asyncio.run(make())
    return made


@pytest.fixture
def origin(_origin: Origin, tmp_path: Path) -> Origin:
    """A copy of it."""
    made = Origin(tmp_path / "state.db")
    for file, to in ((_origin.file, made.file), (_origin.export, made.export)):
        shutil.copy(file, to)
    made.waiting.update(_origin.waiting)
    return made


@pytest.fixture(params=["sqlite", "mongodb"])
async def target(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    url = request.getfixturevalue("mongodb") if request.param == "mongodb" else f"sqlite:{tmp_path / 'target.db'}"
    async with open_store(url) as store:
        yield store


@pytest.fixture
async def memory() -> AsyncIterator[Store]:
    async with MemoryStore() as store:
        yield store


async def test_the_history_has_a_bit_of_everything(origin: Origin) -> None:
    """Else the other tests prove less than they say."""
    tables = {next(iter(json.loads(line))) for line in rows(origin.export.read_bytes())} - {"end"}
    async with SqliteStore(origin.file) as store:
        assert await states(store) > {State.SUCCESS, State.REVERTED, State.PAUSED}
        assert "dead-1" in await owners(store)
    assert tables == {TABLES[table] for table in MOVED}


async def test_everything_is_there_after_a_move_and_a_move_back(target: Store, origin: Origin, tmp_path: Path) -> None:
    there = tmp_path / "there.jsonl"
    await imported(target, origin.export)
    there.write_bytes(await exported(target))
    assert rows(there.read_bytes()) == rows(origin.export.read_bytes())
    async with SqliteStore(tmp_path / "back.db") as back:
        await imported(back, there)
        assert rows(await exported(back)) == rows(origin.export.read_bytes())
        async with SqliteStore(origin.file) as store:
            assert await back.tail(0, limit=10_000) == await store.tail(0, limit=10_000)
        assert await owners(back) == {None}


async def test_what_waited_goes_on_in_the_new_store_and_people_see_the_same(target: Store, origin: Origin) -> None:
    async with SqliteStore(origin.file) as before:
        seen = await looks_and_revisions(before)
        picture = await queries.picture(before, origin.waiting["one"])
    await imported(target, origin.export)
    assert await looks_and_revisions(target) == seen
    assert (await queries.picture(target, origin.waiting["one"])).entries == picture.entries
    last = (await target.find(EventRow, newest=True, limit=1))[0].seq
    async with asyncio.timeout(60), Orbits(settings(target), store=target) as orbits:
        await orbits.emit(Freed(by="grace"), to=origin.waiting["one"])
        assert await orbits.execution(origin.waiting["one"]) == "one by grace, 131072"
        assert await orbits.execution(origin.waiting["two"]) == "two by ada, 131072"  # sent before the move
        await orbits.emit(Freed(by="grace"), to=(await target.find(ExecutionRow, kind="Gatehouse"))[0].id)
        await orbits.execution(origin.waiting["depot"])
        assert (await orbits.store.get(TaskRow, origin.waiting["dozing"])) is not None
        assert await orbits.run(Warehouse(name="acme", size=3)) is not None
        record = await queries.record(target, "Warehouse", "acme")
        assert record.revision in {3, 4}
    await target.open()  # Orbits has closed it
    assert all(event.seq > last for event in await target.tail(last))
    assert len(await target.find(ScheduleRow)) == 1


async def looks_and_revisions(store: Store) -> tuple[list[queries.Found], list[RevisionRow]]:
    found = await queries.looks(store, "Warehouse", "acme")
    same = [dataclasses.replace(one, record=amended(one.record, version=1)) for one in found]
    return same, await queries.revisions(store, "Warehouse", "acme")


class Falling(MemoryStore):
    """A store that fails after so many commits, before or after it has written; then everything is as it was left."""

    def __init__(self, after: int, *, written: bool) -> None:
        super().__init__()
        self.left, self._written = after, written

    async def commit(self, transaction: Transaction) -> None:
        self.left -= 1
        if self.left == 0:
            if self._written:
                await super().commit(transaction)
            raise StoreError("the connection broke")
        await super().commit(transaction)


@pytest.mark.parametrize("written", [False, True])
async def test_broken_off_anywhere_it_goes_on_and_nobody_works_on_half_a_store(
    origin: Origin, monkeypatch: pytest.MonkeyPatch, written: bool
) -> None:
    monkeypatch.setattr(importing, "_AT_ONCE", 40)
    commits, whole = 0, rows(origin.export.read_bytes())
    while True:
        commits += 1
        async with Falling(commits, written=written) as store:
            try:
                await imported(store, origin.export)
            except StoreError:
                if await store.get(ImportRow, "import") is not None:
                    with pytest.raises(Refused, match=r"has not finished.*orbits state import"):
                        await Orbits(settings(store), store=store).__aenter__()
                    await store.open()
                done = await imported(store, origin.export)
                assert done.written + done.there == len(whole) - 1
            assert rows(await exported(store)) == whole
            assert await store.get(ImportRow, "import") is None
            if store.left > 0:
                break
    assert commits > 6


async def test_what_was_altered_or_cut_off_is_refused_with_the_line_and_nothing_is_written(origin: Origin) -> None:
    lines = origin.export.read_bytes().splitlines(keepends=True)
    middle = len(lines) // 2
    digit = lines[middle].replace(b'"', b"'", 3)
    cases: dict[str, tuple[list[bytes], str]] = {
        "a letter": ([*lines[:middle], digit, *lines[middle + 1 :]], f"line {middle + 1},"),
        "a line less": ([*lines[:middle], *lines[middle + 1 :]], f"line {middle + 1},"),
        "a line twice": ([*lines[: middle + 1], *lines[middle:]], f"line {middle + 2},"),
        "two swapped": ([*lines[:3], lines[4], lines[3], *lines[5:]], "line 4,"),
        "the last line gone": (lines[:-1], f"cut off after line {len(lines) - 1}"),
        "half of the last line": ([*lines[:-1], lines[-1][:20]], f"line {len(lines)},"),
        "half a line": ([*lines[:middle], lines[middle][:50]], f"line {middle + 1},"),
        "the header": ([lines[0].replace(b"default", b"another"), *lines[1:]], "line 1,"),
        "something behind": ([*lines, b"x"], f"line {len(lines) + 1},"),
        "the counts": ([*lines[:-1], lines[-1].replace(b'"once":', b'"onze":')], f"line {len(lines)},"),
    }
    for name, (altered, said) in cases.items():
        file = origin.export.with_name("altered.jsonl")
        file.write_bytes(b"".join(altered))
        with pytest.raises(Refused) as refused:
            await importing.verify(Exported(file), _quiet)
        assert said in str(refused.value), (name, str(refused.value))


async def test_what_is_no_export_or_a_later_one_is_refused(origin: Origin, tmp_path: Path) -> None:
    other = tmp_path / "other.txt"
    other.write_text("hello\n")
    with pytest.raises(UsageError, match="no export of a store"):
        Exported(other)
    with pytest.raises(UsageError, match="cannot be read: No such file"):
        Exported(tmp_path / "none")
    later = origin.export.read_bytes().replace(b'"format":1', b'"format":2', 1)
    other.write_bytes(later)
    with pytest.raises(Refused, match="later version of Orbits IaC"):
        Exported(other)


def changed_record(store_rows: list[RecordRow]) -> RecordRow:
    return amended(store_rows[0], version=store_rows[0].version + 1, last_number=99)


async def test_what_is_otherwise_in_the_store_is_named_and_replaced_only_if_told_so(
    memory: Store, origin: Origin
) -> None:
    await imported(memory, origin.export)
    [record, *_] = await memory.find(RecordRow, kind="Warehouse")
    extra = MessageRow(execution=(await memory.find(TaskRow))[0].id, id="cancel", what="cancel")
    await memory.commit(Transaction(put=[changed_record([record]), extra]))
    before = await exported(memory)
    with pytest.raises(Refused) as refused:
        await imported(memory, origin.export)
    assert f"record Warehouse {record.identity} has another last_number" in str(refused.value)
    assert f"message {extra.execution} cancel is not in the file" in str(refused.value)
    assert await exported(memory) == before
    done = await imported(memory, origin.export, replace=True)
    assert (done.written, done.replaced, done.deleted) == (0, 1, 1)
    assert rows(await exported(memory)) == rows(origin.export.read_bytes())


async def test_events_of_another_history_are_never_mixed(memory: Store, origin: Origin) -> None:
    [execution, *_] = [json.loads(line)["execution"]["id"] for line in rows(origin.export.read_bytes())[:1]]
    own = EventRow(at=1.0, execution=execution, root=execution, why="of this store")
    await memory.commit(Transaction(events=[amended(own, seq=5)]))
    with pytest.raises(Refused, match="their order cannot be changed"):
        await imported(memory, origin.export, replace=True)
    assert await memory.find(ExecutionRow) == []


async def test_an_event_that_is_missing_between_others_cannot_be_put_there(memory: Store, origin: Origin) -> None:
    await imported(memory, origin.export)
    await memory.commit(Transaction(delete=(await memory.tail(0))[3:4]))
    with pytest.raises(Refused, match=r"is not in the store, which has later ones(.|\n)*order cannot be changed"):
        await imported(memory, origin.export, replace=True)
    assert await memory.get(ImportRow, "import") is None


async def test_a_file_that_somebody_has_put_together_otherwise_is_refused(origin: Origin) -> None:
    """With checksums that fit."""
    made, first = list(Exported(origin.export).rows())[:2], Lines()
    file = origin.export.with_name("made.jsonl")
    lines = [first.header(Exported(origin.export).header), *map(first.row, reversed(made)), first.last()]
    file.write_bytes(b"".join(lines))
    with pytest.raises(Refused, match=r"line 3, .* not in its place"):
        await importing.verify(Exported(file), _quiet)


async def test_of_two_imports_at_once_one_comes_to_its_end(
    memory: Store, origin: Origin, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importing, "_AT_ONCE", 20)
    both = await asyncio.gather(*(imported(memory, origin.export) for _ in range(2)), return_exceptions=True)
    refused = [one for one in both if isinstance(one, BaseException)]
    assert [type(one) for one in refused] == [Refused]
    assert "something else writes to memory:" in str(refused[0])
    assert rows(await exported(memory)) == rows(origin.export.read_bytes())
    assert await memory.get(ImportRow, "import") is None


async def test_no_worker_begins_beside_an_import_that_began_at_the_same_moment(
    memory: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def begun_since(store: Store) -> None:
        await store.commit(Transaction(put=[ImportRow(file="state.jsonl")]))

    monkeypatch.setattr("orbits_iac.orbits.refuse_unfinished", begun_since)
    with pytest.raises(Refused, match="an import into memory: has begun just now"):
        await Orbits(settings(memory), store=memory).__aenter__()
    await memory.open()
    assert await memory.find(WorkerRow) == []


async def test_two_files_are_not_mixed_in_one_store(origin: Origin, monkeypatch: pytest.MonkeyPatch) -> None:
    async with SqliteStore(origin.file) as store:
        await store.commit(Transaction(put=[changed_record(await store.find(RecordRow, kind="Warehouse"))]))
        other = origin.file.with_name("other.jsonl")
        other.write_bytes(await exported(store))
    monkeypatch.setattr(importing, "_AT_ONCE", 40)
    async with Falling(3, written=True) as memory:
        with pytest.raises(StoreError):
            await imported(memory, origin.export)
        with pytest.raises(Refused, match=r"state\.jsonl.*has not finished"):
            await imported(memory, other)
        await imported(memory, other, replace=True)
        assert rows(await exported(memory)) == rows(other.read_bytes())


class Changing(SqliteStore):
    """A store that is changed by somebody else once its messages were read."""

    change = Transaction()

    async def find(self, table: Any, **how: Any) -> Any:
        found = await super().find(table, **how)
        if table is MessageRow and not found:
            change, self.change = self.change, Transaction()
            await self.commit(change)
        return found


@pytest.mark.parametrize("what", ["message", "event", "worker", "nothing"])
async def test_a_store_that_changes_while_it_is_exported_is_refused(origin: Origin, what: str) -> None:
    held = ExecutionId(origin.waiting["one"])
    changes: dict[str, Transaction] = {
        "message": Transaction(put=[MessageRow(execution=held, id="cancel", what="cancel")]),
        "event": Transaction(events=[EventRow(at=1.0, execution=held, root=held)]),
        "worker": Transaction(put=[amended(DEAD, counter=8)]),
        "nothing": Transaction(),
    }
    async with Changing(origin.file) as store:
        store.change = changes[what]
        if what == "nothing":
            assert rows(await exported(store)) == rows(origin.export.read_bytes())
            return
        with pytest.raises(Refused, match="was changed while it was exported"):
            await exported(store)
