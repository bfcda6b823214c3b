"""Previews: what is known is shown, what is not is named, nothing is invented, and nothing is left behind."""

import asyncio
from datetime import timedelta
from typing import Any, cast

import pytest
from pydantic import SecretStr

from orbits_iac import Event, ExecutionFailed, Options, Orbits, Plan, Resource, Workflow
from orbits_iac.model.errors import Refused, UsageError
from orbits_iac.model.plans import Change, Verb
from orbits_iac.steps.step import options_of
from orbits_iac.store.contract import Transaction

from .world import WORLD, Add, App, SharedThing, Thing, ThingState, add, blocking


@pytest.fixture(autouse=True)
def _nothing_is_left_behind(orbits: Orbits, monkeypatch: pytest.MonkeyPatch) -> None:
    """A preview that writes to the store or to the world is an error, in every test here."""
    WORLD.clear()
    looking, preview = [], orbits.preview
    commit = orbits.store.commit

    async def previewed(*arguments: Any, **named: Any) -> Plan:
        looking.append(len(WORLD.log))
        try:
            return await preview(*arguments, **named)
        finally:
            assert len(WORLD.log) == looking.pop()

    async def refused(transaction: Transaction) -> None:
        assert not looking, f"a preview has written {transaction}"
        await commit(transaction)

    monkeypatch.setattr(orbits, "preview", previewed)
    monkeypatch.setattr(orbits.store, "commit", refused)


def tree(change: Change) -> list[str]:
    """Each change as a line, indented by its depth."""
    text = f"{change.verb} {change.ref or change.kind}{f' ({change.detail})' if change.detail else ''}"
    return [text, *(f"  {line}" for below in change.below for line in tree(below))]


class Pipeline(Resource[ThingState]):
    """Two branches that know nothing of each other, and a step that needs both."""

    name: str = "pipe"

    def identity(self) -> str:
        return self.name

    async def define_update(self) -> ThingState:
        left, right = await asyncio.gather(self.left(), self.right())
        return await self.do("both", Thing(value=left + right))

    async def left(self) -> int:
        await self.do("announce", Silent())
        one = await self.do("count", add(1, 1))
        return (await self.do("thing", Thing(value=one))).value

    async def right(self) -> int:
        async with asyncio.TaskGroup() as group:
            group.create_task(self.do("a", Thing(value=3)))
            group.create_task(self.do("b", Thing(value=4)))
        return 7


class Silent(Workflow):
    """Does one thing of which nobody wants a result."""

    async def define(self) -> None:
        await self.do("say", add(0, 0), no_return=True)


async def test_each_branch_goes_as_far_as_it_can_and_says_what_it_waits_for(orbits: Orbits) -> None:
    plan = await orbits.preview(Pipeline())
    assert tree(plan.root) == [
        "create Pipeline (then what depends on announce.say, a, b)",
        "  run announce (then what depends on announce.say)",
        "    run say",
        "  create a",
        "  create b",
    ]
    assert plan.deferred == [
        "Pipeline: then what depends on announce.say, a, b",
        "announce: then what depends on announce.say",
    ]
    (say,) = plan.root.below[0].below
    assert say.no_return


class Timed(Workflow[int]):
    """Sleeps, and then has a time limit around a step whose end nobody knows."""

    async def define(self) -> int:
        await asyncio.sleep(3600)
        try:
            async with asyncio.timeout(60):
                return await self.do("count", add(1, 1))
        except TimeoutError:
            await self.do("late", add(2, 2))
            return 0


async def test_a_time_limit_is_not_taken_to_be_over(orbits: Orbits) -> None:
    plan = await orbits.preview(Timed())
    assert tree(plan.root) == ["run Timed (then what depends on count)", "  run count"]


class Paid(Event):
    """Somebody has paid."""


class Waits(Workflow):
    """Waits for an event."""

    async def define(self) -> None:
        await self.execution.wait_for("paid", Paid, timeout=timedelta(days=1))
        await self.do("ship", add(1, 1))


