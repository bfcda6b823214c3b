"""A street of stalls, one for each tenant: a fleet of small Resources without a cloud, and what goes wrong in it."""

import asyncio
from collections.abc import Callable
from typing import ClassVar

import pytest

from orbits_iac import Action, Managed, Options, Orbits, Outputs, Permanent, Resource
from orbits_tenants import FunctionSource, Listing, Report, Rollout, Source, Tenant, Tenants
from orbits_tenants.decisions import Decision, TenantDecisions


class Street:
    """What really stands in it, who is listed, and what goes wrong."""

    def __init__(self) -> None:
        self.listed: list[Tenant] = [Tenant(id=id_) for id_ in ("acme", "bolt", "cafe", "duke")]
        self.stands: dict[str, str] = {}
        self.failing: dict[str, Exception] = {}
        self.closed: set[str] = set()  # malls that let nobody in
        self.held: set[str] = set()  # who waits for the gate when it is served
        self.reached = asyncio.Event()  # by one of these
        self.gate = asyncio.Event()
        self.slow = ""  # whose awning waits for the gate when it is changed or taken down
        self.stuck: set[str] = set()  # can be made, and neither changed nor removed
        self.begun: list[str] = []
        self.at_once: dict[str, int] = {}
        self.most: dict[str, int] = {}
        self.check: Callable[[str], None] = lambda _: None


STREET = Street()


@pytest.fixture(autouse=True)
def street() -> Street:
    STREET.__init__()  # type: ignore[misc]
    Stalls.rollout, Stalls.listing = Rollout(waves=["1", "100%"]), Listing()
    return STREET


class StallFront(Outputs):
    colour: str


class Awning(Managed[StallFront]):
    """Painted in the colour of the release."""

    owner: str
    colour: str

    def read(self, recorded: StallFront | None, /) -> StallFront | None:
        return StallFront(colour=STREET.stands[self.owner]) if self.owner in STREET.stands else None

    def create(self) -> StallFront:
        STREET.stands[self.owner] = self.colour
        return StallFront(colour=self.colour)

    async def change(self, live: StallFront, /) -> StallFront:
        await self._look_out()
        return self.create()

    async def delete(self, live: StallFront, /) -> None:
        await self._look_out()
        del STREET.stands[self.owner]

    async def _look_out(self) -> None:
        if self.owner in STREET.stuck:
            raise Permanent(f"{self.owner} is stuck")
        if self.owner == STREET.slow:
            STREET.reached.set()
            await STREET.gate.wait()


class Serve(Action):
    """Serves the first guest; who is at it at the same time is counted by the labels of the place."""

    options = Options(idempotent=True)
    owner: str

    async def main(self) -> None:
        STREET.begun.append(self.owner)
        [kind] = [one.labels.get("kind", "") for one in STREET.listed if one.id == self.owner] or [""]
        STREET.at_once[kind] = STREET.at_once.get(kind, 0) + 1
        STREET.most[kind] = max(STREET.most.get(kind, 0), STREET.at_once[kind])
        for _ in range(30):
            await asyncio.sleep(0)
        if self.owner in STREET.held:
            STREET.reached.set()
            await STREET.gate.wait()
        STREET.at_once[kind] -= 1
        if self.owner in STREET.failing:
            raise STREET.failing[self.owner]


class Engrave(Action):
    """Cannot be taken back."""

    text: str

    async def main(self) -> None:
        """It is done by being asked for."""


class Stall(Resource):
    owner: str
    release: str
    motto: str = ""

    def identity(self) -> str:
        return self.owner

    async def define_update(self) -> None:
        await self.do("awning", Awning(owner=self.owner, colour=self.release))
        if self.motto:
            await self.do("motto", Engrave(text=self.motto), once=True, no_return=True)
        await self.do("serve", Serve(owner=self.owner))


def listed() -> list[Tenant]:
    return STREET.listed


class Stalls(Tenants[Stall]):
    source: ClassVar[Source] = FunctionSource(listed)
    release: str
    motto: str = ""

    def stack(self, tenant: Tenant) -> Stall:
        return Stall(owner=tenant.id, release=self.release, motto=self.motto)

    async def define_check(self, wave: str, report: Report) -> None:
        STREET.check(wave)


def states(report: Report) -> list[str]:
    return [one.state.value for one in report.tenants.values()]


async def decide(orbits: Orbits, what: str, tenant: str, **more: object) -> None:
    decision = Decision.model_validate({"what": what, "tenant": tenant, "who": "ann", **more})
    await orbits.run(TenantDecisions(fleet="Stalls", decision=decision))
