"""A store with a bit of everything in it: what is moved, and looked over, in tests."""

import asyncio
from contextlib import suppress
from datetime import timedelta

from pydantic import Field, SecretStr

from orbits_iac import Event, Every, ExecutionFailed, Options, Orbits, Outputs, Resource, Settings, Workflow, action
from orbits_iac.model.ids import ExecutionId, WorkerId
from orbits_iac.model.rows import ExecutionRow, LineRow, LookRow, PermitRow, TaskRow, WorkerRow
from orbits_iac.model.states import State
from orbits_iac.store.contract import Store, Transaction
from orbits_iac.store.parted import LONG

KEY = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="
DEAD = WorkerRow(id=WorkerId("dead-1"), build="b", boot="another machine", counter=7)


class Freed(Event):
    """Somebody lets what is held up go on."""

    by: str


class Kept(Outputs):
    size: int
    token: SecretStr = Field(default=SecretStr(""))


class Lot(Resource[Kept]):
    """A part that belongs to its place."""

    size: int
    fails: bool = False

    async def define_update(self) -> Kept:
        if self.fails:
            raise ValueError("it does not fit")
        return Kept(size=self.size)


class Warehouse(Resource[Kept]):
    """A thing with a part, a schedule, something done once, and a secret."""

    options = Options(schedule=Every(timedelta(days=1)))
    name: str
    size: int
    token: SecretStr = SecretStr("hush")
    fails: bool = False

    def identity(self) -> str:
        return self.name

    async def define_update(self) -> Kept:
        await self.do("greet", greeting(self.name), once=True)
        await self.do("lot", Lot(size=self.size, fails=self.fails))
        return Kept(size=self.size, token=self.token)


@action(idempotent=True)
async def greeting(name: str) -> str:
    return f"hello {name}"


@action(idempotent=True)
async def lengthy(text: str) -> str:
    return text * 2


class HeldOver(Workflow[str]):
    """Waits for an event, after a result that is kept apart."""

    name: str

    async def define(self) -> str:
        long = await self.do("long", lengthy("ä" * LONG))
        found = await self.execution.wait_for("freed", Freed)
        return f"{self.name} by {found.by}, {len(long)}"


class Gatehouse(Resource):
    """Waits for an event, under a record's hold."""

    name: str

    def identity(self) -> str:
        return self.name

    async def define_update(self) -> None:
        await self.execution.wait_for("freed", Freed)


class Depot(Resource):
    """Waits for a child."""

    name: str

    def identity(self) -> str:
        return self.name

    async def define_update(self) -> None:
        await self.do("gate", Gatehouse(name=self.name))


class Clerk(Resource):
    """Reads what a warehouse publishes."""

    name: str

    def identity(self) -> str:
        return self.name

    async def define_update(self) -> None:
        await self.execution.outputs(Warehouse, "acme")


class Dozing(Workflow[str]):
    """Sleeps for a day."""

    async def define(self) -> str:
        await self.do("greet", greeting("dozing"))
        await asyncio.sleep(86_400)
        return "awake"


def settings(store: Store) -> Settings:
    return Settings(store=store.url, secret_key=SecretStr(KEY))


async def fill(store: Store) -> dict[str, ExecutionId]:
    """Let things happen in a store, until its workers have gone; what waits in it by name."""
    async with Orbits(settings(store), store=store) as orbits:
        for size in (1, 2, 3):
            await orbits.run(Warehouse(name="acme", size=size))
        await orbits.run(Warehouse(name="zeta", size=1))
        await orbits.run(Clerk(name="cora"))
        for fails in (Warehouse(name="acme", size=4, fails=True), Warehouse(name="new", size=1, fails=True)):
            with suppress(ExecutionFailed):
                await orbits.run(fails)
        record = orbits.record(Warehouse, "acme")
        await record.rollback()
        await record.cycle()
        await orbits.record(Warehouse, "zeta").uninstall()
        held = [await orbits.start(HeldOver(name=name)) for name in ("one", "two", "paused")]
        dozing, depot = await orbits.start(Dozing()), await orbits.start(Depot(name="north"))
        await orbits.settled()
        await held[2].pause()
        await orbits.settled()
    async with Orbits(settings(store), store=store, work=False) as asking:  # nobody is there who would take it
        await asking.emit(Freed(by="ada"), to=held[1].id)
    await store.open()  # Orbits has closed it
    look = LookRow(kind="Warehouse", identity="acme", at=1.0)
    permit = PermitRow(name="kind:HeldOver", slot=0, execution=dozing.id, token=1)
    await store.commit(Transaction(put=[look, permit, LineRow(name="kind:HeldOver", rank=0, execution=held[2].id)]))
    await _claimed(store, dozing.id)
    return {"one": held[0].id, "two": held[1].id, "paused": held[2].id, "dozing": dozing.id, "depot": depot.id}


async def _claimed(store: Store, execution: ExecutionId) -> None:
    """A worker of another machine holds it, and has died."""
    await store.commit(Transaction(put=[DEAD]))
    assert await store.claim(DEAD.id, now=0.0, limit=1, only=execution)


async def states(store: Store) -> set[State]:
    return {row.state for row in await store.find(ExecutionRow)}


async def owners(store: Store) -> set[str | None]:
    return {row.owner for row in await store.find(TaskRow)}