async def test_an_event_from_outside_is_waited_for(orbits: Orbits) -> None:
    assert tree((await orbits.preview(Waits())).root) == ["run Waits (then what depends on paid)"]


class Settles(Workflow):
    """Does a thing until its value is as wanted."""

    wanted: int

    async def define(self) -> None:
        thing = SharedThing(name="x", value=1)
        await self.repeat("thing", thing, every=timedelta(hours=1), until=lambda state: state.value >= self.wanted)
        await self.do("ship", add(1, 1))


async def test_a_repeat_is_done_once_and_what_follows_is_known_if_that_is_enough(orbits: Orbits) -> None:
    await orbits.run(SharedThing(name="x", value=1))
    enough = tree((await orbits.preview(Settles(wanted=1))).root)
    assert [line.split()[:2] for line in enough] == [["run", "Settles"], ["unchanged", "thing"], ["run", "ship"]]
    more = tree((await orbits.preview(Settles(wanted=2))).root)
    assert more[0] == "run Settles (then what depends on thing)"
    assert len(more) == 2


async def test_what_stands_is_unchanged_and_once_is_skipped(orbits: Orbits) -> None:
    app = App(name="x", first=1, second=2)
    await orbits.run(app)
    plan = await orbits.preview(app)
    assert not plan
    assert tree(plan.root) == [
        "unchanged App",
        "  unchanged one",
        "  skip seed (done once already)",
        "  unchanged two",
    ]


async def test_a_step_that_is_done_once_runs_again_for_another_argument(orbits: Orbits) -> None:
    await orbits.run(App(name="x", first=1, second=2))
    plan = await orbits.preview(App(name="x", first=1, second=2, once=5))
    assert plan.changes == ["seed: run Add"]
    assert plan.deferred == ["App: then what depends on seed"]


class Nested(Workflow[int]):
    """A Workflow in a Workflow."""

    depth: int

    async def define(self) -> int:
        thing = await self.do("app", App(name=f"n{self.depth}", first=1, second=1))
        return thing.total + (await self.do("below", Nested(depth=self.depth - 1)) if self.depth else 0)


async def test_workflows_stand_with_what_they_do_below_them(orbits: Orbits) -> None:
    await orbits.run(Nested(depth=1))
    await orbits.run(App(name="n0", first=1, second=5))
    plan = await orbits.preview(Nested(depth=1))
    assert tree(plan.root) == [
        "run Nested",
        "  unchanged app",
        "    unchanged one",
        "    skip seed (done once already)",
        "    unchanged two",
        "  run below",
        "    update app (revision 2 → 3)",
        "      unchanged one",
        "      skip seed (done once already)",
        "      update two",
    ]
    await orbits.run(Nested(depth=1))
    assert not await orbits.preview(Nested(depth=1))


class Uses(Resource):
    """Uses a thing that others name too, by doing it or by reading its outputs."""

    name: str
    value: int = 1
    reads: bool = False

    def identity(self) -> str:
        return self.name

    async def define_update(self) -> None:
        value = self.value
        if self.reads:
            value = (await self.execution.outputs(SharedThing, "net")).value
        else:
            await self.do("net", SharedThing(name="net", value=self.value))
        await self.do("own", Thing(value=value))


async def test_users_of_a_shared_record_are_named_where_a_change_reaches_them(orbits: Orbits) -> None:
    await orbits.run(Uses(name="a"))
    await orbits.run(Uses(name="b"))
    plan = await orbits.preview(Uses(name="a", value=2))
    net, own = plan.root.below
    assert (net.verb, net.users) == (Verb.UPDATE, ("Uses b",))
    assert own.users == ()
    assert (await orbits.preview(Uses(name="a"))).root.below[0].users == ()


async def test_outputs_of_another_are_read_from_its_record(orbits: Orbits) -> None:
    with pytest.raises(Refused, match="SharedThing net has no outputs"):
        await orbits.preview(Uses(name="c", reads=True))
    await orbits.run(Uses(name="a", value=4))
    (own,) = (await orbits.preview(Uses(name="c", reads=True))).root.below
    assert (own.verb, own.ref) == (Verb.CREATE, "own")


