"""The governor: all that call one service of an account slow down together, and nothing uncertain is changed."""

from collections.abc import Callable, Generator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from orbits_aws import AwsTarget, OfflineAws, client
from orbits_aws.clients import GOVERNOR
from orbits_aws.errors import AwsUnavailable
from orbits_aws.governor import GROWTH, LOOKS, REST, SLOWEST, LocalRates, Rates, Where
from orbits_aws.known_rates import KNOWN, UNLIMITED
from orbits_aws.offline.calls import is_write
from orbits_aws.reads import is_read
from orbits_iac import ExecutionFailed, Orbits, Resource, action
from orbits_iac.dispatch.sharing import Sharing
from orbits_iac.engine import attempts
from orbits_iac.model.ids import WorkerId
from orbits_iac.model.rows import EntryRow, WorkerRow
from orbits_iac.provider import Shared
from orbits_iac.store import open_store
from orbits_iac.store.contract import Transaction

SQS = Where("111111111111", "eu-west-1", "sqs")


class Time:
    """A clock that is moved."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def rates(time: Time) -> LocalRates:
    return LocalRates(time)


def call(rates: LocalRates, time: Time, count: int, *, every: float, where: Where = SQS) -> list[float]:
    """The waits of so many calls, one after so many seconds each."""
    waits = []
    for _ in range(count):
        waits.append(rates.reserve(where, "ListQueues"))
        time.now += every
    return waits


def test_nobody_waits_where_nothing_was_throttled(rates: LocalRates, time: Time) -> None:
    assert set(call(rates, time, 1000, every=0.001)) == {0.0}


def test_a_throttled_service_rests_and_goes_on_more_slowly_for_all(rates: LocalRates, time: Time) -> None:
    call(rates, time, 20, every=0.1)  # ten a second
    rates.throttled(SQS, 0.05)
    waits = call(rates, time, 3, every=0)
    assert waits[0] == pytest.approx(REST)
    assert waits[1] - waits[0] == pytest.approx(1 / 7, rel=0.1)  # seven a second
    assert waits[2] > waits[1]


def test_other_accounts_regions_and_services_go_on(rates: LocalRates, time: Time) -> None:
    rates.throttled(SQS, 0.05)
    for other in (SQS._replace(account="2"), SQS._replace(region="us-east-1"), SQS._replace(service="sns")):
        assert rates.reserve(other, "List") == 0


def test_calls_that_were_under_way_at_a_cut_make_no_second_one(rates: LocalRates, time: Time) -> None:
    call(rates, time, 20, every=0.1)
    rates.throttled(SQS, 0.05)
    first = rates.reserve(SQS, "ListQueues")
    time.now += 0.2
    for _ in range(30):
        rates.throttled(SQS, 0.3)  # they had their places before the cut
    assert rates.reserve(SQS, "ListQueues") == pytest.approx(first - 0.2 + 1 / 7, rel=0.1)


def test_the_rate_recovers_with_time_and_the_limit_is_forgotten(rates: LocalRates, time: Time) -> None:
    call(rates, time, 20, every=0.1)
    rates.throttled(SQS, 0.05)
    time.now += 0.3 / GROWTH  # it is ten a second again
    waits = call(rates, time, 3, every=0)
    assert waits[0] == 0
    assert waits[1] == pytest.approx(0.1, rel=0.1)
    time.now += 30
    assert set(call(rates, time, 100, every=0)) == {0.0}


def test_where_others_call_too_a_single_call_that_is_throttled_costs_little(rates: LocalRates, time: Time) -> None:
    rates.reserve(SQS, "ListQueues")
    rates.throttled(SQS, 0.05)
    time.now += REST
    waits = call(rates, time, 2, every=0)
    assert waits[1] <= 1 / 3


def test_it_never_gets_slower_than_the_slowest(rates: LocalRates, time: Time) -> None:
    for _ in range(20):
        time.now += 10
        rates.reserve(SQS, "ListQueues")
        rates.throttled(SQS, 0)
    time.now += REST
    waits = call(rates, time, 32, every=0)
    assert waits == sorted(waits)  # each has its place, in the order in which they came
    assert waits[-1] <= 32 / SLOWEST


def test_what_aws_publishes_is_kept_to_from_the_beginning(rates: LocalRates, time: Time) -> None:
    trail = Where("1", "eu-west-1", "cloudtrail")
    waits = [rates.reserve(trail, "LookupEvents") for _ in range(4)]
    assert waits == [0, 0, 0.5, 1.0]
    assert rates.reserve(trail, "DescribeTrails") == 0
    functions = Where("1", "eu-west-1", "lambda")
    planned = [rates.reserve(functions, "CreateFunction" if n % 2 else "UpdateFunctionCode") for n in range(17)]
    assert planned[14] == 0
    assert planned[16] > planned[15] > 0
    assert rates.reserve(functions, "Invoke") == 0


class Others:
    """What is known of other workers."""

    def __init__(self) -> None:
        self.known = Shared()
        self.told: list[tuple[str, float | None]] = []

    def __call__(self, bucket: str, rate: float | None) -> Shared:
        self.told.append((bucket, rate))
        return self.known


def test_what_aws_publishes_is_divided_by_the_workers_that_might_call(time: Time) -> None:
    others, trail = Others(), Where("1", "eu-west-1", "cloudtrail")
    rates = LocalRates(time, shared=others)
    others.known = Shared(workers=1, most=4)
    assert [rates.reserve(trail, "LookupEvents") for _ in range(3)] == [0, 2, 4]
    assert others.told[-1] == ("aws 1 eu-west-1 cloudtrail:LookupEvents", 2)
    others.known = Shared()
    time.now += 100
    assert [rates.reserve(trail, "LookupEvents") for _ in range(4)] == [0, 0, 0.5, 1.0]


def test_who_comes_where_others_were_throttled_begins_with_its_part(time: Time) -> None:
    others = Others()
    rates = LocalRates(time, shared=others)
    others.known = Shared(workers=3, most=3, rate=8.0)
    waits = call(rates, time, 4, every=0)
    assert waits == pytest.approx([0, 3 / 8, 6 / 8, 9 / 8], abs=0.001)
    assert others.told[0] == ("aws 111111111111 eu-west-1 sqs", None)
    assert others.told[-1][1] == pytest.approx(8 / 3)


def test_who_goes_leaves_its_part_to_the_others(time: Time) -> None:
    others = Others()
    rates = LocalRates(time, shared=others)
    others.known = Shared(workers=2, most=2)
    call(rates, time, 20, every=0.1)
    rates.throttled(SQS, 0.05)
    call(rates, time, 1, every=0)
    (before,) = {rate for _, rate in others.told[-1:]}
    others.known = Shared()
    call(rates, time, 2, every=0)
    assert others.told[-1][1] == pytest.approx(2 * (before or 0))


def test_what_is_not_used_any_more_takes_no_memory(
    rates: LocalRates, time: Time, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("orbits_aws.governor._PURGED_AT", 10)
    for number in range(100):
        time.now += 61
        rates.reserve(Where(str(number), "r", "cloudtrail"), "LookupEvents")
    assert len(rates._paces) <= 10
    assert len(rates._known) <= 10


def test_cycles_keep_to_half_of_what_a_service_takes_and_nobody_waits_for_those_that_wait(
    rates: LocalRates, time: Time
) -> None:
    assert [rates.look(SQS, "ListQueues") for _ in range(100)] == [0.0] * 100
    call(rates, time, 20, every=0.1)  # ten a second
    rates.throttled(SQS, 0.05)
    time.now += REST
    limit = 10 * (0.7 + GROWTH * REST)
    waits = [rates.look(SQS, "ListQueues") for _ in range(50)]
    assert [later - earlier for earlier, later in pairwise(waits)] == pytest.approx([1 / (limit * LOOKS)] * 49, rel=0.1)
    assert rates.reserve(SQS, "ListQueues") == pytest.approx(0, abs=0.01)


def test_cycles_keep_to_half_of_what_is_published(rates: LocalRates) -> None:
    logs = SQS._replace(service="logs")
    assert [rates.look(logs, "DescribeLogGroups") for _ in range(4)] == pytest.approx([0, 0.2, 0.4, 0.6])
    assert rates.look(logs, "FilterLogEvents") == 0
    assert rates.reserve(logs, "DescribeLogGroups") == 0


class Looker:
    """A worker whose cycles call one account, whatever the service, as fast as they may."""

    def __init__(self, time: Time, sharing: Sharing, begins: float) -> None:
        self.rates = LocalRates(time, shared=sharing.shared, budget=lambda: 1.0)
        self.at = begins
        self.calls: list[float] = []

    def call(self, time: Time, until: float) -> None:
        """Call until then, each time as soon as it may."""
        while self.at < until:
            time.now = self.at
            self.at += self.rates.look(SQS._replace(service=f"service-{len(self.calls) % 3}"), "List")
            self.calls.append(self.at)


async def test_cycles_keep_to_the_budget_of_an_account_over_all_workers(time: Time) -> None:
    start = time.now
    async with open_store("memory:") as store:
        living = [WorkerRow(id=WorkerId(name), build="b") for name in ("one", "two")]
        await store.commit(Transaction(put=living))
        sharing = [Sharing(store, worker.id, time) for worker in living]
        lookers = [Looker(time, sharing[0], start), Looker(time, sharing[1], start + 60)]
        for second in range(180):
            for looker in lookers:
                looker.call(time, start + second)
            time.now = start + second
            for each in sharing:
                await each.sweep(living)
    minutes = [sum(start + m <= at < start + m + 60 for one in lookers for at in one.calls) for m in (0, 60, 120)]
    assert minutes[0] == pytest.approx(60, abs=2)  # though the other might call
    assert 60 <= minutes[1] <= 63  # until each knows of the other
    assert minutes[2] == pytest.approx(60, abs=1)


def test_to_assume_a_role_takes_nothing_of_the_budget(time: Time) -> None:
    rates = LocalRates(time, budget=lambda: 1.0)
    assert [rates.look(SQS._replace(service="sts"), "AssumeRole") for _ in range(3)] == [0.0] * 3
    assert [rates.look(SQS, "ListQueues") for _ in range(3)] == [0.0, 1.0, 2.0]
    assert rates.look(SQS._replace(account="2"), "ListQueues") == 0.0
    assert rates.reserve(SQS, "ListQueues") == 0.0


def test_the_budget_is_of_the_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, time: Time) -> None:
    (tmp_path / "orbits.toml").write_text("[aws]\ncycle_calls_per_minute = 30\n")
    monkeypatch.chdir(tmp_path)
    rates = LocalRates(time)
    assert [rates.look(SQS, "ListQueues") for _ in range(2)] == [0.0, 2.0]


def test_what_is_published_are_operations_that_there_are() -> None:
    import botocore.session

    session = botocore.session.Session()
    for service, operation in {*KNOWN, *UNLIMITED}:
        names = session.get_service_model(service).operation_names
        assert operation == "*" or operation in names, f"{service}:{operation}"


@pytest.mark.parametrize(
    "operation", ["ListQueues", "GetObject", "AssumeRole", "DescribeStacks", "PutObject", "Invoke"]
)
def test_reads_are_told_apart_as_the_offline_aws_does(operation: str) -> None:
    assert is_read(operation) is not is_write(operation)


class Recorded(Rates):
    """Says what was asked of it."""

    def __init__(self) -> None:
        self.reserved: list[tuple[Where, str]] = []
        self.cut: list[Where] = []
        self.waits: list[float] = []
        self.looked: list[str] = []

    def look(self, where: Where, operation: str) -> float:
        self.looked.append(operation)
        return 0.0

    def reserve(self, where: Where, operation: str) -> float:
        self.reserved.append((where, operation))
        return self.waits.pop(0) if self.waits else 0.0

    def throttled(self, where: Where, age: float) -> None:
        assert age >= 0
        self.cut.append(where)


@pytest.fixture
def recorded(monkeypatch: pytest.MonkeyPatch) -> Recorded:
    made = Recorded()
    monkeypatch.setattr(GOVERNOR, "rates", made)
    return made


def test_each_attempt_is_seen_with_its_account_and_what_was_throttled(
    aws: OfflineAws, acme: AwsTarget, quick: None, recorded: Recorded
) -> None:
    here = Where(acme.account, "eu-west-1", "sqs")
    aws.fail("sqs", "ListQueues", code="ThrottlingException", times=2)
    client("sqs", acme).list_queues()
    assert [one for one in recorded.reserved if one[0].service == "sqs"] == [(here, "ListQueues")] * 3
    assert recorded.cut == [here, here]
    client("iam", acme).list_roles()
    assert recorded.reserved[-1] == (Where(acme.account, "", "iam"), "ListRoles")


@action(idempotent=True)
def listing(account: str, *, change: bool) -> None:
    """Reads, and then changes something."""
    sqs = client("sqs", AwsTarget(account=account))
    sqs.list_queues()
    before_change()
    if change:
        sqs.create_queue(QueueName="orders")
    sqs.list_queues()


class Lister(Resource):
    """Calls in its update, and in its cycle."""

    account: str

    def identity(self) -> str:
        return self.account

    async def define_update(self) -> None:
        await self.do("list", listing(self.account, change=False))

    async def define_cycle(self) -> None:
        await self.do("list", listing(self.account, change=False))


async def test_cycles_alone_take_turns_before_they_ask(
    aws: OfflineAws, acme: AwsTarget, orbits: Orbits, recorded: Recorded
) -> None:
    await orbits.run(Lister(account=acme.account))
    assert recorded.looked == []
    assert [operation for _, operation in recorded.reserved].count("ListQueues") == 2
    await orbits.record(Lister, acme.account).cycle()
    assert recorded.looked.count("ListQueues") == 2
    assert [operation for _, operation in recorded.reserved].count("ListQueues") == 4


def before_change() -> None:
    """What a test does in between."""
    for do in BETWEEN:
        do()


BETWEEN: list[Callable[[], Any]] = []


@pytest.fixture
def between() -> Generator[list[Callable[[], Any]]]:
    BETWEEN.clear()
    yield BETWEEN
    BETWEEN.clear()


class Lease:
    """A lease that is certain when a test says so."""

    certain = True

    def elapsed(self) -> float:
        return 0.0

    def is_certain(self, since: float) -> bool:
        return self.certain


@pytest.mark.parametrize("change", [True, False])
async def test_without_its_lease_a_worker_changes_nothing_in_aws_and_reads_go_on(
    orbits: Orbits,
    aws: OfflineAws,
    acme: AwsTarget,
    between: list[Callable[[], Any]],
    monkeypatch: pytest.MonkeyPatch,
    *,
    change: bool,
) -> None:
    monkeypatch.setattr(attempts, "PATIENCE", 0.05)
    lease = orbits.engine.lease = Lease()
    between.append(lambda: setattr(lease, "certain", False))
    started = await orbits.start(listing(acme.account, change=change))
    if change:
        with pytest.raises(ExecutionFailed, match=r"sqs:CreateQueue in .* was not sent: The lease") as failed:
            await started
        assert failed.value.caused_by(AwsUnavailable)
    else:
        await started
    assert {call.operation for call in aws.calls("sqs")} == {"ListQueues"}


async def test_a_wait_shows_as_progress(
    orbits: Orbits, aws: OfflineAws, acme: AwsTarget, recorded: Recorded, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("orbits_aws.governor.SHOWN", 0.005)
    recorded.waits = [0.0, 0.01]  # the role is assumed first
    started = await orbits.start(listing(acme.account, change=False))
    await started
    (entry,) = await orbits.store.find(EntryRow, execution=started.id)
    assert entry.message == f"waiting 0 s: sqs in {acme.account} (eu-west-1) takes no more calls at the moment"
