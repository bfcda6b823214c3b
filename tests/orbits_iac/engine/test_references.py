"""Values that came from outputs: they follow what they came from when that is made anew."""

import pytest

from orbits_iac import ExecutionFailed, Orbits, Outputs, Resource, Workflow
from orbits_iac.model.rows import Reference, RevisionRow
from orbits_iac.model.states import State

from .world import WORLD, Bucket, Mount, MountState


@pytest.fixture(autouse=True)
def _new_world() -> None:
    WORLD.clear()


class Site(Resource):
    """A bucket, what is mounted from it, and a mount that fails with weight 13."""

    purpose: str = "web"
    weight: int = 0
    last: int = 0

    def identity(self) -> str:
        return "site"

    async def define_update(self) -> None:
        bucket = await self.do("bucket", Bucket(purpose=self.purpose))
        await self.do("mount", Mount(bucket=bucket.name, weight=self.weight, password=bucket.password))
        await self.do("last", Mount(bucket=bucket.name, weight=self.last))


async def argument(orbits: Orbits, kind: type[Resource[MountState]], identity: str) -> object:
    """What the standing revision was asked for."""
    (*_, revision) = await orbits.record(kind, identity).history()
    return revision.argument["bucket"]


async def test_a_value_that_was_an_output_is_recorded_with_it(orbits: Orbits) -> None:
    await orbits.run(Site())
    row = await orbits.store.get(RevisionRow, "Mount", "Site site/mount", 1)
    assert row is not None
    assert row.references == {
        "/bucket": Reference(kind="Bucket", identity="Site site/bucket", path="/name"),
        "/password": Reference(kind="Bucket", identity="Site site/bucket", path="/password"),
    }
    assert not any("password of" in text for text in (row.argument, row.outputs, str(row.references)))


async def test_what_stands_on_a_thing_that_is_made_anew_is_restored_with_its_new_name(orbits: Orbits) -> None:
    await orbits.run(Site())
    assert WORLD.mounts == {"Site site/mount": "bucket-0001 0", "Site site/last": "bucket-0001 0"}
    with pytest.raises(ExecutionFailed) as failed:
        await orbits.run(Site(purpose="api", weight=5, last=13))
    assert failed.value.failure.state is State.REVERTED, failed.value.failure.left
    assert WORLD.buckets == {"bucket-0003": "web"}
    assert WORLD.mounts == {"Site site/mount": "bucket-0003 0", "Site site/last": "bucket-0003 0"}
    assert await argument(orbits, Mount, "Site site/last") == "bucket-0003"
    assert (await orbits.record(Bucket, "Site site/bucket").outputs()).name == "bucket-0003"
    row = await orbits.store.get(RevisionRow, "Mount", "Site site/mount", 1)
    assert row is not None
    assert "password of" not in row.argument
    WORLD.log.clear()
    await orbits.run(Site())
    assert WORLD.log == []
    assert (await orbits.record(Site, "site").drift()).in_sync


async def test_what_the_failed_update_had_not_reached_follows_the_new_name_too(orbits: Orbits) -> None:
    await orbits.run(Site())
    with pytest.raises(ExecutionFailed) as failed:
        await orbits.run(Site(purpose="api", weight=13))
    assert failed.value.failure.state is State.REVERTED, failed.value.failure.left
    assert WORLD.mounts == {"Site site/mount": "bucket-0003 0", "Site site/last": "bucket-0003 0"}


async def test_going_back_by_a_command_follows_the_new_name_too(orbits: Orbits) -> None:
    await orbits.run(Site())
    await orbits.run(Site(purpose="api"))
    await orbits.record(Site, "site").rollback()
    assert WORLD.mounts == {"Site site/mount": "bucket-0003 0", "Site site/last": "bucket-0003 0"}
    assert (await orbits.record(Site, "site").row()).revision == 1


async def test_a_record_may_be_brought_back_to_where_it_is_if_what_it_stands_on_has_changed(orbits: Orbits) -> None:
    await orbits.run(Site())
    WORLD.buckets.clear()
    await orbits.record(Bucket, "Site site/bucket").cycle(on_drift="remediate")
    assert (await orbits.record(Bucket, "Site site/bucket").outputs()).name == "bucket-0002"
    await orbits.record(Site, "site").rollback(1)
    assert WORLD.mounts == {"Site site/mount": "bucket-0002 0", "Site site/last": "bucket-0002 0"}
    WORLD.log.clear()
    await orbits.record(Site, "site").rollback(1)
    assert WORLD.log == []


async def test_what_a_cycle_has_made_anew_is_found_by_the_next(orbits: Orbits) -> None:
    await orbits.run(Site())
    WORLD.buckets.clear()
    record = orbits.record(Bucket, "Site site/bucket")
    assert (await record.cycle(on_drift="remediate")).in_sync
    assert (await record.drift()).in_sync
    assert WORLD.buckets == {"bucket-0002": "web"}