class Both(Workflow):
    """Makes a thing, and something that reads its outputs."""

    async def define(self) -> None:
        await self.do("makes", Uses(name="a"))
        await self.do("reads", Uses(name="c", reads=True))


async def test_outputs_of_what_is_made_in_the_same_plan_are_waited_for(orbits: Orbits) -> None:
    plan = await orbits.preview(Both())
    assert plan.deferred == ["makes: then what depends on net", "reads: then what depends on SharedThing net"]


class Shrinks(Resource):
    """Does fewer things than before."""

    name: str = "shrinks"
    things: list[str] = []
    shared: bool = True
    retained: bool = True

    def identity(self) -> str:
        return self.name

    async def define_update(self) -> None:
        for thing in self.things:
            await self.do("thing", Thing(value=1), key=thing)
        if self.shared:
            await self.do("net", SharedThing(name="net", value=1))
        if self.retained:
            await self.do("kept", Thing(value=9), retain=True)


async def test_what_is_no_longer_done_is_shown_with_what_becomes_of_it(orbits: Orbits) -> None:
    await orbits.run(Shrinks(things=["a", "b"]))
    last = await orbits.preview(Shrinks(shared=False, retained=False))
    assert tree(last.root) == [
        "update Shrinks (revision 1 → 2)",
        "  release kept (it stays: it is retained)",
        "  remove net (gone with its last user)",
        "  remove thing",
        "  remove thing",
    ]
    await orbits.run(Uses(name="b"))
    (net,) = (await orbits.preview(Shrinks(things=["a", "b"], shared=False))).root.below[-1:]
    assert tree(net) == ["release net (it stays: Uses b uses it too)"]


async def test_nothing_is_said_to_be_removed_while_more_may_be_done(orbits: Orbits) -> None:
    await orbits.run(App(name="x", first=1, second=2))
    plan = await orbits.preview(App(name="x", first=1, second=2, once=5))  # ends before `two`
    assert Verb.REMOVE not in {change.verb for change in plan.root.walk()}


class Breaks(Resource):
    """Its definition fails, below another that may catch that."""

    caught: bool
    text: SecretStr = SecretStr("hunter22")

    def identity(self) -> str:
        return "breaks"

    async def define_update(self) -> None:
        try:
            await self.do("deep", Deep(text=self.text))
        except ExecutionFailed as failed:
            if not self.caught:
                raise
            await self.do("instead", Thing(value=len(failed.path)))


class Deep(Resource):
    """Fails, with a secret in its words."""

    text: SecretStr

    async def define_update(self) -> None:
        await self.do("inner", Inner(text=self.text))


class Inner(Workflow):
    """Fails."""

    text: SecretStr

    async def define(self) -> None:
        raise ValueError(f"bad: {self.text.get_secret_value()}")


async def test_an_error_of_a_definition_names_the_step_and_no_secret(orbits: Orbits) -> None:
    with pytest.raises(ExecutionFailed) as failed:
        await orbits.preview(Breaks(caught=False))
    assert str(failed.value) == "deep.inner: ValueError: bad: **********"
    plan = await orbits.preview(Breaks(caught=True))
    assert tree(plan.root) == [
        "create Breaks (then what depends on instead)",
        "  unknown deep (fails: ValueError: bad: **********)",
        "  create instead",
    ]


class Doubled(Workflow):
    """The same ref twice."""

    async def define(self) -> None:
        for _ in range(2):
            await self.do("app", App(name="x", first=1, second=2))


class Itself(App):
    """Does itself."""

    async def define_update(self) -> Any:
        return await self.do("again", Itself(**self.model_dump()))


async def test_what_a_run_would_refuse_is_refused(orbits: Orbits) -> None:
    await orbits.run(App(name="x", first=1, second=2))
    with pytest.raises(UsageError, match="app: App is done twice under the ref 'app' in one run"):
        await orbits.preview(Doubled())
    with pytest.raises(ExecutionFailed, match="does itself again: Itself i -> Itself i"):
        await orbits.preview(Itself(name="i", first=1, second=2))


