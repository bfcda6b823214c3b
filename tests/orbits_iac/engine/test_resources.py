"""Resources: identity and place, revisions, going back, steps of no return, sharing, drift, removal."""

import asyncio
from datetime import timedelta
from typing import Any, cast

import pytest
from pydantic import SecretStr

from orbits_iac import Action, Every, ExecutionFailed, Options, Orbits, Outputs, Resource, Target, command
from orbits_iac.model.conflict import OnConflict
from orbits_iac.model.errors import Refused, UsageError
from orbits_iac.model.rows import ExecutionRow, OnceRow, RecordRow, RevisionRow
from orbits_iac.model.states import State
from orbits_iac.testing import Clock

from .world import WORLD, App, Outage, SharedThing, Sum, Thing, ThingState, add


@pytest.fixture(autouse=True)
def _new_world() -> None:
    WORLD.clear()


class Migrate(Action[int]):
    """A step of no return."""

    options = Options(idempotent=True)
    to: int

    def main(self) -> int:
        WORLD.did(f"migrate {self.to}")
        return self.to


class Service(Resource[ThingState]):
    """A thing, and then a migration."""

    client: str
    value: int
    version: int = 1

    def identity(self) -> str:
        return self.client

    async def define_update(self) -> ThingState:
        state = await self.do("thing", Thing(value=self.value))
        await self.do("migrate", Migrate(to=self.version), once=True, no_return=True)
        return state


class Front(Resource[ThingState]):
    """A thing."""

    client: str
    value: int

    def identity(self) -> str:
        return self.client

    async def define_update(self) -> ThingState:
        return await self.do("thing", Thing(value=self.value))


class Site(Resource):
    """A service, and then its front."""

    client: str
    back: int
    front: int
    version: int = 1

    def identity(self) -> str:
        return self.client

    async def define_update(self) -> None:
        await self.do("back", Service(client=self.client, value=self.back, version=self.version))
        await self.do("front", Front(client=self.client, value=self.front))


class Network(Outputs):
    """What a network publishes."""

    value: int


class Users(Resource):
    """Uses a thing that others name too."""

    name: str
    shared: int = 1

    def identity(self) -> str:
        return self.name

    async def define_install(self) -> None:
        await self.do("base", SharedThing(name="base", value=9), retain=True)

    async def define_update(self) -> None:
        await self.do("shared", SharedThing(name="net", value=self.shared))


async def numbers(orbits: Orbits, kind: type[Resource[Any]], identity: str) -> list[int]:
    """The numbers of the revisions that were good."""
    return [revision.number for revision in await orbits.record(kind, identity).history()]


async def test_an_update_makes_a_revision_with_its_argument_outputs_and_children(orbits: Orbits) -> None:
    assert await orbits.run(App(name="x", first=1, second=2)) == Sum(total=3)
    (revision,) = await orbits.record(App, "x").history()
    assert revision.argument == {"name": "x", "first": 1, "second": 2, "once": 1}
    assert revision.outputs == Sum(total=3)
    row = await orbits.store.get(RevisionRow, "App", "x", 1)
    assert row is not None
    assert [(child.ref, child.identity, child.owned, child.revision) for child in row.children] == [
        ("one", "App x/one", True, 1),
        ("two", "App x/two", True, 1),
    ]


async def test_an_update_that_changes_nothing_makes_no_revision_and_says_so(orbits: Orbits) -> None:
    await orbits.run(App(name="x", first=1, second=2))
    WORLD.log.clear()
    execution = await orbits.start(App(name="x", first=1, second=2))
    await execution
    assert not (await execution.row()).changed
    assert WORLD.log == []
    assert await numbers(orbits, App, "x") == [1]


async def test_install_runs_first_and_only_once(orbits: Orbits) -> None:
    await orbits.run(App(name="x", first=1, second=2))
    assert WORLD.log[0] == "add 0 0"
    await orbits.run(App(name="x", first=2, second=2))
    assert WORLD.log.count("add 0 0") == 1


async def test_a_step_done_once_runs_again_when_its_argument_changes(orbits: Orbits) -> None:
    await orbits.run(App(name="x", first=1, second=2))
    await orbits.run(App(name="x", first=3, second=2))
    assert WORLD.log.count("add 1 1") == 1
    await orbits.run(App(name="x", first=3, second=2, once=5))
    assert WORLD.log.count("add 5 5") == 1


