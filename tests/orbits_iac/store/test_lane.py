"""The thread that does what coroutines hand to it."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Sequence

import pytest

from orbits_iac.store.lane import Job, Lane, run_once

Work = Callable[[], object]
batches: list[int] = []


def run(jobs: Sequence[Job[Work]]) -> None:
    batches.append(len(jobs))
    for job in jobs:
        job.result = job.work()


@pytest.fixture
async def lane() -> AsyncIterator[Lane[Work]]:
    batches.clear()
    made: Lane[Work] = Lane("lane", run, closed=lambda: LookupError("closed"))
    yield made
    await made.close()


async def test_work_of_one_turn_of_the_loop_is_one_batch_in_another_thread(lane: Lane[Work]) -> None:
    names = await asyncio.gather(*(lane.do(lambda: threading.current_thread().name) for _ in range(10)))
    assert names == ["lane"] * 10
    assert batches == [10]


async def test_closing_does_what_was_handed_in_in_the_same_turn(lane: Lane[Work]) -> None:
    task = asyncio.create_task(lane.do(lambda: 1))
    await asyncio.sleep(0)
    await lane.close()
    assert await task == 1


async def test_closed_lane_refuses_work_and_closes_again(lane: Lane[Work]) -> None:
    await asyncio.gather(lane.close(), lane.close())
    await lane.close()
    with pytest.raises(LookupError, match="closed"):
        await lane.do(lambda: 1)


async def test_error_of_a_batch_reaches_those_who_have_no_answer_and_the_lane_goes_on(lane: Lane[Work]) -> None:
    def fail() -> object:
        raise ValueError("no")

    results = await asyncio.gather(lane.do(lambda: 1), lane.do(fail), lane.do(lambda: 3), return_exceptions=True)
    assert results[0] == 1
    assert [type(result) for result in results[1:]] == [ValueError, ValueError]
    assert await lane.do(lambda: 4) == 4


async def test_loop_that_was_closed_meanwhile_is_passed_over(lane: Lane[Work]) -> None:
    started, go = threading.Event(), threading.Event()

    def wait() -> object:
        started.set()
        return go.wait(30)

    def leave() -> None:
        async def hand_in() -> None:
            task = asyncio.create_task(lane.do(wait))
            await asyncio.to_thread(started.wait, 30)
            task.cancel()

        asyncio.run(hand_in())

    thread = threading.Thread(target=leave)
    thread.start()
    thread.join(30)
    go.set()
    assert await lane.do(lambda: 5) == 5


async def test_run_once_gives_a_result_or_an_error_and_leaves_no_thread() -> None:
    threads = set(threading.enumerate())
    assert await run_once("once", lambda: threading.current_thread().name) == "once"
    with pytest.raises(ZeroDivisionError):
        await run_once("once", lambda: 1 // 0)
    assert set(threading.enumerate()) == threads
