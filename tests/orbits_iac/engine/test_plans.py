"""Plans that are executed: what was shown is done, or nothing; what is no longer done goes, where that was approved."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import pytest

from orbits_iac import Action, ExecutionFailed, Options, Orbits, Plan, Resource, Retry, Workflow
from orbits_iac.model.approvals import read_approval
from orbits_iac.model.errors import Refused
from orbits_iac.model.plans import Verb
from orbits_iac.model.rows import ExecutionRow, OnceRow, RecordRow, RevisionRow
from orbits_iac.model.states import State
from orbits_iac.store.contract import Transaction

from .world import WORLD, App, SharedThing, Sum, Thing, ThingState, add


@pytest.fixture(autouse=True)
def _new_world() -> None:
    WORLD.clear()


async def updates(orbits: Orbits) -> int:
    """How many executions there were."""
    return len(await orbits.store.find(ExecutionRow))


async def test_what_a_plan_shows_is_done(orbits: Orbits) -> None:
    app = App(name="x", first=1, second=2)
    with pytest.raises(Refused, match=r"plan \w+ no longer holds: its argument is another \(second: 2 → 3\)"):
        await orbits.run(App(name="x", first=1, second=3), plan=await orbits.preview(app), approve_deferred=True)
    plan = await orbits.preview(app)
    assert await orbits.run(app, plan=plan, approve_deferred=True) == Sum(total=3)
    plan = await orbits.preview(App(name="x", first=5, second=2))
    await orbits.run(App(name="x", first=5, second=2), plan=plan)
    assert WORLD.things == {"Thing App x/one": 5, "Thing App x/two": 2}
    approvals = [read_approval(row.approval) for row in await orbits.store.find(ExecutionRow, kind="App")]
    assert (plan.digest, orbits.who) in {(approval.plan, approval.by) for approval in approvals}


async def test_a_plan_that_was_kept_is_executed_like_a_new_one(orbits: Orbits) -> None:
    await orbits.run(App(name="x", first=1, second=2))
    app = App(name="x", first=5, second=2)
    kept = (await orbits.preview(app)).to_json()
    await orbits.run(app, plan=Plan.from_json(kept))
    assert WORLD.things["Thing App x/one"] == 5


async def test_a_plan_that_no_longer_holds_is_refused_with_all_that_changed(orbits: Orbits) -> None:
    await orbits.run(App(name="x", first=1, second=2))
    app = App(name="x", first=5, second=2)
    plan = await orbits.preview(app)
    await orbits.run(App(name="x", first=4, second=2))
    before = await updates(orbits)
    with pytest.raises(Refused) as refused:
        await orbits.run(
            app, plan=replace(plan, build="other", project="theirs", sources={**plan.sources, __name__: "0"})
        )
    assert (
        str(refused.value).partition(": ")[2]
        == f"it was made for project theirs, and this is tests; it was made with build other, and the code is now "
        f"{orbits.engine.build} ({__name__}); of App x stood revision 1, and revision 2 stands now (by {orbits.who}: "
        f"first: 1 → 4); one: of Thing App x/one stood revision 1, and revision 2 stands now (by {orbits.who}: value: "
        f"1 → 4). Make a new one with `orbits preview`."
    )
    with pytest.raises(Refused, match="it is for update of App, and asked for is uninstall of App"):
        await orbits.run(app.uninstall(), plan=plan)
    assert await updates(orbits) == before
    assert WORLD.things["Thing App x/one"] == 4


async def test_the_same_code_holds_whatever_else_was_imported(orbits: Orbits) -> None:
    app = App(name="x", first=1, second=2)
    plan = replace(await orbits.preview(app), build="other")
    await orbits.run(app, plan=replace(plan, sources={**plan.sources, "elsewhere": "0"}), approve_deferred=True)
    again = replace(await orbits.preview(app), build="other", sources={"elsewhere": "0"})
    with pytest.raises(Refused, match=f"made with build other, and the code is now {orbits.engine.build}. Make"):
        await orbits.run(app, plan=again)


async def test_what_has_drifted_since_is_not_touched(orbits: Orbits) -> None:
    await orbits.run(App(name="x", first=1, second=2))
    app = App(name="x", first=5, second=2)
    plan = await orbits.preview(app)
    WORLD.things["Thing App x/one"] = 77
    with pytest.raises(ExecutionFailed) as failed:
        await orbits.run(app, plan=plan)
    assert failed.value.message == (
        f"Thing App x/one: plan {plan.digest} has update, and what would be done now is another: "
        f"update value: 1 → 5 over 77. Preview again."
    )
    assert failed.value.failure.state is State.REVERTED
    assert WORLD.things["Thing App x/one"] == 77


async def test_what_has_been_brought_about_meanwhile_is_left(orbits: Orbits) -> None:
    await orbits.run(App(name="x", first=1, second=2))
    app = App(name="x", first=5, second=2)
    plan = await orbits.preview(app)
    WORLD.things["Thing App x/one"] = 5
    await orbits.run(app, plan=plan)
    assert WORLD.log.count("change Thing App x/one 5") == 0


class Held(Action):
    """Waits until it is let go."""

    async def main(self) -> None:
        WORLD.reached.set()
        await asyncio.to_thread(WORLD.gate.wait)


class Slow(Resource):
    """Waits, and then does a thing that others may do as well."""

    value: int

    def identity(self) -> str:
        return "slow"

    async def define_update(self) -> None:
        await self.do("wait", Held())
        await self.do("net", SharedThing(name="net", value=self.value))


async def test_a_record_that_moves_while_the_plan_is_executed_stops_it(orbits: Orbits) -> None:
    WORLD.gate.set()
    await orbits.run(SharedThing(name="net", value=1))
    plan = await orbits.preview(Slow(value=3))
    WORLD.gate.clear()
    running = asyncio.ensure_future(orbits.run(Slow(value=3), plan=plan))
    await asyncio.to_thread(WORLD.reached.wait)
    await orbits.run(SharedThing(name="net", value=2))
    WORLD.gate.set()
    with pytest.raises(ExecutionFailed, match="of SharedThing net stood revision 1, and revision 2 stands now"):
        await running
    assert WORLD.things == {"SharedThing net": 2}


class Twice(Workflow):
    """Two that use one thing."""

    value: int

    async def define(self) -> None:
        await self.do("a", Slow(value=self.value))
        await self.do("net", SharedThing(name="net", value=self.value))


async def test_a_thing_that_is_done_twice_below_one_plan_may_be(orbits: Orbits) -> None:
    WORLD.gate.set()
    await orbits.run(SharedThing(name="net", value=1))
    await orbits.run(Twice(value=3), plan=await orbits.preview(Twice(value=3)))
    assert WORLD.things == {"SharedThing net": 3}


class Follows(Resource):
    """Does one thing with what another gives."""

    value: int
    counts: bool = False

    def identity(self) -> str:
        return "follows"

    async def define_update(self) -> None:
        first = await self.do("first", Thing(value=self.value))
        if self.counts:
            await self.do("count", add(first.value, 1))
        await self.do("second", Thing(value=first.value))


async def test_what_follows_from_a_result_is_approved_apart(orbits: Orbits) -> None:
    step = Follows(value=1, counts=True)
    plan = await orbits.preview(step)
    assert plan.deferred == ["Follows: then what depends on first"]
    execution = await orbits.start(step, plan=plan)
    await orbits.settled()
    assert (await execution.row()).state is State.PAUSED
    (event,) = [event.why for event in await orbits.store.tail(0) if event.after is State.PAUSED]
    said = "does not show count (Add), which follows from what was done: it waits for approval"
    assert event == f"plan {plan.digest} {said}"
    assert set(WORLD.things) == {"Thing Follows follows/first"}
    await execution.resume()
    await orbits.settled()
    assert (await execution.row()).state is State.PAUSED
    more = await execution.preview()
    assert [(change.ref, change.verb, change.detail) for change in more.root.below] == [
        ("first", "skip", "done"),
        ("count", "run", ""),
    ]
    assert more.deferred == ["Follows: then what depends on count"]
    await execution.approve(more)
    await orbits.settled()
    assert (await execution.row()).state is State.PAUSED
    assert WORLD.log.count("add 1 1") == 1
    await execution.approve(await execution.preview())
    await execution
    assert len(WORLD.things) == 2
    approvals = read_approval((await execution.row()).approval)
    assert approvals.plan not in {plan.digest, more.digest}


async def test_what_follows_from_outputs_that_change_is_approved_apart(orbits: Orbits) -> None:
    await orbits.run(Follows(value=1))
    step = Follows(value=2)
    plan = await orbits.preview(step)
    assert plan.changes == ["first: update Thing"]
    execution = await orbits.start(step, plan=plan)
    await orbits.settled()
    assert (await execution.row()).state is State.PAUSED
    assert WORLD.things == {"Thing Follows follows/first": 2, "Thing Follows follows/second": 1}
    assert (await execution.preview()).changes == ["second: update Thing"]
    await execution.approve()
    await execution
    assert set(WORLD.things.values()) == {2}


async def test_what_waits_for_approval_may_be_cancelled_and_goes_back(orbits: Orbits) -> None:
    await orbits.run(Follows(value=1))
    step = Follows(value=2)
    execution = await orbits.start(step, plan=await orbits.preview(step))
    await orbits.settled()
    await execution.cancel()
    assert (await execution.ended()).state is State.CANCELLED
    assert set(WORLD.things.values()) == {1}


class Branches(Workflow):
    """Two branches, one of which waits for approval two levels down."""

    async def define(self) -> None:
        await asyncio.gather(self.do("app", Follows(value=1, counts=True)), self.other())

    async def other(self) -> None:
        await self.do("a", SharedThing(name="a", value=1))


async def test_other_branches_go_on_while_one_waits_for_approval(orbits: Orbits) -> None:
    execution = await orbits.start(Branches(), plan=await orbits.preview(Branches()))
    await orbits.settled()
    states = {row.kind: row.state for row in await orbits.store.find(ExecutionRow)}
    assert states == {
        "Branches": State.EXECUTING,
        "Follows": State.PAUSED,
        "Thing": State.SUCCESS,
        "SharedThing": State.SUCCESS,
    }
    plan = await execution.preview()
    assert plan.changes == ["app.count: run Add"]
    await execution.approve(plan)
    await orbits.settled()
    await execution.approve()
    await execution
    assert len(WORLD.things) == 3


async def test_a_process_that_comes_after_holds_the_same(orbits: Orbits) -> None:
    step = Follows(value=1, counts=True)
    execution = await orbits.start(step, plan=await orbits.preview(step))
    await orbits.settled()
    for run in list(orbits.engine._runs.values()):
        run.abandon()
    orbits.engine._runs.clear()
    await execution.resume()
    await orbits.settled()
    assert (await execution.row()).state is State.PAUSED
    for run in list(orbits.engine._runs.values()):
        run.abandon()
    orbits.engine._runs.clear()
    await execution.approve()
    await execution
    assert WORLD.log == ["create Thing Follows follows/first 1", "add 1 1", "create Thing Follows follows/second 1"]


async def test_a_step_that_was_to_be_skipped_is_not_done_again(orbits: Orbits) -> None:
    await orbits.run(App(name="x", first=1, second=2))
    app = App(name="x", first=5, second=2)
    plan = await orbits.preview(app)
    await orbits.store.commit(Transaction(delete=await orbits.store.find(OnceRow, kind="App", identity="x")))
    with pytest.raises(ExecutionFailed, match=r"seed: by plan .* it was done once already, and now"):
        await orbits.run(app, plan=plan)
    assert WORLD.log.count("add 1 1") == 1


class Nested(Workflow):
    """A Workflow with steps of its own, which is tried again."""

    fails: int

    async def define(self) -> None:
        await self.do("say", add(1, self.fails))
        if WORLD.log.count(f"add 1 {self.fails}") <= self.fails:
            raise ValueError("again")


class Around(Resource):
    """Does a Workflow, more than once if it has to."""

    fails: int = 0

    def identity(self) -> str:
        return "around"

    async def define_update(self) -> None:
        await self.do("nested", Nested(fails=self.fails), retry=Retry(attempts=3, delay=timedelta(0)))


async def test_a_further_attempt_is_what_the_first_was(orbits: Orbits) -> None:
    step = Around(fails=1)
    plan = await orbits.preview(step)
    assert plan.root.below[0].below[0].ref == "say"
    await orbits.run(step, plan=plan)
    assert WORLD.log == ["add 1 1", "add 1 1"]


async def test_requests_under_one_plan_are_joined_and_others_wait_their_turn(orbits: Orbits) -> None:
    app = App(name="x", first=1, second=2)
    await orbits.run(app)
    app = App(name="x", first=5, second=2)
    plan = await orbits.preview(app)
    same = [await orbits.start(app, plan=plan) for _ in range(2)]
    other = await orbits.start(app)
    assert same[0].id == same[1].id != other.id
    await asyncio.gather(*(same[0].ended(), other.ended()))


class Shrinks(Resource):
    """Does fewer things than before."""

    things: tuple[str, ...] = ()
    shared: bool = False
    kept: bool = False
    fails: bool = False

    def identity(self) -> str:
        return "shrinks"

    async def define_update(self) -> None:
        if self.shared:
            await self.do("net", SharedThing(name="net", value=1))
        if self.kept:
            await self.do("kept", Thing(value=9), retain=True)
        for thing in self.things:
            await self.do(thing, Thing(value=1))


class Uses(Resource):
    """Uses the shared thing."""

    def identity(self) -> str:
        return "uses"

    async def define_update(self) -> None:
        await self.do("net", SharedThing(name="net", value=1))


async def children(orbits: Orbits) -> Sequence[str]:
    """The refs of the children that the record has."""
    return [child.ref for child in (await orbits.record(Shrinks, "shrinks").row()).children]


async def test_without_approval_what_is_no_longer_done_stays(orbits: Orbits) -> None:
    await orbits.run(Shrinks(things=("a", "b")))
    await orbits.run(Shrinks(things=("b",)))
    assert len(WORLD.things) == 2
    assert await children(orbits) == ["a", "b"]
    assert (await orbits.preview(Shrinks(things=("b",)))).changes == ["a: remove Thing"]


async def test_an_approved_plan_removes_what_it_names_the_last_first(orbits: Orbits) -> None:
    await orbits.run(Shrinks(things=("a", "b", "c")))
    step = Shrinks(things=("b",))
    await orbits.run(step, plan=await orbits.preview(step))
    assert WORLD.log[-2:] == ["delete Thing Shrinks shrinks/c", "delete Thing Shrinks shrinks/a"]
    assert await children(orbits) == ["b"]
    assert not await orbits.preview(step)
    assert (await orbits.record(Shrinks, "shrinks").row()).revision == 2


async def test_what_was_left_by_an_earlier_update_goes_without_a_new_revision(orbits: Orbits) -> None:
    await orbits.run(Shrinks(things=("a", "b")))
    await orbits.run(Shrinks(things=("b",)))
    execution = await orbits.start(Shrinks(things=("b",)), prune=True)
    await execution
    assert (await execution.row()).changed
    assert (await orbits.record(Shrinks, "shrinks").row()).revision == 2
    assert list(WORLD.things) == ["Thing Shrinks shrinks/b"]


async def test_used_children_are_released_and_go_with_their_last_user(orbits: Orbits) -> None:
    await orbits.run(Shrinks(shared=True, kept=True))
    await orbits.run(Uses())
    await orbits.run(Shrinks(), prune=True)
    assert WORLD.things == {"SharedThing net": 1, "Thing Shrinks shrinks/kept": 9}
    assert (await orbits.record(SharedThing, "net").row()).users == ("Uses uses",)
    assert await children(orbits) == []
    await orbits.run(Shrinks(shared=True))
    await orbits.record(Uses, "uses").uninstall()
    await orbits.run(Shrinks(), plan=await orbits.preview(Shrinks()))
    assert WORLD.things == {"Thing Shrinks shrinks/kept": 9}


async def test_what_the_plan_does_not_name_is_not_removed(orbits: Orbits) -> None:
    await orbits.run(Shrinks(things=("a", "b")))
    step = Shrinks(things=("b",))
    plan = await orbits.preview(step)
    root = replace(plan.root, below=tuple(one for one in plan.root.below if one.verb is not Verb.REMOVE))
    await orbits.run(step, plan=replace(plan, root=root))
    assert len(WORLD.things) == 2


class Stubborn(Thing):
    """Will not be deleted while the world fails at it."""

    def delete(self, live: ThingState, /) -> None:
        if "delete" in WORLD.failing:
            raise ValueError("it is in use")
        super().delete(live)


class Removes(Resource):
    """Does things of which some go, one of them unwillingly."""

    value: int

    def identity(self) -> str:
        return "removes"

    async def define_update(self) -> None:
        await self.do("stays", Thing(value=self.value))
        if self.value == 1:
            await self.do("stubborn", Stubborn(value=1))
            await self.do("net", SharedThing(name="net", value=1))
            await self.do("shared", SharedThing(name="shared", value=1))
            await self.do("goes", App(name="inner", first=1, second=1))


class UsesShared(Resource):
    """Uses the other shared thing."""

    def identity(self) -> str:
        return "uses shared"

    async def define_update(self) -> None:
        await self.do("shared", SharedThing(name="shared", value=1))


async def test_a_removal_that_fails_fails_the_update_and_what_was_removed_is_made_again(orbits: Orbits) -> None:
    await orbits.run(Removes(value=1))
    await orbits.run(UsesShared())
    before = dict(WORLD.things)
    WORLD.failing = {"delete"}
    with pytest.raises(ExecutionFailed) as failed:
        await orbits.run(Removes(value=2), plan=await orbits.preview(Removes(value=2)))
    assert (failed.value.message, failed.value.failure.state) == ("it is in use", State.REVERTED)
    assert before == WORLD.things
    record = await orbits.record(Removes, "removes").row()
    assert (record.revision, len(record.children)) == (1, 5)
    assert (await orbits.record(SharedThing, "shared").row()).users == ("UsesShared uses shared", "Removes removes")
    assert (await orbits.record(SharedThing, "net").row()).users == ("Removes removes",)
    WORLD.failing = set()
    await orbits.run(Removes(value=2), prune=True)
    assert sorted(WORLD.things) == ["SharedThing shared", "Thing Removes removes/stays"]
    back = await orbits.preview(Removes(value=2).rollback())
    assert [change.split(":")[0] for change in back.changes] == ["stays", "stubborn", "net", "goes"]
    await orbits.record(Removes, "removes").rollback()
    assert before == WORLD.things
    assert not await orbits.preview(Removes(value=1))


class Disk(Thing):
    """Holds data, and cannot be resized."""

    options = Options(stateful=True)

    def replaces(self, live: ThingState, /) -> Sequence[str]:
        return ("value",) if live.value != self.value else ()


class Holds(Resource):
    """A disk, and a thing that is protected."""

    size: int
    disk: bool = True
    guarded: bool = True

    def identity(self) -> str:
        return "holds"

    async def define_update(self) -> None:
        if self.disk:
            await self.do("disk", Disk(value=self.size))
        if self.guarded:
            await self.do("guarded", Thing(value=1), protect=True)


DISK, GUARDED = "Disk Holds holds/disk", "Thing Holds holds/guarded"


async def test_replacing_what_holds_data_has_to_be_accepted_by_name(orbits: Orbits) -> None:
    await orbits.run(Holds(size=1))
    step = Holds(size=2)
    with pytest.raises(ExecutionFailed, match=f"it holds data.* --accept-loss '{DISK}'"):
        await orbits.run(step)
    plan = await orbits.preview(step)
    assert [str(loss) for loss in plan.losses] == [f"{DISK} loses data"]
    with pytest.raises(Refused, match=f"would lose what has to be accepted by name: {DISK} loses data. To "):
        await orbits.run(step, plan=plan)
    with pytest.raises(ExecutionFailed, match="it holds data"):
        await orbits.run(step, accept_loss=["Holds holds/other"])
    assert WORLD.things[DISK] == 1
    await orbits.run(step, plan=await orbits.preview(step), accept_loss=["Holds holds/disk"])
    assert WORLD.things[DISK] == 2
    await orbits.run(Holds(size=3), accept_loss=[DISK])
    assert WORLD.things[DISK] == 3
    (_, second, third) = await orbits.store.find(RevisionRow, kind="Disk", identity="Holds holds/disk")
    assert (second.not_restorable, third.not_restorable) == (f"what {DISK} held is lost", None)
    with pytest.raises(ExecutionFailed, match=r"revision 2 cannot be brought back: what .* held is lost"):
        await orbits.record(Holds, "holds").rollback()


async def test_removing_what_holds_data_or_is_protected_has_to_be_accepted_by_name(orbits: Orbits) -> None:
    await orbits.run(Holds(size=1))
    step = Holds(size=1, disk=False, guarded=False)
    plan = await orbits.preview(step)
    assert sorted(str(loss) for loss in plan.losses) == [f"{DISK} loses data", f"{GUARDED} is protected"]
    with pytest.raises(Refused, match="would lose what has to be accepted by name"):
        await orbits.run(step, plan=plan, accept_loss=[DISK])
    with pytest.raises(ExecutionFailed, match=f"no longer done, and not removed: {GUARDED} is protected"):
        await orbits.run(step, prune=True, accept_loss=[DISK])
    assert len(WORLD.things) == 2
    await orbits.run(step, plan=await orbits.preview(step), accept_loss=[DISK, GUARDED])
    assert WORLD.things == {}


async def test_uninstalling_what_holds_data_has_to_be_accepted_by_name(orbits: Orbits) -> None:
    await orbits.run(Holds(size=1))
    with pytest.raises(
        ExecutionFailed,
        match=f"{GUARDED} is protected: .*{DISK} holds data: .* accept the loss by name|{DISK}.*{GUARDED}",
    ):
        await orbits.record(Holds, "holds").uninstall()
    assert len(WORLD.things) == 2
    await orbits.record(Holds, "holds").uninstall(accept_loss=[DISK, GUARDED])
    assert WORLD.things == {}


class Outer(Resource):
    """Something that holds data two levels down, and then fails."""

    fails: bool

    def identity(self) -> str:
        return "outer"

    async def define_update(self) -> None:
        await self.do("holds", Inside())
        if self.fails:
            raise ValueError("no")


class Inside(Resource):
    """A disk and a thing."""

    async def define_update(self) -> None:
        await self.do("disk", Disk(value=1))
        await self.do("thing", Thing(value=1))


async def test_a_first_update_that_fails_keeps_data_however_deep_it_is(orbits: Orbits) -> None:
    with pytest.raises(ExecutionFailed) as failed:
        await orbits.run(Outer(fails=True))
    assert failed.value.failure.state is State.REVERTED
    assert list(WORLD.things) == ["Disk Inside Outer outer/holds/disk"]


async def test_an_accepted_loss_that_fails_later_is_said(orbits: Orbits) -> None:
    await orbits.run(Removes(value=1))
    await orbits.run(Holds(size=1))

    class Both(Resource):
        """Removes a disk, then fails to remove another thing."""

        keep: bool

        def identity(self) -> str:
            return "both"

        async def define_update(self) -> None:
            if self.keep:
                await self.do("stubborn", Stubborn(value=1))
                await self.do("disk", Disk(value=1))

    await orbits.run(Both(keep=True))
    WORLD.failing = {"delete"}
    with pytest.raises(ExecutionFailed) as failed:
        await orbits.run(Both(keep=False), prune=True, accept_loss=["Both both/disk"])
    assert failed.value.failure.state is State.QUARANTINED
    assert failed.value.failure.left == ("Disk Both both/disk: it is made again, and what it held is lost",)
    assert WORLD.things["Disk Both both/disk"] == 1


async def test_commands_are_held_to_their_plan_too(orbits: Orbits) -> None:
    app = App(name="x", first=1, second=2)
    await orbits.run(app)
    plan = await orbits.preview(app.uninstall())
    await orbits.run(App(name="x", first=5, second=2))
    with pytest.raises(Refused, match="of App x stood revision 1, and revision 2 stands now"):
        await orbits.run(app.uninstall(), plan=plan)
    plan = await orbits.preview(app.rollback())
    await orbits.run(app.rollback(), plan=plan)
    assert (await orbits.record(App, "x").row()).revision == 1
    await orbits.run(app.uninstall(), plan=await orbits.preview(app.uninstall()))
    assert WORLD.things == {}
    assert [row for row in await orbits.store.find(RecordRow) if row.revision is not None] == []
