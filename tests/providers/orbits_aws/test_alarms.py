"""AlarmsQuiet: what rings, has rung, is not there or cannot be looked at is never quiet."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from orbits_aws import AlarmsQuiet, AwsTarget, OfflineAws
from orbits_aws.alarms import BLIND, AlarmRang
from orbits_aws.errors import AccessDenied, NotThere
from orbits_aws.offline import moto_alarms
from orbits_iac import ExecutionFailed, Orbits
from orbits_iac.model.states import State
from orbits_iac.testing import Clock
from tests.docs.pages import loading, programs

HOUR = timedelta(hours=1)
pytestmark = pytest.mark.usefixtures("quick")


class Alarms:
    """The alarms of an account."""

    def __init__(self, aws: OfflineAws, target: AwsTarget) -> None:
        self.cloudwatch = aws.client("cloudwatch", account=target.account)

    def make(self, *names: str) -> None:
        for name in names:
            self.cloudwatch.put_metric_alarm(
                AlarmName=name,
                Namespace="shop",
                MetricName="errors",
                Statistic="Sum",
                Period=60,
                EvaluationPeriods=1,
                Threshold=1,
                ComparisonOperator="GreaterThanThreshold",
            )

    def set(self, name: str, state: str) -> None:
        self.cloudwatch.set_alarm_state(AlarmName=name, StateValue=state, StateReason=f"it is {state}")


@pytest.fixture
def alarms(aws: OfflineAws, acme: AwsTarget) -> Alarms:
    """Three alarms, `shop-0` to `shop-2`, one that rings and is not meant, and a composite one, `shop-all`."""
    made = Alarms(aws, acme)
    made.make("shop-0", "shop-1", "shop-2", "other")
    made.cloudwatch.put_composite_alarm(AlarmName="shop-all", AlarmRule='ALARM("shop-0")')
    made.set("other", "ALARM")
    return made


async def failure(orbits: Orbits, step: AlarmsQuiet, target: AwsTarget) -> ExecutionFailed:
    """How a step fails."""
    with pytest.raises(ExecutionFailed) as failed:
        await orbits.run(step, target=target)
    return failed.value


async def test_all_that_are_meant_are_looked_at_whatever_their_kind_and_however_many_pages(
    orbits: Orbits, acme: AwsTarget, alarms: Alarms, aws: OfflineAws, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(moto_alarms, "_A_PAGE", 3)
    seen = await orbits.run(AlarmsQuiet(prefix="shop-"), target=acme)
    assert seen.alarms == ("shop-0", "shop-1", "shop-2", "shop-all")
    assert len(aws.calls("cloudwatch", operation="DescribeAlarms")) == 2
    alarms.set("shop-2", "ALARM")
    rang = await failure(orbits, AlarmsQuiet(prefix="shop-"), acme)
    assert f"Alarms in {acme.account} (eu-west-1): shop-2 rings since" in rang.message
    assert rang.message.endswith("it is ALARM")
    alarms.set("shop-all", "ALARM")
    assert "shop-all rings" in (await failure(orbits, AlarmsQuiet(names=("shop-0", "shop-all")), acme)).message


async def test_what_is_not_there_or_may_not_be_looked_at_is_no_quiet(
    orbits: Orbits, acme: AwsTarget, alarms: Alarms, aws: OfflineAws
) -> None:
    missing = await failure(orbits, AlarmsQuiet(names=("shop-0", "shop-9")), acme)
    assert missing.caused_by(NotThere)
    assert f"There is no alarm shop-9 in {acme.account} (eu-west-1)" in missing.message
    assert "begins with web-" in (await failure(orbits, AlarmsQuiet(prefix="web-"), acme)).message
    aws.settings(denied=[{"service": "cloudwatch"}])
    assert (await failure(orbits, AlarmsQuiet(prefix="shop-"), acme)).caused_by(AccessDenied)


def test_it_says_which_alarms_are_meant() -> None:
    asked = AlarmsQuiet(names=tuple(f"many-{number}" for number in range(250)))._which()
    assert [len(one["AlarmNames"]) for one in asked] == [100, 100, 50]  # as many as a call takes
    for wrong in ({}, {"names": ("a",), "prefix": "b"}, {"names": ("a",), "during": -HOUR}):
        with pytest.raises(ValidationError):
            AlarmsQuiet.model_validate(wrong)


async def test_too_little_data_is_quiet_and_named_or_fails(orbits: Orbits, acme: AwsTarget, alarms: Alarms) -> None:
    alarms.set("shop-1", "INSUFFICIENT_DATA")
    assert (await orbits.run(AlarmsQuiet(prefix="shop-"), target=acme)).without_data == ("shop-1",)
    strict = AlarmsQuiet(prefix="shop-", no_data="fails")
    assert "too little data to tell: shop-1" in (await failure(orbits, strict, acme)).message


async def test_one_that_rang_and_healed_is_found_in_its_history(
    orbits: Orbits, acme: AwsTarget, alarms: Alarms
) -> None:
    for state in ("ALARM", "INSUFFICIENT_DATA", "OK"):
        alarms.set("shop-2", state)
    assert (await orbits.run(AlarmsQuiet(prefix="shop-"), target=acme)).without_data == ()
    rang = await failure(orbits, AlarmsQuiet(prefix="shop-", before=HOUR), acme)
    assert "shop-2 rang at " in rang.message
    assert "and is OK by now: it is ALARM" in rang.message


async def test_it_watches_for_as_long_as_it_is_told(
    orbits: Orbits, acme: AwsTarget, alarms: Alarms, clock: Clock
) -> None:
    quiet = AlarmsQuiet(prefix="shop-", during=2 * HOUR)
    well = await orbits.start(quiet, target=acme)
    ill = await orbits.start(AlarmsQuiet(names=("shop-0",), during=2 * HOUR), target=acme)
    await clock.advance(timedelta())  # the first looks are over
    await clock.advance(HOUR)
    alarms.set("shop-0", "ALARM")
    alarms.set("shop-0", "OK")  # between two looks
    await clock.advance(timedelta(minutes=1))
    assert [(await one.row()).state for one in (ill, well)] == [State.ERROR, State.ERROR]
    with pytest.raises(ExecutionFailed, match="shop-0 rang at") as failed:
        await ill
    assert failed.value.caused_by(AlarmRang)
    with pytest.raises(ExecutionFailed, match="shop-0 rang at"):
        await well
    gone = await orbits.start(AlarmsQuiet(prefix="shop-", during=2 * HOUR), target=acme)
    again = await orbits.start(AlarmsQuiet(names=("shop-1",), during=2 * HOUR), target=acme)
    await clock.advance(timedelta())
    alarms.cloudwatch.delete_alarms(AlarmNames=["shop-2"])
    await clock.advance(2 * HOUR)
    seen = await again
    assert seen.until - seen.since >= 2 * HOUR
    with pytest.raises(ExecutionFailed, match="There is no alarm shop-2"):
        await gone


async def test_what_cannot_be_looked_at_is_told_and_is_not_quiet(
    orbits: Orbits, acme: AwsTarget, alarms: Alarms, aws: OfflineAws, clock: Clock
) -> None:
    watching = await orbits.start(AlarmsQuiet(prefix="shop-", during=2 * HOUR), target=acme)
    await clock.advance(timedelta())
    aws.fail("cloudwatch", "DescribeAlarms", code="InternalFailure", status=500, times=None)
    await clock.advance(BLIND / 2)
    await clock.advance(BLIND)
    with pytest.raises(ExecutionFailed, match=r"nobody has seen whether they are quiet since .* InternalFailure"):
        await watching


@pytest.fixture
def branches(tmp_path: Path) -> Iterator[Any]:
    """The program of docs/roll-outs.md."""
    page = (Path(__file__).parents[3] / "docs" / "roll-outs.md").read_text()
    loader = loading(tmp_path, programs(page))
    yield next(loader)("branches")
    assert next(loader, None) is None


async def test_no_wave_begins_after_an_alarm(
    orbits: Orbits, acme: AwsTarget, alarms: Alarms, clock: Clock, branches: Any
) -> None:
    branches.OPERATIONS = acme
    going = await orbits.start(branches.BranchOffices())
    await clock.advance(timedelta())
    await clock.advance(2 * HOUR)
    await clock.advance(HOUR)
    alarms.set("shop-1", "ALARM")
    await clock.advance(timedelta(minutes=1))
    report = await going
    assert [one.state.value for one in report.tenants.values()] == ["updated", "updated", "not started"]
    assert report.stopped.startswith(
        "stopped after wave 2: wave 2 did not pass its check: alarms: AlarmRang: Alarms in"
    )
