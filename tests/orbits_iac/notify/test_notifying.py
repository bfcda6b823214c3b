"""What people are told: once of each problem, together if it is many, again when it is healed, whatever crashes."""

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from orbits_iac import Event, ExecutionFailed, Managed, Options, Orbits, Outputs, Resource, Workflow
from orbits_iac.checking.looking import look_over
from orbits_iac.dispatch.outbox import Outbox
from orbits_iac.measures import OFF
from orbits_iac.model.happenings import NO_EXECUTION
from orbits_iac.model.ids import NOTIFICATION, ExecutionId
from orbits_iac.model.rows import EventRow, ExecutionRow, MessageRow, amended
from orbits_iac.model.states import State
from orbits_iac.notify import sending
from orbits_iac.notify.messages import Message
from orbits_iac.notify.notices import News, Notice
from orbits_iac.notify.settings import NotifySettings
from orbits_iac.notify.steps import SENDER, Sender
from orbits_iac.roster import Roster
from orbits_iac.steps.resource import Command
from orbits_iac.testing import crash_everywhere, outside, start_once
from orbits_iac.testing.clock import Clock
from orbits_iac.testing.crashes import SETTINGS

WORLD: dict[str, str] = {}
WINDOW = timedelta(seconds=31)


class LampState(Outputs):
    colour: str
    watts: int


class Lamp(Managed[LampState]):
    colour: str
    watts: int = 5

    def read(self, recorded: LampState | None, /) -> LampState | None:
        return LampState.model_validate_json(WORLD[self.colour]) if self.colour in WORLD else None

    def create(self) -> LampState:
        made = LampState(colour=self.colour, watts=self.watts)
        WORLD[self.colour] = made.model_dump_json()
        return made

    def change(self, live: LampState, /) -> LampState:
        return self.create()

    def delete(self, live: LampState, /) -> None:
        del WORLD[self.colour]


class Street(Resource):
    name: str
    colour: str = "white"

    def identity(self) -> str:
        return self.name

    async def define_update(self) -> None:
        if "broken" in WORLD:
            raise ValueError(f"{WORLD['broken']} `fuse`")
        await self.do("lamp", Lamp(colour=self.colour), labels={"tenant": "acme"})


class Blown(Workflow):
    number: int

    async def define(self) -> None:
        raise ValueError(f"fuse {self.number}")


class Reached(Outputs):
    failed: int

    def problem(self) -> str:
        return f"{self.failed} of 10 failed\n`acme` has no power" if self.failed else ""


class Fleet(Resource[Reached]):
    failed: int

    def identity(self) -> str:
        return "Fleet"

    async def define_update(self) -> Reached:
        return Reached(failed=self.failed)


class Go(Event):
    """Somebody has looked at it."""


class HeldUp(Resource):
    name: str

    def identity(self) -> str:
        return self.name

    async def define_update(self) -> None:
        self.execution.progress("wave 1 is done")
        await self.execution.wait_for("go", Go)


class HeldUpFleet(HeldUp):
    options = Options(own_build=True)


@pytest.fixture(autouse=True)
def _new_world() -> None:
    WORLD.clear()


Opened = Callable[..., AbstractAsyncContextManager[Orbits]]


@pytest.fixture
def opened(tmp_path: Path, clock: Clock) -> Opened:
    """Gives an Orbits that sends to a file, and to what else is named."""

    @asynccontextmanager
    async def make(*others: str, store: str = "memory:", **notify: Any) -> AsyncGenerator[Orbits]:
        to = (*others, f"file:{tmp_path / 'told.jsonl'}")
        rules = NotifySettings.model_validate({"to": to, **notify})
        settings = SETTINGS.model_copy(update={"store": store, "notify": rules})
        async with Orbits(settings, clock=clock, notifies=True) as orbits:
            clock.tell(orbits.settled)
            yield orbits

    return make


