"""What several Resources have to do with each other: shared records, who uses what, rings, and what is left behind."""

import asyncio
from typing import Any

import pytest

from orbits_iac import ExecutionFailed, Options, Orbits, Outputs, Resource, Workflow, action, users
from orbits_iac.engine import sharing
from orbits_iac.model.plans import Verb
from orbits_iac.model.rows import (
    ExecutionRow,
    MessageRow,
    ReaderRow,
    RecordRow,
    Row,
    SubscriberRow,
    TaskRow,
    amended,
)
from orbits_iac.model.states import ENDED, State
from orbits_iac.provider import Refused
from orbits_iac.store.contract import Store, Transaction

from .world import WORLD, App, SharedThing, Thing, add


@pytest.fixture(autouse=True)
def _new_world() -> None:
    WORLD.clear()


class User(Resource):
    """Uses a thing that others name too."""

    name: str
    value: int = 1
    fails: bool = False
    thing: str = "net"

    def identity(self) -> str:
        return self.name

    async def define_update(self) -> None:
        await self.do("net", SharedThing(name=self.thing, value=self.value))
        if self.fails:
            raise ValueError("no")


class One(Resource):
    """Does another, which does this one."""

    name: str = "one"

    def identity(self) -> str:
        return self.name

    async def define_update(self) -> None:
        await self.do("two", Two())


class Two(Resource):
    """The other of a ring."""

    def identity(self) -> str:
        return "two"

    async def define_update(self) -> None:
        await self.do("one", One())


class Crossing(Resource):
    """Holds its own record, and wants the other's."""

    name: str
    other: str
    deep: bool = True

    def identity(self) -> str:
        return self.name

    async def define_update(self) -> None:
        if self.deep:
            await self.do("first", add(1, 1))
            await self.do("other", Crossing(name=self.other, other=self.name, deep=False))


class Itself(App):
    """Goes back in its own update."""

    async def define_update(self) -> Any:
        outputs = await super().define_update()
        if self.first == 2:
            await self.do("back", self.rollback())
        return outputs


async def all_ended(orbits: Orbits) -> None:
    """Nothing is under way, and nothing is kept for what has ended."""
    await orbits.settled()
    assert [row.id for row in await orbits.store.find(ExecutionRow) if row.state not in ENDED] == []
    assert await orbits.store.find(TaskRow) == []
    assert await orbits.store.find(SubscriberRow) == []
    assert [row for row in await orbits.store.find(RecordRow) if row.queue] == []


async def test_what_does_itself_again_is_refused_with_the_ring_named(orbits: Orbits) -> None:
    with pytest.raises(ExecutionFailed, match="One one update -> Two two update -> One one update"):
        await asyncio.wait_for(orbits.run(One()), 10)
    await all_ended(orbits)


async def test_two_that_wait_for_each_other_do_not_hang(orbits: Orbits) -> None:
    failed: list[ExecutionFailed] = []
    for _ in range(5):
        async with asyncio.timeout(60):
            results = await asyncio.gather(
                orbits.run(Crossing(name="a", other="b")),
                orbits.run(Crossing(name="b", other="a")),
                return_exceptions=True,
            )
        failed = [result for result in results if isinstance(result, ExecutionFailed)]
        assert all("would wait for itself" in str(error) for error in failed)
        await all_ended(orbits)
    assert len(failed) <= 1


async def test_an_update_may_go_back_by_itself(orbits: Orbits) -> None:
    await orbits.run(Itself(name="i", first=1, second=1))
    await asyncio.wait_for(orbits.run(Itself(name="i", first=2, second=1)), 10)
    await all_ended(orbits)


async def test_another_argument_for_what_others_use_is_refused_and_names_them(orbits: Orbits) -> None:
    await orbits.run(User(name="a"))
    await orbits.run(User(name="b"))
    with pytest.raises(ExecutionFailed, match="is used by User a too, with another argument"):
        await orbits.run(User(name="b", value=2))
    assert WORLD.things == {"SharedThing net": 1}
    await orbits.run(SharedThing(name="net", value=2))
    assert WORLD.things == {"SharedThing net": 2}
    await orbits.run(User(name="b", value=2))


