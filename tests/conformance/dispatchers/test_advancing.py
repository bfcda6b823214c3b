"""Each due execution is advanced by one holder, to its end, and again when the time or a message has come."""

import asyncio
from contextlib import AsyncExitStack
from datetime import timedelta

from orbits_iac import Orbits
from orbits_iac.model.ids import ExecutionId
from orbits_iac.model.rows import ExecutionRow, MessageRow, SubscriberRow, TaskRow
from orbits_iac.model.states import State
from orbits_iac.steps.step import Step

from .conftest import Processes
from .steps import (
    DONE,
    RING,
    DispatchedTree,
    GatedByDispatch,
    HourlyByDispatch,
    InRing,
    Ordinary,
    SleepsLong,
    TellsAtGate,
    Told,
    Urgent,
    WaitsForTold,
    gate,
)

HOUR = timedelta(hours=1)


async def parked(processes: Processes, orbits: Orbits, execution: str) -> TaskRow:
    """The task of an execution that waits, and that nobody holds."""
    async with asyncio.timeout(60):
        while True:
            await orbits.settled()
            task = await processes.task(execution)
            if task.owner is None and task.token:
                return task
            await asyncio.sleep(0)


async def test_what_is_due_is_advanced_to_its_end_and_its_task_is_gone(processes: Processes) -> None:
    async with processes.working() as orbits, asyncio.timeout(60):
        await orbits.run(DispatchedTree(name="tree", levels=2))
        await orbits.settled()
        for table in (TaskRow, MessageRow, SubscriberRow):
            assert await processes.rows(table) == []
    assert sorted(DONE) == ["tree", "tree.a", "tree.a.a", "tree.a.b", "tree.b", "tree.b.a", "tree.b.b"]


async def test_what_becomes_due_while_it_looks_is_done_before_it_is_settled(processes: Processes) -> None:
    async with processes.working() as orbits, asyncio.timeout(60):
        execution = RING["told"] = await orbits.start(WaitsForTold())
        await parked(processes, orbits, execution.id)
        await orbits.start(TellsAtGate(name="teller", other="told"))
        await gate("teller").reached.wait()
        dispatcher = orbits._dispatcher
        assert dispatcher is not None

        async def ended() -> None:
            processes.store.turns = 10
            gate("teller").open.set()
            while dispatcher.holds:  # noqa: ASYNC110 - it tells nobody
                await asyncio.sleep(0)

        processes.store.after_look = ended
        await orbits.settled()
        assert processes.store.after_look is None
        assert (await execution.row()).state is State.SUCCESS


async def test_what_was_due_when_nobody_was_there_is_not_forgotten(processes: Processes) -> None:
    async with processes.asking() as asking:
        execution = await asking.start(DispatchedTree(name="early", levels=0))
        async with processes.working(), asyncio.timeout(60):
            assert (await execution.ended()).state is State.SUCCESS


async def test_what_parks_until_a_time_is_held_by_nobody_and_goes_on_then(processes: Processes) -> None:
    async with processes.working() as orbits, asyncio.timeout(60):
        execution = await orbits.start(SleepsLong())
        task = await parked(processes, orbits, execution.id)
        assert task.due is not None
        assert task.due - processes.clock.now() > 3000
        await processes.clock.set(HOUR * 0.9)
        await orbits.settled()
        assert DONE == []
        await processes.clock.set(HOUR * 0.1)
        await orbits.settled()
        assert await execution == "woken"


async def test_what_parks_for_a_message_goes_on_when_another_process_sends_one(processes: Processes) -> None:
    async with processes.working() as orbits, processes.asking() as asking, asyncio.timeout(60):
        execution = await orbits.start(WaitsForTold())
        assert (await parked(processes, orbits, execution.id)).due is None
        await asking.execution(execution.id).answer(Told(what="yes"))
        assert await execution == "yes"


async def test_a_message_that_comes_while_it_is_held_is_seen_though_another_process_sent_it(
    processes: Processes,
) -> None:
    async with processes.working() as orbits, processes.asking() as asking, asyncio.timeout(60):
        execution = await orbits.start(GatedByDispatch(name="cancelled"))
        await gate("cancelled").reached.wait()
        await asking.execution(execution.id).cancel()
        assert (await execution.ended()).state is State.CANCELLED


