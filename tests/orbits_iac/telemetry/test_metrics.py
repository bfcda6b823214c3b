"""What is counted and read of a worker, and the page that Prometheus reads of it."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import NamedTuple

import pytest
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from orbits_iac import (
    Every,
    ExecutionFailed,
    Managed,
    Options,
    Orbits,
    Outputs,
    Resource,
    Retry,
    Settings,
    Workflow,
    action,
)
from orbits_iac.dispatch.leases import this_process
from orbits_iac.model.ids import ExecutionId, WorkerId
from orbits_iac.model.rows import EntryRow, LineRow, PermitRow, TaskRow, amended
from orbits_iac.store.contract import Store, Transaction
from orbits_iac.store.measured import MeasuredStore
from orbits_iac.store.memory import MemoryStore
from orbits_iac.telemetry.counting import MOST, OTHER, Count, Counted, Spread
from orbits_iac.telemetry.exporting import Exported
from orbits_iac.telemetry.health import Health
from orbits_iac.telemetry.levels import MOST_TENANTS, Reading, lags
from orbits_iac.telemetry.table import METRICS
from orbits_iac.testing import Clock


class Measured(NamedTuple):
    """A worker that is measured."""

    orbits: Orbits
    counted: Counted
    exported: Exported

    async def page(self) -> bytes:
        """The page, as a thread of the server's makes it."""
        body, form = await asyncio.to_thread(self.exported.page, "")
        assert form.startswith("text/plain")
        return body

    async def samples(self) -> dict[str, list[Sample]]:
        """What its page has, by the names of METRICS."""
        body = await self.page()
        families = text_string_to_metric_families(body.decode())
        return {
            f"{family.name}_total" if family.type == "counter" else family.name: family.samples for family in families
        }


@pytest.fixture
async def measured(clock: Clock) -> AsyncIterator[Measured]:
    counted = Counted()
    async with Orbits(Settings(store="memory:"), clock=clock, measures=counted) as orbits:
        clock.tell(orbits.settled)
        health = Health()
        exported = Exported(counted, Reading(orbits, health).levels, {"service.name": "tests"})
        yield Measured(orbits, counted, exported)
        exported.close()
        health.close()


class Refusals(Exception):
    """What a step that fails raises."""


TRIES: list[int] = []


@action(idempotent=True)
async def counted_well(number: int) -> int:
    """A step that goes well."""
    return number


@action(idempotent=True, retry=Retry(attempts=2, delay=timedelta(0), jitter=0))
async def counted_twice() -> None:
    """A step that goes well the second time."""
    TRIES.append(1)
    if len(TRIES) % 2:
        raise Refusals("not yet")


@action(idempotent=True)
async def counted_badly(secret: str) -> None:
    """A step that fails."""
    raise Refusals(secret)


class CountedWorkflow(Workflow[int]):
    """A good step, one that is tried again, and, if it is asked for, a bad one."""

    bad: str = ""

    async def define(self) -> int:
        await self.do("twice", counted_twice())
        if self.bad:
            await self.do("bad", counted_badly(self.bad))
        return await self.do("well", counted_well(1))


class CountedResource(Resource):
    """Has a step that is done once, and is looked after every hour."""

    options = Options(schedule=Every(timedelta(hours=1)))

    def identity(self) -> str:
        return "x"

    async def define_update(self) -> None:
        await self.do("once", counted_well(2), once=True)


async def test_steps_and_executions_are_counted_by_what_became_of_them(measured: Measured) -> None:
    await measured.orbits.run(CountedWorkflow())
    with pytest.raises(ExecutionFailed):
        await measured.orbits.run(CountedWorkflow(bad="hunter2"))
    await measured.orbits.run(CountedResource())
    await measured.orbits.run(CountedResource())
    counted = measured.counted
    assert counted.steps.sums() == {
        ("counted_twice", "success"): 2,
        ("counted_well", "success"): 2,
        ("counted_well", "skipped"): 1,
        ("counted_badly", "error"): 1,
    }
    assert counted.retries.sums() == {("counted_twice",): 2}
    assert counted.ended.sums() == {
        ("CountedWorkflow", "run", "success"): 1,
        ("CountedWorkflow", "run", "error"): 1,
        ("CountedResource", "update", "success"): 2,
    }
    counts, seconds = counted.step_durations.found()[("counted_well",)]
    assert sum(counts) == 2
    assert 0 <= seconds < 60
    assert counted.claims.sums()[()] >= 4


