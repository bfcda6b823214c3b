"""What an account costs that AWS is called in: 1,000 accounts, each with three services, through the shared clients.

    python -m benchmarks.bench_accounts [folder] [accounts]

The offline AWS answers from a process of its own, so that the time counted here is what this process works: signing,
sending, parsing, and a role assumed for each account. Beside it a client for each account and service, as one would
write it with boto3 alone, for a sample of the accounts. At last what the governor makes of a service that throttles.
"""

import gc
import os
import subprocess
import sys
import time
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3

from benchmarks.measures import Bar, Table, folder_of
from orbits_aws import AwsTarget, OfflineAws, client, testing
from orbits_aws.clients import GOVERNOR
from orbits_aws.errors import AwsUnavailable
from orbits_aws.governor import Governor, LocalRates, Rates, Where
from orbits_iac.dispatch.garbage import collect_new_alone

ACCOUNTS = 1000
SAMPLE = 20
THROTTLED = 300
REGION = "eu-west-1"
CALLS: Sequence[tuple[str, str]] = (
    ("sqs", "list_queues"),
    ("dynamodb", "list_tables"),
    ("cloudformation", "list_exports"),
)


def main() -> None:
    """Make the accounts, call each, and print a table."""
    accounts = int(sys.argv[2]) if len(sys.argv) > 2 else ACCOUNTS
    with folder_of(sys.argv) as folder, offline() as aws:
        table = Table("accounts", Path(folder))
        targets = targets_of(aws, accounts)
        collect_new_alone()  # as `orbits worker` does
        shared_ms, shared_mb = _cost(targets, _shared)
        table.add(f"{accounts:,} accounts, three services: CPU each", shared_ms, "ms", Bar(15))
        table.add(f"{accounts:,} accounts, three services: memory each", shared_mb, "MB", Bar(1))
        again, _ = _cost(targets, _shared)
        table.add("of which without its session and the clients: a second time", again, "ms")
        table.add("the governor, for a call that is not throttled", _admitted(targets), "us", Bar(20))
        held: list[Any] = []
        own_ms, own_mb = _cost(targets[:SAMPLE], lambda target: held.append(_own(target)))
        table.add(f"a client an account and service ({SAMPLE} accounts): CPU each", own_ms, "ms")
        table.add(f"a client an account and service ({SAMPLE} accounts): memory each", own_mb, "MB")
        table.add("times the CPU", own_ms / shared_ms, "times")
        table.add("times the memory", own_mb / max(shared_mb, 1e-3), "times")
        aws.throttle("sqs", rate=20, burst=20)
        said = f"{THROTTLED} calls, 20 a second let through: throttled"
        for name, rates in (("", LocalRates()), (", no governor", _Unlimited())):
            throttled, failed = _throttled(aws, targets[0], rates)
            table.add(f"{said}{name}", throttled, "calls", None if name else Bar(THROTTLED / 5))
            table.add(f"of which failed in the end{name}", failed, "calls", None if name else Bar(0))
        if accounts == ACCOUNTS:
            table.write()


@contextmanager
def offline() -> Generator[OfflineAws]:
    """An offline AWS as a program, which the environment points to."""
    program = [sys.executable, "-m", "orbits_aws.offline"]
    with subprocess.Popen(program, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None  # noqa: S101 - for the checkers: it is a pipe
            url = process.stdout.readline().strip()
            os.environ.update(
                AWS_ACCESS_KEY_ID=testing.MANAGEMENT,
                AWS_DEFAULT_REGION=REGION,
                AWS_ENDPOINT_URL=url,
                AWS_SECRET_ACCESS_KEY="offline",  # noqa: S106 - nothing checks it
            )
            with OfflineAws.attach(url) as aws:
                yield aws
        finally:
            process.terminate()


def targets_of(aws: OfflineAws, accounts: int) -> list[AwsTarget]:
    """As many accounts, new in an organization."""
    organizations = aws.client("organizations", account=testing.MANAGEMENT)
    made = (
        organizations.create_account(AccountName=f"client{number}", Email=f"client{number}@agency.example")
        for number in range(accounts)
    )
    return [AwsTarget(account=one["CreateAccountStatus"]["AccountId"], region=REGION) for one in made]


def _cost(targets: Sequence[AwsTarget], call: Callable[[AwsTarget], None]) -> tuple[float, float]:
    """CPU milliseconds and megabytes that each target took."""
    before, start = _resident(), time.process_time()
    for target in targets:
        call(target)
    took = time.process_time() - start
    return took / len(targets) * 1e3, (_resident() - before) / len(targets) / 1e6


def _admitted(targets: Sequence[AwsTarget], calls: int = 100_000) -> float:
    governor, places = Governor(LocalRates()), [Where(target.account, REGION, "sqs") for target in targets]
    start = time.process_time()
    for number in range(calls):
        governor.admit(places[number % len(places)], "ListQueues")
    return (time.process_time() - start) / calls * 1e6


class _Unlimited(Rates):
    """As if there were no governor."""

    def reserve(self, where: Where, operation: str) -> float:
        return 0.0

    def throttled(self, where: Where, age: float) -> None:
        pass


def _throttled(aws: OfflineAws, target: AwsTarget, rates: Rates) -> tuple[int, int]:
    """How many of the calls were throttled, and how many failed after all repetitions."""
    GOVERNOR.rates = rates
    before = len(aws.calls("sqs"))

    def fails(_: int) -> bool:
        try:
            client("sqs", target).list_queues()
        except AwsUnavailable:
            return True
        return False

    with ThreadPoolExecutor(16) as pool:
        failed = sum(pool.map(fails, range(THROTTLED)))
    return sum(call.error is not None for call in aws.calls("sqs")[before:]), failed


def _shared(target: AwsTarget) -> None:
    for service, operation in CALLS:
        getattr(client(service, target), operation)()


def _own(target: AwsTarget) -> list[Any]:
    arn = f"arn:aws:iam::{target.account}:role/{target.role}"
    keys = boto3.client("sts", region_name=REGION).assume_role(RoleArn=arn, RoleSessionName="bench")["Credentials"]
    session: Any = boto3.session.Session(
        keys["AccessKeyId"], keys["SecretAccessKey"], keys["SessionToken"], region_name=REGION
    )
    clients = [session.client(service) for service, _ in CALLS]
    for made, (_, operation) in zip(clients, CALLS, strict=True):
        getattr(made, operation)()
    return clients


def _resident() -> int:
    gc.collect()
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


if __name__ == "__main__":
    main()
