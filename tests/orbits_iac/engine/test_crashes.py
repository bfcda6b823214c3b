"""Whatever write or effect a process dies at, another goes on: the end is the same, no finished step is done twice."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from orbits_iac import Action, DriftNews, Event, ExecutionFailed, Options, Orbits, Resource, Step, Workflow, action, on
from orbits_iac.steps.resource import Command
from orbits_iac.testing import start_once

from .crashing import LARGE, TRIED, Scenario, Store, crashed
from .operated import EDITS, OPERATED, planned
from .world import WORLD, App, Bucket, Chain, Job, Mount, SharedThing, Sum, Thing, ThingState, add, blocking, careful


class Races(Workflow[list[Any]]):
    """gather, a race, a time limit, a task group, a queue and a sleep."""

    async def define(self) -> list[Any]:
        log: list[Any] = [await asyncio.gather(*(self.do("g", add(n, n), key=str(n)) for n in range(3)))]
        tasks = [asyncio.ensure_future(self.do("race", blocking(name), key=name)) for name in "ab"]
        _, rest = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        log.append(sorted([t.result() for t in tasks if t.done()] + list(await asyncio.gather(*rest))))
        try:
            async with asyncio.timeout(0.003):
                await asyncio.sleep(60)
        except TimeoutError:
            log.append("late")
        async with asyncio.TaskGroup() as group:
            one = group.create_task(self.do("job", Job(name="one")))
            two = group.create_task(self.do("chain", Chain(length=2)))
        queue: asyncio.Queue[int] = asyncio.Queue()
        for future in asyncio.as_completed([self.do("c", add(n, 1), key=str(n)) for n in range(3)]):
            await queue.put(await future)
        log.append(sorted(queue.get_nowait() for _ in range(3)))
        return [*log, one.result(), two.result(), await asyncio.wait_for(self.do("last", add(5, 5)), 60)]


class Twice(Workflow[list[int]]):
    """An app, and then the same with another argument, which fails and goes back."""

    async def define(self) -> list[int]:
        first = await self.do("first", App(name="x", first=1, second=2))
        try:
            await self.do("second", App(name="x", first=3, second=13, once=2))
        except ExecutionFailed as failed:
            return [first.total, len(failed.failure.left)]
        return []


class Removed(Workflow):
    """An app that is installed and removed again."""

    async def define(self) -> None:
        app = App(name="y", first=1, second=2)
        await self.do("up", app)
        await self.do("down", app.uninstall())


class Uses(Resource):
    """Uses things that others name too, one of which it keeps."""

    name: str

    def identity(self) -> str:
        return self.name

    async def define_install(self) -> None:
        await self.do("base", SharedThing(name="base", value=9), retain=True)

    async def define_update(self) -> None:
        await self.do("net", SharedThing(name="net", value=1))
        await self.do("own", Thing(value=2))


class Shared(Workflow):
    """Two who share a thing and ask for it at once; then one of them goes, or both."""

    both: bool

    async def define(self) -> None:
        await asyncio.gather(self.do("a", Uses(name="a")), self.do("b", Uses(name="b")))
        await self.do("down", Uses(name="a").uninstall(), key="a")
        if self.both:
            await self.do("down", Uses(name="b").uninstall(), key="b")


class Joined(Workflow[list[int]]):
    """The same app asked for three times at once, below different Workflows."""

    async def define(self) -> list[int]:
        return list(await asyncio.gather(*(self.do("ask", Asks(number=n), key=str(n)) for n in range(3))))


class Asks(Workflow[int]):
    """Asks for an app."""

    number: int

    async def define(self) -> int:
        return (await self.do("app", App(name="joined", first=1, second=2))).total


class Drifts(Action):
    """Changes something behind an app's back."""

    options = Options(idempotent=True)

    def main(self) -> None:
        WORLD.did("drift", self.execution.token, lambda: WORLD.things.__setitem__("Thing App d/two", 77))


