"""Builds: who goes on with what, and what is shown where nobody may."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import pytest
from pydantic import SecretStr

from orbits_iac import Options, Orbits, Resource, Settings, Workflow, action
from orbits_iac.dispatch.builds import Builds
from orbits_iac.engine.requests import Asked, ask_root
from orbits_iac.model.errors import Refused
from orbits_iac.model.rows import BuildRow, ExecutionRow, TaskRow
from orbits_iac.model.states import State
from orbits_iac.store.contract import Transaction
from orbits_iac.store.memory import MemoryStore
from orbits_iac.testing import Clock

KEY = SecretStr("MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=")
SETTINGS = Settings(project="tests", store="memory:", secret_key=KEY)
RAN: list[str] = []


class Gate:
    """Where steps wait, and the test for them."""

    def __init__(self) -> None:
        self.reached = asyncio.Event()
        self.open = asyncio.Event()


GATES: list[Gate] = []


@action(idempotent=True)
async def left_trace(what: str) -> str:
    """Leaves a trace."""
    RAN.append(what)
    return what


@action(idempotent=True)
async def waits_at_gate() -> None:
    """Ends when it may."""
    GATES[0].reached.set()
    await GATES[0].open.wait()


class Versioned(Workflow[str]):
    """A step, a wait, and a step."""

    async def define(self) -> str:
        await self.do("first", left_trace("first"))
        await self.do("wait", waits_at_gate())
        return await self.do("last", left_trace("last"))


class VersionedPart(Resource):
    """Waits."""

    async def define_update(self) -> None:
        await self.do("wait", waits_at_gate())


class VersionedWhole(Resource):
    """Has a child that waits."""

    name: str = "x"

    def identity(self) -> str:
        return self.name

    async def define_update(self) -> None:
        await self.do("below", VersionedPart())
        await self.do("last", left_trace("above"))


@pytest.fixture(autouse=True)
async def gate() -> Gate:
    GATES[:] = [Gate()]
    RAN.clear()
    return GATES[0]


class Kept(MemoryStore):
    """A store that other processes use too, and that stays."""

    async def close(self) -> None:
        """It stays open."""


class Fleet(Resource):
    """As a roll-out is: all of it is of one build."""

    options = Options(own_build=True)

    def identity(self) -> str:
        return "fleet"

    async def define_update(self) -> None:
        await self.do("part", VersionedPart())


class Project:
    """A store, and processes on it whose code is of this or that version."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.store = Kept()
        self.clock = Clock()
        self._monkeypatch = monkeypatch

    @asynccontextmanager
    async def process(
        self, version: str, *, other: str | None = None, concurrency: int = 9, modules: tuple[str, ...] = ()
    ) -> AsyncGenerator[Orbits]:
        """A process with this version of the project's module, and with one of another module if that is given."""
        sources = {"project": version} | ({} if other is None else {"other": other})
        self._monkeypatch.setattr("orbits_iac.orbits.sources_of", lambda _: sources)
        settings, who = SETTINGS.model_copy(update={"concurrency": concurrency}), f"code {version}"
        async with Orbits(settings, store=self.store, clock=self.clock, who=who, modules=modules) as orbits:
            for kind in (Versioned, VersionedPart, VersionedWhole, Fleet):
                orbits.registry.know(kind)  # other tests may have classes of the same kinds
            yield orbits

    async def stranded(self, orbits: Orbits) -> None:
        """As long as a worker of another build is given to come back."""
        await orbits.settled()
        await self.clock.advance(SETTINGS.lease)
        await orbits.settled()

    async def why(self, id: str) -> list[str]:  # noqa: A002 - the name in every table of ours
        """What the events of an execution say."""
        return [event.why for event in await self.store.tail(0) if event.execution == id and event.why]


@pytest.fixture
def project(monkeypatch: pytest.MonkeyPatch) -> Project:
    return Project(monkeypatch)