async def test_a_failed_update_goes_back_and_raises_the_first_error(orbits: Orbits) -> None:
    await orbits.run(App(name="x", first=1, second=2))
    WORLD.failing = {"13"}
    with pytest.raises(ExecutionFailed) as failed:
        await orbits.run(App(name="x", first=5, second=13, once=7))
    assert (failed.value.path, failed.value.error_type) == (("two",), "Outage")
    assert failed.value.failure.state is State.REVERTED
    assert failed.value.caused_by(Outage)
    assert WORLD.things == {"Thing App x/one": 1, "Thing App x/two": 2}
    assert await numbers(orbits, App, "x") == [1]
    assert await orbits.record(App, "x").outputs() == Sum(total=3)


async def test_going_back_forgets_what_was_done_once(orbits: Orbits) -> None:
    await orbits.run(App(name="x", first=1, second=2))
    WORLD.failing = {"13"}
    with pytest.raises(ExecutionFailed):
        await orbits.run(App(name="x", first=5, second=13, once=7))
    WORLD.failing.clear()
    await orbits.run(App(name="x", first=5, second=13, once=7))
    assert WORLD.log.count("add 7 7") == 2


async def test_the_abandoned_revision_is_never_the_last_good_one(orbits: Orbits) -> None:
    await orbits.run(App(name="x", first=1, second=2))
    WORLD.failing = {"13"}
    with pytest.raises(ExecutionFailed):
        await orbits.run(App(name="x", first=5, second=13))
    await orbits.run(App(name="x", first=6, second=2))
    assert await numbers(orbits, Thing, "App x/one") == [1, 3]
    await orbits.record(App, "x").rollback()
    assert WORLD.things["Thing App x/one"] == 1


async def test_a_first_update_that_fails_removes_what_it_made(orbits: Orbits) -> None:
    WORLD.failing = {"13"}
    with pytest.raises(ExecutionFailed):
        await orbits.run(App(name="x", first=5, second=13))
    assert WORLD.things == {}
    WORLD.failing.clear()
    assert await orbits.run(App(name="x", first=5, second=13)) == Sum(total=18)


async def test_each_level_goes_back_before_its_error_reaches_the_one_above(orbits: Orbits) -> None:
    await orbits.run(Site(client="a", back=1, front=1))
    WORLD.failing = {"13"}
    with pytest.raises(ExecutionFailed) as failed:
        await orbits.run(Site(client="a", back=2, front=13))
    assert failed.value.path == ("front", "thing")
    assert failed.value.failure.state is State.REVERTED
    assert WORLD.things == {"Thing Service a/thing": 1, "Thing Front a/thing": 1}
    assert await numbers(orbits, Service, "a") == [1]


async def test_nothing_is_brought_back_over_a_step_of_no_return(orbits: Orbits) -> None:
    await orbits.run(Site(client="a", back=1, front=1))
    WORLD.failing = {"13"}
    with pytest.raises(ExecutionFailed) as failed:
        await orbits.run(Site(client="a", back=2, front=13, version=2))
    assert failed.value.failure.state is State.QUARANTINED
    assert failed.value.failure.no_return == ("back.migrate",)
    assert WORLD.things == {"Thing Service a/thing": 2, "Thing Front a/thing": 1}
    held = (await orbits.record(Site, "a").row()).held
    assert held is not None
    assert held.steps == ("back.migrate",)
    WORLD.failing.clear()
    await orbits.run(Site(client="a", back=3, front=3, version=2))
    assert (await orbits.record(Site, "a").row()).held is None
    assert WORLD.log.count("migrate 2") == 1


async def test_a_step_of_no_return_that_was_skipped_is_not_passed(orbits: Orbits) -> None:
    await orbits.run(Site(client="a", back=1, front=1))
    WORLD.failing = {"13"}
    with pytest.raises(ExecutionFailed) as failed:
        await orbits.run(Site(client="a", back=2, front=13))
    assert failed.value.failure.no_return == ()


async def test_what_is_named_is_shared_and_outlives_all_but_its_last_user(orbits: Orbits) -> None:
    await orbits.run(Users(name="a"))
    await orbits.run(Users(name="b"))
    assert WORLD.log.count("create SharedThing net 1") == 1
    record = await orbits.record(SharedThing, "net").row()
    assert record.users == ("Users a", "Users b")
    await orbits.record(Users, "a").uninstall()
    assert "SharedThing net" in WORLD.things
    await orbits.record(Users, "b").uninstall()
    assert WORLD.things == {"SharedThing base": 9}


async def test_equal_requests_in_flight_are_one(orbits: Orbits) -> None:
    results = await asyncio.gather(*(orbits.run(App(name="x", first=1, second=2)) for _ in range(5)))
    assert results == [Sum(total=3)] * 5
    assert len([row for row in await orbits.store.find(ExecutionRow) if row.kind == "App"]) == 1


