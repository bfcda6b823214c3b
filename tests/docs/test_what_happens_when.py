"""docs/what-happens-when.md: each failure names tests that show what is said of it, and those are there.

Two that no other test shows of a fleet are shown here.
"""

import asyncio
from pathlib import Path
from typing import ClassVar

import pytest

from orbits_iac import Managed, Orbits, Outputs, Permanent, Resource, action
from orbits_tenants import ListSource, Report, Rollout, Source, Tenant, Tenants

from .pages import missing_tests, shown_by

PAGE = (Path(__file__).parents[2] / "docs" / "what-happens-when.md").read_text()


def test_each_failure_is_shown_by_tests_that_there_are() -> None:
    rows = shown_by(PAGE, PAGE)
    assert len(rows) > 30
    assert [row for row, tests in rows.items() if not tests] == []
    assert missing_tests(test for tests in rows.values() for test in tests) == []


class Flag(Outputs):
    colour: str


class Mast(Managed[Flag]):
    """What flies at a tenant's; a stuck one cannot be lowered."""

    name: str
    colour: str
    flying: ClassVar[dict[str, str]] = {}
    hoisting: ClassVar[asyncio.Event]
    lowered: ClassVar[asyncio.Event]

    def read(self, recorded: Flag | None, /) -> Flag | None:
        return Flag(colour=self.flying[self.name]) if self.name in self.flying else None

    async def create(self) -> Flag:
        if self.colour == "red":
            self.hoisting.set()
            await self.lowered.wait()
        if self.name == "bolt" and self.colour < self.flying.get(self.name, ""):
            raise Permanent("the rope is stuck")
        self.flying[self.name] = self.colour
        return Flag(colour=self.colour)

    async def change(self, live: Flag, /) -> Flag:
        return await self.create()

    def delete(self, live: Flag, /) -> None:
        del self.flying[self.name]


@action
async def salute(colour: str) -> None:
    if colour == "white":
        raise Permanent("nobody salutes a white flag")


class Wharf(Resource):
    name: str
    colour: str

    def identity(self) -> str:
        return self.name

    async def define_update(self) -> None:
        await self.do("mast", Mast(name=self.name, colour=self.colour))
        await self.do("salute", salute(self.colour))


class Wharves(Tenants[Wharf]):
    source: ClassVar[Source] = ListSource(["acme", "bolt", "cafe"])
    rollout: ClassVar[Rollout] = Rollout(waves=["1", "100%"], on_failure="continue")
    colour: str

    def stack(self, tenant: Tenant) -> Wharf:
        return Wharf(name=tenant.id, colour=self.colour)


@pytest.fixture(autouse=True)
def wharves() -> None:
    Mast.flying.clear()
    Mast.hoisting, Mast.lowered = asyncio.Event(), asyncio.Event()


def states(report: Report) -> list[str]:
    return [one.state.value for one in report.tenants.values()]


async def test_one_that_cannot_be_brought_back_is_left_for_a_person_and_the_others_go_on(orbits: Orbits) -> None:
    await orbits.run(Wharves(colour="blue"))
    report = await orbits.run(Wharves(colour="white"))
    assert states(report) == ["reverted", "needs a decision", "reverted"]
    assert "the rope is stuck" in str(report.tenants["bolt"].left)
    assert Mast.flying == {"acme": "blue", "bolt": "white", "cafe": "blue"}
    assert states(await orbits.run(Wharves(colour="yellow"))) == ["updated"] * 3


async def test_a_second_roll_out_waits_for_the_first(orbits: Orbits) -> None:
    first = await orbits.start(Wharves(colour="red"))
    await Mast.hoisting.wait()
    second = await orbits.start(Wharves(colour="yellow"))
    assert Mast.flying == {}
    Mast.lowered.set()
    assert states(await first) == ["updated"] * 3
    assert states(await second) == ["updated"] * 3
    assert set(Mast.flying.values()) == {"yellow"}