async def test_another_argument_asked_for_at_the_same_moment_is_refused_too(orbits: Orbits) -> None:
    results = await asyncio.gather(
        orbits.run(User(name="a", value=1)), orbits.run(User(name="b", value=2)), return_exceptions=True
    )
    assert sorted(type(result).__name__ for result in results) == ["ExecutionFailed", "NoneType"]
    await all_ended(orbits)


async def test_what_others_use_is_not_uninstalled_directly(orbits: Orbits) -> None:
    await orbits.run(User(name="a"))
    with pytest.raises(ExecutionFailed, match="is used by User a"):
        await orbits.record(SharedThing, "net").uninstall()
    assert WORLD.things == {"SharedThing net": 1}
    await orbits.record(User, "a").uninstall()
    assert WORLD.things == {}


async def test_a_use_that_began_in_a_failed_update_ends_with_the_uninstall(orbits: Orbits) -> None:
    await orbits.run(User(name="a"))
    with pytest.raises(ExecutionFailed):
        await orbits.run(User(name="b", fails=True))
    await orbits.run(App(name="x", first=1, second=2))
    record = await orbits.record(SharedThing, "net").row()
    assert record.users == ("User a", "User b")
    await orbits.run(User(name="b"))
    await orbits.record(User, "b").uninstall()
    assert (await orbits.record(SharedThing, "net").row()).users == ("User a",)


class Kept(Thing):
    """Holds data."""

    options = Options(stateful=True)


class Grows(Resource):
    """Does more each time."""

    version: int
    fails: bool = False

    def identity(self) -> str:
        return "grows"

    async def define_update(self) -> None:
        for number in range(self.version):
            await self.do("kept", Kept(value=number), key=str(number))
        if self.fails:
            raise ValueError("no")


async def test_what_a_failed_update_could_not_remove_goes_with_the_uninstall(orbits: Orbits) -> None:
    await orbits.run(Grows(version=1))
    with pytest.raises(ExecutionFailed):
        await orbits.run(Grows(version=3, fails=True))
    assert len(WORLD.things) == 3
    kept = [f"Grows grows/kept[{number}]" for number in range(3)]
    await orbits.record(Grows, "grows").uninstall(accept_loss=kept)
    assert WORLD.things == {}


class HalfInstalled(Resource):
    """Its install fails half-way, until it is told not to."""

    good: bool

    def identity(self) -> str:
        return "half"

    async def define_install(self) -> None:
        await self.do("base", Thing(value=1))
        await self.do("count", add(9, 9))
        if not self.good:
            raise ValueError("half-way")

    async def define_update(self) -> None:
        await self.do("thing", Thing(value=2))


async def test_an_install_that_failed_half_way_runs_again_and_is_not_taken_back(orbits: Orbits) -> None:
    with pytest.raises(ExecutionFailed, match="half-way"):
        await orbits.run(HalfInstalled(good=False))
    assert WORLD.log.count("add 9 9") == 1
    await orbits.run(HalfInstalled(good=True))
    assert WORLD.log.count("add 9 9") == 2
    assert sorted(WORLD.things.values()) == [1, 2]
    await orbits.record(HalfInstalled, "half").uninstall()
    assert WORLD.things == {}


async def test_what_was_there_before_is_not_removed_by_a_first_update_that_fails(orbits: Orbits) -> None:
    WORLD.things["SharedThing mine"] = 5
    WORLD.failing = {"13"}
    with pytest.raises(ExecutionFailed):
        await orbits.run(SharedThing(name="mine", value=13))
    assert WORLD.things == {"SharedThing mine": 5}


class Regrets(Resource):
    """Updates an app, and takes that back."""

    first: int

    def identity(self) -> str:
        return "regrets"

    async def define_update(self) -> None:
        app = App(name="r", first=self.first, second=2)
        await self.do("app", app)
        await self.do("back", app.rollback())


async def test_going_back_in_a_definition_goes_to_what_stood_when_it_began(orbits: Orbits) -> None:
    for first in (1, 5):
        await orbits.run(App(name="r", first=first, second=2))
    await orbits.run(Regrets(first=9))
    assert WORLD.things["Thing App r/one"] == 5
    await orbits.run(Regrets(first=5))
    assert WORLD.things["Thing App r/one"] == 5