class Cycled(Workflow):
    """An app that drifts and is brought back."""

    async def define(self) -> None:
        app = App(name="d", first=1, second=2)
        await self.do("up", app)
        await self.do("drift", Drifts())
        await self.do("cycle", Command[None](resource=app, command="cycle", arguments={"on_drift": "remediate"}))


class Told(Workflow[str]):
    """An app that drifts and is brought back, of which somebody waits to be told."""

    async def define(self) -> str:
        app = App(name="d", first=1, second=2)
        await self.do("up", app)
        await self.do("drift", Drifts())
        cycle = Command[None](resource=app, command="cycle", arguments={"on_drift": "remediate"})
        news, _ = await asyncio.gather(self.execution.wait_for("news", DriftNews), self.do("cycle", cycle))
        return news.identity


class Back(Workflow[Sum]):
    """An app that is brought back by a command, and forward again."""

    async def define(self) -> Sum:
        for value in (1, 2):
            await self.do("up", App(name="b", first=value, second=value), key=str(value))
        await self.do("back", App(name="b", first=2, second=2).rollback(to=1))
        return await self.do("forward", App(name="b", first=4, second=4))


class Migrated(Resource[ThingState]):
    """A thing, a step of no return, and a thing that may fail."""

    value: int

    def identity(self) -> str:
        return "m"

    async def define_update(self) -> ThingState:
        first = await self.do("first", Thing(value=1))
        await self.do("migrate", add(self.value, self.value), once=True, no_return=True)
        await self.do("second", Thing(value=self.value))
        return first


class Held(Workflow[list[str]]):
    """One that fails after a step of no return, and the next that succeeds."""

    async def define(self) -> list[str]:
        found = []
        for value in (1, 13, 2):
            try:
                await self.do("up", Migrated(value=value), key=str(value))
            except ExecutionFailed as failed:
                found.append(failed.failure.state.value)
        return found


class Caught(Workflow[list[str]]):
    """try, except and finally around steps that fail, in a Workflow within a Workflow."""

    depth: int = 1

    async def define(self) -> list[str]:
        found: list[str] = []
        try:
            await self.do("bad", SharedThing(name="bad", value=13).uninstall(), key="not there")
            await self.do("fail", failing())
        except ExecutionFailed as failed:
            found.append(failed.error_type)
        finally:
            found.append(await self.do("clean", blocking(f"clean {self.depth}")))
        if self.depth:
            below: list[str] = await self.do("below", Caught(depth=self.depth - 1))
            found += below
        return found


@action(idempotent=True)
async def failing() -> None:
    """Fails."""
    raise ValueError("no")


class Parallel(Resource):
    """Several things at once, one of which fails."""

    def identity(self) -> str:
        return "p"

    async def define_update(self) -> None:
        await asyncio.gather(
            self.do("bad", Thing(value=13)), *(self.do("good", Thing(value=n), key=str(n)) for n in range(2))
        )


class Busy(Workflow[list[str]]):
    """A request that does not wait for its turn."""

    async def define(self) -> list[str]:
        one = self.do("one", App(name="x", first=1, second=2))
        two = self.do("two", App(name="x", first=3, second=4), on_conflict="fail")
        results = await asyncio.gather(one, two, return_exceptions=True)
        return [type(result).__name__ for result in results]


class Clings(Thing):
    """Will not be deleted."""

    def delete(self, live: ThingState, /) -> None:
        raise ValueError(f"{live.value} is in use")


class Fewer(Resource):
    """Does most of it no longer; one thing may not let go."""

    most: bool = True
    clings: bool = False

    def identity(self) -> str:
        return "f"

    async def define_update(self) -> None:
        await self.do("stays", Thing(value=2 if self.most else 3))
        if self.most:
            await self.do("retained", Thing(value=1), retain=True)
            if self.clings:
                await self.do("clings", Clings(value=1))
            await self.do("net", SharedThing(name="net", value=1))
            await self.do("app", App(name="f", first=1, second=1))


