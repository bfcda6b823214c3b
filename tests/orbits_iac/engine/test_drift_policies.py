"""What a cycle does about drift: reports, tells once, brings back, stops when it flaps; and what it ignores."""

from datetime import timedelta
from pathlib import Path

import pytest

from orbits_iac import (
    DriftNews,
    Every,
    Managed,
    Options,
    Orbits,
    Outputs,
    Resource,
    Settings,
    Step,
    on,
    pruning,
    queries,
)
from orbits_iac.drift.project import DriftSettings, Ignored
from orbits_iac.model.ids import RecordId
from orbits_iac.model.plans import PropertyChange, Verb
from orbits_iac.model.rows import Difference, EventRow, ExecutionRow, LookRow, RecordRow, amended
from orbits_iac.model.states import State
from orbits_iac.store.contract import Transaction

from .world import WORLD, App, add

HOUR = timedelta(hours=1)
NEWS: list[DriftNews] = []


@on(DriftNews, where=lambda news: news.identity.startswith(("Healing ", "Reported ", "Watched ")))
def tell(news: DriftNews) -> Step[int]:
    NEWS.append(news)
    return add(len(news.new), len(news.healed))


class Healing(App):
    """Brought back every hour."""

    options = Options(schedule=Every(HOUR, on_drift="remediate"))


class Watched(App):
    """Told of every hour."""

    options = Options(schedule=Every(HOUR, on_drift="notify"))


class Reported(App):
    """Looked at every hour."""

    options = Options(schedule=Every(HOUR))


@pytest.fixture(autouse=True)
def _new_world() -> None:
    WORLD.clear()
    NEWS.clear()


@pytest.fixture
def orbits_settings() -> Settings:
    elsewhere = Ignored(type="Thing", path="value", tenant="another", reason="scaled by hand")
    return Settings(project="tests", store="memory:", drift=DriftSettings(ignore=(elsewhere,), remediate_times=2))


async def drift(orbits: Orbits, kind: type[App], value: int) -> None:
    """Change what is live, and let an hour pass."""
    WORLD.things[f"Thing {kind.__name__} x/two"] = value
    clock = orbits.engine.clock
    await clock.advance(HOUR)  # type: ignore[attr-defined]
    await orbits.settled()


async def look_of(orbits: Orbits, kind: type[App]) -> LookRow:
    look = await orbits.store.get(LookRow, "Thing", f"{kind.__name__} x/two")
    assert look is not None
    return look


async def said(orbits: Orbits) -> list[str]:
    """What events say of drift."""
    return [row.why for row in await orbits.store.find(EventRow) if row.why.startswith("drift")]


async def test_new_drift_is_told_once_and_again_when_it_is_healed(orbits: Orbits) -> None:
    await orbits.run(Watched(name="x", first=1, second=2))
    await drift(orbits, Watched, 7)
    await drift(orbits, Watched, 8)
    (news,) = NEWS
    assert (news.kind, news.identity, news.healed) == ("Thing", "Watched x/two", ())
    assert [(each.path, each.recorded, each.live) for each in news.new] == [("value", "2", "7")]
    await drift(orbits, Watched, 2)
    await drift(orbits, Watched, 2)
    (_, healed) = NEWS
    assert (healed.new, [each.path for each in healed.healed]) == ((), ["value"])
    assert await said(orbits) == ["drift found: value", "drift healed: value"]
    told = [row for row in await orbits.store.find(ExecutionRow) if row.kind == "on DriftNews"]
    assert [row.state for row in told] == [State.SUCCESS, State.SUCCESS]


async def look_by_hand(orbits: Orbits, value: int) -> None:
    """Change what is live, and look without telling anybody."""
    WORLD.things["Thing Watched x/two"] = value
    await orbits.record(Watched, "x").drift()


def told() -> list[tuple[list[str], list[str]]]:
    """The values that were told as new, and those told as healed."""
    return [([each.live for each in news.new], [each.live for each in news.healed]) for news in NEWS]


async def test_what_a_look_by_hand_has_found_is_told_by_the_next_cycle_that_tells(orbits: Orbits) -> None:
    await orbits.run(Watched(name="x", first=1, second=2))
    await look_by_hand(orbits, 7)
    found = await look_of(orbits, Watched)
    assert (NEWS, found.told) == ([], ())
    await drift(orbits, Watched, 7)
    await drift(orbits, Watched, 7)
    assert told() == [(["7"], [])]
    assert NEWS[0].new[0].since == found.at
    assert await said(orbits) == ["drift found: value"]


