"""A tenant that leaves: what was shown is removed, nothing is lost that was not accepted, and that is certified."""

import asyncio
from typing import ClassVar

import pytest

from orbits_iac import Managed, Options, Orbits, Outputs, Resource
from orbits_iac.provider import Refused, UsageError
from orbits_tenants import ListSource, Rollout, Source, Tenant, Tenants
from orbits_tenants.certificate import kept
from orbits_tenants.recorded import decided_about
from orbits_tenants.removal import certify, remove, would_go
from tests.tenants.stalls import STREET, Stalls, street
from tests.tenants.test_under_way import held

__all__ = ["street"]

STANDS: set[str] = set()


class Built(Outputs):
    name: str


class Outhouse(Managed[Built]):
    name: str

    def read(self, recorded: Built | None, /) -> Built | None:
        return Built(name=self.name) if self.name in STANDS else None

    def create(self) -> Built:
        STANDS.add(self.name)
        return Built(name=self.name)

    def change(self, live: Built, /) -> Built:
        return live

    def delete(self, live: Built, /) -> None:
        STANDS.discard(self.name)


class Cellar(Outhouse):
    """Holds what is not to be lost."""

    options = Options(stateful=True)


class Well(Outhouse):
    def identity(self) -> str:
        return self.name


class Manor(Resource):
    owner: str
    barns: int = 1

    def identity(self) -> str:
        return self.owner

    async def define_update(self) -> None:
        await self.do("well", Well(name="well"), shared=True)
        await self.do("cellar", Cellar(name=f"{self.owner}'s cellar"))
        for number in range(self.barns):
            await self.do(f"barn-{number}", Outhouse(name=f"{self.owner}'s barn {number}"))


class Manors(Tenants[Manor]):
    source: ClassVar[Source] = ListSource(["acme", "bolt"])
    rollout: ClassVar[Rollout] = Rollout(waves=["100%"])
    barns: int = 1

    def stack(self, tenant: Tenant) -> Manor:
        return Manor(owner=tenant.id, barns=self.barns)


CELLAR = "Cellar Manor acme/cellar"


@pytest.fixture(autouse=True)
def nothing_stands() -> None:
    STANDS.clear()


async def test_what_would_be_lost_and_is_not_accepted_is_refused_before_anything_is_decided(orbits: Orbits) -> None:
    await orbits.run(Manors())
    before = {*STANDS}
    would = await would_go(orbits, Manors, "acme")
    assert would.lost == {CELLAR: f"{CELLAR} loses data"}
    with pytest.raises(
        UsageError, match=f"acme is not removed while .* loses data. .*--accept-loss '{CELLAR}'; nothing"
    ):
        await remove(orbits, Manors, "acme")
    assert before == STANDS
    assert "acme" not in (await decided_about(orbits.store, "Manors")).removed
    assert not (await would_go(orbits, Manors, "acme", accept_loss=[CELLAR])).lost


async def test_what_somebody_has_changed_since_it_was_shown_is_not_removed(orbits: Orbits) -> None:
    await orbits.run(Manors())
    shown = await would_go(orbits, Manors, "acme", accept_loss=[CELLAR])
    await orbits.run(Manors(barns=2))
    before = {*STANDS}
    with pytest.raises(Refused, match="somebody has been at tenant acme since this was shown; nothing was done"):
        await remove(orbits, Manors, "acme", accept_loss=[CELLAR], shown=shown)
    assert before == STANDS
    assert "acme" not in (await decided_about(orbits.store, "Manors")).removed
    shown = await would_go(orbits, Manors, "acme", accept_loss=[CELLAR])
    assert len((await remove(orbits, Manors, "acme", accept_loss=[CELLAR], shown=shown)).removed) == 4


async def test_what_others_use_too_stays_and_is_certified_to(orbits: Orbits) -> None:
    await orbits.run(Manors())
    first = await remove(orbits, Manors, "acme", accept_loss=[CELLAR])
    assert (first.stays, "Well well" in first.removed) == (["Well well: Manor bolt uses it, too"], False)
    last = await remove(orbits, Manors, "bolt", accept_loss=["cellar", CELLAR.replace("acme", "bolt")])
    assert (last.stays, "Well well" in last.removed, STANDS) == ([], True, set())


