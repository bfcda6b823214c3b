"""A fleet of tenants of five services each, of which nothing has to be done: what is left is what Orbits itself costs.

    python -m benchmarks.bench_fleet [folder] [tenants]
    python -m benchmarks.bench_fleet full [folder]

Of the first, each part is a process of its own, on one SQLite file: a first roll-out, one in which nothing has changed,
one in which everything is looked at, a preview, and a cycle. The first roll-out is also made of a quarter of the
tenants, to see what grows with them. The second is the cycle of 50,000 units by one worker, whose records are written
into the store as a first roll-out leaves them.
"""

import asyncio
import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

from benchmarks.measures import Bar, Table, folder_of
from benchmarks.stores import fill
from orbits_iac import Orbits, Outputs, Resource, Settings
from orbits_iac.dispatch.garbage import collect_new_alone
from orbits_iac.model.rows import Child, RecordRow, RevisionRow, Row
from orbits_tenants import FunctionSource, Rollout, Source, Tenant, Tenants

TENANTS = 1_000
SERVICES = ("network", "database", "storage", "backend", "frontend")
VARIANTS = ("small", "medium", "large")
UNITS = 50_000  # units that are cycled in 22 minutes by one worker, and in 1 GiB
MINUTES = 22


class Address(Outputs):
    """What a service publishes."""

    url: str


class Service(Resource[Address]):
    """There is nothing to do for it."""

    client: str
    name: str
    variant: str

    async def define_update(self) -> Address:
        return Address(url=f"https://{self.name}.{self.client}.example")


class Client(Resource):
    """One tenant's services, all at once."""

    client: str
    variant: str

    def identity(self) -> str:
        return self.client

    async def define_update(self) -> None:
        await asyncio.gather(
            *(self.do(name, Service(client=self.client, name=name, variant=self.variant)) for name in SERVICES)
        )


def clients() -> list[Tenant]:
    """As many as the environment says."""
    return [
        Tenant(id=f"client{number:05}", labels={"variant": VARIANTS[number % len(VARIANTS)]})
        for number in range(int(os.environ["TENANTS"]))
    ]


class Fleet(Tenants[Client]):
    """All of them."""

    source: ClassVar[Source] = FunctionSource(clients)
    rollout: ClassVar[Rollout] = Rollout(waves=["1", "10%", "100%"], max_concurrency=32)

    def stack(self, tenant: Tenant) -> Client:
        return Client(client=tenant.id, variant=tenant.labels["variant"])


async def _roll_out(orbits: Orbits) -> str:
    return (await orbits.run(Fleet())).summary


async def _forced(orbits: Orbits) -> str:
    return (await orbits.run(Fleet(), force=True)).summary


async def _preview(orbits: Orbits) -> str:
    plan = await orbits.preview(Fleet())
    return f"{len(plan.root.below)} previewed"


async def _written(orbits: Orbits) -> str:
    await orbits.register_build()
    await fill(orbits.store, _records(orbits.engine.build))
    return "written"


def _records(build: str) -> Iterator[Row]:
    """What a first roll-out leaves."""
    made = partial(_record, build)
    everybody = clients()
    for tenant in everybody:
        me, variant = f"Client {tenant.id}", tenant.labels["variant"]
        for name in SERVICES:
            argument = {"client": tenant.id, "name": name, "variant": variant}
            yield from made("Service", f"{me}/{name}", argument, (), user=me, tenant=tenant.id)
        below = tuple(_child(name, "Service", f"{me}/{name}", owned=True) for name in SERVICES)
        argument = {"client": tenant.id, "variant": variant}
        yield from made("Client", tenant.id, argument, below, user="Fleet Fleet", tenant=tenant.id)
    stacks = tuple(_child(f"tenant[{tenant.id}]", "Client", tenant.id, owned=False) for tenant in everybody)
    yield from made("Fleet", "Fleet", {}, stacks, user="direct", tenant=None)


def _record(
    build: str, kind: str, identity: str, argument: object, children: tuple[Child, ...], user: str, tenant: str | None
) -> Iterator[Row]:
    text = json.dumps(argument)
    yield RecordRow(
        kind=kind,
        identity=identity,
        revision=1,
        last_number=1,
        children=children,
        users=(user,),
        tenant=tenant,
        build=build,
    )
    yield RevisionRow(kind=kind, identity=identity, number=1, argument=text, children=children, build=build)


def _child(ref: str, kind: str, identity: str, *, owned: bool) -> Child:
    return Child(ref=ref, kind=kind, identity=identity, owned=owned, revision=1)