async def test_another_request_waits_its_turn(orbits: Orbits) -> None:
    await asyncio.gather(*(orbits.run(App(name="x", first=n, second=n)) for n in range(4)))
    assert await numbers(orbits, App, "x") == [1, 2, 3, 4]
    record = await orbits.record(App, "x").row()
    assert record.queue == ()


class Hasty(Resource):
    """Does one thing twice at once; the second does this where the first is at it."""

    busy: OnConflict

    def identity(self) -> str:
        return self.busy

    async def define_update(self) -> None:
        app = App(name="x", first=3, second=4)
        await asyncio.gather(
            self.do("one", App(name="x", first=1, second=2)), self.do("two", app, on_conflict=self.busy)
        )


async def test_on_conflict_fail_does_not_wait(orbits: Orbits) -> None:
    with pytest.raises(ExecutionFailed, match="busy"):
        await orbits.run(Hasty(busy="fail"))


async def test_on_conflict_supersede_tells_what_goes_before_it_and_waits(orbits: Orbits) -> None:
    await orbits.run(Hasty(busy="supersede"))
    told = {row.superseded_by: row.id for row in await orbits.store.find(ExecutionRow, kind="App")}
    assert told.keys() == {None, told[None]}
    assert (await orbits.record(App, "x").outputs()).total == 7


async def test_drift_is_found_shown_and_brought_back(orbits: Orbits) -> None:
    await orbits.run(App(name="x", first=1, second=2))
    record = orbits.record(App, "x")
    assert (await record.drift()).in_sync
    WORLD.things["Thing App x/two"] = 77
    report = await record.drift()
    assert not report.in_sync
    ((look, difference),) = report.drifted
    assert (look.identity, difference.path, difference.recorded, difference.live) == ("App x/two", "value", "2", "77")
    assert WORLD.things["Thing App x/two"] == 77
    healed = await record.cycle(on_drift="remediate")
    assert healed.in_sync
    assert [difference.live for _, difference in healed.remediated] == ["77"]
    assert WORLD.things["Thing App x/two"] == 2
    assert (await record.drift()).remediated == []


async def test_what_is_gone_is_drift_and_made_again(orbits: Orbits) -> None:
    await orbits.run(App(name="x", first=1, second=2))
    del WORLD.things["Thing App x/one"]
    record = orbits.record(App, "x")
    assert not (await record.drift()).in_sync
    assert (await record.cycle(on_drift="remediate")).in_sync
    assert WORLD.things["Thing App x/one"] == 1


async def test_a_schedule_cycles_by_itself(orbits: Orbits, clock: Clock) -> None:
    class Scheduled(App):
        options = Options(schedule=Every(timedelta(hours=6), on_drift="remediate"))

    await orbits.run(Scheduled(name="x", first=1, second=2))
    WORLD.things["Thing Scheduled x/two"] = 77
    await clock.advance(timedelta(hours=5))
    assert WORLD.things["Thing Scheduled x/two"] == 77
    await clock.advance(timedelta(hours=1))
    assert WORLD.things["Thing Scheduled x/two"] == 2
    WORLD.things["Thing Scheduled x/two"] = 78
    await clock.advance(timedelta(hours=60))
    assert WORLD.things["Thing Scheduled x/two"] == 2
    cycles = [row for row in await orbits.store.find(ExecutionRow) if (row.kind, row.command) == ("Scheduled", "cycle")]
    assert len(cycles) == 2


async def test_rollback_brings_back_the_revision_before(orbits: Orbits) -> None:
    for value in (1, 2, 3):
        await orbits.run(App(name="x", first=value, second=2))
    record = orbits.record(App, "x")
    assert await record.rollback() == Sum(total=4)
    assert WORLD.things["Thing App x/one"] == 2
    await record.rollback(1)
    assert WORLD.things["Thing App x/one"] == 1
    with pytest.raises(ExecutionFailed, match="no revision before 1"):
        await record.rollback()


async def test_a_record_says_since_when_it_stands_as_it_does_and_by_whom(orbits: Orbits, clock: Clock) -> None:
    record = orbits.record(App, "x")
    said: list[tuple[float, str]] = []

    async def look_an_hour_later() -> None:
        row = await record.row()
        assert row.since is not None
        said.append((row.since, row.by))
        await clock.advance(timedelta(hours=1))

    for first in (1, 1, 2):
        await orbits.run(App(name="x", first=first, second=2))
        await look_an_hour_later()
    someone, orbits.who = orbits.who, "somebody else"
    await record.rollback()
    await look_an_hour_later()
    await record.uninstall()
    await look_an_hour_later()
    assert [round((at - said[0][0]) / 3600) for at, _ in said] == [0, 0, 2, 3, 4]
    assert [by for _, by in said] == [someone] * 3 + ["somebody else"] * 2


