"""What a tenth of a fleet, poisoned in ten ways, costs the healthy tenants: beside the same fleet without poison.

Each tenant has an account of its own in an offline AWS, which is a program of its own, and makes a queue there. Fleets
with and without poison are rolled out in turns, by one process, each time on a new file of SQLite and on accounts as
they were at first; what is compared is how long the same healthy tenants took, from when they were asked for until they
had ended. What has to run in processes of its own does, with a limit of memory, and gives way to the others. Each
tenant waits for a second besides, as one does for a cloud: where all only compute, what is compared is who gets the
processor.

python -m benchmarks.bench_isolation [folder] [tenants] [pairs]
"""

import asyncio
import resource
import statistics
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.bench_accounts import offline, targets_of
from benchmarks.measures import Bar, Table, folder_of
from benchmarks.poisoned import HUNG, POISONS, Market, poison_accounts
from orbits_aws.clients import client, forget_rates
from orbits_iac import Orbits, Settings
from orbits_iac.dispatch.garbage import collect_new_alone
from orbits_iac.model.rows import ExecutionRow
from orbits_tenants import ListSource, Tenant
from orbits_tenants.report import TenantState

TENANTS = 1_000
PAIRS = 5
SECONDS = 1.0  # that each tenant waits
EVERY = 10  # the share of the poisoned: one of so many
COMES_OF = {
    "": TenantState.UPDATED,
    "throttled": TenantState.UPDATED,  # slow, no more
    "credentials": TenantState.UNREACHABLE,
}
"""What comes of a poison, and of none; of all others, that the tenant is back where it was."""


@dataclass(frozen=True)
class Rolled:
    """One roll-out."""

    healthy: Sequence[float]  # seconds that each healthy tenant took
    until: float  # seconds until the last healthy one had ended
    computed: float  # seconds of processor time of this process
    wrong: Sequence[str]  # tenants that ended otherwise than they should

    def at(self, share: float) -> float:
        """The time within which this share of the healthy ended."""
        return sorted(self.healthy)[min(len(self.healthy) - 1, int(len(self.healthy) * share))]


async def main() -> None:
    """Roll out, compare, print a table, and keep it."""
    tenants = int(sys.argv[2]) if len(sys.argv) > 2 else TENANTS
    pairs = int(sys.argv[3]) if len(sys.argv) > 3 else PAIRS
    with folder_of(sys.argv) as folder:
        table = Table("isolation", Path(folder))
        collect_new_alone()  # as `orbits worker` does
        await _rolled(Path(folder), "warm", tenants // 10, poisoned=True)
        found: dict[bool, list[Rolled]] = {False: [], True: []}
        for pair in range(pairs):
            for poisoned in (False, True) if pair % 2 else (True, False):
                found[poisoned].append(await _rolled(Path(folder), f"{pair} {poisoned}", tenants, poisoned=poisoned))
        _tell(table, found[False], found[True], tenants)
        if (tenants, pairs) == (TENANTS, PAIRS):
            table.write()


def _tell(table: Table, clean: Sequence[Rolled], poisoned: Sequence[Rolled], tenants: int) -> None:
    wrong = [name for one in (*clean, *poisoned) for name in one.wrong]
    table.add(f"{tenants:,} tenants, a tenth poisoned: that ended otherwise than they should", len(wrong), "", Bar(0))
    for share, name in ((0.5, "median"), (0.99, "p99")):
        without, with_ = (statistics.median(one.at(share) for one in runs) for runs in (clean, poisoned))
        table.add(f"a healthy tenant, none poisoned: {name}", without * 1e3, "ms")
        table.add(f"a healthy tenant, a tenth poisoned: {name}", with_ * 1e3, "ms")
        ratio = statistics.median(b.at(share) / a.at(share) for a, b in zip(clean, poisoned, strict=True))
        table.add(f"    to that without, in pairs: {name}", ratio, "times", Bar(1.05) if share > 0.9 else None)
    for runs, name in ((clean, "none poisoned"), (poisoned, "a tenth poisoned")):
        table.add(f"the last healthy one has ended, {name}", statistics.median(one.until for one in runs), "s")
        table.add("    processor time of the worker", statistics.median(one.computed for one in runs), "s")
    if wrong:
        raise SystemExit(f"otherwise than they should: {', '.join(wrong[:5])}")


async def _rolled(folder: Path, name: str, tenants: int, *, poisoned: bool) -> Rolled:
    """Roll a fleet out on a new store, in an AWS in which nothing is yet."""
    with offline() as aws:
        targets = targets_of(aws, tenants)
        people = [
            Tenant(id=f"t{number}", targets=(target,), labels={"poison": _poison(number)} if poisoned else {})
            for number, target in enumerate(targets)
        ]
        forget_rates()
        client("sqs", targets[1]).list_queues()  # makes the clients, whose account is one of the healthy
        poison_accounts(aws, people)
        Market.source = ListSource(people)
        healthy = {f"t{number}" for number in range(tenants) if not _poison(number)}
        left, ends = set(healthy), list[float]()

        def ended(row: ExecutionRow) -> None:
            if row.identity in left:
                left.discard(row.identity or "")
                ends.append(time.perf_counter())
                if not left:
                    HUNG.set()

        HUNG.clear()
        async with Orbits(Settings(store=f"sqlite:{folder / f'{name}.db'}")) as orbits:
            orbits.engine.on_end(ended)
            start, computed = time.perf_counter(), _computed()
            report = await orbits.run(Market(seconds=SECONDS, queues=True))
            rows = await orbits.store.find(ExecutionRow, kind="PoisonedStall")
        return Rolled(
            healthy=[_took(row) for row in rows if row.command == "update" and row.identity in healthy],
            until=max(ends) - start,
            computed=_computed() - computed,
            wrong=[
                f"{person.id} {report.tenants[person.id].state}"
                for person in people
                if report.tenants[person.id].state
                is not COMES_OF.get(person.labels.get("poison", ""), TenantState.REVERTED)
            ],
        )


def _poison(number: int) -> str:
    """That of a tenant in a fleet with poison; empty for who is healthy there, too."""
    return "" if number % EVERY else POISONS[number // EVERY % len(POISONS)]


def _took(row: ExecutionRow) -> float:
    return (row.ended_at or 0) - row.created_at


def _computed() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    asyncio.run(main())
