"""What people are told of a roll-out: why it was stopped, who failed, and that it waits for them."""

import asyncio
from typing import ClassVar

import pytest
from pydantic import SecretStr

from orbits_iac import Managed, Orbits, Outputs, Permanent, Resource, Settings
from orbits_iac.model.happenings import NO_EXECUTION
from orbits_iac.model.rows import MessageRow
from orbits_iac.notify.messages import Message, messages_of
from orbits_iac.notify.notices import of_row
from orbits_iac.notify.settings import NotifySettings
from orbits_iac.steps.resource import Command
from orbits_iac.store.contract import Transaction
from orbits_tenants import ListSource, Promoted, Rollout, Tenant, Tenants, Wave


class Newsstand(Resource):
    owner: str
    broken: bool = False

    def identity(self) -> str:
        return self.owner

    async def define_update(self) -> None:
        if self.broken:
            raise ValueError("the shutter\nis stuck")


class Newsstands(Tenants[Newsstand]):
    source = ListSource(["acme", Tenant(id="bolt", overrides={"broken": True}), "cafe"])
    rollout: ClassVar[Rollout] = Rollout(waves=["2", "100%"])

    def stack(self, tenant: Tenant) -> Newsstand:
        return Newsstand(owner=tenant.id)


class SignState(Outputs):
    text: str


SIGNS: dict[str, str] = {}


class Sign(Managed[SignState]):
    owner: str
    text: str = "open"

    def read(self, recorded: SignState | None, /) -> SignState | None:
        if SIGNS.get(self.owner) == "fog":
            raise Permanent("nothing can be seen")
        return SignState(text=SIGNS[self.owner]) if self.owner in SIGNS else None

    def create(self) -> SignState:
        SIGNS[self.owner] = self.text
        return SignState(text=self.text)

    def change(self, live: SignState, /) -> SignState:
        return self.create()

    def delete(self, live: SignState, /) -> None:
        del SIGNS[self.owner]


class Front(Resource):
    owner: str

    def identity(self) -> str:
        return self.owner

    async def define_update(self) -> None:
        await self.do("sign", Sign(owner=self.owner))


class Fronts(Tenants[Front]):
    source = ListSource([f"c{number}" for number in range(8)])
    rollout = Rollout(waves=["100%"])

    def stack(self, tenant: Tenant) -> Front:
        return Front(owner=tenant.id)


@pytest.fixture
def orbits_settings() -> Settings:
    return Settings(project="tests", store="memory:", notify=NotifySettings(to=(SecretStr("file:told.jsonl"),)))


async def told(orbits: Orbits) -> list[Message]:
    """What people would be told now; once."""
    rows = await orbits.store.find(MessageRow, execution=NO_EXECUTION)
    await orbits.store.commit(Transaction(delete=rows))
    return list(messages_of([of_row(row) for row in rows], digest_after=5))


async def test_a_roll_out_that_stops_is_one_message_with_who_failed_and_why(orbits: Orbits) -> None:
    await orbits.run(Newsstands())
    (message,) = await told(orbits)
    assert message.title.startswith("Newsstands: 3 tenants: 1 updated, ")
    first, second, *_ = message.body.splitlines()
    assert first.startswith("- `stopped after wave 2: 1 of 3 tenants failed")
    assert second.startswith("- bolt: `ValueError: the shutter is stuck")


async def test_a_roll_out_that_waits_for_somebody_says_what_to_type(
    orbits: Orbits, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Newsstands, "rollout", Rollout(waves=[Wave("1", promote="by hand"), "100%"]))
    monkeypatch.setattr(Newsstands, "source", ListSource(["acme", "cafe"]))
    roll_out = await orbits.start(Newsstands())
    await orbits.settled()
    (message,) = await told(orbits)
    assert message.title == "update of Newsstands waits for Promoted"
    assert "orbits tenants promote Newsstands" in message.body
    await asyncio.gather(roll_out.answer(Promoted(wave=1)), roll_out.ended())
    assert await told(orbits) == []


async def test_what_a_fleet_finds_in_one_look_is_one_message_and_one_more_when_it_is_over(orbits: Orbits) -> None:
    async def look() -> list[Message]:
        cycle = Command[None](resource=Fronts(), command="cycle", arguments={"on_drift": "notify"})
        await orbits.run(cycle)
        return await told(orbits)

    await orbits.run(Fronts())
    assert await look() == []
    SIGNS.update({f"c{number}": "fog" if number < 2 else "closed" for number in range(8)})
    (found,) = await look()
    assert found.title == "2 failed, 6 drifted (8 tenants)"
    assert "- Sign Front c2/sign has drifted (c2): `orbits drift Sign 'Front c2/sign'`" in found.body.splitlines()
    assert await look() == []
    SIGNS.update(dict.fromkeys(SIGNS, "open"))
    (over,) = await look()
    assert over.title == "8 healed (8 tenants)"
