"""What is counted and read, through OpenTelemetry's SDK: for Prometheus, and for exporters that its variables name.

Sums and levels are observed when somebody asks. Distributions are put into what the SDK has collected, in its own
model: its histograms can only be given value by value, at six microseconds each. Imported only where metrics are asked
for, because of OpenTelemetry.
"""

import math
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from opentelemetry.exporter.prometheus import PrometheusMetricReader
from opentelemetry.metrics import CallbackOptions, Observation
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    Histogram,
    HistogramDataPoint,
    Metric,
    MetricExporter,
    MetricExportResult,
    MetricReader,
    MetricsData,
    PeriodicExportingMetricReader,
    ResourceMetrics,
)
from opentelemetry.sdk.resources import Resource
from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.exposition import choose_encoder

from orbits_iac.telemetry.counting import Count, Counted, Labels, Spread
from orbits_iac.telemetry.levels import Levels
from orbits_iac.telemetry.table import METRICS
from orbits_iac.telemetry.table import Metric as Known

_SCOPE = "orbits_iac"
LAST_WORD = 5.0
Complete = Callable[[MetricsData], MetricsData]


class Exported:
    """All metrics of a worker, for Prometheus by `page`, and for `exporters` from a thread of their own."""

    def __init__(
        self,
        counted: Counted,
        levels: Callable[[], Levels],
        attributes: Mapping[str, str],
        exporters: Iterable[MetricExporter] = (),
    ) -> None:
        self._spreads = counted.spreads()
        self._levels = levels
        self._began = time.time_ns()
        self._lock = threading.Lock()
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        readers: list[MetricReader] = [_Scraped(self._with_spreads, self._registry)]
        readers += [PeriodicExportingMetricReader(_Completed(each, self._with_spreads)) for each in exporters]
        self._provider = MeterProvider(
            metric_readers=readers, resource=Resource.create(dict(attributes)), shutdown_on_exit=False
        )
        self._observe(counted.counts())

    def page(self, accept: str) -> tuple[bytes, str]:
        """What Prometheus reads, in the form that it accepts, and what that form is called."""
        with self._lock:  # one reads what another has collected otherwise
            self._levels()  # what this takes and comes to counts too
            encode, form = choose_encoder(accept)
            return encode(self._registry), form

    def close(self) -> None:
        """Hand on what is left; it may wait for the network, for `LAST_WORD` seconds."""
        self._provider.shutdown(timeout_millis=LAST_WORD * 1000)

    def _observe(self, counts: Sequence[Count]) -> None:
        meter, sums = self._provider.get_meter(_SCOPE), {count.metric.name: count.sums for count in counts}
        for metric in METRICS:
            if metric.type == "histogram":
                continue
            make = meter.create_observable_counter if metric.type == "counter" else meter.create_observable_gauge
            look = sums.get(metric.name) or partial(self._level, metric.name)
            make(metric.name, [_observing(metric, look)], metric.unit, metric.means)

    def _level(self, name: str) -> Mapping[Labels, float]:
        return self._levels().get(name, {})

    def _with_spreads(self, data: MetricsData) -> MetricsData:
        """What was collected, and the distributions."""
        now = time.time_ns()
        metrics = [
            Metric(name=spread.metric.name, description=spread.metric.means, unit="s", data=self._data(spread, now))
            for spread in self._spreads
        ]
        resources = [
            ResourceMetrics(
                resource=each.resource,
                scope_metrics=[
                    replace(scope, metrics=[*scope.metrics, *metrics]) if scope.scope.name == _SCOPE else scope
                    for scope in each.scope_metrics
                ],
                schema_url=each.schema_url,
            )
            for each in data.resource_metrics
        ]
        return MetricsData(resource_metrics=resources)

    def _data(self, spread: Spread, now: int) -> Histogram:
        points = [
            HistogramDataPoint(
                attributes=dict(zip(spread.metric.labels, labels, strict=True)),
                start_time_unix_nano=self._began,
                time_unix_nano=now,
                count=sum(counts),
                sum=total,
                bucket_counts=counts,
                explicit_bounds=spread.metric.bounds,
                min=math.inf,  # as the SDK says that they are not kept
                max=-math.inf,
            )
            for labels, (counts, total) in spread.found().items()
        ]
        return Histogram(data_points=points, aggregation_temporality=AggregationTemporality.CUMULATIVE)


def _observing(
    metric: Known, look: Callable[[], Mapping[Labels, float]]
) -> Callable[[CallbackOptions], Iterable[Observation]]:
    def observe(_: CallbackOptions) -> list[Observation]:
        return [Observation(value, dict(zip(metric.labels, labels, strict=True))) for labels, value in look().items()]

    return observe


class _Scraped(PrometheusMetricReader):
    """Prometheus' reader, which is given what was collected once it is complete."""

    def __init__(self, complete: Complete, registry: CollectorRegistry) -> None:
        self._complete = complete
        super().__init__(scope_info_enabled=False, registry=registry)

    def _receive_metrics(self, metrics_data: MetricsData, timeout_millis: float = 10_000, **more: Any) -> None:
        super()._receive_metrics(self._complete(metrics_data), timeout_millis, **more)


class _Completed(MetricExporter):
    """Another exporter, which is given what was collected once it is complete."""

    def __init__(self, inside: MetricExporter, complete: Complete) -> None:
        super().__init__(inside._preferred_temporality, inside._preferred_aggregation)  # noqa: SLF001 - its reader asks
        self._inside = inside
        self._complete = complete

    def export(self, metrics_data: MetricsData, timeout_millis: float = 10_000, **more: Any) -> MetricExportResult:
        return self._inside.export(self._complete(metrics_data), timeout_millis, **more)

    def force_flush(self, timeout_millis: float = 10_000) -> bool:
        return self._inside.force_flush(timeout_millis)

    def shutdown(self, timeout_millis: float = 30_000, **more: Any) -> None:
        self._inside.shutdown(timeout_millis, **more)