class Chooses(Resource):
    """Fails before or after it does the thing that others change as well."""

    value: int
    early: bool = False

    def identity(self) -> str:
        return "chooses"

    async def define_update(self) -> None:
        if self.early:
            raise ValueError("early")
        await self.do("thing", SharedThing(name="direct", value=self.value))
        if self.value == 7:
            raise ValueError("late")


async def test_going_back_leaves_alone_what_the_update_had_not_touched(orbits: Orbits) -> None:
    await orbits.run(Chooses(value=1))
    await orbits.run(SharedThing(name="direct", value=3))
    with pytest.raises(ExecutionFailed) as failed:
        await orbits.run(Chooses(value=1, early=True))
    assert failed.value.failure.state is State.REVERTED
    assert WORLD.things == {"SharedThing direct": 3}


class Guarding(Resource):
    """Protects or retains what it uses, while it is told to."""

    name: str
    protects: bool = False
    retains: bool = False

    def identity(self) -> str:
        return self.name

    async def define_update(self) -> None:
        thing = SharedThing(name="guarded", value=1)
        await self.do("thing", thing, protect=self.protects, retain=self.retains)


async def test_what_was_protected_may_be_removed_once_nobody_protects_it_any_more(orbits: Orbits) -> None:
    await orbits.run(Guarding(name="a", protects=True))
    await orbits.run(Guarding(name="b", protects=True))
    await orbits.run(Guarding(name="a"))
    await orbits.record(Guarding, "a").uninstall()
    with pytest.raises(ExecutionFailed, match="is protected: take protect=True away first"):
        await orbits.record(Guarding, "b").uninstall()
    await orbits.run(Guarding(name="b"))
    await orbits.record(Guarding, "b").uninstall()
    assert WORLD.things == {}


async def test_what_was_retained_goes_once_nobody_retains_it_any_more(orbits: Orbits) -> None:
    await orbits.run(Guarding(name="a", retains=True))
    await orbits.run(Guarding(name="a"))
    await orbits.record(Guarding, "a").uninstall()
    assert WORLD.things == {}


class Protected(SharedThing):
    """Protected by its class."""

    options = Options(protect=True)


async def test_what_its_class_protects_is_protected_when_it_is_run_by_itself(orbits: Orbits) -> None:
    await orbits.run(Protected(name="p", value=1))
    with pytest.raises(ExecutionFailed, match="is protected"):
        await orbits.record(Protected, "p").uninstall()


class Pair(Workflow):
    """Owns a thing, and does a step once."""

    value: int

    async def define(self) -> None:
        await self.do("thing", Thing(value=self.value))
        await self.do("seed", add(self.value, 0), once=True)


class Pairs(Resource):
    """Several Workflows of one ref, each with its key."""

    values: dict[str, int]

    def identity(self) -> str:
        return "pairs"

    async def define_update(self) -> None:
        for name, value in self.values.items():
            await self.do("pair", Pair(value=value), key=name)


async def test_what_workflows_of_one_ref_own_is_told_apart_by_their_keys(orbits: Orbits) -> None:
    await orbits.run(Pairs(values={"a": 1, "b": 2}))
    assert WORLD.things == {"Thing Pairs pairs/pair[a]/thing": 1, "Thing Pairs pairs/pair[b]/thing": 2}
    await orbits.run(Pairs(values={"b": 2, "a": 1}))
    assert sorted(line for line in WORLD.log if line.startswith("add")) == ["add 1 0", "add 2 0"]


class Holder(Resource):
    """Waits for a thing that takes its time."""

    name: str

    def identity(self) -> str:
        return self.name

    async def define_update(self) -> None:
        await self.do("slow", Slowly(name="slow", value=1))


class Slowly(SharedThing):
    """Is made when the gate is open."""

    async def define_update(self) -> Any:
        await self.do("wait", waits())
        return await super().define_update()


@action(idempotent=True)
def waits() -> None:
    """Waits for the gate."""
    WORLD.reached.set()
    assert WORLD.gate.wait(10)