async def test_what_somebody_has_asked_for_by_itself_stays_and_is_said_to(orbits: Orbits) -> None:
    await orbits.run(Well(name="well"))
    await orbits.run(Manors())
    certificate = await remove(orbits, Manors, "acme", accept_loss=[CELLAR])
    assert certificate.stays == ["Well well: Manor bolt uses it, too"]
    certificate = await remove(orbits, Manors, "bolt", accept_loss=[CELLAR.replace("acme", "bolt")])
    assert certificate.stays == ["Well well: somebody has asked for it by itself, too"]


async def test_one_that_is_asked_for_again_does_not_rewrite_who_has_decided_it_and_what_has_done_it(
    orbits: Orbits, monkeypatch: pytest.MonkeyPatch
) -> None:
    await orbits.run(Manors())
    first = await remove(orbits, Manors, "acme", why="they left", accept_loss=[CELLAR])
    monkeypatch.setattr(orbits, "who", "eve")
    again = await remove(orbits, Manors, "acme", why="to see")
    assert (again.who, again.why, again.execution) == (first.who, "they left", first.execution)
    assert (again.removed, again.stays) == (first.removed, first.stays)
    assert (await decided_about(orbits.store, "Manors")).removed["acme"].why == "they left"


async def test_one_that_others_have_brought_to_its_end_is_certified_though_no_report_has_it_any_more(
    orbits: Orbits,
) -> None:
    await orbits.run(Manors())
    first = await remove(orbits, Manors, "acme", why="they left", accept_loss=[CELLAR])
    assert list((await orbits.run(Manors())).tenants) == ["bolt"]
    for again in (await remove(orbits, Manors, "acme"), await certify(orbits, Manors, "acme")):
        assert (again.removed, again.stays) == (first.removed, first.stays)
        assert (again.who, again.why, again.execution) == (first.who, "they left", first.execution)
    assert await kept(orbits.store, "Manors", "acme") == again
    with pytest.raises(UsageError, match="knows no tenant 'cafe'"):
        await remove(orbits, Manors, "cafe")


async def test_one_that_is_asked_for_again_behind_a_release_that_drops_it_from_the_report_is_certified(
    orbits: Orbits,
) -> None:
    await orbits.run(Stalls(release="1"))
    first = await remove(orbits, Stalls, "bolt", why="they left")
    release = await held(orbits, Stalls(release="2"), "acme")
    asked = asyncio.Event()
    again = asyncio.create_task(remove(orbits, Stalls, "bolt", started=lambda *_: asked.set()))
    await asked.wait()
    STREET.gate.set()
    assert list((await release).tenants) == ["acme", "cafe", "duke"]
    assert (await again).removed == first.removed
    assert (await again).execution == first.execution


async def test_one_that_was_cut_off_before_it_was_certified_names_what_has_done_it(orbits: Orbits) -> None:
    await orbits.run(Stalls(release="1"))
    STREET.slow, ids = "bolt", list[str]()
    first = asyncio.create_task(
        remove(orbits, Stalls, "bolt", why="they left", started=lambda execution, _: ids.append(execution))
    )
    await STREET.reached.wait()
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)
    STREET.gate.set()
    await orbits.settled()
    again = await remove(orbits, Stalls, "bolt")
    assert (again.execution, again.why) == (ids[0], "they left")
    await orbits.run(Stalls(release="2"))
    assert (await certify(orbits, Stalls, "bolt")).execution == ids[0]


async def test_of_two_that_are_asked_for_at_once_the_first_has_decided_it(orbits: Orbits) -> None:
    await orbits.run(Stalls(release="1"))
    both = await asyncio.gather(*(remove(orbits, Stalls, "bolt", why=why) for why in ("left", "other")))
    stone = (await decided_about(orbits.store, "Stalls")).removed["bolt"]
    assert {one.why for one in both} == {stone.why}
    assert {*both[0].removed} == {*both[1].removed} == {"Stall bolt", "Awning Stall bolt/awning"}
