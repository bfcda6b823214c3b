"""Who goes on with which execution, and when. The name of a case is the anomaly it excludes, or what holds instead."""

import asyncio
from functools import partial
from typing import Any

import pytest

from orbits_iac.model.errors import Fenced
from orbits_iac.model.ids import NOBODYS, ExecutionId, WorkerId
from orbits_iac.model.rows import EntryRow, MessageRow, ScheduleRow, TaskRow, WorkerRow
from orbits_iac.store.contract import Fence, Park, Store, Transaction

A, B = ExecutionId("a"), ExecutionId("b")
ONE, OTHER = WorkerId("one"), WorkerId("other")


async def task_of(store: Store, name: str) -> TaskRow:
    task = await store.get(TaskRow, name)
    assert task is not None
    return task


async def test_claim_gives_an_owner_and_the_next_token(store: Store, make: Any) -> None:
    await store.commit(Transaction(put=[make.task("a", tenant="t", due=3.0, token=7)]))
    [claimed] = await store.claim(ONE, now=3.0, limit=5)
    assert claimed == make.task("a", tenant="t", due=None, owner="one", token=8)
    assert await task_of(store, "a") == claimed


async def test_a_message_or_a_wake_for_what_is_held_is_never_told(store: Store, make: Any) -> None:
    """Its holder asks, in one read, whatever else has messages."""
    fences = {name: await make.held(store, name, "one") for name in ("plain", "told", "woken")}
    for name in ("other", "free"):
        await store.commit(Transaction(put=[make.execution(name), make.task(name, due=None), make.message(name, "m")]))
    await store.claim(OTHER, now=0.0, limit=1, only=ExecutionId("other"))
    await store.commit(
        Transaction(put=[make.message("told", "m"), make.message("told", "n")], wake=[ExecutionId("told")])
    )
    await store.commit(Transaction(wake=[ExecutionId("woken")], wake_at=7.0))
    found = await store.holding(ONE)
    assert [(each.task.id, each.told) for each in found] == [("plain", False), ("told", True), ("woken", True)]
    assert [each.task for each in found] == [await task_of(store, name) for name in ("plain", "told", "woken")]
    seen = frozenset({"m", "n"})
    await store.commit(Transaction(fence=fences["told"], park=Park(due=None, seen=seen)))
    assert [each.task.id for each in await store.holding(ONE)] == ["plain", "woken"]
    assert await store.holding(WorkerId("nobody")) == []


async def test_two_workers_claim_the_same_execution(store: Store, make: Any) -> None:
    names = [f"t{number:03}" for number in range(60)]
    await store.commit(Transaction(put=[make.task(name) for name in names]))
    claims = await asyncio.gather(*(store.claim(WorkerId(f"w{n}"), now=1.0, limit=7) for n in range(10)))
    assert sorted(task.id for claim in claims for task in claim) == names
    for number, claim in enumerate(claims):
        assert {task.owner for task in claim} <= {f"w{number}"}


async def test_claim_takes_those_that_are_due_by_priority_then_time(store: Store, make: Any) -> None:
    await store.commit(
        Transaction(
            put=[
                make.task("late", due=9.0),
                make.task("second", due=2.0),
                make.task("first", due=1.0),
                make.task("urgent", due=5.0, priority=1),
                make.task("low", due=0.0, priority=-3),
                make.task("waits", due=None),
                make.task("future", due=11.0, priority=2),
                make.task("held", due=0.0, owner="other", token=1),
            ]
        )
    )
    first = await store.claim(ONE, now=10.0, limit=3)
    assert [task.id for task in first] == ["urgent", "first", "second"]
    rest = await store.claim(ONE, now=10.0, limit=30)
    assert [task.id for task in rest] == ["late", "low"]


async def test_claim_of_those_due_at_one_time_takes_the_smallest_ids(store: Store, make: Any) -> None:
    await store.commit(Transaction(put=[make.task(name, due=1.0) for name in "dbca"]))
    assert [task.id for task in await store.claim(ONE, now=1.0, limit=3)] == ["a", "b", "c"]


