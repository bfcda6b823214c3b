"""What is said of a fleet after roll-outs that did not come to their end."""

import asyncio
import json
import time
from pathlib import Path

import pytest

from orbits_iac import Orbits, Settings
from orbits_tenants import Rollout
from orbits_tenants.fleet import Fleet
from orbits_tenants.standing import read
from tests.servers.commands import Commands
from tests.tenants.stalls import STREET, Stalls, street
from tests.tenants.test_under_way import cancelled, held, notes, states

__all__ = ["street"]

pytestmark = pytest.mark.usefixtures("commands")  # it is begun before what a test leaves behind is looked for


@pytest.fixture(autouse=True)
def one_at_a_time(street: object) -> None:
    Stalls.rollout = Rollout(waves=["100%"], max_concurrency=1)


async def fleet(orbits: Orbits) -> Fleet:
    return await read(orbits.store, "Stalls", now=time.time())


async def cancel_at(orbits: Orbits, tenant: str, fleet: Stalls) -> str:
    execution = await held(orbits, fleet, tenant)
    await cancelled(execution)
    return execution.id


async def test_the_report_tells_of_it_and_of_whom_it_had_come_to(orbits: Orbits) -> None:
    await orbits.run(Stalls(release="1"))
    second = await cancel_at(orbits, "bolt", Stalls(release="2"))
    found = await fleet(orbits)
    assert found.rollout is not None
    assert (found.rollout.execution, found.rollout.argument["release"]) == (second, "2")
    assert notes(found) == (
        "it ended CANCELLED: it was cancelled",
        "it had gone to 2 tenants: `orbits up` goes on, `orbits tenants rollback` brings them back",
    )
    assert states(found) == ["updated", "reverted", "updated", "updated"]
    assert [one.revision for one in found.members] == [2, 1, 1, 1]
    assert [one.happened for one in found.members] == [
        "went forward",
        "Cancelled: it was cancelled → back at revision 1",
        *["went forward (in an earlier roll-out)"] * 2,
    ]
    assert [[one.id for one in wave.members] for wave in found.waves] == [["acme", "bolt"]]


async def test_of_several_each_tenant_has_what_the_latest_did_to_it(orbits: Orbits) -> None:
    await orbits.run(Stalls(release="1"))
    await cancel_at(orbits, "bolt", Stalls(release="2"))
    third = await cancel_at(orbits, "cafe", Stalls(release="3", only=("cafe", "duke")))
    found = await fleet(orbits)
    assert found.rollout is not None
    assert found.rollout.execution == third
    assert [(one.revision, one.happened) for one in found.members] == [
        (2, "went forward (in an earlier roll-out)"),
        (1, "Cancelled: it was cancelled → back at revision 1 (in an earlier roll-out)"),
        (1, "Cancelled: it was cancelled → back at revision 1"),
        (1, "went forward (in an earlier roll-out)"),
    ]


async def test_one_that_had_begun_nobody_is_said_beside_the_last_good_one(orbits: Orbits) -> None:
    first = await held(orbits, Stalls(release="1"), "acme")
    second = await orbits.start(Stalls(release="2"))
    await cancelled(second)
    STREET.gate.set()
    await first
    found = await fleet(orbits)
    assert found.rollout is not None
    assert found.rollout.execution == first.id
    assert notes(found) == (f"a later roll-out, {second.id}, ended CANCELLED: it was cancelled",)
    assert {one.happened for one in found.members} == {"went forward"}


async def test_one_that_went_to_those_who_had_no_record_is_no_way_to_go_back(orbits: Orbits) -> None:
    await cancel_at(orbits, "bolt", Stalls(release="1"))
    found = await fleet(orbits)
    assert notes(found)[-1] == "it had gone to 2 tenants: `orbits up` goes on"
    assert states(found) == ["updated", "reverted", "not started", "not started"]


async def test_what_it_had_passed_over_stands_as_it_did(orbits: Orbits) -> None:
    await orbits.run(Stalls(release="1"))
    await orbits.run(Stalls(release="2", only=("acme",)))
    await cancel_at(orbits, "bolt", Stalls(release="2"))
    found = await fleet(orbits)
    assert states(found) == ["unchanged", "reverted", "updated", "updated"]


FLEET = """
from orbits_iac import Resource
from orbits_tenants import ListSource, Tenants


class Stall(Resource):
    owner: str


class Stalls(Tenants[Stall]):
    source = ListSource(["acme", "bolt", "cafe", "duke"])
"""


def test_the_list_has_what_stands_of_each(tmp_path: Path, commands: Commands) -> None:
    (tmp_path / "fleet.py").write_text(FLEET)
    url = f"sqlite:{tmp_path / 'state.db'}"

    async def broken_off() -> None:
        async with Orbits(Settings(store=url)) as orbits:
            await orbits.run(Stalls(release="1"))
            await cancel_at(orbits, "bolt", Stalls(release="2"))

    asyncio.run(broken_off())
    words = ["tenants", "list", "fleet.py:Stalls", "--json"]
    listed = json.loads(commands.run(words, cwd=tmp_path, env={"ORBITS_STORE": url}).stdout)
    assert [(one["id"], one["state"], one["revision"]) for one in listed] == [
        ("acme", "updated", 2),
        ("bolt", "reverted", 1),
        ("cafe", "updated", 1),
        ("duke", "updated", 1),
    ]