async def test_a_message_that_comes_just_before_it_parks_is_not_slept_through(processes: Processes) -> None:
    async with processes.working() as orbits, processes.asking() as asking, asyncio.timeout(60):
        two = await orbits.start(WaitsForTold(times=2))
        await parked(processes, orbits, two.id)

        async def meanwhile() -> None:
            await asking.execution(two.id).answer(Told(what="b"))

        processes.store.before_park = meanwhile
        await asking.execution(two.id).answer(Told(what="a"))
        assert await two == "a, b"
        assert processes.store.before_park is None


async def test_two_that_wake_each_other_round_by_round_get_to_the_end(processes: Processes) -> None:
    async with processes.working() as orbits, asyncio.timeout(60):
        RING["a"] = await orbits.start(InRing(name="a", other="b", rounds=10))
        RING["b"] = await orbits.start(InRing(name="b", other="a", rounds=9))
        await RING["a"].answer(Told(what=""))
        assert await RING["b"] == "ab" * 8 + "a"
        assert await RING["a"] == "ab" * 9


async def test_what_is_due_goes_by_priority_and_then_by_when_it_was_due(processes: Processes) -> None:
    steps: list[Step[None]] = [Ordinary(name="first"), Ordinary(name="second"), Urgent()]
    async with processes.asking() as asking:
        executions = [await asking.start(step) for step in steps]
        async with processes.working(concurrency=1), asyncio.timeout(60):
            for execution in executions:
                await execution
    assert DONE == ["urgent", "first", "second"]


async def test_a_schedule_asks_for_one_cycle_when_it_is_due_and_for_one_after_a_downtime(processes: Processes) -> None:
    async def cycles() -> int:
        return len([row for row in await processes.rows(ExecutionRow) if row.command == "cycle"])

    async with processes.working() as orbits, asyncio.timeout(60):
        await orbits.run(HourlyByDispatch())
        await orbits.settled()
        assert await cycles() == 0
        await processes.clock.advance(HOUR)
        await orbits.settled()
        assert await cycles() == 1
    await processes.clock.advance(10 * HOUR)
    async with processes.working() as orbits, asyncio.timeout(60):
        await orbits.settled()
        assert await cycles() == 2


async def test_one_that_is_alone_goes_on_with_what_was_asked_for_there_and_fires_no_schedule(
    processes: Processes,
) -> None:
    async with processes.working() as orbits, asyncio.timeout(60):
        await orbits.run(HourlyByDispatch())
        await orbits.settled()
    await processes.clock.advance(HOUR)
    async with processes.asking() as asking, processes.working(alone=True) as alone, asyncio.timeout(60):
        other = await asking.start(DispatchedTree(name="other", levels=0))
        await alone.run(DispatchedTree(name="own", levels=1))
        await alone.settled()
        assert sorted(DONE) == ["own", "own.a", "own.b"]
        assert [task.id for task in await processes.rows()] == [other.id]
        assert not [row for row in await processes.rows(ExecutionRow) if row.command == "cycle"]
        async with processes.working() as orbits:
            await orbits.settled()
    assert "other" in DONE
    assert len([row for row in await processes.rows(ExecutionRow) if row.command == "cycle"]) == 1


async def test_no_token_is_given_twice(processes: Processes) -> None:
    async with processes.working() as orbits, processes.asking() as asking, asyncio.timeout(60):
        execution = await orbits.start(WaitsForTold(times=4))
        tokens = [(await parked(processes, orbits, execution.id)).token]
        for number in range(3):
            await asking.execution(execution.id).answer(Told(what=str(number)))
            async with asyncio.timeout(60):
                while (task := await processes.task(ExecutionId(execution.id))).token == tokens[-1]:
                    await orbits.settled()
            tokens.append((await parked(processes, orbits, execution.id)).token)
            assert task.token <= tokens[-1]
        assert tokens == sorted(set(tokens))
        await asking.execution(execution.id).cancel()
        await execution.ended()


async def test_each_is_advanced_by_one_holder_however_many_there_are(processes: Processes) -> None:
    async with AsyncExitStack() as stack:
        working = [await stack.enter_async_context(processes.working()) for _ in range(processes.most)]
        async with asyncio.timeout(60):
            trees = [await working[0].start(DispatchedTree(name=f"tree {n}", levels=1)) for n in range(8)]
            for tree in trees:
                assert (await tree.ended()).state is State.SUCCESS
    assert len(DONE) == len({*DONE}) == 8 * 3