async def test_claim_is_narrowed_by_kind_build_and_id(store: Store, make: Any) -> None:
    rows = [make.task(f"{kind}{build}", kind=kind, build=build) for kind in "KL" for build in "123"]
    await store.commit(Transaction(put=[*rows, make.task("sleeping", due=None), make.task("taken", owner="other")]))
    narrowed = await store.claim(ONE, now=1.0, limit=9, kinds=frozenset({"K", "M"}), builds={"1": "1", "3": "5"})
    assert [(task.id, task.build) for task in narrowed] == [("K1", "1"), ("K3", "5")]
    assert await task_of(store, "K3") == narrowed[1]
    assert await store.claim(ONE, now=1.0, limit=9, kinds=frozenset()) == []
    for name, expected in (("sleeping", ["sleeping"]), ("taken", []), ("K1", []), ("none", [])):
        claimed = await store.claim(ONE, now=1.0, limit=9, only=ExecutionId(name))
        assert [task.id for task in claimed] == expected
    assert await store.claim(ONE, now=1.0, limit=9, only=ExecutionId("L2"), kinds=frozenset({"K"})) == []
    assert [task.id for task in await store.claim(ONE, now=1.0, limit=9)] == ["K2", "L1", "L2", "L3"]


async def test_claim_by_another_build_of_what_is_for_its_own(store: Store, make: Any) -> None:
    """Later code may take up what earlier code has begun, but for this."""
    own = [make.task("a", build="b1", own_build=True), make.task("b", build="b2", own_build=True)]
    await store.commit(Transaction(put=[*own, make.task("c", build="b1")]))
    claim = partial(store.claim, WorkerId("w"), now=1.0, limit=9)
    assert [(task.id, task.build) for task in await claim(builds={"b1": "b2", "b2": "b2"})] == [
        ("b", "b2"),
        ("c", "b2"),
    ]
    assert await claim(builds={"b1": "b3"}) == []
    [task] = await claim(builds={"b1": "b3"}, only=A)  # somebody has said so
    assert (task.id, task.build, task.own_build) == ("a", "b3", True)


async def test_claim_by_a_worker_without_the_label_that_is_needed(store: Store, make: Any) -> None:
    labels = ("plan=large", "worker=gpu")
    rows = [make.task("gpu", needs="gpu", labels=labels), make.task("eu", needs="eu"), make.task("any")]
    await store.commit(Transaction(put=rows))
    assert await task_of(store, "gpu") == rows[0]
    claim = partial(store.claim, ONE, now=1.0, limit=9)
    assert await claim(only=ExecutionId("gpu"), labels=frozenset()) == []
    assert [task.id for task in await claim(labels=frozenset({"a", "gpu"}))] == ["any", "gpu"]
    assert (await task_of(store, "gpu")).labels == labels
    assert [task.id for task in await claim()] == ["eu"]


async def test_claim_of_tenants_that_are_passed_over(store: Store, make: Any) -> None:
    tenants = {"a": "acme", "b": "beta", "c": None, "d": "acme", "e": "acme"}
    await store.commit(Transaction(put=[make.task(name, tenant=tenant) for name, tenant in tenants.items()]))
    claim = partial(store.claim, ONE, now=1.0, limit=9)
    assert await claim(without=frozenset({"acme", "beta", NOBODYS})) == []
    assert [task.id for task in await claim(without=frozenset({"acme"}), limit=1)] == ["b"]
    assert [task.id for task in await claim(without=frozenset({"acme"}))] == ["c"]
    assert [task.id for task in await claim(without=frozenset({"acme"}), only=ExecutionId("d"))] == ["d"]
    assert [task.id for task in await claim(without=frozenset({NOBODYS, "none"}))] == ["a", "e"]


async def test_claim_of_those_with_a_priority_alone(store: Store, make: Any) -> None:
    levels = {"low": -1, "none": 0, "high": 5, "higher": 6}
    await store.commit(Transaction(put=[make.task(name, priority=level) for name, level in levels.items()]))
    claim = partial(store.claim, ONE, now=1.0, limit=9)
    assert await claim(least=7) == []
    assert [task.id for task in await claim(least=5, limit=1)] == ["higher"]
    assert [task.id for task in await claim(least=-1, without=frozenset({"acme"}))] == ["high", "none", "low"]
    await store.commit(Transaction(put=[make.task("only", priority=-9)]))
    assert [task.id for task in await claim(least=0, only=ExecutionId("only"))] == ["only"]


async def test_claim_of_many_tenants_takes_the_earliest(store: Store, make: Any) -> None:
    rows = [make.task(f"{n:03}", tenant=f"t{n % 150}", due=300.0 - n, priority=n % 2) for n in range(300)]
    await store.commit(Transaction(put=rows))
    claim = partial(store.claim, ONE, now=999.0, limit=2)
    assert [task.id for task in await claim(without=frozenset({"t149", NOBODYS}))] == ["297", "295"]
    without = frozenset(f"t{n}" for n in range(140))
    assert [task.id for task in await claim(without=without)] == ["299", "293"]
    assert [task.id for task in await claim(without=without, limit=9)] == [
        "291",
        "149",
        "147",
        "145",
        "143",
        "141",
        "298",
        "296",
        "294",
    ]


