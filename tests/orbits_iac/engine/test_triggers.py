"""What an event that is sent to all sets off: once, durably, each function by itself."""

import gc
from typing import Any

import pytest
from pydantic import SecretStr

from orbits_iac import Event, ExecutionFailed, Orbits, Step, on
from orbits_iac.engine import events
from orbits_iac.model.errors import UsageError
from orbits_iac.model.rows import EntryRow, ExecutionRow
from orbits_iac.model.states import State

from .test_events import Approved, Asks, waiting
from .world import WORLD, SharedThing, Thing, ThingState, add, blocking


@pytest.fixture(autouse=True)
def _new_world() -> None:
    WORLD.clear()


class Push(Event):
    """Somebody pushes."""

    branch: str
    token: SecretStr = SecretStr("s3cret")


@on(Push, where=lambda push: push.branch == "main")
def release(push: Push) -> Step[str]:
    return blocking(f"release {push.branch}")


@on(Push)
def note(push: Push) -> Step[ThingState]:
    return SharedThing(name=push.branch, value=1)


@on(Push, where=lambda push: push.branch == "broken")
def fails(push: Push) -> Step[Any]:
    raise ValueError(push.branch)


async def set_off(orbits: Orbits) -> list[ExecutionRow]:
    await orbits.settled()
    return [row for row in await orbits.store.find(ExecutionRow) if row.kind == "on Push"]


async def test_an_event_to_all_does_the_steps_of_the_functions_that_it_concerns(orbits: Orbits) -> None:
    await orbits.emit(Push(branch="main"))
    (row,) = await set_off(orbits)
    assert (row.state, row.who, row.parent) == (State.SUCCESS, orbits.who, None)
    assert "s3cret" not in row.argument
    entries = await orbits.store.find(EntryRow, execution=row.id)
    assert {entry.key.split(":")[0] for entry in entries} == {"run/release", "run/note"}
    assert sorted(WORLD.log) == ["blocking release main", "create SharedThing main 1"]


async def test_each_event_sets_off_its_own(orbits: Orbits) -> None:
    await orbits.emit(Push(branch="one"))
    await orbits.emit(Push(branch="one"))
    assert len(await set_off(orbits)) == 2
    assert WORLD.log == ["create SharedThing one 1"]


async def test_one_that_fails_does_not_stop_the_others(orbits: Orbits) -> None:
    await orbits.emit(Push(branch="broken"))
    (row,) = await set_off(orbits)
    assert row.state is State.ERROR
    assert row.failure is not None
    assert (row.failure.error_type, row.failure.message) == ("ValueError", "broken")
    assert WORLD.log == ["create SharedThing broken 1"]


async def test_an_event_to_one_execution_sets_off_nothing(orbits: Orbits) -> None:
    execution = await orbits.start(Asks())
    await waiting(orbits)
    await orbits.emit(Push(branch="main"), to=execution.id)
    await orbits.emit(Approved(by="ada"))
    assert await execution == "ada"
    assert await set_off(orbits) == []


class Unwanted(Event):
    """Concerns nobody."""

    number: int


@on(Unwanted, where=lambda event: event.number > 5)
def unwanted(event: Unwanted) -> Step[int]:
    return add(event.number, 0)


class Fickle(Event):
    """Has a condition that cannot be told."""


@on(Fickle, where=lambda _: 1 // 0 > 0)
def fickle(_: Fickle) -> Step[int]:
    return add(0, 0)


async def test_an_event_that_concerns_no_function_makes_no_execution(orbits: Orbits) -> None:
    await orbits.emit(Unwanted(number=3))
    await orbits.settled()
    assert await orbits.store.find(ExecutionRow) == []


async def test_a_condition_that_raises_is_seen_in_the_execution(orbits: Orbits) -> None:
    await orbits.emit(Fickle())
    await orbits.settled()
    (row,) = await orbits.store.find(ExecutionRow)
    with pytest.raises(ExecutionFailed) as failed:
        await orbits.execution(row.id)
    assert failed.value.caused_by(ZeroDivisionError)


async def test_waits_and_triggers_of_one_event_are_told_in_one_transaction(
    orbits: Orbits, monkeypatch: pytest.MonkeyPatch
) -> None:
    commits = []
    commit = orbits.engine.commit

    async def counted(transaction: Any, **named: Any) -> None:
        commits.append(transaction)
        await commit(transaction, **named)

    monkeypatch.setattr(orbits.engine, "commit", counted)
    await events.emit(orbits.engine, Push(branch="x"), to=None, who="me")
    assert len(commits) == 1


def test_two_functions_of_one_name_are_refused() -> None:
    class Doubled(Event):
        pass

    def same(_: Doubled) -> Step[Any]:
        return Thing(value=1)

    def other(_: Doubled) -> Step[Any]:
        return Thing(value=2)

    other.__name__ = "same"
    other.__module__ = "elsewhere"
    on(Doubled)(same)
    on(Doubled)(other)
    from orbits_iac.steps.trigger import triggers

    with pytest.raises(UsageError, match=r"two functions for Doubled are called 'same', in .* and in elsewhere"):
        triggers(Doubled)
    del other
    gc.collect()
    assert [trigger.function for trigger in triggers(Doubled)] == [same]


@pytest.mark.parametrize("decorate", [lambda: on(Thing), lambda: on(Push)(Thing)], ids=["event", "function"])  # type: ignore[type-var,arg-type]
def test_what_is_no_event_and_no_function_is_a_type_error(decorate: Any) -> None:
    with pytest.raises(TypeError, match="@on"):
        decorate()


async def test_its_module_is_one_that_another_process_imports(orbits: Orbits) -> None:
    assert release.__module__ in orbits.registry.modules()
    assert "on Push" in orbits.registry.kinds()