@pytest.mark.parametrize("outside", [False, True])
async def test_a_child_is_cancelled_with_the_last_who_waits_for_it(orbits: Orbits, *, outside: bool) -> None:
    first = await orbits.start(Holder(name="a"))
    assert await asyncio.to_thread(WORLD.reached.wait, 10)
    second = await orbits.start(Holder(name="b"))
    while len(await orbits.store.find(SubscriberRow)) < 2:  # noqa: ASYNC110 - until it has joined
        await asyncio.sleep(0.001)
    if outside:
        await orbits.start(Slowly(name="slow", value=1))
    (child,) = await orbits.store.find(ExecutionRow, kind="Slowly", identity="slow")
    async with asyncio.timeout(60):
        await first.cancel()
        while len(await orbits.store.find(SubscriberRow)) == 2:  # noqa: ASYNC110 - until it has let go
            await asyncio.sleep(0.001)
        await second.cancel()
        while not outside and not await orbits.store.find(MessageRow, execution=child.id):  # noqa: ASYNC110 - as above
            await asyncio.sleep(0.001)
    WORLD.gate.set()
    ended = await orbits.execution(child.id).ended()
    assert ended.state is (State.SUCCESS if outside else State.CANCELLED)
    await all_ended(orbits)


class Reader(Resource):
    """Reads what others keep: in its install, and in each update."""

    name: str
    of: str = "net"
    base: str = ""
    fails: bool = False

    def identity(self) -> str:
        return self.name

    async def define_install(self) -> None:
        if self.base:
            await self.execution.outputs(SharedThing, self.base)

    async def define_update(self) -> None:
        if self.of:
            await self.execution.outputs(SharedThing, self.of)
        if self.fails:
            raise ValueError("no")


async def users_of(orbits: Orbits, *names: str) -> list[str]:
    return [", ".join((await orbits.record(SharedThing, name).users())[1:]) for name in names]


@pytest.fixture
async def three(orbits: Orbits) -> Orbits:
    for name in ("base", "net", "other"):
        await orbits.run(SharedThing(name=name, value=1))
    return orbits


async def test_who_reads_outputs_is_a_user_until_an_update_reads_them_no_more(three: Orbits) -> None:
    await three.run(Reader(name="a", base="base"))
    assert await users_of(three, "base", "net", "other") == ["Reader a", "Reader a", ""]
    await three.run(Reader(name="a", of="other"))
    assert await users_of(three, "base", "net", "other") == ["Reader a", "", "Reader a"]
    await three.record(Reader, "a").rollback()
    assert await users_of(three, "base", "net", "other") == ["Reader a", "Reader a", "Reader a"]
    await three.run(Reader(name="a"))
    assert await users_of(three, "base", "net", "other") == ["Reader a", "Reader a", ""]
    await three.run(Reader(name="a", of=""))
    assert await users_of(three, "base", "net", "other") == ["Reader a", "", ""]
    await three.record(Reader, "a").uninstall()
    assert await users_of(three, "base", "net", "other") == ["", "", ""]


async def test_what_a_failed_update_has_read_is_used_until_one_succeeds_or_all_goes(three: Orbits) -> None:
    await three.run(Reader(name="a"))
    for name in ("a", "b"):
        with pytest.raises(ExecutionFailed, match="no"):
            await three.run(Reader(name=name, of="other", fails=True))
    assert await users_of(three, "net", "other") == ["Reader a", "Reader a, Reader b"]
    await three.run(Reader(name="a"))
    await three.record(Reader, "b").uninstall()
    assert await users_of(three, "net", "other") == ["Reader a", ""]


class Staying(Outputs):
    """What stays, and why."""

    stays: list[str] = []


class Landlord(Resource[Staying]):
    """Does a thing that others read, while it is wanted; then lets go of it."""

    wanted: bool = True
    value: int = 1
    retain: bool = False
    protect: bool = False

    def identity(self) -> str:
        return "landlord"

    async def define_update(self) -> Staying:
        if self.wanted:
            await self.do("roof", SharedThing(name="roof", value=self.value), retain=self.retain, protect=self.protect)
            return Staying()
        try:
            return Staying(stays=[*(await self.execution.let_go("SharedThing", "roof") or ())])
        except (ExecutionFailed, Refused) as failed:
            return Staying(stays=[str(failed)])