class Grown(Resource):
    """Its install has grown."""

    options = Options(install_version=1)
    name: str = "grown"

    def identity(self) -> str:
        return self.name

    async def define_install(self) -> None:
        await self.do("base", Thing(value=1))

    async def define_update(self) -> None:
        await self.do("thing", Thing(value=2))


async def test_install_is_previewed_while_it_would_run(orbits: Orbits, monkeypatch: pytest.MonkeyPatch) -> None:
    await orbits.run(Grown())
    assert [change.ref for change in (await orbits.preview(Grown())).root.below] == ["thing"]
    monkeypatch.setitem(cast("Any", Grown.options), "install_version", 2)
    options_of.cache_clear()
    assert [change.ref for change in (await orbits.preview(Grown())).root.below] == ["base", "thing"]


async def test_commands_are_previewed_from_records(orbits: Orbits) -> None:
    app = App(name="x", first=1, second=2)
    await orbits.run(app)
    await orbits.run(App(name="x", first=5, second=2))
    assert tree((await orbits.preview(app.rollback())).root) == [
        "update App (revision 2 → 1)",
        "  update one (revision 2 → 1)",
    ]
    assert tree((await orbits.preview(app.uninstall())).root) == ["remove App", "  remove two", "  remove one"]
    assert tree((await orbits.preview(app.cycle())).root) == [
        "run App (cycle)",
        "  run one (cycle)",
        "  run two (cycle)",
    ]
    with pytest.raises(Refused, match="App x has no revision 7"):
        await orbits.preview(app.rollback(to=7))


class Commands(Workflow[int]):
    """Commands as steps."""

    async def define(self) -> int:
        app = App(name="x", first=1, second=2)
        back = await self.do("back", app.rollback(to=1))
        await self.do("down", app.uninstall())
        return back.total


async def test_commands_as_steps_give_what_is_recorded(orbits: Orbits) -> None:
    await orbits.run(App(name="x", first=1, second=2))
    await orbits.run(App(name="x", first=5, second=2))
    plan = await orbits.preview(Commands())
    assert [line for line in tree(plan.root) if not line.startswith("    ")] == [
        "run Commands",
        "  update back (revision 2 → 1)",
        "  remove down",
    ]


async def test_a_single_action_is_one_that_runs(orbits: Orbits) -> None:
    assert tree((await orbits.preview(Add(a=1, b=2))).root) == ["run Add"]


class Wide(Workflow):
    """Many things at once."""

    many: int

    async def define(self) -> None:
        await asyncio.gather(
            *(self.do("thing", SharedThing(name=str(n), value=n), key=str(n)) for n in range(self.many))
        )


async def test_a_plan_is_kept_as_json_and_comes_back_the_same(orbits: Orbits) -> None:
    plan = await orbits.preview(Wide(many=30))
    text = plan.to_json()
    again = Plan.from_json(text)
    assert (again, again.digest) == (plan, plan.digest)
    assert (plan.project, plan.kind, plan.command, plan.who) == ("tests", "Wide", "run", orbits.who)
    assert plan.stack.endswith("test_preview:Wide")
    with pytest.raises(UsageError, match="has the format 99, and this version of Orbits reads 1"):
        Plan.from_json(text.replace('"format": 1', '"format": 99', 1))
    for bad in ("", "[]", '{"format": 1}', '{"format": 1, "root": 3}'):
        with pytest.raises(UsageError, match="this is no plan"):
            Plan.from_json(bad)


class Secretive(Resource):
    """Is told a secret, and tells it on."""

    token: SecretStr

    def identity(self) -> str:
        return "secretive"

    async def define_update(self) -> None:
        await self.do("tell", blocking(self.token.get_secret_value()))

    def define_preview(self, revision: Any) -> Change:
        return Change(verb=Verb.CREATE, detail=f"with {self.token.get_secret_value()}")


async def test_no_secret_is_in_a_plan(orbits: Orbits) -> None:
    plan = await orbits.preview(Secretive(token=SecretStr("canary-1234")))
    assert "canary-1234" not in plan.to_json()
    assert plan.root.detail == "with **********"
