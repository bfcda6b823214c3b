"""How much there may be of everything: it works, or is refused before anything is lost."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from orbits_iac import Action, Event, Options, Orbits, Outputs, Resource, Settings, Workflow
from orbits_iac.model.errors import ExecutionFailed, Refused, UsageError
from orbits_iac.model.ids import refs
from orbits_iac.model.rows import EntryRow, ExecutionRow, MessageRow, RecordRow
from orbits_iac.model.states import State

MILLION = 1_000_000
NAMES = [
    "a/b",
    "a:b",
    "100%",
    "%2F",
    "..",
    " ",
    "é",
    "e\u0301",
    "日本",
    "🚀",
    "שלום",
    "a\nb",
    "'; --",
    '"',
    "\\",
    "{}",
    "x" * 1000,
]


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(store=f"sqlite:{tmp_path / 'store.db'}")


@pytest.fixture
async def orbits(settings: Settings) -> AsyncIterator[Orbits]:
    async with Orbits(settings) as made:
        yield made


class Long(Action[str]):
    """Takes a text and returns another."""

    options = Options(idempotent=True)
    given: str = ""
    length: int = 0

    async def main(self) -> str:
        return "x" * self.length


class Longs(Workflow[int]):
    """One step after the other, each with an argument and a result of so many characters."""

    argument: int
    result: int

    async def define(self) -> int:
        await self.do("before", Long(length=1))
        result = await self.do("long", Long(given="x" * self.argument, length=self.result))
        await self.do("after", Long(length=2))
        return len(result)


async def test_arguments_and_results_of_ten_megabytes_are_kept(orbits: Orbits) -> None:
    assert await orbits.run(Longs(argument=10 * MILLION, result=10 * MILLION)) == 10 * MILLION


@pytest.mark.parametrize(("argument", "result"), [(11 * MILLION, 0), (0, 11 * MILLION)], ids=["argument", "result"])
async def test_what_is_larger_is_refused_with_its_size_and_what_to_do(
    orbits: Orbits, argument: int, result: int
) -> None:
    with pytest.raises(ExecutionFailed, match=r"is 11\.0 million characters .* at most 10\.5 are kept .*largest_value"):
        await orbits.run(Longs(argument=argument, result=result))
    (row,) = await orbits.store.find(ExecutionRow)
    steps = {refs(entry.key): entry.state for entry in await orbits.store.find(EntryRow, execution=row.id)}
    assert steps[("before",)] is State.SUCCESS
    assert ("after",) not in steps


async def test_root_whose_argument_is_too_large_is_refused_and_not_made(orbits: Orbits) -> None:
    with pytest.raises(Refused, match="million characters"):
        await orbits.start(Long(given="x" * 11 * MILLION))
    assert await orbits.store.find(ExecutionRow) == []


class Named(Resource):
    """Does one thing more, under names that are given."""

    name: str
    ref: str = "ref"
    key: str | None = None
    inner: str | None = None

    def identity(self) -> str:
        return self.name

    async def define_update(self) -> None:
        await self.do(self.ref, Long(length=1), key=self.key, once=True)
        if self.inner is not None:
            await self.do(self.ref, Named(name=self.inner))


@pytest.mark.parametrize("name", NAMES)
async def test_name_of_any_text_is_the_same_in_every_place(orbits: Orbits, name: str) -> None:
    await orbits.run(Named(name=f"of {name}"[:1000], ref=name, key=name, inner=name))
    record = await orbits.record(Named, name).row()
    assert (record.identity, record.revision) == (name, 1)
    (child,) = (await orbits.record(Named, f"of {name}"[:1000]).row()).children
    assert (child.ref, child.identity) == (name, name)


async def test_names_that_look_alike_stay_apart(orbits: Orbits) -> None:
    """A separator in a name does not make it another's; two ways to write an accent are two names."""
    names = ["a/b", "a%2Fb", "a:b", "a%3Ab", "é", "e\u0301"]
    for name in names:
        await orbits.run(Named(name=name, ref=name))
    assert sorted(row.identity for row in await orbits.store.find(RecordRow)) == sorted(names)


@pytest.mark.parametrize("where", ["ref", "key", "inner", "name"])
@pytest.mark.parametrize(
    ("name", "why"),
    [("a\0b", "Unicode text without NUL"), ("\ud800", "Unicode text"), ("x" * 1001, "1,001 characters is too long")],
    ids=["NUL", "half a pair", "too long"],
)
async def test_name_that_no_store_keeps_is_refused_before_anything_is_done(
    orbits: Orbits, where: str, name: str, why: str
) -> None:
    with pytest.raises((ExecutionFailed, UsageError, Refused), match=why):
        await orbits.run(Named(name="whole").model_copy(update={where: name}))
    assert {row.identity for row in await orbits.store.find(RecordRow)} <= {"whole"}