async def test_claims_and_commits_of_one_caller_happen_in_their_order(store: Store, make: Any) -> None:
    await store.commit(Transaction(put=[make.task("a"), make.entry("a", "k")], events=[make.event("a", why="1")]))
    first = await store.claim(ONE, now=1.0, limit=1)
    await store.commit(Transaction(put=[make.task("b"), make.entry("b", "k")], events=[make.event("b", why="2")]))
    second = await store.claim(ONE, now=1.0, limit=5)
    assert [[task.id for task in claimed] for claimed in (first, second)] == [["a"], ["b"]]
    assert [event.why for event in await store.tail(0)] == ["1", "2"]
    assert [row.execution for row in await store.find(EntryRow)] == ["a", "b"]


async def test_write_of_an_owner_that_was_released(store: Store, make: Any) -> None:
    fence = await make.held(store, "a", "one")
    await make.held(store, "b", "other")
    assert await store.release(ONE, now=4.0) == ["a"]
    assert await task_of(store, "a") == make.task("a", due=4.0, token=fence.token + 1)
    assert (await task_of(store, "b")).owner == "other"
    with pytest.raises(Fenced):
        await store.commit(Transaction(fence=fence, put=[make.entry("a", "k")]))
    assert await store.release(ONE, now=5.0) == []


async def test_released_only_if_its_counter_stands_still(store: Store, make: Any) -> None:
    """A worker that was taken for dead, and renews its lease just before, keeps what it holds."""
    await make.held(store, "a", "one")
    await store.commit(Transaction(put=[WorkerRow(id=ONE, build="b", counter=4)]))
    assert await store.release(ONE, now=4.0, counter=3) == []
    assert (await task_of(store, "a")).owner == ONE
    assert await store.get(WorkerRow, ONE) is not None
    assert await store.release(ONE, now=4.0, counter=4) == ["a"]
    assert await store.get(WorkerRow, ONE) is None
    assert await store.release(ONE, now=4.0, counter=4) == []


async def test_a_worker_that_leaves_takes_its_row_with_it(store: Store, make: Any) -> None:
    await store.commit(Transaction(put=[WorkerRow(id=name, build="b", counter=1) for name in (ONE, OTHER)]))
    assert await store.release(ONE, now=4.0) == []
    assert [row.id for row in await store.find(WorkerRow)] == [OTHER]


async def test_parked_until_a_time_or_a_message(store: Store, make: Any) -> None:
    for name, due in (("a", 7.0), ("b", None)):
        fence = await make.held(store, name)
        await store.commit(Transaction(fence=fence, park=Park(due=due)))
        assert await task_of(store, name) == make.task(name, due=due, token=fence.token)


async def test_message_lost_while_its_execution_parks(store: Store, make: Any) -> None:
    """It comes between the owner's look at its inbox and its parking."""
    fence = await make.held(store, "a")
    await store.commit(Transaction(put=[make.message("a", "seen")], wake=[A], wake_at=1.0))
    await store.commit(Transaction(put=[make.message("a", "late")], wake=[A], wake_at=1.0))
    await store.commit(Transaction(fence=fence, park=Park(due=900.0, seen=frozenset({"seen"}))))
    assert [task.id for task in await store.claim(ONE, now=1.0, limit=1)] == ["a"]


async def test_message_lost_that_is_written_in_the_same_group_as_the_parking(store: Store, make: Any) -> None:
    for name, message_first in (("a", True), ("b", False)):
        fence = await make.held(store, name)
        tell = Transaction(put=[make.message(name, "m")], wake=[fence.execution], wake_at=1.0)
        park = Transaction(fence=fence, park=Park(due=900.0))
        await asyncio.gather(*map(store.commit, (tell, park) if message_first else (park, tell)))
    assert {task.id for task in await store.claim(ONE, now=1.0, limit=5)} == {"a", "b"}


async def test_parked_with_its_messages_seen_or_deleted_is_not_woken_by_them(store: Store, make: Any) -> None:
    fence = await make.held(store, "a")
    for message in ("m1", "m2"):
        await store.commit(Transaction(put=[make.message("a", message)], wake=[A], wake_at=1.0))
    seen = Park(due=900.0, seen=frozenset({"m1"}))
    await store.commit(Transaction(fence=fence, delete=[make.message("a", "m2")], park=seen))
    assert (await task_of(store, "a")).due == 900.0
    assert await store.get(MessageRow, "a", "m1") is not None


