"""Spans: a trace for all that an execution does, in whichever worker, and nothing in it that is not to be shown."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanContext, StatusCode

from orbits_iac import ExecutionFailed, Orbits, Resource, Retry, Settings, Workflow, action
from orbits_iac.store import open_store
from orbits_iac.telemetry.counting import Counted
from orbits_iac.telemetry.tracing import Spans

GATE: list[asyncio.Event] = []
INSIDE: list[trace.SpanContext] = []


class Traced:
    """A worker of which spans are made."""

    def __init__(self) -> None:
        self._exporter = InMemorySpanExporter()
        self.spans = Spans([self._exporter], {"service.name": "tests"}, at_once=True)
        self.measures = Counted(self.spans)

    def found(self) -> dict[str, ReadableSpan]:
        """The spans that have ended, by name; each name is there once."""
        spans = self._exporter.get_finished_spans()
        assert len({span.name for span in spans}) == len(spans)
        return {span.name: span for span in spans}


@pytest.fixture
def traced() -> Iterator[Traced]:
    made = Traced()
    yield made
    made.spans.close()


@pytest.fixture
async def orbits(traced: Traced) -> AsyncIterator[Orbits]:
    async with Orbits(Settings(store="memory:"), measures=traced.measures) as made:
        yield made


@action(idempotent=True)
async def traced_step(secret: str) -> str:
    """Keeps where it stands in its trace."""
    INSIDE.append(trace.get_current_span().get_span_context())
    return secret


@action(idempotent=True)
def traced_thread() -> None:
    """The same, in a thread."""
    INSIDE.append(trace.get_current_span().get_span_context())


@action(idempotent=True, retry=Retry(attempts=2, delay=timedelta(0), jitter=0))
async def traced_failure(secret: str) -> None:
    """Fails, each time."""
    raise ValueError(secret)


@action(idempotent=True)
async def traced_gate() -> None:
    """Ends when it may."""
    await GATE[0].wait()


class TracedInner(Workflow):
    """A Workflow below another."""

    async def define(self) -> None:
        await self.do("step", traced_step("hunter2"))
        await self.do("thread", traced_thread())


class TracedThing(Resource):
    """A command of its own."""

    def identity(self) -> str:
        return "thing"

    async def define_update(self) -> None:
        await self.do("failure", traced_failure("hunter2"))


class TracedOuter(Workflow):
    """Steps, Workflows and a Resource."""

    async def define(self) -> None:
        await self.do("inner", TracedInner())
        await self.do("thing", TracedThing())


class TracedCrash(Workflow):
    """Goes on in another process."""

    async def define(self) -> None:
        await self.do("step", traced_step("x"))
        await self.do("gate", traced_gate())


def of(span: ReadableSpan) -> SpanContext:
    context: SpanContext | None = span.context
    assert context is not None
    return context


def parent_of(span: ReadableSpan) -> int | None:
    return None if span.parent is None else span.parent.span_id


async def test_a_span_for_each_execution_and_step_below_what_did_it(orbits: Orbits, traced: Traced) -> None:
    INSIDE.clear()
    with pytest.raises(ExecutionFailed):
        await orbits.run(TracedOuter())
    found = traced.found()
    outer, inner, thing = found["run TracedOuter"], found["TracedInner"], found["update TracedThing"]
    step, thread, failure = found["traced_step"], found["traced_thread"], found["traced_failure"]
    assert len(found) == 6
    assert len({of(span).trace_id for span in found.values()}) == 1
    assert [parent_of(span) for span in (outer, inner, thing)] == [None, of(outer).span_id, of(outer).span_id]
    assert {parent_of(step), parent_of(thread)} == {of(inner).span_id}
    assert parent_of(failure) == of(thing).span_id
    assert [context.span_id for context in INSIDE] == [of(step).span_id, of(thread).span_id]
    for span in found.values():
        assert span.start_time is not None
        assert span.end_time is not None
        assert span.start_time <= span.end_time
        assert (span.status.status_code is StatusCode.ERROR) == (span in {outer, thing, failure})
    assert dict(failure.attributes or {}) == {
        "orbits.execution": (thing.attributes or {})["orbits.execution"],
        "orbits.step": "failure",
        "orbits.kind": "traced_failure",
        "orbits.attempt": 2,
        "orbits.state": "ERROR",
        "error.type": "ValueError",
    }
    assert not any("hunter2" in span.to_json() for span in found.values())


async def test_one_trace_over_a_crash_and_each_step_once(tmp_path: Path) -> None:
    url = f"sqlite:{tmp_path / 'store.db'}"
    GATE[:] = [asyncio.Event()]
    first, second = Traced(), Traced()
    async with Orbits(Settings(store=url), measures=first.measures) as orbits:
        execution = await orbits.start(TracedCrash())
        while "traced_step" not in first.found():
            await orbits.store.changed(1)
    GATE[0].set()
    async with Orbits(Settings(store=url), store=open_store(url), measures=second.measures) as orbits:
        await orbits.execution(execution.id)
    assert [*first.found()] == ["traced_step"]
    assert {*second.found()} == {"traced_gate", "run TracedCrash"}
    whole = of(second.found()["run TracedCrash"])
    step = first.found()["traced_step"]
    assert (of(step).trace_id, parent_of(step)) == (whole.trace_id, whole.span_id)
    for traced in (first, second):
        traced.spans.close()


async def test_a_trace_is_sampled_whole_or_not_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "parentbased_always_off")
    INSIDE.clear()
    traced = Traced()
    async with Orbits(Settings(store="memory:"), measures=traced.measures) as orbits:
        await orbits.run(TracedInner())
    assert traced.found() == {}
    assert not any(context.trace_flags.sampled for context in INSIDE)
    traced.spans.close()
