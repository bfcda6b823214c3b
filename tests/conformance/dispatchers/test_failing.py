"""A store that is gone, a claim that is lost, a process that dies or leaves: nothing is lost, nothing done twice."""

import asyncio
import os
import sys
from datetime import timedelta
from typing import Any

import pytest

from orbits_iac.dispatch.leases import this_process
from orbits_iac.model.errors import StoreError
from orbits_iac.model.ids import ExecutionId, WorkerId
from orbits_iac.model.rows import TaskRow, WorkerRow, amended
from orbits_iac.model.states import State
from orbits_iac.store.contract import Fence, Park, Transaction

from .conftest import Kept, Processes
from .steps import DONE, DispatchedTree, GatedByDispatch, gate


@pytest.mark.parametrize("turns", [1, 3, 7, 20, 50])
async def test_a_store_that_is_gone_for_a_while_costs_nothing_but_the_while(
    processes: Processes, turns: int, caplog: pytest.LogCaptureFixture
) -> None:
    async with processes.working() as orbits, asyncio.timeout(60):
        execution = await orbits.start(DispatchedTree(name="tree", levels=1))
        for _ in range(turns):
            await asyncio.sleep(0)
        processes.store.gone = True
        for _ in range(200):
            await asyncio.sleep(0)
        processes.store.gone = False
        assert (await execution.ended()).state is State.SUCCESS
        await orbits.settled()
        assert await processes.rows() == []
    assert "defect" not in caplog.text


async def test_a_claim_whose_answer_was_lost_is_found_and_given_back(
    processes: Processes, monkeypatch: pytest.MonkeyPatch
) -> None:
    lost, claim = list[TaskRow](), processes.store.claim

    async def without_answer(*args: Any, **named: Any) -> list[TaskRow]:
        claimed = await claim(*args, **named)
        if claimed and not lost:
            lost.extend(claimed)
            raise StoreError("the connection was lost")
        return claimed

    monkeypatch.setattr(processes.store, "claim", without_answer)
    async with processes.working() as orbits, asyncio.timeout(60):
        assert (await (await orbits.start(DispatchedTree(name="x", levels=0))).ended()).state is State.SUCCESS
    assert [task.token for task in lost] == [1]


async def test_who_lost_its_claim_writes_nothing_more_and_lets_it_be(processes: Processes) -> None:
    async with processes.working() as orbits, asyncio.timeout(60):
        execution = await orbits.start(GatedByDispatch(name="fenced"))
        await gate("fenced").reached.wait()
        mine = await processes.task(execution.id)
        assert mine.owner == orbits.dispatcher.id
        [theirs] = await _taken_by(processes.store, "rival", mine)
        gate("fenced").open.set()
        await orbits.settled()
        assert await processes.task(execution.id) == theirs
        assert DONE == ["fenced"]
        fence = Fence(execution=theirs.id, token=theirs.token)
        await processes.store.commit(Transaction(fence=fence, park=Park(due=processes.clock.now())))
        assert await execution == "fenced last"
        assert DONE == ["fenced", "fenced", "fenced last"]


async def _taken_by(store: Kept, rival: str, task: TaskRow) -> list[TaskRow]:
    """The execution, taken from its holder as from a dead one, without a word to it, and claimed by a rival."""
    await store.commit(Transaction(put=[amended(task, owner=WorkerId("gone"), token=task.token + 1)]))
    await store.release(WorkerId("gone"), now=0.0)
    return await store.claim(WorkerId(rival), now=0.0, limit=1, only=task.id)


@pytest.mark.parametrize("proof", ["its process has ended", "it is silent"])
async def test_what_a_dead_process_held_is_taken_over(processes: Processes, proof: str) -> None:
    ended = await asyncio.create_subprocess_exec(sys.executable, "-c", "")
    await ended.wait()
    pid, boot = (ended.pid, {}) if proof == "its process has ended" else (os.getpid(), {"boot": "another machine"})
    async with processes.asking() as asking:
        execution = await asking.start(DispatchedTree(name="left", levels=0))
        row = amended(this_process(WorkerId("dead"), asking.engine.build, frozenset()), pid=pid, **boot)
        await processes.store.commit(Transaction(put=[row]))
        [held] = await processes.store.claim(row.id, now=processes.clock.now(), limit=1)
    async with processes.working(lease=timedelta(seconds=0.2)) as orbits, asyncio.timeout(60):
        assert (await orbits.execution(execution.id).ended()).state is State.SUCCESS
        with pytest.raises(StoreError):
            await processes.store.commit(Transaction(fence=Fence(execution=held.id, token=held.token)))
        assert await processes.store.get(WorkerRow, row.id) is None
    assert DONE == ["left"]


async def test_one_that_leaves_waits_for_what_may_not_be_done_twice(processes: Processes) -> None:
    async with processes.working() as orbits, asyncio.timeout(60):
        execution = await orbits.start(GatedByDispatch(name="careful", once=True))
        await gate("careful").reached.wait()
        leaving = asyncio.create_task(orbits.dispatcher.stop())
        await asyncio.sleep(0)
        gate("careful").open.set()
        await leaving
        task = await processes.task(execution.id)
        assert (task.owner, task.due is not None) == (None, True)
    async with processes.working() as orbits, asyncio.timeout(60):
        assert await orbits.execution(execution.id) == "careful last"
    assert DONE == ["careful", "careful last"]


async def test_one_that_leaves_gives_back_all_that_it_held_and_is_known_no_more(processes: Processes) -> None:
    async with processes.working() as orbits, asyncio.timeout(60):
        names = [str(number) for number in range(3)]
        executions = [await orbits.start(GatedByDispatch(name=name)) for name in names]
        for name in names:
            await gate(name).reached.wait()
    held = await processes.rows()
    assert {task.owner for task in held} == {None}
    assert all(task.due is not None for task in held)
    assert await processes.rows(WorkerRow) == []
    for name in names:
        gate(name).open.set()
    async with processes.working() as orbits, asyncio.timeout(60):
        assert [await orbits.execution(execution.id) for execution in executions] == [f"{name} last" for name in names]


async def test_nothing_more_is_begun_once_it_leaves(processes: Processes) -> None:
    async with processes.working() as orbits, processes.asking() as asking, asyncio.timeout(60):
        await orbits.dispatcher.stop()
        execution = await asking.start(DispatchedTree(name="late", levels=0))
        for _ in range(200):
            await asyncio.sleep(0)
        task = await processes.task(ExecutionId(execution.id))
        assert (task.owner, task.token) == (None, 0)
    assert DONE == []