async def test_schedules_that_fire_are_counted_with_how_late_they_were(measured: Measured, clock: Clock) -> None:
    await measured.orbits.run(CountedResource())
    await clock.advance(timedelta(hours=1))
    await measured.orbits.settled()
    assert measured.counted.slots.sums() == {("asked",): 1}
    [(counts, seconds)] = measured.counted.delays.found().values()
    assert sum(counts) == 1
    assert seconds >= 0


class MeasuredSignState(Outputs):
    text: str


class MeasuredSign(Managed[MeasuredSignState]):
    """A sign that anybody may paint over."""

    text: str

    def identity(self) -> str:
        return "x"

    def read(self, recorded: MeasuredSignState | None, /) -> MeasuredSignState | None:
        return MeasuredSignState(text=PAINTED[-1]) if PAINTED else None

    def create(self) -> MeasuredSignState:
        PAINTED.append(self.text)
        return MeasuredSignState(text=self.text)

    def change(self, live: MeasuredSignState, /) -> MeasuredSignState:
        return self.create()


PAINTED: list[str] = []


async def test_drift_is_counted_when_it_is_found_and_not_while_it_stands(measured: Measured) -> None:
    PAINTED.clear()
    await measured.orbits.run(MeasuredSign(text="open"))
    PAINTED.append("closed")
    for _ in range(2):
        await measured.orbits.record(MeasuredSign, "x").cycle()
        assert measured.counted.drift.sums() == {("MeasuredSign",): 1}


@action
async def counted_gate() -> None:
    """Ends when it may."""
    await GATES[-1].wait()


class CountedGate(Workflow):
    """Waits for the gate in a step."""

    async def define(self) -> None:
        await self.do("gate", counted_gate())


GATES: list[asyncio.Event] = []


async def test_what_is_taken_over_from_it_and_by_it_is_counted() -> None:
    GATES.append(asyncio.Event())
    counted, settings = Counted(), Settings(store="memory:", lease=timedelta(seconds=0.4))
    async with Orbits(settings, measures=counted) as orbits, asyncio.timeout(60):
        execution = await orbits.start(CountedGate())
        while not await orbits.store.find(EntryRow, execution=execution.id):
            await orbits.store.changed(1)
        await orbits.store.release(orbits.dispatcher.id, now=orbits.engine.clock.now())
        GATES[-1].set()
        while not counted.lost.sums()[()]:
            await orbits.store.changed(0.1)
        died = amended(this_process(WorkerId("died"), "b", frozenset()), pid=0)
        held = TaskRow(id=ExecutionId("held"), kind="KindOfOthers", build="b", owner=died.id)
        await orbits.store.commit(Transaction(put=[died, held]))
        while not counted.takeovers.sums()[()]:
            await orbits.store.changed(0.1)
        assert counted.taken.sums() == {(): 1}
        await orbits.store.commit(Transaction(delete=[held]))


async def test_the_page_has_every_metric_of_the_table_and_no_other(measured: Measured) -> None:
    with pytest.raises(ExecutionFailed):
        await measured.orbits.run(CountedWorkflow(bad="hunter2"))
    counted = measured.counted
    counted.drift_found("CountedResource", 2)
    counted.fired(3.0)
    counted.store_did("commit", 0.1, "StoreError")
    counted.notified("1 slack", "failed")
    samples = await measured.samples()
    ours = {name: found for name, found in samples.items() if name.startswith("orbits_")}
    known = {metric.for_prometheus: metric for metric in METRICS}
    assert known.keys() - ours.keys() == {"orbits_queue_lag_seconds", "orbits_store_groups_total"}  # there is none
    for name, found in ours.items():
        for sample in found:
            assert set(sample.labels) - {"le"} == set(known[name].labels), sample
    assert b"hunter2" not in await measured.page()


async def test_the_page_adds_up(measured: Measured) -> None:
    await measured.orbits.run(CountedWorkflow())
    samples = await measured.samples()
    [well] = [one for one in samples["orbits_steps_total"] if one.labels["kind"] == "counted_well"]
    assert (well.value, well.labels["outcome"]) == (1, "success")
    commits = [one for one in samples["orbits_store_duration_seconds"] if one.labels["operation"] == "commit"]
    buckets = {one.labels["le"]: one.value for one in commits if one.name.endswith("_bucket")}
    [count] = [one.value for one in commits if one.name.endswith("_count")]
    assert buckets["+Inf"] == count > 0
    assert list(buckets.values()) == sorted(buckets.values())
    states = {one.labels["state"]: one.value for one in samples["orbits_executions"]}
    assert states["executing"] == 0
    assert "success" not in states
    [workers] = samples["orbits_workers"]
    assert workers.value == 1
    [age] = samples["orbits_worker_lease_age_seconds"]
    assert 0 <= age.value < 10