@pytest.fixture
def told(tmp_path: Path) -> Callable[[], list[Message]]:
    """Gives what was sent to the file."""
    file = tmp_path / "told.jsonl"
    return lambda: (
        [Message.model_validate_json(line) for line in file.read_text().splitlines()] if file.exists() else []
    )


Told = Callable[[], list[Message]]


async def fails(orbits: Orbits, step: Any) -> None:
    with pytest.raises(ExecutionFailed):
        await orbits.run(step)


async def looks(orbits: Orbits, street: Street) -> None:
    await orbits.run(Command[None](resource=street, command="cycle", arguments={"on_drift": "notify"}))


async def test_drift_is_told_of_once_and_again_when_it_is_healed(opened: Opened, told: Told, clock: Clock) -> None:
    async with opened() as orbits:
        street = Street(name="Main Street")
        await orbits.run(street)
        standing = WORLD["white"]
        WORLD["white"] = LampState(colour="white", watts=60).model_dump_json()
        await looks(orbits, street)
        assert told() == []  # others may come within half a minute
        found, _ = await look_over(orbits.store)
        assert found == []
        await clock.advance(WINDOW)
        await looks(orbits, street)
        await clock.advance(WINDOW)
        (drifted,) = told()
        assert (drifted.title, drifted.mood) == ("Lamp Street Main Street/lamp has drifted (acme)", "warning")
        lines = drifted.body.splitlines()
        assert lines[0] == "- `watts`: recorded `5`, live `60`"
        assert "- **tenant:** acme" in lines
        assert "- **part of:** Street Main Street" in lines
        look = "`orbits drift Lamp 'Street Main Street/lamp'`"
        assert lines[-1] == f"- **to do:** {look} or `orbits cycle Lamp 'Street Main Street/lamp' --remediate`"
        WORLD["white"] = standing
        await looks(orbits, street)
        await clock.advance(WINDOW)
        _, healed = told()
        assert "(was a problem from " in healed.body
        assert (healed.title, healed.mood) == ("Lamp Street Main Street/lamp is as recorded again (acme)", "success")


async def test_a_failure_is_told_of_once_until_it_is_another_one_or_over(
    opened: Opened, told: Told, clock: Clock
) -> None:
    async with opened(digest_within=0) as orbits:
        street = Street(name="Main Street")
        await orbits.run(street)
        await clock.advance(timedelta(seconds=1))
        for broken in ("the", "another"):  # an error's message may hold ids and times: it tells no two apart
            WORLD["broken"] = broken
            await fails(orbits, street)
            await orbits.settled()
            await clock.advance(timedelta(seconds=1))  # ids of one second are in no order
            for _ in range(21):  # cycles of a schedule, that come between
                await looks(orbits, street)
            await clock.advance(timedelta(seconds=1))
        (failed,) = told()
        assert failed.title == "update of Street Main Street failed and was rolled back"
        assert failed.body.startswith("- ValueError: `the 'fuse'`\n")
        rows = await orbits.store.find(ExecutionRow, kind="Street")
        first = min((row for row in rows if row.failure is not None), key=lambda row: row.created_at)
        assert failed.body.endswith(f"- **to do:** `orbits get {first.id}`")
        del WORLD["broken"]
        for colour in ("white", "red"):
            await orbits.run(Street(name="Main Street", colour=colour))
            await clock.advance(timedelta(seconds=1))
        await orbits.settled()
        assert "(was a problem from " in told()[1].body
        assert [message.title for message in told()[1:]] == ["update of Street Main Street succeeds again"]


async def test_many_problems_are_one_message_with_a_count_and_the_first_ones(
    opened: Opened, told: Told, clock: Clock
) -> None:
    async with opened() as orbits:
        await asyncio.gather(*(fails(orbits, Blown(number=number)) for number in range(300)))
        await clock.advance(WINDOW)
        (digest,) = told()
        assert (digest.title, digest.mood) == ("300 failed", "failure")
        lines = digest.body.splitlines()
        assert lines[2] == "**300 failed**"
        assert [line.partition(": ")[0] for line in lines[4:]] == ["- Blown failed"] * 10 + ["- and 290 more"]
        assert await orbits.store.find(MessageRow, execution=NO_EXECUTION) == []


