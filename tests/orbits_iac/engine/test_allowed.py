"""Each operation on an execution that runs, waits, has failed or has finished: allowed, or refused with the reason."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest

from orbits_iac import Action, InProgress, Options, Orbits, Workflow
from orbits_iac.handles import Execution
from orbits_iac.model.errors import Error, Refused, UsageError
from orbits_iac.model.rows import EventRow, MessageRow
from orbits_iac.model.states import State

from .world import WORLD, Outage


@pytest.fixture(autouse=True)
def anew() -> None:
    WORLD.clear()


class Job(Action[str, str]):
    """Runs until the gate is open, is looked at once an hour, or is done at once."""

    options = Options(idempotent=True, grace=timedelta(milliseconds=10))
    how: str

    async def main(self) -> str | InProgress[str]:
        WORLD.did(f"job {self.how}", self.execution.token)
        WORLD.reached.set()
        if self.how == "waits":
            return InProgress("first", poll=timedelta(hours=1))
        while self.how == "runs" and not WORLD.gate.is_set():  # noqa: ASYNC110 - it is set by another thread
            await asyncio.sleep(0.001)
        return "done"

    async def watch(self, handle: str, /) -> str | InProgress[str]:
        return InProgress(handle, poll=timedelta(hours=1)) if handle == "first" else handle


class Last(Action):
    """Fails while the world says so."""

    options = Options(idempotent=True)

    async def main(self) -> None:
        WORLD.did("last", self.execution.token)
        if "last" in WORLD.failing:
            raise Outage("no answer")


class Release(Workflow[str]):
    """A job, and then a step that may fail."""

    how: str

    async def define(self) -> str:
        found = await self.do("job", Job(how=self.how))
        await self.do("last", Last())
        return found


Operation = Callable[[Execution[str]], Awaitable[None]]
OPERATIONS: dict[str, Operation] = {
    "pause": lambda it: it.pause(),
    "resume": lambda it: it.resume(),
    "cancel": lambda it: it.cancel(),
    "end": lambda it: it.end(State.ERROR, why="by hand"),
    "end a step": lambda it: it.end(State.SUCCESS, path="job", result="by hand"),
    "set-handle": lambda it: it.set_handle("job", "second"),
    "replay": lambda it: it.replay(),
    "replay from a step": lambda it: it.replay("last"),
}

PARTICIPLES = {
    "pause": "paused",
    "resume": "resumed",
    "cancel": "cancelled",
    "end": "ended",
    "end a step": "ended",
    "set-handle": "given a handle",
}


async def standing(orbits: Orbits, how: str) -> Execution[str]:
    """An execution that runs, waits, has failed or has finished."""
    WORLD.failing = {"last"} if how == "failed" else set()
    execution = await orbits.start(Release(how=how))
    assert await asyncio.to_thread(WORLD.reached.wait, 20)
    if how in {"failed", "finished"}:
        row = await execution.ended()
        assert row.state is (State.ERROR if how == "failed" else State.SUCCESS)
    if how == "waits":
        await orbits.settled()
    WORLD.failing = set()
    return execution


async def paused(execution: Execution[str]) -> None:
    async with asyncio.timeout(60):
        while (await execution.row()).state is not State.PAUSED:  # noqa: ASYNC110 - there is nothing to wait on
            await asyncio.sleep(0.001)


def because(row: Any) -> tuple[Any, ...]:
    return row.state, row.failure and (row.failure.error_type, row.failure.message)


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("how", ["runs", "waits"])
async def test_on_one_that_is_under_way(orbits: Orbits, how: str, operation: str) -> None:
    execution = await standing(orbits, how)
    if operation.startswith("replay"):
        with pytest.raises(Refused, match=r"\(Release run\) is under way: cancel it first, or wait for its end"):
            await OPERATIONS[operation](execution)
        assert [
            event.why for event in await orbits.store.find(EventRow, root=execution.id) if "replay" in event.why
        ] == []
        return
    await OPERATIONS[operation](execution)
    match operation:
        case "pause":
            WORLD.gate.set()
            await paused(execution)
            assert WORLD.log == [f"job {how}"]
            await execution.resume()
            await execution.set_handle("job", "second") if how == "waits" else None
            assert await execution == ("done" if how == "runs" else "second")
        case "resume":  # nothing was in its way
            await orbits.settled() if how == "waits" else None
            assert (await execution.row()).state is State.EXECUTING
            WORLD.gate.set()
            await execution.set_handle("job", "second") if how == "waits" else None
            assert await execution == ("done" if how == "runs" else "second")
        case "cancel":
            row = await execution.ended()
            assert row.failure is not None
            assert (row.state, row.failure.error_type, row.failure.left) == (
                (State.CANCELLED, "Cancelled", ())
                if how == "runs"
                else (State.QUARANTINED, "Cancelled", ("job: still under way after 0.01 s",))
            )
        case "end":
            assert because(await execution.ended()) == (State.ERROR, ("Ended", "by hand"))
            assert WORLD.log == [f"job {how}"]
        case "end a step":
            assert await execution == "by hand"
        case _:  # a handle was set
            assert await execution == "second"
    await orbits.settled()
    assert await orbits.store.find(MessageRow) == []


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("how", ["failed", "finished"])
async def test_on_one_that_has_ended(orbits: Orbits, how: str, operation: str) -> None:
    execution = await standing(orbits, how)
    before, log = await execution.row(), list(WORLD.log)
    if operation.startswith("replay"):
        await OPERATIONS[operation](execution)
        assert await execution == "done"
        assert WORLD.log[len(log) :] == (["last"] if "step" in operation else [f"job {how}", "last"])
        assert len(set(WORLD.tokens)) == len(WORLD.tokens)  # each with a new token
        return
    with pytest.raises(UsageError) as refused:
        await OPERATIONS[operation](execution)
    assert str(refused.value) == (
        f"execution {execution.id} has ended ({before.state}) and cannot be {PARTICIPLES[operation]}; `orbits replay "
        f"{execution.id}` lets it go on again"
    )
    await orbits.settled()
    assert (await execution.row(), WORLD.log) == (before, log)
    assert await orbits.store.find(MessageRow) == []


@pytest.mark.parametrize("operation", OPERATIONS)
async def test_on_one_that_is_not_there(orbits: Orbits, operation: str) -> None:
    with pytest.raises(Error, match="there is no execution"):
        await OPERATIONS[operation](orbits.execution("1nnnnnnnnnnnnnnnn"))
