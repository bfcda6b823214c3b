"""What happens around a deployment that is under way does not end it: no answers, sessions that end, new processes.

Being throttled is no other error than these, and would only make the tests wait: calls back off together.
"""

from pathlib import Path
from typing import Any

import pytest

from orbits_aws import AwsTarget, OfflineAws, client
from orbits_cdk import KeptStack
from orbits_cdk.deploy import advance
from orbits_cdk.remove import Removed, Removing, Unwanted, advance_removal
from orbits_cdk.stack import AnyStack
from orbits_cdk.wanted import Deployed, Underway
from orbits_iac import ExecutionFailed, Options, Orbits, Settings

from .given import Given, queue
from .test_deploy import TAGS, Said, deploy, template, wanted

pytestmark = pytest.mark.usefixtures("quick")
CALLS = ["DescribeStacks", "DescribeStackEvents", "DescribeChangeSet"]


@pytest.fixture
def cfn(acme: AwsTarget) -> Any:
    return client("cloudformation", acme)


def under_way(cfn: Any) -> Underway:
    """A deployment that is being carried out."""
    underway = Underway()
    while underway.phase != "executing":
        result = advance(cfn, wanted(template("orders")), underway, Said())
        assert isinstance(result, Underway)
        underway = result
    return underway


@pytest.mark.parametrize("code", ["ExpiredToken", "InternalFailure"])
@pytest.mark.parametrize("operation", CALLS[:2])
def test_what_cannot_be_asked_for_long_is_asked_again(cfn: Any, aws: OfflineAws, operation: str, code: str) -> None:
    aws.settings(polls=1)
    underway = under_way(cfn)
    aws.fail("cloudformation", operation, code=code, times=None)
    said = Said()
    for _ in range(3):
        result = advance(cfn, wanted(template("orders")), underway, said)
        assert isinstance(result, Underway)
        underway = result
    assert all("cannot be asked now" in message for message in said.messages[-2:])
    aws.clear_faults()
    assert deploy_on(cfn, underway).outputs["First"].endswith("/orders")


def deploy_on(cfn: Any, underway: Underway) -> Deployed:
    for _ in range(20):
        result = advance(cfn, wanted(template("orders")), underway, Said())
        if isinstance(result, Deployed):
            return result
        assert isinstance(result, Underway)
        underway = result
    raise AssertionError(f"it never ended: {underway}")


def test_somebody_elses_update_is_waited_for_however_long_it_cannot_be_asked(cfn: Any, aws: OfflineAws) -> None:
    deploy(cfn, wanted(template("orders")))
    waiting = Underway(stack_id=cfn.describe_stacks(StackName="site")["Stacks"][0]["StackId"])
    aws.fail("cloudformation", "DescribeStacks", code="InternalFailure", times=None)
    said = Said()
    assert advance(cfn, wanted(template("orders", "sales")), waiting, said) == waiting
    assert said.messages[0].startswith("waiting: how far site is cannot be asked now: InternalFailure")


def test_a_removal_that_cannot_be_asked_for_goes_on(cfn: Any, aws: OfflineAws) -> None:
    deploy(cfn, wanted(template("orders")))
    unwanted = Unwanted(stack="site", place="here", tags=TAGS, token="t9")
    aws.settings(polls=1)
    removing = advance_removal(cfn, unwanted, Removing(), Said())
    assert isinstance(removing, Removing)
    aws.fail("cloudformation", "DescribeStacks", code="InternalFailure", times=None)
    assert advance_removal(cfn, unwanted, removing, Said()) == removing
    aws.clear_faults()
    aws.settings(polls=0)
    result: Removed | Removing = removing
    while isinstance(result, Removing):
        result = advance_removal(cfn, unwanted, result, Said())
    assert result == Removed()


def as_it_was(kind: str) -> type[Given]:
    """The class of a kind as an earlier process had it; no module has it any more."""

    class Earlier(Given):
        options = Options(kind=kind)

        def identity(self) -> str:
            return "it"

    return Earlier


class Renamed(Given):
    """What `Earlier` is called since."""

    options = Options(kind="SurvivingSite", former_kinds=["SurvivingStack"])

    def identity(self) -> str:
        return "it"


class Gone(KeptStack):
    """Stands in for a class that is gone."""

    options = Options(kind="GoneSite")


@pytest.mark.parametrize(("kind", "now"), [("SurvivingStack", Renamed), ("GoneSite", Gone)], ids=["renamed", "gone"])
async def test_a_kept_revision_is_brought_back_by_a_new_process_without_the_earlier_code(
    aws: OfflineAws, acme: AwsTarget, tmp_path: Path, kind: str, now: type[AnyStack[Any]]
) -> None:
    settings = Settings(project="tests", store=f"sqlite:{tmp_path / 'store.db'}")
    earlier = as_it_was(kind)
    async with Orbits(settings) as before:
        await before.run(earlier(resources={"Jobs": queue("jobs")}), target=acme)
        await before.run(earlier(resources={"Jobs": queue("jobs", visibility=60), "More": queue("more")}), target=acme)
    sqs = aws.client("sqs", account="acme")
    assert len(sqs.list_queues()["QueueUrls"]) == 2
    async with Orbits(settings) as after:
        stack = after.record(now, "it")
        await stack.rollback()
        assert [url.rpartition("/")[2] for url in sqs.list_queues()["QueueUrls"]] == ["jobs"]
        assert (await stack.drift()).in_sync
        await stack.uninstall()
    assert aws.client("cloudformation", account="acme").describe_stacks()["Stacks"] == []


async def test_one_that_is_known_from_its_record_alone_is_not_updated(orbits: Orbits, acme: AwsTarget) -> None:
    class Unmade(Gone):
        options = Options(kind="UnmadeSite")

        def identity(self) -> str:
            return "it"

    with pytest.raises(ExecutionFailed, match="UnmadeSite is known from its record alone: roll it back"):
        await orbits.run(Unmade(), target=acme)