class Stored(Outputs):
    """What a storage publishes of its bucket."""

    bucket_name: str


class Shelf(Resource[Stored]):
    """A bucket below."""

    purpose: str

    def identity(self) -> str:
        return "storage"

    async def define_update(self) -> Stored:
        bucket = await self.do("bucket", Bucket(purpose=self.purpose))
        return Stored(bucket_name=bucket.name)


class Served(Workflow):
    """A mount, in a Workflow."""

    bucket: str

    async def define(self) -> None:
        await self.do("mount", Mount(bucket=self.bucket))


class Serving(Resource):
    """Hands on what it is given."""

    bucket: str

    def identity(self) -> str:
        return "service"

    async def define_update(self) -> None:
        await self.do("served", Served(bucket=self.bucket))


class Reader(Resource):
    """Reads what another publishes."""

    def identity(self) -> str:
        return "reader"

    async def define_update(self) -> None:
        stored = await self.execution.outputs(Shelf, "storage")
        await self.do("mount", Mount(bucket=stored.bucket_name))


class Deep(Resource):
    """Composites that stand on each other."""

    purpose: str
    fails: bool = False

    def identity(self) -> str:
        return "deep"

    async def define_update(self) -> None:
        stored = await self.do("storage", Shelf(purpose=self.purpose))
        await self.do("service", Serving(bucket=stored.bucket_name))
        if self.fails:
            raise ValueError("no")


async def test_composites_hand_the_new_name_down_and_publish_it(orbits: Orbits) -> None:
    await orbits.run(Deep(purpose="web"))
    with pytest.raises(ExecutionFailed) as failed:
        await orbits.run(Deep(purpose="api", fails=True))
    assert failed.value.failure.state is State.REVERTED, failed.value.failure.left
    assert set(WORLD.mounts.values()) == {"bucket-0003 0"}
    assert (await orbits.record(Shelf, "storage").outputs()).bucket_name == "bucket-0003"
    WORLD.log.clear()
    await orbits.run(Deep(purpose="web"))
    assert WORLD.log == []


async def test_what_was_read_of_another_record_is_followed_too(orbits: Orbits) -> None:
    await orbits.run(Shelf(purpose="web"))
    await orbits.run(Reader())
    await orbits.run(Shelf(purpose="api"))
    await orbits.record(Reader, "reader").rollback(1)
    assert WORLD.mounts == {"Reader reader/mount": "bucket-0002 0"}


class Plain(Outputs):
    """Values of several sorts."""

    short: str = "1234567"
    long: str = "12345678"
    number: int = 12345678


class Source(Resource[Plain]):
    """Publishes them."""

    async def define_update(self) -> Plain:
        return Plain()


class Taker(Resource):
    """Takes them, and a text beside."""

    plain: Plain
    text: str

    async def define_update(self) -> None:
        """Nothing."""


class Asking(Resource):
    """Gives values that may have come from several places, or from none."""

    text: str
    sources: int = 1

    def identity(self) -> str:
        return "asking"

    async def define_update(self) -> None:
        plain = [await self.do("source", Source(), key=str(number)) for number in range(self.sources)]
        await self.do("taker", Taker(plain=plain[0], text=self.text))


@pytest.mark.parametrize(
    ("asking", "paths"),
    [
        (Asking(text="elsewhere"), ["/plain/long"]),
        (Asking(text="12345678"), []),
        (Asking(text="elsewhere", sources=2), []),
    ],
)
async def test_long_texts_of_one_origin_are_followed_and_nothing_else(
    orbits: Orbits, asking: Asking, paths: list[str]
) -> None:
    await orbits.run(asking)
    row = await orbits.store.get(RevisionRow, "Taker", "Asking asking/taker", 1)
    assert row is not None
    assert list(row.references) == paths


class Installed(Resource):
    """Makes a bucket once, and mounts it with each update."""

    weight: int = 0

    def identity(self) -> str:
        return "installed"

    async def define_install(self) -> None:
        await self.do("bucket", Bucket(purpose="web"))

    async def define_update(self) -> None:
        bucket = await self.execution.outputs(Bucket, "Installed installed/bucket")
        await self.do("mount", Mount(bucket=bucket.name, weight=self.weight))


async def test_what_stands_on_another_is_removed_before_it(orbits: Orbits) -> None:
    for weight in (0, 1):
        await orbits.run(Installed(weight=weight))
    row = await orbits.store.get(RevisionRow, "Installed", "installed", 2)
    assert row is not None
    assert [child.ref for child in row.children] == ["mount", "bucket"]
    await orbits.record(Installed, "installed").uninstall()
    assert WORLD.log[-2:] == ["unmount Installed installed/mount", "remove bucket-0001"]
