"""What definitions may do, what they are told when it is wrong, and what whatever they raise becomes."""

import asyncio
import contextlib
import gc
import socket
import subprocess
from datetime import timedelta
from typing import Any

import pytest
from pydantic import SecretStr

from orbits_iac import Action, ExecutionFailed, Orbits, Outputs, Resource, Workflow, action
from orbits_iac.model.errors import LONGEST_MESSAGE
from orbits_iac.model.rows import EntryRow, EventRow
from orbits_iac.model.states import State
from orbits_iac.steps.options import Pool
from orbits_iac.store.memory import MemoryStore
from orbits_iac.testing import Clock

from .crash import SETTINGS
from .world import WORLD, App, Chain, Outage, Thing, add, blocking


@pytest.fixture(autouse=True)
def _new_world() -> None:
    WORLD.clear()


class Demanding(Exception):
    """Cannot be made from its message."""

    def __init__(self, code: int, *, where: str) -> None:
        super().__init__(f"{code} at {where}")


class Speechless(Exception):
    """Cannot say what it is."""

    def __str__(self) -> str:
        raise ValueError("no words")


def _raise(how: str) -> None:
    match how:
        case "stop":
            raise StopIteration
        case "exit":
            raise SystemExit(3)
        case "interrupt":
            raise KeyboardInterrupt
        case "generator":
            raise GeneratorExit
        case "base":
            raise BaseException("bare")  # noqa: TRY002 - what a user may do
        case "speechless":
            raise Speechless
        case "long":
            raise ValueError("x" * 1_000_000)
        case "surrogate":
            raise ValueError("half \udc80")
        case "demanding":
            raise Demanding(7, where="here")
        case _:
            try:
                raise Outage("lost")
            except Outage as error:
                raise ValueError("because") from error


HOWS = ["stop", "exit", "interrupt", "generator", "base", "speechless", "long", "surrogate", "demanding", "cause"]


@action
async def raising(how: str) -> None:
    """Raises on the loop."""
    _raise(how)


@action
def raising_in_a_thread(how: str) -> None:
    """Raises in a thread."""
    _raise(how)


class Raising(Workflow):
    """Raises by itself."""

    how: str

    async def define(self) -> None:
        await self.do("first", add(1, 1))
        _raise(self.how)


class RaisingInTask(Workflow):
    """Raises in a task of its own."""

    how: str

    async def define(self) -> None:
        async def inner() -> None:
            await self.do("first", add(1, 1))
            _raise(self.how)

        await asyncio.create_task(inner())


class RaisingUpdate(Resource):
    """A thing, and then an error."""

    how: str

    def identity(self) -> str:
        return self.how

    async def define_update(self) -> None:
        await self.do("thing", Thing(value=1))
        _raise(self.how)


@pytest.mark.parametrize("how", HOWS)
@pytest.mark.parametrize("make", [raising, raising_in_a_thread, Raising, RaisingInTask, RaisingUpdate])
async def test_whatever_is_raised_is_how_it_failed(orbits: Orbits, make: Any, how: str) -> None:
    step = make(how=how)
    with pytest.raises(ExecutionFailed) as failed:
        await orbits.run(step)
    assert len(failed.value.message) < LONGEST_MESSAGE + 100
    assert failed.value.caused_by(Outage) == (how == "cause")
    if how == "demanding":
        assert (failed.value.error_type, failed.value.message) == ("Demanding", "7 at here")
    assert WORLD.things == {}
    assert await orbits.run(add(1, 2)) == 3


async def test_the_first_step_that_failed_in_a_task_group_is_named(orbits: Orbits) -> None:
    class Grouped(Resource):
        def identity(self) -> str:
            return "g"

        async def define_update(self) -> None:
            async with asyncio.TaskGroup() as group:
                group.create_task(self.do("good", Thing(value=1)))
                group.create_task(self.do("bad", Thing(value=13)))

    WORLD.failing = {"13"}
    with pytest.raises(ExecutionFailed) as failed:
        await orbits.run(Grouped())
    assert (failed.value.path, failed.value.error_type) == (("bad",), "Outage")
    assert failed.value.caused_by(Outage)
    assert WORLD.things == {}