async def test_what_is_found_healed_by_hand_is_told_if_it_was_told_before_and_only_then(orbits: Orbits) -> None:
    await orbits.run(Watched(name="x", first=1, second=2))
    await look_by_hand(orbits, 7)
    await look_by_hand(orbits, 2)
    await drift(orbits, Watched, 2)
    assert told() == []
    await drift(orbits, Watched, 8)
    await look_by_hand(orbits, 2)
    assert told() == [(["8"], [])]
    await drift(orbits, Watched, 2)
    await drift(orbits, Watched, 2)
    assert told() == [(["8"], []), ([], ["8"])]


async def test_what_an_earlier_version_has_found_counts_as_told(orbits: Orbits) -> None:
    await orbits.run(Watched(name="x", first=1, second=2))
    await look_by_hand(orbits, 7)
    await orbits.store.commit(Transaction(put=[amended(await look_of(orbits, Watched), told=None)]))
    await drift(orbits, Watched, 7)
    assert told() == []
    await drift(orbits, Watched, 2)
    assert told() == [([], ["7"])]


async def test_what_a_cycle_brings_back_itself_is_told_so_though_it_was_known(orbits: Orbits) -> None:
    await orbits.run(Watched(name="x", first=1, second=2))
    await drift(orbits, Watched, 7)
    await orbits.record(Watched, "x").cycle(on_drift="remediate")
    await orbits.settled()
    (_, healed) = NEWS
    assert [(each.live, each.remediated) for each in healed.healed] == [("7", True)]


async def test_what_is_only_reported_leaves_events_and_is_sent_to_nobody(orbits: Orbits) -> None:
    await orbits.run(Reported(name="x", first=1, second=2))
    await drift(orbits, Reported, 7)
    assert NEWS == []
    assert await said(orbits) == ["drift found: value"]


async def test_what_flaps_is_not_brought_back_any_more_and_it_is_said_why(orbits: Orbits) -> None:
    await orbits.run(Healing(name="x", first=1, second=2))
    for value in (7, 8):
        await drift(orbits, Healing, value)
        assert WORLD.things["Thing Healing x/two"] == 2
    await drift(orbits, Healing, 9)
    await drift(orbits, Healing, 10)
    assert WORLD.things["Thing Healing x/two"] == 10
    assert (await look_of(orbits, Healing)).stopped.startswith("it was brought back 2 times within 1 day, 0:00:00 and")
    assert [len(news.healed) for news in NEWS] == [1, 1, 0]
    assert NEWS[-1].stopped == (await look_of(orbits, Healing)).stopped
    assert [why.partition(":")[0] for why in await said(orbits)] == [
        "drift healed",
        "drift healed",
        "drift found",
        "drift is not brought back",
    ]


async def test_after_the_time_of_the_limit_it_is_brought_back_again(orbits: Orbits) -> None:
    await orbits.run(Healing(name="x", first=1, second=2))
    for value in (7, 8, 9):
        await drift(orbits, Healing, value)
    assert WORLD.things["Thing Healing x/two"] == 9
    await orbits.engine.clock.advance(timedelta(hours=24))  # type: ignore[attr-defined]
    assert WORLD.things["Thing Healing x/two"] == 2


async def test_a_person_brings_it_back_whenever_asked_and_the_count_begins_anew(orbits: Orbits) -> None:
    await orbits.run(Healing(name="x", first=1, second=2))
    for value in (7, 8, 9):
        await drift(orbits, Healing, value)
    report = await orbits.record(Healing, "x").cycle(on_drift="remediate")
    assert (report.in_sync, report.stopped) == (True, [])
    assert WORLD.things["Thing Healing x/two"] == 2
    await drift(orbits, Healing, 10)
    assert WORLD.things["Thing Healing x/two"] == 2
    await drift(orbits, Healing, 11)
    assert WORLD.things["Thing Healing x/two"] == 11


async def test_an_update_begins_to_count_anew(orbits: Orbits) -> None:
    await orbits.run(Healing(name="x", first=1, second=2))
    for value in (7, 8):
        await drift(orbits, Healing, value)
    await orbits.run(Healing(name="x", first=1, second=3))
    record = await orbits.store.get(RecordRow, "Thing", "Healing x/two")
    assert record is not None
    assert record.remediated == ()
    await drift(orbits, Healing, 9)
    assert WORLD.things["Thing Healing x/two"] == 3


