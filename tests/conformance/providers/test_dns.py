"""A stranger's provider, tests/typing/dns_provider.py, as it stands, held to what every Resource has to do."""

import importlib.util
import sys
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from orbits_iac import Resource
from orbits_iac.testing import ProviderSuite, Subject

from .dns import DnsApi, DnsServer

PROVIDER = Path(__file__).parents[2] / "typing" / "dns_provider.py"


class RecordSubject(Subject):
    def __init__(self, dns: DnsServer, provider: Any) -> None:
        self.dns, self.provider = dns, provider
        self.target = provider.DnsTarget(api_key=SecretStr("a key of the service"))

    def first(self) -> Resource[Any]:
        made: Resource[Any] = self.provider.DnsRecord(zone="agency.example", name="www", value="192.0.2.1")
        return made

    def changed(self) -> Resource[Any]:
        made: Resource[Any] = self.provider.DnsRecord(zone="agency.example", name="www", value="192.0.2.2", ttl=60)
        return made

    def by_hand(self) -> None:
        DnsApi(self.dns.url).create("agency.example", "www", "192.0.2.1", 300, key="")

    def stands(self) -> Any:
        return sorted((one["name"], one["value"], one["ttl"]) for one in self.dns.records.values()) or None

    def snapshot(self) -> Any:
        return self.dns.snapshot()

    def restore(self, snapshot: Any, /) -> None:
        self.dns.restore(snapshot)

    def writes(self) -> int:
        return self.dns.writes

    def calling(self) -> AbstractContextManager[None]:
        return nullcontext()  # the client has its calls in `outside` itself

    @contextmanager
    def refusing_changes(self) -> Generator[None]:
        self.dns.refuses_changes = True
        yield
        self.dns.refuses_changes = False

    def drifts(self) -> Mapping[str, Callable[[], object]]:
        return {
            "changed": lambda: self._record().update(value="198.51.100.7"),
            "removed": self.dns.delete_all,
        }

    def _record(self) -> dict[str, Any]:
        [record] = self.dns.records.values()
        return record


@pytest.fixture(scope="module")
def dns() -> Iterator[DnsServer]:
    with DnsServer().running() as server:
        yield server


class TestDnsRecord(ProviderSuite):
    @pytest.fixture
    def subject(self, dns: DnsServer, monkeypatch: pytest.MonkeyPatch) -> Subject:
        spec = importlib.util.spec_from_file_location("dns_provider", PROVIDER)
        assert spec is not None
        assert spec.loader is not None
        provider = importlib.util.module_from_spec(spec)
        monkeypatch.setitem(sys.modules, "dns_provider", provider)
        spec.loader.exec_module(provider)
        monkeypatch.setattr(provider, "connect", lambda _key: DnsApi(dns.url))
        dns.restore(({}, {}, False))
        return RecordSubject(dns, provider)
