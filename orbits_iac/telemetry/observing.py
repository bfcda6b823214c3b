"""What shows of a worker, put together for its life: what is measured, and what is served.

Nothing is counted unless somebody asked for it: by an address to serve at, or by OpenTelemetry's variables.
"""

import asyncio
import json
import os
import socket
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from orbits_iac.measures import Measures
from orbits_iac.telemetry.counting import Counted
from orbits_iac.telemetry.environment import INSTALL, exporters, is_installed
from orbits_iac.telemetry.health import Health
from orbits_iac.telemetry.levels import Levels, Reading
from orbits_iac.telemetry.serving import Answer, Request, Server, address_of

if TYPE_CHECKING:
    from orbits_iac.orbits import Orbits
    from orbits_iac.telemetry.exporting import Exported
    from orbits_iac.telemetry.tracing import Spans

_PLAIN = "text/plain; charset=utf-8"


class Observing:
    """What one worker shows; there before it is opened, and after it has ended."""

    def __init__(self, serve: str | None, project: str) -> None:
        address = None if serve is None else address_of(serve)
        attributes = _attributes(project)
        self._reading: Reading | None = None
        self._spans = _spans(attributes)
        counted = Counted(self._spans)
        self._exported = self._metrics(counted, attributes, serves=address is not None)
        self.measures: Measures | None = counted if self._exported is not None or self._spans is not None else None
        """Who is to be told of what is done; None if nobody asked for that."""
        self._health = Health()
        pages = {"/healthz": self._healthz, "/readyz": self._readyz, "/metrics": self._page}
        try:
            self._server = None if address is None else Server(address, pages)
        except BaseException:
            self._health.close()
            self._hand_on()
            raise

    @property
    def url(self) -> str | None:
        """Where it is served; None if nowhere."""
        return None if self._server is None else self._server.url

    def watch(self, orbits: "Orbits") -> None:
        """From here on it is this worker that shows."""
        self._health.watch(orbits)
        self._reading = Reading(orbits, self._health)

    async def close(self) -> None:
        """Serve nothing more, and hand on what is left."""
        self._health.close()
        if self._server is not None:
            await asyncio.to_thread(self._server.close)
        await asyncio.to_thread(self._hand_on)

    def _hand_on(self) -> None:
        if self._exported is not None:
            self._exported.close()
        if self._spans is not None:
            self._spans.close()

    def _metrics(self, counted: Counted, attributes: dict[str, str], *, serves: bool) -> "Exported | None":
        found = exporters("metrics")
        if not found and not (serves and is_installed()):
            return None
        from orbits_iac.telemetry.exporting import Exported

        return Exported(counted, self._levels, attributes, found)

    def _levels(self) -> Levels:
        return {} if self._reading is None else self._reading.levels()

    def _healthz(self, request: Request) -> Answer:
        return _said("alive", self._health.why_not_alive)

    def _readyz(self, request: Request) -> Answer:
        return _said("ready", self._health.why_not_ready)

    def _page(self, request: Request) -> Answer:
        if self._exported is None:
            return Answer(501, _PLAIN, f"There are no metrics: OpenTelemetry is not installed. {INSTALL}\n".encode())
        body, form = self._exported.page(request.accept)
        return Answer(200, form, body)


@asynccontextmanager
async def observed(serve: str | None, *, project: str) -> AsyncGenerator[Observing]:
    """What shows of a worker that is opened inside; `serve`: the address, as `address_of` reads it; None for none.

    Raises UsageError for an address that is none, or that is taken.
    """
    made = Observing(serve, project)
    try:
        yield made
    finally:
        await made.close()


def _said(what: str, look: Callable[[], list[str]]) -> Answer:
    why = look()
    document: dict[str, Any] = {what: False, "why": why} if why else {what: True}
    return Answer(503 if why else 200, "application/json", f"{json.dumps(document, ensure_ascii=False)}\n".encode())


def _attributes(project: str) -> dict[str, str]:
    """What all that is exported says of where it comes from."""
    found = {
        "service.version": version("orbits-iac"),
        "service.instance.id": f"{socket.gethostname()}:{os.getpid()}",
        "orbits.project": project,
    }
    if "OTEL_SERVICE_NAME" not in os.environ and "service.name=" not in os.environ.get("OTEL_RESOURCE_ATTRIBUTES", ""):
        found["service.name"] = "orbits"
    return found


def _spans(attributes: dict[str, str]) -> "Spans | None":
    found = exporters("traces")
    if not found:
        return None
    from opentelemetry import trace

    from orbits_iac.telemetry.tracing import Spans

    spans = Spans(found, attributes)
    if isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider):
        trace.set_tracer_provider(spans.provider)  # what libraries in hooks have to say stands below their step
    return spans
