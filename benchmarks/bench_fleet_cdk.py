"""A preview of a fleet whose stacks are made with the CDK, in three variants: each is synthesised once.

    python -m benchmarks.bench_fleet_cdk [folder] [tenants]

Each tenant has an account of its own in an offline AWS, which runs as another process. Before the first roll-out, when
there is nothing to compare with; a preview of what stands is as many calls more.
"""

import asyncio
import os
import sys
import time
from pathlib import Path
from typing import ClassVar

import aws_cdk as cdk
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_sqs as sqs

from benchmarks.bench_accounts import offline, targets_of
from benchmarks.measures import Bar, Table, folder_of
from orbits_aws import AwsTarget
from orbits_cdk import CdkStack
from orbits_iac import Orbits, Outputs, Resource, Settings
from orbits_tenants import FunctionSource, Rollout, Source, Tenant, Tenants

TENANTS = 1_000
VARIANTS = ("small", "medium", "large")


class Run:
    """What this run is of, and what it counts: plain values of a module would be sources of its stacks."""

    targets: ClassVar[list[AwsTarget]] = []
    syntheses: ClassVar[int] = 0


class Made(Outputs):
    """What a tenant's stack publishes."""

    table: str
    queue: str


class Store(CdkStack[Made]):
    """A table and a queue."""

    variant: str

    def define_stack(self, stack: cdk.Stack) -> Made:
        """Make them."""
        Run.syntheses += 1
        key = dynamodb.Attribute(name="id", type=dynamodb.AttributeType.STRING)
        table = dynamodb.Table(stack, "Table", partition_key=key, removal_policy=cdk.RemovalPolicy.DESTROY)
        queue = sqs.Queue(stack, "Queue", visibility_timeout=cdk.Duration.seconds(30 + len(self.variant)))
        return Made(table=table.table_name, queue=queue.queue_url)


class Shopkeeper(Resource):
    """One tenant."""

    client: str
    variant: str

    def identity(self) -> str:
        return self.client

    async def define_update(self) -> None:
        await self.do("store", Store(variant=self.variant))


def clients() -> list[Tenant]:
    """Each in an account of its own."""
    return [
        Tenant(id=f"client{number:05}", targets=(target,), labels={"variant": VARIANTS[number % len(VARIANTS)]})
        for number, target in enumerate(Run.targets)
    ]


class Shopkeepers(Tenants[Shopkeeper]):
    """All of them."""

    source: ClassVar[Source] = FunctionSource(clients)
    rollout: ClassVar[Rollout] = Rollout(waves=["1", "100%"])

    def stack(self, tenant: Tenant) -> Shopkeeper:
        return Shopkeeper(client=tenant.id, variant=tenant.labels["variant"])


async def _previewed(folder: str) -> int:
    async with Orbits(Settings(store=f"sqlite:{folder}/fleet.db"), work=False) as orbits:
        return len((await orbits.preview(Shopkeepers())).root.below)


def main() -> None:
    """Make the accounts, preview, and print a table."""
    tenants = int(sys.argv[2]) if len(sys.argv) > 2 else TENANTS
    with folder_of(sys.argv) as folder, offline() as aws:
        os.chdir(folder)  # where syntheses are kept
        table = Table("fleet_cdk", Path(folder))
        Run.targets.extend(targets_of(aws, tenants))
        start, computed = time.perf_counter(), time.process_time()
        previewed = asyncio.run(_previewed(folder))
        took, computed = time.perf_counter() - start, time.process_time() - computed
        if previewed != tenants:
            raise SystemExit(f"{previewed} of {tenants} were previewed")
        table.add(f"a preview of {tenants:,} tenants' CDK stacks, in {len(VARIANTS)} variants", took, "s", Bar(60))
        table.add("    processor time of each tenant", computed / tenants * 1e3, "ms")
        table.add("    syntheses", Run.syntheses, "", Bar(len(VARIANTS)))
        os.chdir("/")
        if tenants == TENANTS:
            table.write()


if __name__ == "__main__":
    main()
