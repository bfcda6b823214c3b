"""What shows of a worker whose store is a MongoDB at the other end of a network that fails."""

import asyncio
import json
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from urllib.parse import urlsplit

import pytest
from pydantic import SecretStr

from orbits_iac import Orbits, Settings, action
from orbits_iac.model.ids import ExecutionId
from orbits_iac.model.rows import TaskRow
from orbits_iac.store.contract import Transaction
from orbits_iac.telemetry import health, levels
from orbits_iac.telemetry.observing import Observing, observed
from tests.servers.network import Network, Trouble


@pytest.fixture
def network() -> Iterator[Network]:
    with Network() as made:
        yield made


@pytest.fixture
def url(network: Network, mongodb: str) -> str:
    """The test's database, behind the network."""
    parts = urlsplit(mongodb)
    waits = "serverSelectionTimeoutMS=200&heartbeatFrequencyMS=500"
    return f"mongodb://{network.to(parts.netloc)}{parts.path}?directConnection=true&appname=observed&{waits}"


@action(idempotent=True)
async def shown_step() -> None:
    """A step."""


def page(url: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


async def until(shown: Observing, path: str, holds: Callable[[int, str], bool]) -> str:
    """Look at a page until that holds of it; the page."""
    async with asyncio.timeout(60):
        while True:
            status, text = await asyncio.to_thread(page, f"{shown.url}{path}")
            if holds(status, text):
                return text


async def test_a_store_that_cannot_be_reached_shows_and_is_gone_when_it_is_back(
    network: Network, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health, "ASKED_AGAIN", 0.0)
    monkeypatch.setattr(levels, "LOOK_EVERY", 0.5)
    settings = Settings(store=url, secret_key=SecretStr("MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="))
    async with observed("0", project="tests") as shown, Orbits(settings, measures=shown.measures) as orbits:
        shown.watch(orbits)
        await orbits.run(shown_step())
        now = orbits.engine.clock.now()
        waiting = [
            TaskRow(id=ExecutionId(tenant), kind="KindOfOthers", build="b", tenant=tenant, due=now - late)
            for tenant, late in (("acme", 100.0), ("nadir", 1.0))
        ]
        await orbits.store.commit(Transaction(put=waiting))
        text = await until(shown, "/metrics", lambda status, _: status == 200)
        assert 'orbits_store_duration_seconds_bucket{le="+Inf",operation="claim"}' in text
        assert "orbits_store_groups_total" in text
        assert "\norbits_queue_due 2.0\n" in text
        assert '\norbits_queue_lag_seconds{tenant="acme"} 10' in text
        assert '\norbits_executions{state="sleeping"} 0.0\n' in text
        network.trouble("observed", Trouble(refused=True))
        network.cut("observed")
        said = await until(shown, "/readyz", lambda status, _: status == 503)
        [why] = json.loads(said)["why"]
        assert why.startswith("the store does not answer: the store mongodb://127.0.0.1:")
        text = await until(shown, "/metrics", lambda _, text: 'error="Unreachable"' in text)
        assert "orbits_executions{" not in text
        assert (await asyncio.to_thread(page, f"{shown.url}/healthz"))[0] == 200
        network.heal()
        await until(shown, "/readyz", lambda status, _: status == 200)
        await orbits.run(shown_step())
        await orbits.store.commit(Transaction(delete=waiting))