async def test_what_comes_one_by_one_becomes_few_messages_too(clock: Clock) -> None:
    rules = NotifySettings.model_validate({"to": ["file:x"], "digest_after": 2, "digest_within": 60})
    async with Orbits(SETTINGS.model_copy(update={"notify": rules}), clock=clock) as orbits:
        outbox = Outbox(orbits.engine, rules.model_copy(update={"to": ()}))
        sent: list[int] = []
        for number in range(40):  # one in a minute
            await fails(orbits, Blown(number=number))
            await clock.advance(timedelta(minutes=1))
            waiting = len(await orbits.store.find(MessageRow, execution=NO_EXECUTION))
            sent += [waiting] if await outbox.sweep() else []
        assert sent == [1, 1, 1, 2, 4, 8, 10, 10]
        await clock.advance(timedelta(hours=2))
        assert await outbox.sweep()
        await fails(orbits, Blown(number=40))
        await clock.advance(timedelta(minutes=1))
        assert await outbox.sweep()


async def test_a_fleet_that_was_reached_in_part_is_told_of_though_its_execution_ended_well(
    opened: Opened, told: Told, clock: Clock
) -> None:
    async with opened(digest_within=0) as orbits:
        for failed in (3, 0, 0):
            await orbits.run(Fleet(failed=failed))
            await orbits.settled()
        part, healed = told()
        assert (part.title, part.mood) == ("Fleet: 3 of 10 failed", "failure")
        assert part.body.startswith("- `acme` has no power\n")
        assert healed.title == "update of Fleet succeeds again"


async def test_a_roll_out_that_waits_for_somebody_is_told_of_and_others_only_where_that_is_asked_for(
    opened: Opened, told: Told, clock: Clock
) -> None:
    async with opened(digest_within=0) as orbits:
        waits = [await orbits.start(HeldUp(name="x")), await orbits.start(HeldUpFleet(name="y"))]
        await clock.advance(WINDOW)
        (message,) = told()
        assert message.title == "update of HeldUpFleet y waits for Go"
        assert message.body.startswith("- wave 1 is done\n")
        assert message.body.endswith(f"`orbits answer {waits[1].id} Go`")
        for one in waits:
            await one.answer(Go())
            await one


async def test_problems_that_no_worker_tells_of_are_said_where_workers_are_looked_for(clock: Clock) -> None:
    rules = NotifySettings.model_validate({"to": ["file:x"]})
    async with Orbits(SETTINGS.model_copy(update={"notify": rules}), clock=clock) as orbits:
        at = clock.now()
        await fails(orbits, Blown(number=1))
        await fails(orbits, Blown(number=2))
        roster = Roster(orbits.store)
        assert (await roster.look(now=at + 500)).untold is None
        untold = (await roster.look(now=at + 700)).untold
        assert untold is not None
        assert untold.problems == 2
        assert abs(untold.since - at) < 60


async def test_who_wants_to_know_of_what_is_chosen_by_kind_tenant_and_label(opened: Opened, told: Told) -> None:
    async with opened(digest_within=0, news=["drift"]) as orbits:
        await fails(orbits, Blown(number=1))
        assert await orbits.store.find(MessageRow) == []
    rule = NotifySettings.model_validate({"to": ["file:x"], "tenants": ["ac*"], "labels": {"plan": "large"}})
    fit = Notice(news=News.DRIFT, title="t", at=0.0, tenant="acme", labels={"plan": "large", "tenant": "acme"})
    assert rule.wants(fit)
    for other in ({"tenant": "bolt"}, {"tenant": None}, {"labels": {"plan": "small"}}):
        assert not rule.wants(amended(fit, **other))


