"""Actions: main and watch, threads, retries and tokens, time limits, and what comes back."""

import asyncio
import threading
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import BaseModel, SecretStr

from orbits_iac import Action, ExecutionFailed, InProgress, NothingDone, Options, Orbits, Retry, Workflow, action
from orbits_iac.model.rows import EntryRow

from .world import WORLD, Fatal, Flaky, Job, Outage, add, blocking


class Everything(BaseModel):
    """A value of each kind that JSON does not have."""

    when: datetime
    took: timedelta
    pair: tuple[int, str]
    names: set[str]
    raw: bytes
    secret: SecretStr


EVERYTHING = Everything(
    when=datetime(2026, 11, 21, 12, tzinfo=UTC),
    took=timedelta(hours=3),
    pair=(1, "b"),
    names={"x", "y"},
    raw=b"\xff\x00",
    secret=SecretStr("hunter2"),
)


@action
async def everything() -> Everything:
    return EVERYTHING


@action
async def pairs() -> list[tuple[int, str]]:
    return [(1, "a")]


@action
async def wrong() -> int:
    return threading  # type: ignore[return-value] # what a test is about


class NewToken(Action[list[str]]):
    """Collects the token of each attempt."""

    options = Options(retry=Retry(attempts=3, delay=timedelta(milliseconds=1)))
    nothing_done: bool

    def main(self) -> list[str]:
        WORLD.did(self.execution.token)
        if self.execution.attempt < 3:
            raise NothingDone("refused") if self.nothing_done else Outage("lost")
        return list(WORLD.log)


class Slow(Action):
    """Never ends by itself."""

    options = Options(timeout=timedelta(milliseconds=20))

    async def main(self) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            WORLD.did("stopped")


@pytest.fixture(autouse=True)
def _new_world() -> None:
    WORLD.clear()


async def test_an_action_returns_its_result(orbits: Orbits) -> None:
    assert await orbits.run(add(1, 2)) == 3


async def test_a_plain_def_runs_in_a_thread(orbits: Orbits) -> None:
    names: list[str] = []

    @action
    def where() -> str:
        return threading.current_thread().name

    names.append(await orbits.run(where()))
    assert names[0].startswith("orbits")


async def test_watch_is_called_with_the_handle_until_it_is_done(orbits: Orbits) -> None:
    assert await orbits.run(Job(name="abc", looks=3)) == 3
    assert WORLD.log == ["begin abc"]
    assert WORLD.jobs["looks abc"] == 3


async def test_a_failed_attempt_is_made_again_with_the_same_token(orbits: Orbits) -> None:
    assert await orbits.run(Flaky(good=3)) == 3
    assert len(WORLD.log) == 3
    assert len({line.split()[2] for line in WORLD.log}) == 1


async def test_the_token_changes_only_after_nothing_done(orbits: Orbits) -> None:
    same = await orbits.run(NewToken(nothing_done=False))
    WORLD.clear()
    new = await orbits.run(NewToken(nothing_done=True))
    assert (len(set(same)), len(set(new))) == (1, 3)


async def test_after_the_last_attempt_the_error_is_raised(orbits: Orbits) -> None:
    with pytest.raises(ExecutionFailed) as failed:
        await orbits.run(Flaky(good=9))
    assert failed.value.error_type == "Outage"
    assert failed.value.message == "no answer"
    assert failed.value.caused_by(Outage)
    assert failed.value.caused_by(Exception)
    assert not failed.value.caused_by(ValueError)


async def test_a_permanent_error_is_not_tried_again(orbits: Orbits) -> None:
    with pytest.raises(ExecutionFailed):
        await orbits.run(Fatal())
    assert WORLD.log == ["fatal"]


async def test_values_come_back_by_their_declared_type(orbits: Orbits) -> None:
    assert await orbits.run(everything()) == EVERYTHING
    assert await orbits.run(pairs()) == [(1, "a")]


async def test_a_result_that_cannot_be_kept_is_an_error_that_says_so(orbits: Orbits) -> None:
    with pytest.raises(ExecutionFailed, match="cannot be kept as int"):
        await orbits.run(wrong())


async def test_an_attempt_that_takes_too_long_is_stopped(orbits: Orbits) -> None:
    with pytest.raises(ExecutionFailed) as failed:
        await orbits.run(Slow())
    assert failed.value.caused_by(TimeoutError)
    assert WORLD.log == ["stopped"]


async def test_progress_is_recorded_with_the_step(orbits: Orbits) -> None:
    class Reports(Action):
        def main(self) -> None:
            self.execution.progress("half way", 0.5)

    execution = await orbits.start(Reports())
    await execution
    (entry,) = await orbits.store.find(EntryRow, execution=execution.id)
    assert (entry.message, entry.share) == ("half way", 0.5)


async def test_secrets_stand_in_the_store_encrypted(orbits: Orbits) -> None:
    @action
    async def reveal(secret: SecretStr) -> SecretStr:
        return SecretStr(secret.get_secret_value() * 2)

    execution = await orbits.start(reveal(SecretStr("hunter2")))
    assert (await execution).get_secret_value() == "hunter2hunter2"
    stored: list[Any] = [await execution.row(), *await orbits.store.find(EntryRow, execution=execution.id)]
    assert "hunter2" not in repr(stored)


async def test_outside_its_hooks_a_step_has_no_execution() -> None:
    with pytest.raises(Exception, match="is not being run"):
        _ = Slow().execution


async def test_do_in_main_is_refused(orbits: Orbits) -> None:
    class Outer(Workflow[int]):
        async def define(self) -> int:
            flow = self

            class Inner(Action[int]):
                async def main(self) -> int:
                    return await flow.do("nested", add(1, 1))

            return await self.do("inner", Inner())

    with pytest.raises(ExecutionFailed, match="only in a definition"):
        await orbits.run(Outer())


async def test_a_handle_survives_as_its_declared_type(orbits: Orbits) -> None:
    class Watched(Action[str, tuple[int, datetime]]):
        def main(self) -> InProgress[tuple[int, datetime]]:
            return InProgress((1, EVERYTHING.when), poll=timedelta(0))

        def watch(self, handle: tuple[int, datetime], /) -> str:
            return f"{type(handle).__name__} {handle[1].year}"

    assert await orbits.run(Watched()) == "tuple 2026"


async def test_blocking_and_async_steps_mix(orbits: Orbits) -> None:
    class Mixed(Workflow[list[str]]):
        async def define(self) -> list[str]:
            return list(await asyncio.gather(self.do("a", blocking("a")), self.do("b", blocking("b"))))

    assert await orbits.run(Mixed()) == ["A", "B"]