class Follows(Resource):
    """Does something with what another thing gives, which a plan cannot know."""

    value: int

    def identity(self) -> str:
        return "follows"

    async def define_update(self) -> None:
        first = await self.do("first", Thing(value=self.value))
        await self.do("second", Thing(value=await self.do("count", add(first.value, 1))))


class Replaced(Resource):
    """Does something else the second time."""

    version: int

    def identity(self) -> str:
        return "r"

    async def define_update(self) -> None:
        await self.do(f"thing {self.version}", Thing(value=self.version))


class Dropped(Workflow):
    """Children that an update no longer does go with the uninstall."""

    async def define(self) -> None:
        await self.do("one", Replaced(version=1))
        await self.do("two", Replaced(version=2))
        await self.do("down", Replaced(version=2).uninstall())


@action(idempotent=True)
async def slow() -> int:
    """Takes longer than a timer."""
    await asyncio.sleep(0.02)
    return 1


class Timed(Workflow[str]):
    """A race that a timer wins; what is done then depends on it."""

    async def define(self) -> str:
        timer = asyncio.create_task(asyncio.sleep(0.001))
        step = asyncio.create_task(self.do("slow", slow()))
        await asyncio.wait([timer, step], return_when=asyncio.FIRST_COMPLETED)
        winner = "step" if step.done() else "timer"
        await self.do("won", blocking(winner), key=winner)
        await asyncio.gather(timer, step)
        await self.do("last", add(1, 1))
        return winner


class Careful(Workflow[str]):
    """A step that may not be done twice, and what is done when nobody knows whether it was done."""

    async def define(self) -> str:
        try:
            return await self.do("careful", careful("once"))
        except ExecutionFailed as failed:
            return failed.error_type


class Ready(Event):
    """Something is."""

    name: str


@on(Ready, where=lambda event: event.name == "b")
def on_ready(event: Ready) -> Step[ThingState]:
    return SharedThing(name=f"set off by {event.name}", value=3)


class Sends(Action):
    """Sends an event to its own execution, or to all."""

    options = Options(idempotent=True)
    name: str
    all: bool = False

    async def main(self) -> None:
        WORLD.did(f"send {self.name}", self.execution.token)
        assert WORLD.emit is not None
        await WORLD.emit(Ready(name=self.name), to=None if self.all else self.execution.id)


class Waits(Workflow[str]):
    """Waits for one event, for a while."""

    name: str
    seconds: float = 60

    async def define(self) -> str:
        limit = timedelta(seconds=self.seconds)
        return (await self.execution.wait_for("ready", Ready, where=lambda e: e.name == self.name, timeout=limit)).name


class Signals(Workflow[list[str]]):
    """Events that come before they are waited for, while they are, to all, and never."""

    async def define(self) -> list[str]:
        await self.do("early", Sends(name="early"))
        both = asyncio.gather(self.do("b", Waits(name="b")), self.do("a", Waits(name="a")))
        await self.do("a", Sends(name="a"))
        await self.do("b", Sends(name="b", all=True))
        found = list(await both)
        try:
            await self.do("never", Waits(name="never", seconds=0.001))
        except ExecutionFailed as failed:
            found.append(failed.error_type)
        waits = [asyncio.ensure_future(self.do("race", Waits(name=name), key=name)) for name in ("early", "late")]
        done, _ = await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        waits[1].cancel()
        return [*found, *(task.result() for task in done), await self.do("last", blocking("last"))]


class Mounted(Resource):
    """A bucket, what is mounted from it, and a mount that fails with weight 13."""

    purpose: str
    last: int = 0

    def identity(self) -> str:
        return "mounted"

    async def define_update(self) -> None:
        bucket = await self.do("bucket", Bucket(purpose=self.purpose))
        await self.do("mount", Mount(bucket=bucket.name, password=bucket.password))
        await self.do("last", Mount(bucket=bucket.name, weight=self.last))