async def test_what_is_let_go_of_goes_with_its_last_user(orbits: Orbits) -> None:
    await orbits.run(Landlord())
    await orbits.run(Reader(name="a", of="roof"))
    shown = (await orbits.preview(Landlord(wanted=False))).root.below
    assert [(change.verb, change.detail) for change in shown] == [(Verb.RELEASE, "it stays: Reader a uses it too")]
    assert (await orbits.run(Landlord(wanted=False))).stays == ["SharedThing roof: it is used by Reader a"]
    assert await orbits.record(SharedThing, "roof").users() == ("Reader a",)
    await orbits.run(Landlord())
    await orbits.record(Reader, "a").uninstall()
    shown = (await orbits.preview(Landlord(wanted=False))).root.below
    assert [(change.verb, change.detail) for change in shown] == [(Verb.REMOVE, "gone with its last user")]
    assert (await orbits.run(Landlord(wanted=False))).stays == []
    assert (WORLD.things, (await orbits.record(Landlord, "landlord").row()).children) == ({}, ())


async def test_who_reads_what_others_read_already_does_not_write_its_record(three: Orbits) -> None:
    """Thousands may read one: each would write the names of all."""
    await three.run(Reader(name="a"))
    before = await three.record(SharedThing, "net").row()
    await asyncio.gather(*(three.run(Reader(name=name)) for name in ("b", "c", "d")))
    assert await three.record(SharedThing, "net").row() == before
    assert await users_of(three, "net") == ["Reader a, Reader b, Reader c, Reader d"]
    await three.run(Reader(name="c", of=""))
    assert await three.record(SharedThing, "net").row() == before
    assert await users_of(three, "net") == ["Reader a, Reader b, Reader d"]


async def test_an_earlier_readers_name_in_the_record_counts_and_goes(three: Orbits) -> None:
    """As a store of an earlier version has it that was exported, and imported here."""
    await three.run(Reader(name="a"))
    row = await three.record(SharedThing, "net").row()
    [reader] = await three.store.find(ReaderRow, kind="SharedThing", identity="net")
    earlier = amended(row, version=row.version + 1, users=(*row.users, reader.reader), has_readers=False)
    await three.store.commit(Transaction(put=[earlier], delete=[reader]))
    await three.run(Reader(name="a", base="base"))
    assert await three.store.find(ReaderRow, kind="SharedThing", identity="net") == []
    assert await users_of(three, "net") == ["Reader a"]
    await three.run(Reader(name="a", of=""))
    assert await users_of(three, "net") == [""]


async def test_what_others_read_stays_where_who_does_it_is_uninstalled(orbits: Orbits) -> None:
    await orbits.run(Landlord())
    await orbits.run(Reader(name="a", of="roof"))
    await orbits.record(Landlord, "landlord").uninstall()
    assert (WORLD.things, await orbits.record(SharedThing, "roof").users()) == ({"SharedThing roof": 1}, ("Reader a",))


class Landlady(Landlord):
    """Does the same."""

    def identity(self) -> str:
        return "landlady"