async def test_messages_of_others_do_not_keep_it_from_parking(store: Store, make: Any) -> None:
    await store.commit(Transaction(put=[make.message("b", "m")]))
    fence = await make.held(store, "a")
    await store.commit(Transaction(fence=fence, park=Park(due=None)))
    assert (await task_of(store, "a")).due is None


async def test_wake_without_a_message_is_lost_while_its_execution_is_held(store: Store, make: Any) -> None:
    fence = await make.held(store, "a")
    await store.commit(Transaction(wake=[A], wake_at=2.0))
    assert await store.claim(OTHER, now=9.0, limit=1) == []
    await store.commit(Transaction(fence=fence, park=Park(due=900.0)))
    assert (await task_of(store, "a")).due == 2.0


async def test_wake_keeps_the_earliest_time(store: Store, make: Any) -> None:
    await store.commit(Transaction(put=[make.task("a", due=None), make.task("b", due=5.0)]))
    for at, expected in ((8.0, (8.0, 5.0)), (6.0, (6.0, 5.0)), (7.0, (6.0, 5.0)), (1.0, (1.0, 1.0))):
        await store.commit(Transaction(wake=[A, ExecutionId("ended"), B], wake_at=at))
        assert ((await task_of(store, "a")).due, (await task_of(store, "b")).due) == expected


async def test_wake_of_one_that_is_made_in_the_same_transaction(store: Store, make: Any) -> None:
    await store.commit(Transaction(put=[make.task("a", due=None)], wake=[A], wake_at=3.0))
    assert (await task_of(store, "a")).due == 3.0


async def test_parking_writes_with_it(store: Store, make: Any) -> None:
    fence = await make.held(store, "a")
    await store.commit(Transaction(fence=fence, put=[make.entry("a", "k")], wake=[B], park=Park(due=2.0)))
    assert await store.get(EntryRow, "a", "k") is not None
    assert (await task_of(store, "a")).owner is None


async def test_due_is_what_could_be_taken_now(store: Store, make: Any) -> None:
    tasks = [
        make.task("late", due=3.0),
        make.task("early", due=1.0, priority=-5),
        make.task("other", due=2.0, kind="Other"),
        make.task("future", due=4.5, priority=9),
        make.task("held", due=1.0, owner="one"),
        make.task("waits", due=None),
    ]
    await store.commit(Transaction(put=tasks))
    assert [task.id for task in await store.due(TaskRow, now=4.0, limit=9)] == ["early", "other", "late"]
    assert [task.id for task in await store.due(TaskRow, now=4.0, limit=1)] == ["early"]
    assert await store.due(TaskRow, now=4.0, limit=9, kinds=frozenset({"Other"})) == [tasks[2]]
    rows = [ScheduleRow(kind=kind, identity=name, due=due) for kind, name, due in (("K", "b", 2.0), ("L", "a", 1.0))]
    never = [ScheduleRow(kind="K", identity="p", due=0.0, paused=True), ScheduleRow(kind="K", identity="c", due=8.0)]
    await store.commit(Transaction(put=[*rows, *never]))
    assert await store.due(ScheduleRow, now=4.0, limit=9) == [rows[1], rows[0]]
    assert await store.due(ScheduleRow, now=4.0, limit=9, kinds=frozenset({"K"})) == [rows[0]]


async def test_next_due_is_the_earliest_of_what_nobody_holds(store: Store, make: Any) -> None:
    assert await store.next_due() is None
    await store.commit(Transaction(put=[make.task("a", due=None), make.task("held", due=1.0, owner="one")]))
    assert await store.next_due() is None
    await store.commit(Transaction(put=[ScheduleRow(kind="Kind", identity="paused", due=2.0, paused=True)]))
    assert await store.next_due() is None
    await store.commit(Transaction(put=[make.task("c", due=6.0, priority=9), make.task("d", due=5.0, priority=-9)]))
    assert await store.next_due() == 5.0
    await store.commit(Transaction(put=[ScheduleRow(kind="Kind", identity="cycle", due=4.0)]))
    assert await store.next_due() == 4.0


async def test_claim_after_a_park_has_a_new_token(store: Store, make: Any) -> None:
    fence = await make.held(store, "a")
    await store.commit(Transaction(fence=fence, park=Park(due=1.0)))
    [task] = await store.claim(ONE, now=1.0, limit=1)
    assert task.token == fence.token + 1
    await store.commit(Transaction(fence=Fence(execution=A, token=task.token), put=[make.entry("a", "k")]))