async def test_later_code_goes_on_with_an_execution_and_an_event_says_so(project: Project, gate: Gate) -> None:
    async with project.process("1") as orbits:
        execution = await orbits.start(Versioned())
        await gate.reached.wait()
        first = orbits.engine.build
    gate.open.set()
    async with project.process("2") as orbits:
        assert await orbits.execution(execution.id) == "last"
        row = await orbits.execution(execution.id).row()
        assert row.build == orbits.engine.build != first
        assert f"goes on with build {row.build}; it was of build {first}" in await project.why(row.id)
    assert RAN == ["first", "last"]


async def test_older_code_never_goes_on_with_an_execution_of_later_code(project: Project, gate: Gate) -> None:
    async with project.process("1"):
        pass
    async with project.process("2") as orbits:
        execution = await orbits.start(Versioned())
        await gate.reached.wait()
        later = orbits.engine.build
    gate.open.set()
    async with project.process("1") as orbits:
        await orbits.settled()
        row = await orbits.execution(execution.id).row()
        assert (row.state, row.build) == (State.EXECUTING, later)
        await project.stranded(orbits)
        row = await orbits.execution(execution.id).row()
        assert (row.state, row.build, row.stranded) == (State.PAUSED, later, True)
        [why] = [why for why in await project.why(row.id) if "--here" in why]
        assert why.startswith(f"it is of build {later}, and the workers that run are of earlier ones")
        await project.stranded(orbits)
        assert sum("--here" in why for why in await project.why(row.id)) == 1
        with pytest.raises(Refused, match=f"orbits resume {row.id} --here"):
            await orbits.execution(row.id).resume()
    assert RAN == ["first"]


async def test_a_worker_of_the_code_takes_up_by_itself_what_was_paused_for_it(project: Project, gate: Gate) -> None:
    async with project.process("1"):
        pass
    async with project.process("2") as orbits:
        execution = await orbits.start(Versioned())
        await gate.reached.wait()
    async with project.process("1") as orbits:
        await project.stranded(orbits)
        assert (await orbits.execution(execution.id).row()).state is State.PAUSED
    gate.open.set()
    async with project.process("3") as orbits:
        assert await orbits.execution(execution.id) == "last"
        assert not (await orbits.execution(execution.id).row()).stranded


async def test_a_build_that_was_reverted_goes_on_here_when_it_is_told_to(project: Project, gate: Gate) -> None:
    async with project.process("1") as orbits:
        older = orbits.engine.build
    async with project.process("2") as orbits:
        execution = await orbits.start(VersionedWhole())
        await gate.reached.wait()
        later = orbits.engine.build
    gate.open.set()
    async with project.process("1") as orbits:
        await project.stranded(orbits)
        await orbits.execution(execution.id).resume(here=True)
        await orbits.execution(execution.id)
        rows = await orbits.store.find(ExecutionRow)
        assert {row.build for row in rows} == {older}
        assert {row.state for row in rows} == {State.SUCCESS}
        for row in rows:
            events = [event for event in await project.store.tail(0) if event.execution == row.id]
            [event] = [event for event in events if "instead of its own" in event.why]
            assert (event.who, later in event.why) == ("code 1", True)
    assert RAN == ["above"]


async def test_the_same_code_with_other_modules_beside_it_is_no_other_build(project: Project, gate: Gate) -> None:
    """`orbits up` with one stack, and a worker that has imported them all."""
    async with project.process("1"):
        pass
    async with project.process("1", other="7") as orbits:
        execution = await orbits.start(Versioned())
        await gate.reached.wait()
        wider = orbits.engine.build
    gate.open.set()
    async with project.process("1") as orbits:
        assert await orbits.execution(execution.id) == "last"
        assert (await orbits.execution(execution.id).row()).build == wider


async def test_equal_requests_of_the_same_code_are_joined_whatever_else_is_imported(
    project: Project, gate: Gate
) -> None:
    async with project.process("1") as narrow, project.process("1", other="7") as wide:
        first = await narrow.start(VersionedWhole())
        await gate.reached.wait()
        second = await wide.start(VersionedWhole())
        assert second.id == first.id
        assert await wide.engine.order_of(narrow.engine.build) == await wide.engine.order_of(wide.engine.build)
        gate.open.set()
        await asyncio.gather(first, second)


