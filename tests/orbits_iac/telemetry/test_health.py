"""/healthz and /readyz: what they say of a worker, over HTTP, while its event loop may stand still."""

import asyncio
import json
import urllib.error
import urllib.request
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from orbits_iac import Orbits, Settings, action
from orbits_iac.dispatch.worker import Worker
from orbits_iac.model.errors import UsageError
from orbits_iac.store.memory import MemoryStore
from orbits_iac.telemetry import health
from orbits_iac.telemetry.observing import Observing, observed

SETTINGS = Settings(store="memory:", lease=timedelta(hours=1))  # certain, however busy the machine is
STANDSTILL = 0.05
URL: list[str] = []


def asked(url: str) -> tuple[int, dict[str, object]]:
    """The status and document of an answer."""
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)


async def ask(shown: Observing, page: str) -> tuple[int, dict[str, object]]:
    return await asyncio.to_thread(asked, f"{shown.url}{page}")


class Gone(MemoryStore):
    """A store that stops answering when it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.hangs = False

    async def next_due(self) -> float | None:
        if self.hangs:
            await asyncio.get_running_loop().create_future()
        return await super().next_due()


@pytest.fixture
async def shown(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Observing]:
    monkeypatch.setattr(health, "ASKED_AGAIN", 0.0)
    monkeypatch.setattr(health, "BEAT", STANDSTILL / 5)
    async with observed("0", project="tests") as made:
        yield made


async def test_a_worker_is_ready_once_it_is_opened_and_until_it_stops(shown: Observing) -> None:
    assert await ask(shown, "/healthz") == (200, {"alive": True})
    assert await ask(shown, "/readyz") == (503, {"ready": False, "why": ["it is starting"]})
    async with Orbits(SETTINGS, measures=shown.measures) as orbits:
        shown.watch(orbits)
        assert await ask(shown, "/readyz") == (200, {"ready": True})
        await orbits.dispatcher.stop()
        stopping = "it is stopping, and claims nothing more"
        assert await ask(shown, "/readyz") == (503, {"ready": False, "why": [stopping]})
        assert await ask(shown, "/healthz") == (200, {"alive": True})


async def test_a_store_that_is_closed_or_silent_makes_it_not_ready_and_it_lives_on(
    shown: Observing, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health, "PATIENCE", 0.05)
    store = Gone()
    async with Orbits(SETTINGS, store=store) as orbits:
        shown.watch(orbits)
        store.hangs = True
        assert await ask(shown, "/readyz") == (
            503,
            {"ready": False, "why": ["the store has not answered within 0.05 s"]},
        )
        store.hangs = False
        await store.close()
        closed = "the store does not answer: the store memory: is not open"
        assert await ask(shown, "/readyz") == (503, {"ready": False, "why": [closed]})
        assert (await ask(shown, "/healthz"))[0] == 200
        await store.open()
        assert await ask(shown, "/readyz") == (200, {"ready": True})


async def test_a_lease_that_is_not_certain_makes_it_not_ready(shown: Observing) -> None:
    async with Orbits(SETTINGS) as orbits:
        shown.watch(orbits)
        assert isinstance(orbits.dispatcher, Worker)
        lease = orbits.dispatcher._lease
        assert lease is not None
        lease._renewed -= 1801
        status, document = await ask(shown, "/readyz")
        assert (status, document["ready"]) == (503, False)
        assert document["why"] == ["its lease was last renewed 1801.0 s ago: it begins nothing"]
        await lease.renew()
        assert await ask(shown, "/readyz") == (200, {"ready": True})


@action(idempotent=True)
async def blocks_until_it_shows() -> tuple[int, int]:
    """Keeps the event loop from turning until /healthz says so; the statuses of both pages."""
    while (status := asked(f"{URL[0]}/healthz")[0]) == 200:
        pass
    return status, asked(f"{URL[0]}/readyz")[0]


async def test_a_blocked_event_loop_shows(shown: Observing, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shown._health, "_longest", STANDSTILL)
    URL[:] = [str(shown.url)]
    async with Orbits(SETTINGS) as orbits:
        shown.watch(orbits)
        assert await orbits.run(blocks_until_it_shows()) == (503, 503)
    while (await ask(shown, "/healthz"))[0] != 200:  # it turns again
        pass


async def test_nothing_is_measured_or_served_unless_somebody_asks_for_it() -> None:
    async with observed(None, project="tests") as shown:
        assert shown.url is None
        assert shown.measures is None


async def test_a_wrong_address_is_refused_and_leaves_nothing() -> None:
    with pytest.raises(UsageError, match="names no address"):
        await observed("nowhere", project="tests").__aenter__()
    with pytest.raises(UsageError, match="nothing can be served"):
        await observed("192.0.2.1:1", project="tests").__aenter__()