class Anew(Workflow[list[str]]):
    """A bucket that is replaced, and made anew when that fails: what is mounted from it follows."""

    async def define(self) -> list[str]:
        await self.do("up", Mounted(purpose="web"))
        try:
            await self.do("up", Mounted(purpose="api", last=13), key="again")
        except ExecutionFailed as failed:
            return list(failed.failure.left)
        return ["it did not fail"]


class There(Action):
    """Something was made by hand."""

    options = Options(idempotent=True)
    name: str
    value: int

    def main(self) -> None:
        WORLD.did(f"by hand {self.name}", self.execution.token, lambda: WORLD.things.__setitem__(self.name, self.value))


class Adopter(Resource):
    """Adopts a thing that was made by hand."""

    value: int
    then: int = 1

    def identity(self) -> str:
        return "adopter"

    async def define_update(self) -> None:
        await self.do("thing", SharedThing(name="there", value=self.value), adopt=True)
        await self.do("then", Thing(value=self.then))


class Adopted(Workflow[list[str]]):
    """A thing is adopted by one that fails in it, by one that fails after it, and by one that succeeds."""

    async def define(self) -> list[str]:
        found: list[str] = []
        await self.do("there", There(name="SharedThing there", value=5))
        for number, adopter in enumerate((Adopter(value=13), Adopter(value=6, then=13), Adopter(value=7))):
            try:
                await self.do("adopt", adopter, key=str(number))
            except ExecutionFailed as failed:
                found += [failed.failure.state.value, *failed.failure.left]
        return found


class Regretful(Resource[Sum]):
    """Goes back to its first revision inside of an update, which then fails."""

    value: int

    def identity(self) -> str:
        return "regretful"

    async def define_update(self) -> Sum:
        state = await self.do("thing", Thing(value=self.value))
        if self.value == 3:
            await self.do("back", self.rollback(to=1))
            raise ValueError("after all")
        return Sum(total=state.value)


class Regrets(Workflow[list[str]]):
    """The update that fails so is back where it began."""

    async def define(self) -> list[str]:
        found: list[str] = []
        for value in (1, 2, 3):
            try:
                await self.do("up", Regretful(value=value), key=str(value))
            except ExecutionFailed as failed:
                found += [failed.failure.state.value, *failed.failure.left]
        return found


class Called(Workflow[int]):
    """Owns a thing."""

    async def define(self) -> int:
        return (await self.do("thing", Thing(value=4))).value


class Moved(Resource[Sum]):
    """The same under other names each time."""

    version: int

    def identity(self) -> str:
        return "moved"

    async def define_update(self) -> Sum:
        names, before = ("a", "b", "a")[self.version :], (None, "a", "b")[self.version]
        one = await self.do(f"thing {names[0]}", Thing(value=1), was=f"thing {before}" if before else None)
        two = await self.do(f"flow {names[0]}", Called(), was=f"flow {before}" if before else None)
        name, was = f"seed {names[0]}", f"seed {before}" if before else None
        return Sum(total=one.value + two + await self.do(name, add(5, 5), once=True, was=was))


class Renames(Workflow[list[int]]):
    """A stack whose steps are renamed twice."""

    async def define(self) -> list[int]:
        return [(await self.do("up", Moved(version=version), key=str(version))).total for version in range(3)]


class Next(Action[int]):
    """How often something was done, this time included; once for each token."""

    options = Options(idempotent=True)
    name: str

    async def main(self) -> int:
        done = f"{self.name} {self.execution.token}"
        WORLD.did(f"next {self.name}", self.execution.token, lambda: WORLD.jobs.update({done: 1}))
        return len([one for one in WORLD.jobs if one.startswith(f"{self.name} ")])