def test_metrics_have_a_bounded_number_of_labels() -> None:
    count, spread = Count("orbits.step.retries"), Spread("orbits.step.duration")
    for number in range(MOST + 5):
        count.add((str(number),))
        spread.take(-1.0, (str(number),))
    assert len(count.sums()) == len(spread.found()) == MOST + 1
    assert count.sums()[(OTHER,)] == 5
    assert spread.found()[(OTHER,)] == ([5, *[0] * len(spread.metric.bounds)], 0.0)


def test_a_value_counts_below_the_first_bound_that_it_does_not_exceed() -> None:
    spread = Spread("orbits.schedule.delay")
    bounds = spread.metric.bounds
    for value in (bounds[0], bounds[0] + 1e-9, bounds[-1] + 1):
        spread.take(value)
    [(counts, total)] = spread.found().values()
    assert counts == [1, 1, *[0] * (len(bounds) - 2), 1]
    assert total == pytest.approx(2 * bounds[0] + bounds[-1] + 1)


def test_the_lag_is_told_of_the_tenants_that_wait_longest() -> None:
    due = [
        TaskRow(id=ExecutionId(f"{number:03}"), kind="K", build="b", due=float(number), tenant=f"t{number // 2}")
        for number in range(2 * MOST_TENANTS + 10)
    ]
    found = lags(due, 100.0)
    assert len(found) == MOST_TENANTS + 1
    assert found[("t0",)] == 100.0
    assert found[("t1",)] == 98.0
    assert found[(OTHER,)] == 100.0 - 2 * MOST_TENANTS


async def test_who_waits_for_a_limit_is_counted_by_it_as_far_as_it_is_of_one_thing() -> None:
    limits = {"kind:LimitedKind": 2, "tenant": 1, "label:plan=large": 1}
    async with Orbits(Settings(store="memory:", limits=limits), work=False) as orbits:
        names = ["kind:LimitedKind", "kind:LimitedKind", "tenant:acme"]
        lines = [LineRow(name=name, rank=0, execution=ExecutionId(str(number))) for number, name in enumerate(names)]
        permit = PermitRow(name="tenant:acme", slot=0, execution=ExecutionId("a"), token=1)
        await orbits.store.commit(Transaction(put=[*lines, permit]))
        found = await Reading(orbits, Health())._look()
    waiting = {("kind:LimitedKind",): 2, ("label:plan=large",): 0, (OTHER,): 1}
    assert found["orbits.limits.waiting"] == waiting
    assert found["orbits.limits.held"] == {("kind:LimitedKind",): 0, ("label:plan=large",): 0, (OTHER,): 1}


def test_what_belongs_to_nobody_has_an_empty_tenant() -> None:
    assert lags([TaskRow(id=ExecutionId("a"), kind="K", build="b", due=4.0)], 3.0) == {("",): 0.0}


async def test_a_store_that_is_gone_is_told_by_its_errors_and_levels_are_left_out(measured: Measured) -> None:
    store = measured.orbits.store
    assert isinstance(store, MeasuredStore)
    await store.inside.close()
    samples = await measured.samples()
    assert not {"orbits_executions", "orbits_workers"} & samples.keys()
    assert samples["orbits_worker_active"][0].value == 0
    assert any(one.labels["error"] == "StoreError" and one.value > 0 for one in samples["orbits_store_errors_total"])
    await store.inside.open()


def test_every_method_of_the_contract_goes_to_the_store_inside() -> None:
    own = {name for name in vars(Store) if not name.startswith("_")}
    assert own <= vars(MeasuredStore).keys()


async def test_a_call_that_fails_is_measured_as_one_and_one_that_is_cancelled_is_not() -> None:
    counted = Counted()
    store = MeasuredStore(MemoryStore(), counted)
    with pytest.raises(Exception, match="is not open"):
        await store.commit(Transaction())
    assert counted.store_errors.sums() == {("commit", "StoreError"): 1}
    await store.open()
    given_up = asyncio.create_task(store.commit(Transaction()))
    await asyncio.sleep(0)  # it is under way
    given_up.cancel()
    await asyncio.wait([given_up])
    assert given_up.cancelled()
    await store.commit(Transaction())
    [(counts, _)] = counted.store_durations.found().values()
    assert sum(counts) == 2
    await store.close()