async def test_requests_of_other_code_are_not_joined(project: Project, gate: Gate) -> None:
    async with project.process("1") as older:
        first = await older.start(VersionedWhole())
        await gate.reached.wait()
        async with project.process("2") as later:
            second = await later.start(VersionedWhole())
            assert second.id != first.id
            gate.open.set()
            await asyncio.gather(first, second)


async def test_what_comes_for_a_paused_one_waits_for_its_code(project: Project, gate: Gate) -> None:
    async with project.process("1"):
        pass
    async with project.process("2") as orbits:
        execution = await orbits.start(Versioned())
        await gate.reached.wait()
    async with project.process("1") as orbits:
        await orbits.execution(execution.id).cancel()
        await project.stranded(orbits)
        await project.stranded(orbits)
        [task] = await project.store.find(TaskRow)
        assert task.due is None  # nor is it looked at again and again
        assert (await orbits.execution(execution.id).row()).state is State.PAUSED
    async with project.process("2") as orbits:
        assert (await orbits.execution(execution.id).ended()).state is State.CANCELLED


async def test_it_is_not_paused_while_a_worker_lives_that_has_its_code(project: Project, gate: Gate) -> None:
    async with project.process("1") as older, project.process("2", concurrency=1) as orbits:
        first = await orbits.start(Versioned())
        await gate.reached.wait()
        second = await orbits.start(Versioned())
        await project.clock.advance(SETTINGS.lease)
        await older.settled()
        await project.clock.advance(SETTINGS.lease)
        await older.settled()
        assert (await second.row()).state is State.SLEEPING
        gate.open.set()
        assert (await first, await second) == ("last", "last")


async def test_what_no_worker_has_the_kind_of_is_paused_too(project: Project, gate: Gate) -> None:
    async with project.process("1", modules=("elsewhere",)) as orbits:
        asked = Asked(kind="Elsewhere", command="run", argument="{}", digest="x", who="tests")
        strange = await ask_root(orbits.engine, asked)
        await project.stranded(orbits)
        assert (await orbits.execution(strange).row()).state is State.PAUSED
        assert "no worker that runs has the kind Elsewhere: start one that imports elsewhere" in await project.why(
            strange
        )


async def test_two_builds_that_come_at_once_have_an_order(project: Project) -> None:
    async with project.process("1") as orbits:
        rows = [BuildRow(digest=digest, order=7, sources={"project": digest}) for digest in "ab"]
        await project.store.commit(Transaction(put=rows))
        builds = Builds(orbits.engine)
        for own, claimed in (("a", {"a": "a"}), ("b", {"a": "b", "b": "b"})):
            orbits.engine.build = own
            await builds.refresh()
            assert {build: its for build, its in builds.claims.items() if build in "ab"} == claimed


async def test_a_roll_out_and_all_below_it_is_gone_on_with_by_its_own_build_alone(project: Project, gate: Gate) -> None:
    async with project.process("1"):
        pass
    async with project.process("2") as orbits:
        execution, build = await orbits.start(Fleet()), orbits.engine.build
        await gate.reached.wait()
    gate.open.set()
    async with project.process("3") as orbits:
        await orbits.settled()
        await project.stranded(orbits)
        rows = await orbits.store.find(ExecutionRow, root=execution.id)
        assert [(row.build, row.own_build) for row in rows] == [(build, True)] * 2
        paused = [row for row in rows if row.state is State.PAUSED]
        [why] = [why for row in paused for why in await project.why(row.id) if "--here" in why]
        assert why.startswith(f"it is of build {build}, and the workers that run are of others")
    async with project.process("2") as orbits, asyncio.timeout(60):
        await orbits.execution(execution.id)
        assert (await orbits.execution(execution.id).row()).build == build


async def test_somebody_may_let_other_code_go_on_with_a_roll_out(project: Project, gate: Gate) -> None:
    async with project.process("1") as orbits:
        execution = await orbits.start(Fleet())
        await gate.reached.wait()
    gate.open.set()
    async with project.process("2") as orbits, asyncio.timeout(60):
        await project.stranded(orbits)
        await orbits.execution(execution.id).resume(here=True)
        await orbits.execution(execution.id)
        rows = await orbits.store.find(ExecutionRow, root=execution.id)
        assert {row.build for row in rows} == {orbits.engine.build}
