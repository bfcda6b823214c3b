"""A fleet for processes that are killed: some tenants' step waits for that, in whatever process begins it first."""

import os
import threading
from pathlib import Path
from typing import ClassVar

from orbits_iac import Action, Options, Permanent, Resource
from orbits_tenants import ListSource, Rollout, Source, Tenant, Tenants

LOG = Path("log")
"""Where each step leaves a line, in the folder it runs in: whose, with which token, in which process."""
CLIENTS = [f"t{number}" for number in range(24)]
HELD = ("t0", "t3", "t9", "t17")
FAILS = "t11"
CONCURRENCY = 4


class FillUp(Action[int]):
    options = Options(idempotent=True)
    client: str

    def main(self) -> int:
        first = not any(line.startswith(f"{self.client} ") for line in LOG.read_text().splitlines())
        with LOG.open("ab", buffering=0) as log:
            log.write(f"{self.client} {self.execution.token} {os.getpid()}\n".encode())
        if first and self.client in HELD:
            threading.Event().wait()
        if self.client == FAILS:
            raise Permanent("there is no room")
        return 1


class Granary(Resource):
    client: str

    def identity(self) -> str:
        return self.client

    async def define_update(self) -> None:
        await self.do("stock", FillUp(client=self.client))


class Granaries(Tenants[Granary]):
    source: ClassVar[Source] = ListSource(CLIENTS)
    rollout: ClassVar[Rollout] = Rollout(waves=["1", "25%", "100%"], max_concurrency=CONCURRENCY, failure_tolerance="1")

    def stack(self, tenant: Tenant) -> Granary:
        return Granary(client=tenant.id)