async def test_what_a_rule_ignores_is_shown_as_ignored_and_left_as_it_is(orbits: Orbits) -> None:
    orbits.engine.drift = DriftSettings(ignore=(Ignored(type="Th*", path="value", reason="scaled by hand"),))
    await orbits.run(App(name="x", first=1, second=2))
    WORLD.things["Thing App x/two"] = 7
    report = await orbits.record(App, "x").cycle(on_drift="remediate")
    assert report.in_sync
    assert report.ignored == ["Thing App x/two: value: scaled by hand"]
    assert WORLD.things["Thing App x/two"] == 7


LOOKS: list[tuple[list[Difference], str | None]] = []


class Looked(Resource):
    """Finds what it is told to."""

    options = Options(schedule=Every(HOUR, on_drift="notify"))

    def identity(self) -> str:
        return "Watched looked"

    async def define_update(self) -> None:
        pass

    async def define_cycle(self) -> None:
        differences, error = LOOKS[0]
        await self.execution.looked(differences=differences, unchecked=(), checked=1, error=error)


async def test_a_look_that_failed_between_makes_no_news_of_what_was_known(orbits: Orbits) -> None:
    await orbits.run(Looked())
    record = orbits.record(Looked, "Watched looked")
    found = [Difference(path="a", recorded="1", live="2")]
    for differences, error in ((found, None), ([], "it is busy"), ([], "it is busy"), (found, None), ([], None)):
        LOOKS[:] = [(differences, error)]
        await record.cycle(on_drift="notify")
    await orbits.settled()
    assert [(len(news.new), len(news.healed)) for news in NEWS] == [(1, 0), (0, 1)]


SIGNS: dict[str, "SignState"] = {}


class SignState(Outputs):
    text: str
    colour: str
    marks: dict[str, str]


def painted(text: str, colour: str, **marks: str) -> None:
    """Somebody paints the sign."""
    SIGNS["x"] = SignState(text=text, colour=colour, marks=marks)


class Sign(Managed[SignState]):
    """Properties that are always written together."""

    text: str
    colour: str = "white"
    marks: dict[str, str] = {"by": "code"}

    def identity(self) -> str:
        return "x"

    def read(self, recorded: SignState | None, /) -> SignState | None:
        return SIGNS.get("x")

    def create(self) -> SignState:
        SIGNS["x"] = SignState(text=self.text, colour=self.colour, marks=self.marks)
        return SIGNS["x"]

    def change(self, live: SignState, /) -> SignState:
        return self.create()


@pytest.fixture
async def sign(orbits: Orbits) -> Orbits:
    """A sign whose colour is ignored, and one of its marks."""
    ignored = (Ignored(type="Sign", path=path, reason="chosen by hand") for path in ("colour", "marks.cost"))
    orbits.engine.drift = DriftSettings(ignore=tuple(ignored))
    SIGNS.clear()
    await orbits.run(Sign(text="open"))
    return orbits


async def test_what_is_ignored_stays_when_the_rest_is_brought_back(sign: Orbits) -> None:
    painted("closed", "red", by="hand", cost="a")
    report = await sign.record(Sign, "x").cycle(on_drift="remediate")
    assert report.in_sync
    assert report.ignored == ["Sign x: colour: chosen by hand", "Sign x: marks.cost: chosen by hand"]
    assert SIGNS["x"] == SignState(text="open", colour="red", marks={"by": "code", "cost": "a"})


async def test_what_is_ignored_stays_when_the_rest_is_changed(sign: Orbits) -> None:
    painted("open", "red", by="code")
    assert (await sign.preview(Sign(text="open"))).root.verb is Verb.UNCHANGED
    await sign.run(Sign(text="open again"))
    assert SIGNS["x"] == SignState(text="open again", colour="red", marks={"by": "code"})


async def test_what_changed_in_code_and_by_hand_is_shown_before_it_is_overwritten(sign: Orbits) -> None:
    painted("closed", "white", by="code")
    plan = await sign.preview(Sign(text="open from 9"))
    assert plan.root.properties == (
        PropertyChange(path="text", before='"open"', after='"open from 9"', live='"closed"'),
    )
    await sign.run(Sign(text="open from 9"))
    said = [row.why for row in await sign.store.find(EventRow)]
    assert 'text: it was changed from "open" to "closed", and becomes "open from 9"' in said
    painted("open from 9", "white", by="code")
    [change] = (await sign.preview(Sign(text="open from 10"))).root.properties
    assert (change.before, change.live) == ('"open from 9"', None)


