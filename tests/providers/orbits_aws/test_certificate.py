"""The certificate of a removal: only what was looked for and not found is gone, and tags have the last word."""

from collections.abc import Callable
from typing import ClassVar

import pytest

from orbits_aws import AwsTarget, OfflineAws, Parameter, Queue
from orbits_iac import Orbits, Resource
from orbits_iac.provider import RecordId, RecordRow, things
from orbits_tenants import ListSource, Rollout, Source, Tenant, Tenants
from orbits_tenants.inventory import inventory
from orbits_tenants.removal import remove


class Coop(Resource[None]):
    """A queue and a parameter."""

    client: str

    def identity(self) -> str:
        return self.client

    async def define_update(self) -> None:
        await self.do("jobs", Queue(name=f"{self.client}-jobs"))
        await self.do("colour", Parameter(name=f"/{self.client}/colour", value="red"))


class Coops(Tenants[Coop]):
    source: ClassVar[Source]
    rollout: ClassVar[Rollout] = Rollout(waves=["100%"])

    def stack(self, tenant: Tenant) -> Coop:
        return Coop(client=tenant.id)


@pytest.fixture
async def depots(aws: OfflineAws, orbits: Orbits, member: Callable[[str], AwsTarget]) -> AwsTarget:
    """Two depots that stand; gives where bolt's is."""
    made = {name: member(name) for name in ("acme", "bolt")}
    Coops.source = ListSource([Tenant(id=name, targets=(target,)) for name, target in made.items()])
    await orbits.run(Coops())
    return made["bolt"]


JOBS, COLOUR = "Queue Coop bolt/jobs", "Parameter Coop bolt/colour"


async def test_only_what_was_looked_for_and_not_found_is_gone(
    aws: OfflineAws, orbits: Orbits, depots: AwsTarget
) -> None:
    known = await things(orbits, RecordId("Coop", "bolt"))
    assert [str(one) for one in known] == ["Coop bolt", JOBS, COLOUR]
    certificate = await remove(orbits, Coops, "bolt", why="they left")
    assert certificate.removed == {"Coop bolt": 1, JOBS: 1, COLOUR: 1}
    assert (certificate.stays, certificate.unsure, certificate.tagged) == ([], {}, [])
    *records, tags = certificate.checked
    assert records == [
        "records: of 3 things that stood, 0 stand",
        "live: of 2 things that were to be looked for, 2 are gone",
        "by the record alone: 1, with nothing of their own to look for",
    ]
    assert tags.startswith(
        f"tags: nothing is tagged as of them in {depots.account}/eu-west-1 (AwsTarget), by the Resource"
    )
    sqs = aws.client("sqs", account=depots.account)
    sqs.create_queue(QueueName="bolt-more", tags={"orbits:project": "tests", "orbits:record": JOBS})
    sqs.create_queue(QueueName="bolt-jobs")
    again = await remove(orbits, Coops, "bolt")  # of one that was cut off before it was certified
    assert again.removed == {"Coop bolt": 1, COLOUR: 1}
    assert again.stays == [f"{JOBS}: its record is gone, and yet: it is there"]
    assert again.tagged == [f"arn:aws:sqs:eu-west-1:{depots.account}:bolt-more (of {JOBS})"]
    aws.settings(denied=[{"service": "ssm"}, {"service": "resourcegroupstaggingapi"}])
    found = await inventory(orbits, known, [])
    assert (found.gone, found.alone) == (set(), {"Coop bolt"})
    assert found.unknown[COLOUR].startswith("AccessDenied: AccessDeniedException on ssm:")
    assert found.asked[0].startswith(f"tags: {depots.account}/eu-west-1 (AwsTarget) could not be asked: AccessDenied")
    rows = [await orbits.store.get(RecordRow, *one.record) for one in known]
    assert [(row.revision, row.users) for row in rows if row is not None] == [(None, ())] * 3
