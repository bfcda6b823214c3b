"""A fleet of small stacks, in which any tenant can be poisoned in ten ways.

A tenant's label `poison` names the way; without one it is healthy. Healthy tenants do the same as in a fleet without
poison: a few steps, on the event loop and in a thread, and a queue in an account where `queues` says so. The poisons
that end or block their process, or take its memory, stand in Actions of their own: they are contained where those run
in processes of their own (`CONTAINED`). Two are done to the accounts where there are some (`poison_accounts`).
"""

import asyncio
import os
import signal
import threading
import time
from collections.abc import Sequence
from datetime import timedelta
from typing import ClassVar

from orbits_aws import AwsTarget, OfflineAws, Queue
from orbits_iac import Action, NothingDone, Options, Permanent, Resource, Retry
from orbits_iac.executors import Subprocess
from orbits_tenants import ListSource, Rollout, Source, Tenant, Tenants

MEGABYTE = 1_000_000
LIMIT = 700 * MEGABYTE  # of address space, for what is contained
CONTAINED = Subprocess(memory=LIMIT, nice=19)
LET_THROUGH = 0.5  # calls a second, by an account that throttles
TIMEOUT = timedelta(seconds=0.3)  # of a step that hangs
ENOUGH = timedelta(seconds=1)  # of all attempts at one that is retried for ever

ALIVE = ("failure", "hang", "retry", "throttled", "credentials", "slow")
"""What a process survives, with all else that it does."""
DEADLY = ("result", "exit", "crash", "memory")
"""What ends it, or holds up its other threads: in a process of its own."""
POISONS = (*ALIVE, *DEADLY)
OF_ACCOUNTS = ("throttled", "credentials")
"""What is wrong with an account, where a tenant has one, and not with its stack."""


class QuickSum(Action[int]):
    """On the event loop."""

    options = Options(idempotent=True)
    number: int

    async def main(self) -> int:
        await asyncio.sleep(0)
        return self.number + 1


class SlowDeploy(Action[int]):
    """Waits, as one does for a cloud, and computes nothing."""

    options = Options(idempotent=True)
    seconds: float

    async def main(self) -> int:
        await asyncio.sleep(self.seconds)
        return 0


class SumInThread(Action[int]):
    """In a thread."""

    options = Options(idempotent=True)
    number: int

    def main(self) -> int:
        return self.number + 1


class Poison(Action[str]):
    """Does what it is called, in this process."""

    options = Options(idempotent=True)
    way: str

    def main(self) -> str:
        match self.way:
            case "failure":
                raise Permanent("the door is stuck")
            case "credentials":
                raise PermissionError("InvalidClientTokenId: the security token is invalid")
            case "hang":
                HUNG.wait(3600)
                time.sleep(TIMEOUT.total_seconds())  # though the others were sooner than its time limit
                return "late"
            case "slow":
                time.sleep(TIMEOUT.total_seconds() * 2)  # longer than it may, and ends by itself
                return "late"
            case _:
                pass
        raise AssertionError(self.way)


class RetriedForEver(Action[str]):
    """Fails again and again, and would be tried for ever."""

    options = Options(
        idempotent=True,
        deadline=ENOUGH,
        retry=Retry(attempts=1_000_000, delay=timedelta(milliseconds=100), factor=1, on=(NothingDone,)),
    )
    way: str

    async def main(self) -> str:
        raise NothingDone("Throttling: Rate exceeded" if self.way == "throttled" else "come again")


class Deadly(Action[str]):
    """Ends its process, or takes its memory."""

    options = Options(idempotent=True, executor=CONTAINED)
    way: str

    def main(self) -> str:
        match self.way:
            case "result":
                return "x" * (100 * MEGABYTE)
            case "exit":
                os._exit(3)
            case "crash":
                os.kill(os.getpid(), signal.SIGSEGV)
            case "memory":
                return str(len(bytearray(LIMIT)))
            case _:
                pass
        raise AssertionError(self.way)


class PoisonedStall(Resource[None]):
    """One tenant's."""

    client: str
    poison: str = ""
    seconds: float = 0.0
    queue: bool = False

    def identity(self) -> str:
        return self.client

    async def define_update(self) -> None:
        number = await self.do("add", QuickSum(number=0))
        if self.seconds:
            await self.do("deploy", SlowDeploy(seconds=self.seconds))
        if self.queue:
            await self.do("orders", Queue(name="orders"))
        if self.queue and self.poison in OF_ACCOUNTS:
            pass  # the queue came too late, or not at all
        elif self.poison in DEADLY:
            await self.do("poison", Deadly(way=self.poison))
        elif self.poison in ("retry", "throttled"):
            await self.do("poison", RetriedForEver(way=self.poison))
        elif self.poison in ("hang", "slow"):
            await self.do("poison", Poison(way=self.poison), timeout=TIMEOUT)
        elif self.poison:
            await self.do("poison", Poison(way=self.poison))
        for step in range(3):
            number = await self.do("more", SumInThread(number=number), key=str(step))


class Market(Tenants[PoisonedStall]):
    """The fleet."""

    source: ClassVar[Source] = ListSource(["healthy"])
    rollout: ClassVar[Rollout] = Rollout(waves=["100%"], max_concurrency=50, on_failure="continue")

    seconds: float = 0.0  # that each tenant waits for its cloud
    queues: bool = False  # each has one, in its own account

    def stack(self, tenant: Tenant) -> PoisonedStall:
        poison = tenant.labels.get("poison", "")
        return PoisonedStall(client=tenant.id, poison=poison, seconds=self.seconds, queue=self.queues)


def poison_accounts(aws: OfflineAws, tenants: Sequence[Tenant]) -> None:
    """Poison the accounts of those whose poison is one of `OF_ACCOUNTS`."""
    for tenant in tenants:
        [account] = (target.account for target in tenant.targets if isinstance(target, AwsTarget))
        if tenant.labels.get("poison") == "throttled":
            aws.throttle("sqs", rate=LET_THROUGH, burst=1, account=account)
        elif tenant.labels.get("poison") == "credentials":
            aws.fail("sts", "AssumeRole", code="AccessDenied", resource=account, times=None)


HUNG = threading.Event()
"""Set when the run is over: a thread cannot be ended otherwise."""