async def _cycle(orbits: Orbits) -> str:
    await orbits.record(Fleet, "Fleet").cycle()
    return "cycled"


PARTS: Mapping[str, Callable[[Orbits], Awaitable[str]]] = {
    "first": _roll_out,
    "unchanged": _roll_out,
    "forced": _forced,
    "preview": _preview,
    "cycle": _cycle,
    "written": _written,
}


async def part(name: str, address: str) -> None:
    """One part, in this process; prints what it took."""
    collect_new_alone()  # as `orbits worker` does
    async with Orbits(Settings(store=address)) as orbits:
        empty, start, computed = _peak(), time.perf_counter(), time.process_time()
        said = await PARTS[name](orbits)
        took, computed = time.perf_counter() - start, time.process_time() - computed
    print(json.dumps({"took": took, "cpu": computed, "empty": empty, "peak": _peak(), "said": said}))


def _peak() -> float:
    """Megabytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3


def measured(name: str, address: str, tenants: int, expect: str) -> dict[str, float]:
    """What a part took in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.bench_fleet", name, address]
    environment = {**os.environ, "TENANTS": str(tenants)}
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=True, text=True)
    found: dict[str, Any] = json.loads(done.stdout)
    if found.pop("said") != expect:
        raise SystemExit(f"{name}: {done.stdout}")
    return found


def whole(folder: str) -> None:
    """The cycle of 50,000 units."""
    table, address, tenants = Table("fleet_whole", Path(folder)), f"sqlite:{folder}/fleet.db", UNITS // len(SERVICES)
    measured("written", address, tenants, "written")
    _cycled(table, address, tenants)
    table.write()


def _cycled(table: Table, address: str, tenants: int) -> None:
    units = tenants * len(SERVICES)
    cycle = measured("cycle", address, tenants, "cycled")
    bar = Bar(MINUTES * 60 * units / UNITS)
    table.add(f"a cycle with nothing to do, {units:,} units of {tenants:,} tenants", cycle["took"], "s", bar)
    table.add("    processor time of each unit", cycle["cpu"] / units * 1e3, "ms")
    table.add("    peak memory", cycle["peak"], "MB", Bar(1024))


def main() -> None:
    """Measure, print a table, and keep it."""
    tenants = int(sys.argv[2]) if len(sys.argv) > 2 else TENANTS
    with folder_of(sys.argv) as folder:
        table, address = Table("fleet", Path(folder)), f"sqlite:{folder}/fleet.db"
        few = measured(
            "first", f"sqlite:{folder}/few.db", tenants // 4, f"{tenants // 4:,} tenants: {tenants // 4} updated"
        )
        first = measured("first", address, tenants, f"{tenants:,} tenants: {tenants} updated")
        table.add(f"first roll-out of {tenants:,} tenants of {len(SERVICES)} services", first["took"], "s", Bar(60))
        table.add("    processor time of each tenant", first["cpu"] / tenants * 1e3, "ms")
        table.add("    to that in a fleet of a quarter", first["cpu"] / few["cpu"] / 4, "times", Bar(1.2))
        table.add("    peak memory over an idle process", first["peak"] - first["empty"], "MB")
        table.add("    of which each tenant beyond a quarter", _each(first, few, tenants), "kB")
        unchanged = measured("unchanged", address, tenants, f"{tenants:,} tenants: {tenants} unchanged")
        table.add("one in which nothing has changed", unchanged["took"], "s", Bar(10))
        forced = measured("forced", address, tenants, f"{tenants:,} tenants: {tenants} unchanged")
        table.add("the same with --force: every tenant is looked at", forced["took"], "s")
        preview = measured("preview", address, tenants, f"{tenants} previewed")
        table.add(f"a preview of it, with {len(VARIANTS)} variants", preview["took"], "s", Bar(60))
        _cycled(table, address, tenants)
        if tenants == TENANTS:
            table.write()


def _each(many: dict[str, float], few: dict[str, float], tenants: int) -> float:
    more = (many["peak"] - many["empty"]) - (few["peak"] - few["empty"])
    return more * 1e3 / (tenants - tenants // 4)


if __name__ == "__main__":
    if len(sys.argv) > 2 and sys.argv[1] in PARTS:
        asyncio.run(part(sys.argv[1], sys.argv[2]))
    elif sys.argv[1:2] == ["full"]:
        with folder_of(sys.argv[1:]) as name:
            whole(name)
    else:
        main()