async def test_a_target_that_fails_is_tried_again_then_reported_and_keeps_no_other_waiting(
    opened: Opened, told: Told, clock: Clock, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with opened(f"file:{tmp_path}/no-such-folder/x", "slack://${NO_SUCH_TOKEN}/#here", digest_within=0) as orbits:
        await fails(orbits, Blown(number=1))
        await orbits.settled()
        assert len(told()) == 1
        (sends,) = await orbits.store.find(ExecutionRow, kind=NOTIFICATION)
        assert sends.state is not State.ERROR
        first, second = (await Roster(orbits.store).look(now=clock.now())).unreached
        assert (first.attempts, first.given_up, second.target) == (1, False, "target 2 (slack)")
        assert caplog.messages[0].startswith("target ")
        for _ in range(7):
            await clock.advance(timedelta(hours=1))
        assert len(told()) == 1
        (sends,) = await orbits.store.find(ExecutionRow, kind=NOTIFICATION)
        assert sends.state is State.ERROR
        assert sends.failure is not None
        assert sends.failure.path == ("target 1 (file)",)
        events = [row.why for row in await orbits.store.find(EventRow, root=sends.root)]
        assert any("target 2 (slack): NO_SUCH_TOKEN is not set in the environment" in why for why in events)
        assert first.why.startswith("FileNotFoundError: ")
        _, given_up = (await Roster(orbits.store).look(now=clock.now())).unreached
        assert (given_up.attempts, given_up.given_up, given_up.execution) == (7, True, sends.id)
        assert given_up.why == "NO_SUCH_TOKEN is not set in the environment"
        assert len([line for line in caplog.messages if line.startswith("target 1 (file)")]) == 7


class Mail:
    """Stands in for all targets: what they have taken."""

    def __init__(self) -> None:
        self.taken: list[str] = []

    def snapshot(self) -> list[str]:
        return [*self.taken]

    def restore(self, snapshot: list[str], /) -> None:
        self.taken = [*snapshot]

    def stands(self) -> Any:
        return sorted(set(self.taken))


MAIL = Mail()
MOST: Counter[str] = Counter()
CRASHED = SETTINGS.model_copy(update={"notify": NotifySettings.model_validate({"to": ["file:x", "file:y"]})})


async def problem(orbits: Orbits) -> None:
    """Something fails, and everybody is told."""
    await (await start_once(orbits, Blown(number=1))).ended()
    outbox = Outbox(orbits.engine, orbits.settings.notify)
    await asyncio.sleep(WINDOW.total_seconds())
    await outbox.sweep()
    for row in await orbits.store.find(ExecutionRow, kind=NOTIFICATION):
        await orbits.execution(ExecutionId(row.id)).ended()


def test_whatever_it_crashes_at_everybody_is_told_and_nobody_twice_without_a_crash(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def send(url: str, message: Message) -> None:
        with outside(f"send to {url}"):
            MAIL.taken.append(f"{message.title} {url}")
            MOST[url] = max(MOST[url], MAIL.taken.count(f"{message.title} {url}"))

    monkeypatch.setattr(sending, "send", send)
    before = SENDER.set(Sender(settings=CRASHED.notify, measures=OFF))
    try:
        report = crash_everywhere(problem, world=MAIL, settings=CRASHED, again=0)
    finally:
        SENDER.reset(before)
    report.check()
    assert MOST == {"file:x": 2, "file:y": 2}  # it died before that was noted, and sent it again


async def test_of_several_workers_one_sends_what_was_found(opened: Opened, told: Told, mongodb: str) -> None:
    async with opened(store=mongodb) as orbits:
        await fails(orbits, Blown(number=1))
        rules = orbits.settings.notify.model_copy(update={"digest_within": timedelta(0)})
        swept = await asyncio.gather(*(Outbox(orbits.engine, rules).sweep() for _ in range(5)))
        await orbits.settled()
        assert (sorted(swept), len(told())) == ([False] * 4 + [True], 1)
