"""A span for each execution and each step, for whatever OpenTelemetry exports spans to.

What always holds: an execution and all that it does, in whichever workers and over however many crashes, is one trace:
ids of traces and spans are made from the ids of executions and the keys of steps, so that nothing has to be remembered
or handed on. A span is made when its end is known, with the times of the journal. A command below is its own
execution's span. Spans hold ids, kinds, states and types of errors; no arguments, results or messages.

Called by `counting`, on the event loop; imported only where spans are exported, because of OpenTelemetry.
"""

import threading
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from functools import lru_cache
from hashlib import blake2b
from typing import Any

from opentelemetry.context import Context, attach
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SimpleSpanProcessor, SpanExporter
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.sdk.trace.sampling import Decision
from opentelemetry.trace import NonRecordingSpan, SpanContext, StatusCode, TraceFlags, set_span_in_context

from orbits_iac.model.ids import UNDO, refs
from orbits_iac.model.rows import EntryRow, ExecutionRow


class Spans:
    """Makes spans with OpenTelemetry's SDK, which hands them to `exporters`."""

    def __init__(self, exporters: Iterable[SpanExporter], attributes: dict[str, str], *, at_once: bool = False) -> None:
        """`attributes`: of the resource. `at_once`: each is handed on as it ends; otherwise in batches, by a thread."""
        self._ids = _Ids()
        self.provider = TracerProvider(
            id_generator=self._ids, resource=Resource.create(attributes), shutdown_on_exit=False
        )
        for exporter in exporters:
            self.provider.add_span_processor((SimpleSpanProcessor if at_once else BatchSpanProcessor)(exporter))
        self._tracer = self.provider.get_tracer("orbits_iac")
        self._flags = lru_cache(maxsize=1024)(self._flags_of)

    def close(self) -> None:
        """Hand on what is left. It may wait for the network, within the exporters' own limits."""
        self.provider.shutdown()

    def enter(self, execution: ExecutionRow, entry: EntryRow) -> None:
        """What this task does from here on, and spans of others' libraries in it, belongs to a step."""
        attach(self._context(execution, _step_id(entry)))

    def step(self, execution: ExecutionRow, entry: EntryRow) -> None:
        """A step has come to its outcome."""
        if entry.child is not None or entry.at is None or entry.skipped:
            return
        attributes = {
            "orbits.execution": execution.id,
            "orbits.step": ".".join(refs(entry.key)),
            "orbits.kind": entry.kind,
            "orbits.attempt": entry.attempt,
            "orbits.state": entry.state.value,
        }
        failure = entry.failure.error_type if entry.failure is not None else None
        self._span(
            entry.kind,
            execution,
            attributes,
            own=_step_id(entry),
            above=_id_above(entry),
            begin=entry.started_at or entry.at,
            end=entry.at,
            error=failure,
        )

    def execution(self, row: ExecutionRow) -> None:
        """An execution has ended."""
        attributes: dict[str, str | int | float] = {
            "orbits.execution": row.id,
            "orbits.kind": row.kind,
            "orbits.command": row.command,
            "orbits.state": row.state.value,
        }
        if row.identity is not None:
            attributes["orbits.identity"] = row.identity
        begin = row.started_at or row.created_at
        self._span(
            f"{row.command} {row.kind}",
            row,
            attributes,
            own=_number(row.id),
            above=None if row.parent is None else _number(row.parent),
            begin=begin,
            end=row.ended_at or begin,
            error=None if row.failure is None else row.failure.error_type,
        )

    def _span(
        self,
        name: str,
        execution: ExecutionRow,
        attributes: dict[str, Any],
        *,
        own: int,
        above: int | None,
        begin: float,
        end: float,
        error: str | None,
    ) -> None:
        if execution.tenant is not None:
            attributes["orbits.tenant"] = execution.tenant
        if error is not None:
            attributes["error.type"] = error
        with self._ids.next_are(_number(execution.root, 16), own):
            span = self._tracer.start_span(
                name,
                context=Context() if above is None else self._context(execution, above),
                attributes=attributes,
                start_time=_nanoseconds(min(begin, end)),
            )
        if error is not None:
            span.set_status(StatusCode.ERROR)
        span.end(_nanoseconds(end))

    def _context(self, execution: ExecutionRow, span: int) -> Context:
        """Where what belongs to this span stands; sampled if its trace is."""
        trace = _number(execution.root, 16)
        context = SpanContext(trace_id=trace, span_id=span, is_remote=False, trace_flags=self._flags(trace))
        return set_span_in_context(NonRecordingSpan(context))

    def _flags_of(self, trace: int) -> TraceFlags:
        sampled = self.provider.sampler.should_sample(Context(), trace, "").decision is Decision.RECORD_AND_SAMPLE
        return TraceFlags(TraceFlags.SAMPLED if sampled else TraceFlags.DEFAULT)


class _Ids(RandomIdGenerator):
    """Gives out the ids that it is told to, and random ones to everybody else."""

    def __init__(self) -> None:
        self._told = threading.local()

    @contextmanager
    def next_are(self, trace: int, span: int) -> Generator[None]:
        """In this thread and meanwhile, these are the ids."""
        self._told.ids = (trace, span)
        try:
            yield
        finally:
            self._told.ids = None

    def generate_trace_id(self) -> int:
        told: tuple[int, int] | None = getattr(self._told, "ids", None)
        return super().generate_trace_id() if told is None else told[0]

    def generate_span_id(self) -> int:
        told: tuple[int, int] | None = getattr(self._told, "ids", None)
        return super().generate_span_id() if told is None else told[1]


def _step_id(entry: EntryRow) -> int:
    return _number(f"{entry.execution}\0{entry.key}\0{entry.generation}")


def _id_above(entry: EntryRow) -> int:
    """The span of the Workflow that a step stands in, or of its execution; of what undoes, always that."""
    above = entry.key.rpartition("/")[0]
    if "/" not in above or entry.key.startswith(f"{UNDO}/"):
        return _number(entry.execution)
    return _number(f"{entry.execution}\0{above}\0{entry.generation}")


@lru_cache(maxsize=4096)
def _number(text: str, size: int = 8) -> int:
    return int.from_bytes(blake2b(text.encode(), digest_size=size).digest()) or 1  # 0 is no id


def _nanoseconds(seconds: float) -> int:
    return int(seconds * 1e9)