async def test_uninstall_removes_the_children_the_last_first(orbits: Orbits) -> None:
    await orbits.run(App(name="x", first=1, second=2))
    await orbits.record(App, "x").uninstall()
    assert WORLD.log[-2:] == ["delete Thing App x/two", "delete Thing App x/one"]
    assert (await orbits.record(App, "x").row()).revision is None
    assert await orbits.store.find(OnceRow, kind="App", identity="x") == []
    with pytest.raises(Refused, match="nothing of it stands"):
        await orbits.record(App, "x").outputs()


async def test_an_uninstall_returns_what_stays_however_deep_it_is(orbits: Orbits) -> None:
    class Leaves(Resource):
        async def define_uninstall(self) -> None:
            self.execution.leaves("a bucket called files")

        async def define_update(self) -> None:
            pass

    class Above(Resource):
        def identity(self) -> str:
            return "above"

        async def define_update(self) -> None:
            await self.do("leaves", Leaves())
            await self.do("kept", Thing(value=1), retain=True)

    await orbits.run(Above())
    stays = await orbits.record(Above, "above").uninstall()
    assert stays == ["Thing Above above/kept: it is retained", "a bucket called files"]


async def test_what_is_protected_is_not_removed(orbits: Orbits) -> None:
    class Protecting(Resource):
        name: str

        def identity(self) -> str:
            return self.name

        async def define_update(self) -> None:
            await self.do("thing", Thing(value=1), protect=True)

    await orbits.run(Protecting(name="p"))
    with pytest.raises(ExecutionFailed, match="protected"):
        await orbits.record(Protecting, "p").uninstall()
    assert WORLD.things == {"Thing Protecting p/thing": 1}


class Region(Target):
    """A place with a secret."""

    name: str
    role: str = "x"

    def place(self) -> str:
        return self.name


class Placed(Resource):
    """A thing in a region."""

    name: str
    region: str
    role: str = "x"

    def identity(self) -> str:
        return self.name

    async def define_update(self) -> None:
        await self.do("thing", SharedThing(name="placed", value=1), target=Region(name=self.region, role=self.role))


async def test_a_record_keeps_its_place_but_not_its_role(orbits: Orbits) -> None:
    await orbits.run(Placed(name="p", region="here"))
    await orbits.run(Placed(name="p", region="here", role="y"))
    with pytest.raises(ExecutionFailed, match="keeps its place"):
        await orbits.run(Placed(name="p", region="there"))


async def test_a_resource_without_identity_or_place_is_refused(orbits: Orbits) -> None:
    with pytest.raises(UsageError, match="identity"):
        await orbits.run(Thing(value=1))
    assert await orbits.store.find(RecordRow) == []


async def test_an_own_command_runs_on_the_resource(orbits: Orbits) -> None:
    class Checked(App):
        @command
        async def check(self, extra: int = 1) -> int:
            return await self.do("add", add(self.first, extra))

    assert await orbits.run(Checked(name="c", first=1, second=2).check(extra=4)) == 5


async def test_a_commands_arguments_come_back_as_what_they_were(orbits: Orbits) -> None:
    given: list[Any] = []

    class Asked(App):
        @command
        async def take(self, after: timedelta, sum_: Sum, plain: Any, secret: SecretStr) -> None:
            given.extend((after, sum_, plain, secret))

    asked = (timedelta(seconds=1), Sum(total=2), 3, SecretStr("hunter22"))
    await orbits.run(Asked(name="c", first=1, second=2).take(*asked))
    assert given == list(asked)


async def test_a_command_that_no_longer_takes_its_arguments_waits_for_that_to_be_mended(orbits: Orbits) -> None:
    class Asked(App):
        @command
        async def take(self, number: int) -> int:
            return number

    execution = await orbits.start(Asked(name="c", first=1, second=2).take(cast("int", "many")))
    await orbits.settled()
    assert (await execution.row()).state is State.PAUSED
    [event] = [event for event in await orbits.store.tail(0) if event.after is State.PAUSED]
    assert "Asked.take() no longer accepts the arguments that were recorded: number: Input should be" in event.why


async def test_the_preview_says_what_an_update_would_do_and_writes_nothing(orbits: Orbits) -> None:
    plan = await orbits.preview(App(name="x", first=1, second=2))
    assert plan
    assert plan.root.verb.value == "create"
    assert await orbits.store.find(RecordRow) == []
    await orbits.run(App(name="x", first=1, second=2))
    assert not await orbits.preview(App(name="x", first=1, second=2))
    plan = await orbits.preview(App(name="x", first=5, second=2))
    assert plan.changes == ["one: update Thing"]
    assert WORLD.things["Thing App x/one"] == 1