class Round(Workflow[int]):
    """Two steps and a sleep, in a race."""

    async def define(self) -> int:
        timer = asyncio.create_task(asyncio.sleep(0.0005))
        step = asyncio.create_task(self.do("in", Next(name="in")))
        await asyncio.wait([timer, step])
        await self.do("app", SharedThing(name="round", value=7))
        return step.result()


class Repeats(Workflow[list[int]]):
    """An Action, a Workflow and a Resource's command, again and again, beside each other and a timer."""

    async def define(self) -> list[int]:
        every = timedelta(milliseconds=0.1)
        number = self.repeat("number", Next(name="number"), every=every, until=lambda n: n >= 4)
        rounds = self.repeat("round", Round(), every=every, until=lambda n: n >= 3)
        at_once = self.repeat("once", Next(name="once"), every=timedelta(0), until=lambda n: n >= 3)
        found = await asyncio.gather(number, rounds, at_once, asyncio.sleep(0.001, 0))
        thing = await self.repeat("thing", Thing2(), every=every, until=lambda state: state.value >= 1)
        return [*found, thing.value]


class Thing2(SharedThing):
    """A thing that is named."""

    name: str = "named"
    value: int = 1


async def signals(orbits: Orbits) -> None:
    """Events are sent by whichever process is alive."""
    WORLD.emit = orbits.emit
    await (await start_once(orbits, Signals()))


SCENARIOS: dict[str, Scenario] = {
    "chain": lambda: Chain(length=4),
    "timer": Timed,
    "races": Races,
    "watch": lambda: Job(name="watched"),
    "install": lambda: App(name="x", first=1, second=2),
    "failed first update": lambda: App(name="x", first=1, second=13),
    "failed update": Twice,
    "uninstall": Removed,
    "shared": lambda: Shared(both=False),
    "shared and removed": lambda: Shared(both=True),
    "joined": Joined,
    "cycle": Cycled,
    "drift told": Told,
    "rollback": Back,
    "forward only": Held,
    "caught": Caught,
    "failed branch": Parallel,
    "busy": Busy,
    "children dropped": Dropped,
    "events": signals,
    "repeat": Repeats,
    "made anew": Anew,
    "adopted": Adopted,
    "renamed": Renames,
    "removed by plan": planned(lambda: Fewer(most=False), Fewer()),
    "removal fails": planned(lambda: Fewer(most=False, clings=True), Fewer(clings=True)),
    "waits for approval": planned(lambda: Follows(value=2), Follows(value=1)),
    "went back inside": Regrets,
    **OPERATED,
}
RACING = {"failed branch", "busy"}
"""Scenarios in which what had been done when something failed, or was refused, depends on who was faster."""


@pytest.fixture(autouse=True)
def anew() -> None:
    WORLD.clear()
    WORLD.failing = {"13"}


EVERYWHERE = [
    (name, store) for name in SCENARIOS for store in ("memory", "sqlite") if store == "memory" or name not in LARGE
]
"""The large ones take as long on SQLite as all the others together, and write nothing that those do not."""


@pytest.mark.parametrize(("name", "store"), EVERYWHERE)
def test_every_crash(name: str, store: Store) -> None:
    report = crashed(name, SCENARIOS[name], store=store, racing=name in RACING, edit=EDITS.get(name))
    assert report.interrupted == 0


@pytest.mark.parametrize("store", ["memory", "sqlite"])
def test_what_may_not_be_done_twice_is_not(store: Store) -> None:
    report = crashed("careful", Careful, store=store)
    assert 0 < report.interrupted < report.points
    assert set(WORLD.log) == set()  # the world is as it was before


def test_there_are_ten_thousand_points_at_least() -> None:
    tried = {name for name, _ in TRIED}
    if not tried >= set(SCENARIOS):
        pytest.skip("only some of the scenarios were run")
    assert sum(report.points for (_, store), report in TRIED.items() if store != "mongodb") >= 10_000