async def test_a_failed_branch_lets_the_others_end_before_anything_is_brought_back(orbits: Orbits) -> None:
    class Parallel(Resource):
        def identity(self) -> str:
            return "p"

        async def define_update(self) -> None:
            await asyncio.gather(
                self.do("bad", Thing(value=13)), *(self.do("good", Thing(value=n), key=str(n)) for n in range(5))
            )

    WORLD.failing = {"13"}
    with pytest.raises(ExecutionFailed, match="bad"):
        await orbits.run(Parallel())
    assert WORLD.things == {}


# What is wrong is said at once, with the step.


class Wrong(Workflow):
    """Does something that is not allowed."""

    how: str

    async def define(self) -> Any:  # noqa: C901, PLR0912 - a table
        match self.how:
            case "key twice":
                await self.do("a", add(1, 1))
                await self.do("a", add(1, 2))
            case "key twice at once":
                await asyncio.gather(self.do("a", add(1, 1)), self.do("a", add(1, 2)))
            case "class":
                await self.do("a", Chain)  # type: ignore[arg-type]
            case "result":
                return object()
            case "another's self":
                await self.do("other", Lends())
                await LENT[0].do("a", add(1, 1))
            case "not awaited":
                task = asyncio.create_task(self.do("a", add(1, 1)))
                await self.do("b", add(1, 1))
                WORLD.did(str(task.done()))
                asyncio.create_task(self.do("c", add(1, 1)))  # noqa: RUF006
            case "not looked at":
                await asyncio.wait([asyncio.create_task(self.do("a", raising("demanding")))])
            case "for ever":
                while True:  # noqa: ASYNC110 - what a test is about
                    await asyncio.sleep(0)
            case "io":
                await asyncio.get_running_loop().run_in_executor(None, print)
            case "connection":
                socket.create_connection(("127.0.0.1", 9))
            case "command":
                subprocess.run(["true"], check=True)  # noqa: ASYNC221 - what is refused
            case "ref":
                await self.do("half \udc80", add(1, 1))
            case "options":
                await self.do("a", add(1, 1), pool=Pool("db", 3))
            case "never awaited":
                self.do("a", add(1, 1))  # type: ignore[unused-coroutine]
                await self.do("b", add(1, 1))
            case _:
                raise ValueError(self.how)
        return None


LENT: list[Workflow] = []


class Lends(Workflow):
    """Gives its self away."""

    async def define(self) -> None:
        LENT[:] = [self]
        await self.do("own", add(2, 2))


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ("key twice", "a: Add is done twice"),
        ("key twice at once", "a: Add is done twice"),
        ("class", r"do\('a', \.\.\.\) takes a step"),
        ("result", "cannot be kept"),
        ("another's self", "another definition's self"),
        ("not awaited", r"do c \(.*test_definitions.py, line \d+\): called, and not awaited"),
        ("not looked at", "7 at here"),
        ("io", "put it in an Action|Put it in an Action"),
        ("connection", "socket.getaddrinfo asks for an address"),
        ("command", "subprocess.Popen runs a command"),
        ("ref", "has to be Unicode"),
        ("options", "pool"),
        ("never awaited", r"do a \(.*test_definitions.py, line \d+\): called, and not awaited"),
        ("key twice", r"test_definitions.py, line \d+, after .*test_definitions.py, line \d+"),
    ],
)
async def test_what_is_wrong_is_said_at_once(orbits: Orbits, how: str, message: str) -> None:
    with pytest.raises(ExecutionFailed, match=message):
        await orbits.run(Wrong(how=how))