async def test_who_begins_to_read_while_the_last_user_lets_go_keeps_it(
    orbits: Orbits, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It writes nothing that the other one writes: that one has to look once more."""
    await orbits.run(Landlord())
    await orbits.run(Reader(name="a", of="roof"))
    await orbits.run(Reader(name="a", of=""))
    # The release asks twice who uses it: as it is shown to be removed, and before it lets go.
    calls = list[str]()

    async def patched(store: Store, record: RecordRow) -> tuple[str, ...]:
        found = await users.users_of(store, record)
        calls.append(record.identity)
        if len(calls) == 2:
            assert found == ("Landlord landlord",)
            await orbits.run(Reader(name="late", of="roof"))
        return found

    monkeypatch.setattr("orbits_iac.engine.children.users_of", patched)
    assert (await orbits.run(Landlord(wanted=False))).stays == ["SharedThing roof: it is used by Reader late"]
    assert (WORLD.things, len(calls)) == ({"SharedThing roof": 1}, 3)


async def test_of_two_who_let_go_at_a_time_one_takes_it_along(orbits: Orbits, monkeypatch: pytest.MonkeyPatch) -> None:
    await orbits.run(Landlord())
    await orbits.run(Landlady())
    calls = list[str]()
    others = list[list[str]]()

    async def patched(store: Store, record: RecordRow) -> tuple[str, ...]:
        found = await users.users_of(store, record)
        calls.append(record.identity)
        if len(calls) == 2:
            others.append((await orbits.run(Landlady(wanted=False))).stays)
        return found

    monkeypatch.setattr("orbits_iac.engine.children.users_of", patched)
    stays = (await orbits.run(Landlord(wanted=False))).stays
    assert (others, stays) == ([["SharedThing roof: it is used by Landlord landlord"]], [])
    assert WORLD.things == {}


async def test_who_reads_what_is_removed_before_it_is_counted_is_told(
    three: Orbits, monkeypatch: pytest.MonkeyPatch
) -> None:
    left = [three.record(SharedThing, "net").uninstall]

    async def patched(store: Store, record: RecordRow, user: str) -> list[Row]:
        written = await sharing.reading(store, record, user)
        while left:
            await left.pop()()
        return written

    await three.run(Reader(name="a"))  # so that the record is not written by the next one
    await three.run(Reader(name="a", of=""))
    monkeypatch.setattr("orbits_iac.engine.children.reading", patched)
    with pytest.raises(ExecutionFailed, match="SharedThing net has no outputs"):
        await three.run(Reader(name="b"))


@pytest.mark.parametrize(
    ("stays_by", "said", "children"),
    [
        ("retain", "SharedThing roof: it is retained", 0),
        ("protect", "SharedThing roof is protected: take protect=True away first", 1),
    ],
)
async def test_what_is_retained_or_protected_stays_when_it_is_let_go_of(
    orbits: Orbits, stays_by: str, said: str, children: int
) -> None:
    await orbits.run(Landlord(retain=stays_by == "retain", protect=stays_by == "protect"))
    [stays] = (await orbits.run(Landlord(wanted=False))).stays
    assert said in stays
    assert WORLD.things == {"SharedThing roof": 1}
    assert len((await orbits.record(Landlord, "landlord").row()).children) == children


async def test_nothing_is_let_go_of_that_a_plan_does_not_show(orbits: Orbits) -> None:
    await orbits.run(Landlord())
    plan = await orbits.preview(Landlord(wanted=False))
    assert (await orbits.run(Landlord(wanted=False), plan=plan)).stays == []
    assert WORLD.things == {}


async def test_a_user_that_goes_back_leaves_alone_what_another_brings_forward(orbits: Orbits) -> None:
    for value in (1, 2):
        await orbits.run(Landlord(value=value))
        await orbits.run(User(name="a", thing="roof", value=value))
    await orbits.record(User, "a").rollback()
    assert WORLD.things == {"SharedThing roof": 2}


class Swaps(Resource):
    """Does a thing and who reads it, and later the other way round."""

    swapped: bool = False
    protect: bool = False

    def identity(self) -> str:
        return "swaps"

    async def define_update(self) -> None:
        for what in ("reader", "net") if self.swapped else ("net", "reader"):
            if what == "net":
                await self.do("net", SharedThing(name="net", value=1), protect=self.protect)
            else:
                await self.do("reader", Reader(name="a"))


@pytest.mark.parametrize("protect", [False, True])
async def test_what_is_used_by_what_goes_after_it_goes_too_unless_it_is_protected(
    orbits: Orbits, *, protect: bool
) -> None:
    for swapped in (False, True):
        await orbits.run(Swaps(swapped=swapped, protect=protect))
    shown = await orbits.preview(Swaps().uninstall())
    assert [(change.verb, change.identity) for change in shown.root.below] == [(Verb.REMOVE, "net"), (Verb.REMOVE, "a")]
    swaps = orbits.record(Swaps, "swaps")
    if protect:
        with pytest.raises(ExecutionFailed, match="SharedThing net is protected"):
            await swaps.uninstall()
        assert (await orbits.record(Reader, "a").row()).revision == 1
        await swaps.uninstall(accept_loss=["SharedThing net"])
    else:
        await swaps.uninstall()
    assert WORLD.things == {}