class Steps(Workflow[int]):
    """A thousand steps, one after the other or at once."""

    number: int
    at_once: bool

    async def define(self) -> int:
        if self.at_once:
            return len(await asyncio.gather(*(self._one(number) for number in range(self.number))))
        for number in range(self.number):
            await self._one(number)
        return self.number

    async def _one(self, number: int) -> str:
        text: str = await self.do(f"step {number}", Long(length=1))
        return text


@pytest.mark.parametrize("at_once", [False, True])
async def test_definition_of_a_thousand_steps(orbits: Orbits, *, at_once: bool) -> None:
    assert await orbits.run(Steps(number=1000, at_once=at_once)) == 1000


class Nested(Workflow[int]):
    """Workflows in Workflows."""

    depth: int

    async def define(self) -> int:
        if self.depth == 0:
            leaf = await self.do("leaf", Long(length=1))
            return len(leaf)
        return 1 + await self.do("inner", Nested(depth=self.depth - 1))


async def test_workflows_a_hundred_deep(orbits: Orbits) -> None:
    assert await orbits.run(Nested(depth=100)) == 101


class Depth(Outputs):
    depth: int


class Inside(Resource[Depth]):
    """Resources in Resources, each of which belongs to its place."""

    depth: int
    fails: bool = False

    async def define_update(self) -> Depth:
        if self.depth == 0:
            if self.fails:
                raise ValueError("at the bottom")
            return Depth(depth=0)
        inner = await self.do("inside", Inside(depth=self.depth - 1, fails=self.fails))
        return Depth(depth=inner.depth + 1)


class Top(Resource[Depth]):
    """Where they belong."""

    depth: int
    fails: bool = False

    def identity(self) -> str:
        return "top"

    async def define_update(self) -> Depth:
        return await self.do("inside", Inside(depth=self.depth, fails=self.fails))


@pytest.mark.slow
async def test_resources_a_hundred_deep_are_made_and_brought_back_and_removed(orbits: Orbits) -> None:
    async with asyncio.timeout(120):
        assert await orbits.run(Top(depth=100)) == Depth(depth=100)
        assert len(await orbits.store.find(RecordRow)) == 102
        with pytest.raises(ExecutionFailed, match="at the bottom"):
            await orbits.run(Top(depth=100, fails=True))
        assert (await orbits.record(Top, "top").row()).revision == 1
        await orbits.record(Top, "top").uninstall()
    assert {row.revision for row in await orbits.store.find(RecordRow)} == {None}


class Ping(Event):
    """One of many."""

    number: int


class Listens(Workflow[int]):
    """Waits for so many events, one after the other."""

    number: int

    async def define(self) -> int:
        total = 0
        for number in range(self.number):
            total += (await self.execution.wait_for(f"ping {number}", Ping)).number
        return total


@pytest.mark.slow
async def test_ten_thousand_messages_that_wait_are_taken_in_order_and_none_is_lost(settings: Settings) -> None:
    """They came while nobody worked."""
    async with Orbits(settings) as before:
        listener = await before.start(Listens(number=10_000))
        await before.settled()
    async with Orbits(settings, work=False) as sender:
        for first in range(0, 10_000, 100):  # together: one by one they took as long as the disk for each
            await asyncio.gather(*(sender.emit(Ping(number=first + n), to=listener.id) for n in range(100)))
    async with Orbits(settings) as later, asyncio.timeout(300):
        assert await later.execution(listener.id) == sum(range(10_000))
        assert await later.store.find(MessageRow) == []


class Child(Resource):
    """One of many."""

    name: str

    def identity(self) -> str:
        return self.name

    async def define_update(self) -> None:
        return None


class Parent(Workflow[int]):
    """So many at once."""

    number: int

    async def define(self) -> int:
        return len(await asyncio.gather(*(self.do("child", Child(name=str(n))) for n in range(self.number))))


@pytest.mark.slow
async def test_ten_thousand_children_of_one_workflow(orbits: Orbits) -> None:
    async with asyncio.timeout(600):
        assert await orbits.run(Parent(number=10_000)) == 10_000
    assert len(await orbits.store.find(RecordRow)) == 10_000