async def test_a_definition_that_never_waits_is_paused_and_says_so(
    orbits: Orbits, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("orbits_iac.engine.loop.LONGEST_DRAIN", 1000)
    execution = await orbits.start(Wrong(how="for ever"))
    await orbits.settled()
    assert (await execution.row()).state is State.PAUSED
    (event,) = [e for e in await orbits.store.find(EventRow, root=execution.id) if e.after is State.PAUSED]
    assert "without waiting" in event.why
    await execution.cancel()
    assert (await execution.ended()).state is State.CANCELLED
    assert await orbits.run(add(1, 1)) == 2


# Workflows within Workflows.


class Empty(Workflow[int]):
    """Does nothing."""

    async def define(self) -> int:
        return 7


class Around(Resource):
    """Does Workflows, one of them once."""

    value: int = 1

    def identity(self) -> str:
        return "outer"

    async def define_update(self) -> None:
        assert await self.do("empty", Empty()) == 7
        await self.do("once", Chain(length=2), once=True)


async def test_a_workflow_that_is_done_once_does_nothing_the_second_time(orbits: Orbits) -> None:
    await orbits.run(Around())
    assert WORLD.log == ["add 0 0", "add 0 1"]
    await orbits.run(Around(value=2))
    assert WORLD.log == ["add 0 0", "add 0 1"]


async def test_a_time_limit_stops_a_nested_workflow_and_its_steps(orbits: Orbits, clock: Clock) -> None:
    class Endless(Workflow):
        async def define(self) -> None:
            try:
                await self.do("gate", Forever())
            finally:
                WORLD.did("nested ended")

    class Limited(Workflow[str]):
        async def define(self) -> str:
            try:
                async with asyncio.timeout(60):
                    await self.do("endless", Endless())
            except TimeoutError:
                return "late"
            return "in time"

    execution = await orbits.start(Limited())
    await asyncio.to_thread(WORLD.reached.wait, 10)
    clock._ahead += 60
    orbits.engine.poke(execution.id)  # it waits for the step, and looks at the clock only when that time has passed
    assert await execution == "late"
    assert sorted(WORLD.log) == ["nested ended", "stopped"]
    entries = await orbits.store.find(EntryRow, execution=execution.id)
    assert all(entry.seq is not None for entry in entries)


class Forever(Action):
    """Ends only when it is cancelled."""

    async def main(self) -> None:
        WORLD.reached.set()
        try:
            await asyncio.Event().wait()
        finally:
            WORLD.did("stopped")


async def test_a_time_limit_around_a_step_asks_it_to_cancel_and_goes_on(orbits: Orbits) -> None:
    class Limited(Workflow[int]):
        async def define(self) -> int:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(0.5):
                    await self.do("forever", Forever())
            return await self.do("after", add(1, 1))

    execution = await orbits.start(Limited())
    assert await execution == 2
    entries = {e.key.split("/")[1].split(":")[0]: e for e in await orbits.store.find(EntryRow, execution=execution.id)}
    assert entries["forever"].state is State.ERROR
    assert entries["forever"].seq is not None


async def test_errors_are_caught_and_the_definition_goes_on(orbits: Orbits) -> None:
    class Catching(Workflow[list[str]]):
        async def define(self) -> list[str]:
            found = []
            try:
                await self.do("bad", raising("demanding"))
            except Exception as error:  # noqa: BLE001 - what a test is about
                found.append(type(error).__name__)
            finally:
                found.append(await self.do("finally", blocking("a")))
            return found

    assert await orbits.run(Catching()) == ["ExecutionFailed", "A"]


async def test_a_definition_may_begin_with_a_sleep_however_long_it_has_waited_for_its_turn(orbits: Orbits) -> None:
    class Sleeping(Resource):
        name: str
        value: int

        def identity(self) -> str:
            return self.name

        async def define_update(self) -> None:
            before = self.execution.now()
            if self.value == 1:
                await self.do("first", blocking("x"))
            await asyncio.sleep(0.2)
            WORLD.did(f"slept {(self.execution.now() - before).total_seconds() >= 0.2}")

    await asyncio.gather(*(orbits.run(Sleeping(name="s", value=n)) for n in (1, 2)))
    assert WORLD.log.count("slept True") == 2


async def test_two_reads_of_the_same_outputs_at_once_are_one(orbits: Orbits) -> None:
    class Reader(Resource):
        def identity(self) -> str:
            return "r"

        async def define_update(self) -> None:
            one, two = await asyncio.gather(*(self.execution.outputs(App, "x") for _ in range(2)))
            three = await self.execution.outputs(App, "x")
            assert one == two == three

    await orbits.run(App(name="x", first=1, second=2))
    async with asyncio.timeout(60):
        await orbits.run(Reader())


class Report(Outputs):
    """Has a secret."""

    password: SecretStr


@action
async def leaking(password: SecretStr) -> None:
    """Says its secret when it fails."""
    raise ValueError(f"wrong password {password.get_secret_value()}")


class Leak(Workflow):
    """Says a secret wherever it can."""

    password: SecretStr

    async def define(self) -> None:
        self.execution.progress(f"with {self.password.get_secret_value()}")
        try:
            await self.do("leak", leaking(self.password))
        except ExecutionFailed as error:
            raise Outage(f"{error} and {self.password.get_secret_value()}") from None


async def test_secrets_in_messages_are_masked(orbits: Orbits) -> None:
    execution = await orbits.start(Leak(password=SecretStr("correct horse")))
    with pytest.raises(ExecutionFailed) as failed:
        await execution
    everything: list[Any] = [failed.value, failed.value.failure, await execution.row()]
    everything += await orbits.store.find(EntryRow, execution=execution.id)
    everything += await orbits.store.tail(0)
    assert "correct horse" not in repr(everything)
    assert "wrong password **********" in repr(everything)


async def test_a_handle_and_a_result_that_do_not_come_back_are_errors(orbits: Orbits) -> None:
    @action
    async def keys() -> dict[tuple[int, int], str]:
        return {(1, 2): "x"}

    with pytest.raises(ExecutionFailed, match="own result"):
        await orbits.run(keys())


async def test_nothing_of_a_run_is_kept_when_it_has_ended(orbits: Orbits) -> None:
    for _ in range(3):
        await orbits.run(Chain(length=3))
        with contextlib.suppress(ExecutionFailed):
            await orbits.run(Wrong(how="result"))
    gc.collect()
    assert orbits.engine._runs == {}
    assert orbits.engine._left == {}
    assert orbits._told == {}


class SleepsBelow(Workflow):
    """Does nothing but sleep."""

    async def define(self) -> None:
        await asyncio.sleep(5)


class Outslept(Workflow[str]):
    """Races a nested definition that sleeps with a timer of its own, and goes on for an hour."""

    async def define(self) -> str:
        nested = asyncio.ensure_future(self.do("nested", SleepsBelow()))
        timer = asyncio.create_task(asyncio.sleep(6))
        done, _ = await asyncio.wait([nested, timer], return_when=asyncio.FIRST_COMPLETED)
        first = "nested" if nested in done else "timer"
        await self.do("first", blocking(first), key=first)
        await asyncio.gather(nested, timer, asyncio.sleep(3600))
        return first


async def test_a_timer_of_a_definition_that_has_ended_is_not_taken_for_another(clock: Clock) -> None:
    store = MemoryStore()
    async with Orbits(SETTINGS, store=store, clock=clock) as orbits:
        execution = await orbits.start(Outslept())
        await orbits.settled()
        clock.tell(orbits.settled)
        await clock.advance(timedelta(seconds=10))  # both are due; the nested one's comes first, and ends it
        clock._settled.clear()
    await clock.advance(timedelta(hours=1))
    async with Orbits(SETTINGS, store=store, clock=clock) as orbits, asyncio.timeout(60):
        assert await orbits.execution(execution.id) == "nested"
    assert WORLD.log == ["blocking nested"]