async def test_what_is_gone_is_never_ignored(orbits: Orbits) -> None:
    orbits.engine.drift = DriftSettings(ignore=(Ignored(type="*", path="*", reason="whatever"),))
    await orbits.run(App(name="x", first=1, second=2))
    del WORLD.things["Thing App x/two"]
    assert [difference.path for _, difference in (await orbits.record(App, "x").drift()).drifted] == [""]


async def test_a_remediation_that_fails_counts_too(orbits: Orbits) -> None:
    await orbits.run(Healing(name="x", first=1, second=2))
    WORLD.failing.add("Thing Healing x/two")
    for value in (7, 8, 9):
        await drift(orbits, Healing, value)
    record = await orbits.store.get(RecordRow, "Thing", "Healing x/two")
    assert record is not None
    assert len(record.remediated) == 2
    assert (await look_of(orbits, Healing)).stopped
    assert WORLD.things["Thing Healing x/two"] == 9


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ('[[drift.ignore]]\ntype = "T"\npath = "a"\n', r"orbits\.toml.*drift\.ignore\.0\.reason"),
        ('[[drift.ignore]]\ntype = "T"\npath = ""\nreason = "r"\n', r"orbits\.toml.*drift\.ignore\.0\.path"),
        ('[[drift.ignore]]\ntype = "T"\npath = "a"\nreason = "r"\nwhy = "x"\n', r"drift\.ignore\.0\.why"),
        ("[drift]\nremediate_times = 0\n", r"drift\.remediate_times"),
    ],
)
def test_a_rule_that_is_wrong_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, wrong: str) -> None:
    from orbits_iac.cli.session import settings_with
    from orbits_iac.model.errors import UsageError

    (tmp_path / "orbits.toml").write_text(text)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match=wrong):
        settings_with(None)


async def test_what_happened_to_drift_is_kept_in_its_order_with_who_ended_it(orbits: Orbits) -> None:
    await orbits.run(Reported(name="x", first=1, second=2))
    for value in (7, 8, 8, 2, 9):
        await drift(orbits, Reported, value)
    look = await look_of(orbits, Reported)
    assert [(each.live, each.since) for each in look.differences] == [("9", look.at)]
    await drift(orbits, Reported, 9)
    again = await look_of(orbits, Reported)
    assert [each.since for each in again.differences] == [look.at]
    update = await orbits.start(Reported(name="x", first=1, second=3))
    await update
    await orbits.record(Reported, "x").drift()
    assert [each.path for each in (await look_of(orbits, Reported)).healed] == ["value"]
    WORLD.things["Thing Reported x/two"] = 5
    await orbits.record(Reported, "x").cycle(on_drift="remediate")
    record = await orbits.store.get(RecordRow, "Reported", "x")
    assert record is not None
    told = await queries.drift_of_record(orbits.store, record)
    assert {(one.path, one.event.key) for one in told} == {(("two",), "value")}
    assert [(one.event.kind, one.event.who, one.event.why.partition(" → live ")[2]) for one in told] == [
        ("found", "", "7"),
        ("changed", "", "8"),
        ("healed", "", ""),
        ("found", "", "9"),
        ("healed", orbits.who, ""),
        ("found", "", "5"),
        ("brought back", orbits.who, ""),
    ]
    assert told[4].event.why.startswith("by update ")


async def test_what_happened_to_drift_long_ago_is_pruned(orbits: Orbits) -> None:
    await orbits.run(Reported(name="x", first=1, second=2))
    for value in (7, 2, 8):
        await drift(orbits, Reported, value)
    known = await pruning.survey(orbits.store)
    record = known.records[RecordId("Thing", "Reported x/two")]
    before = orbits.engine.clock.now() - 1800
    assert await pruning.prune_drift(orbits.store, known, before=before, dry=True) == 2
    assert len(await queries.drift_of_record(orbits.store, record)) == 3
    assert await pruning.prune_drift(orbits.store, known, before=before) == 2
    assert [one.event.why for one in await queries.drift_of_record(orbits.store, record)] == ["recorded 2 → live 8"]
