"""Which exporters OpenTelemetry's own variables ask for: `OTEL_TRACES_EXPORTER` and their like, as its SDKs read them.

Nothing is exported unless one of them is set. What cannot be had is said in the log, and the worker goes on without:
such variables are often set for all that runs on a machine.
"""

import logging
import os
from collections.abc import Callable
from importlib.metadata import entry_points
from importlib.util import find_spec
from typing import Any, Literal

log = logging.getLogger(__name__)

INSTALL = "pip install 'orbits-iac[metrics]'"
_OTLP = "otlp"


def is_installed() -> bool:
    """Whether OpenTelemetry's SDK and its exporter for Prometheus are there."""
    return find_spec("opentelemetry") is not None and all(
        find_spec(name) is not None for name in ("opentelemetry.sdk", "opentelemetry.exporter.prometheus")
    )


def wanted(what: Literal["traces", "metrics"]) -> tuple[str, ...]:
    """The names of the exporters that are asked for."""
    if os.environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return ()
    given = os.environ.get(f"OTEL_{what.upper()}_EXPORTER")
    if given is None:
        endpoints = ("OTEL_EXPORTER_OTLP_ENDPOINT", f"OTEL_EXPORTER_OTLP_{what.upper()}_ENDPOINT")
        return (_OTLP,) if any(os.environ.get(name) for name in endpoints) else ()
    names = dict.fromkeys(name.strip() for name in given.split(","))
    return tuple(name for name in names if name not in {"", "none", "prometheus"})  # that one is served, not sent


def exporters(what: Literal["traces", "metrics"]) -> list[Any]:
    """The exporters that are asked for and can be had."""
    names = wanted(what)
    if names and not is_installed():
        log.warning("no %s are exported: OpenTelemetry is not installed (%s)", what, INSTALL)
        return []
    made = [_made(what, name) for name in names]
    return [exporter for exporter in made if exporter is not None]


def _made(what: str, name: str) -> Any:
    group = f"opentelemetry_{what}_exporter"
    found = next(iter(entry_points(group=group, name=f"{name}_{_protocol()}" if name == _OTLP else name)), None)
    if found is None:
        package = "opentelemetry-exporter-otlp" if name == _OTLP else f"the package that brings {name}"
        log.warning("no %s are exported to %s: it is not installed (pip install %s)", what, name, package)
        return None
    try:
        make: Callable[[], Any] = found.load()
        return make()
    except Exception as error:  # noqa: BLE001 - whatever an exporter of somebody else's raises
        log.warning("no %s are exported to %s: %s: %s", what, name, type(error).__name__, error)
        return None


def _protocol() -> str:
    """Of OTLP: how entry points call it."""
    return {"http/protobuf": "proto_http"}.get(os.environ.get("OTEL_EXPORTER_OTLP_PROTOCOL", ""), "proto_grpc")
