"""The stacks in docs/cdk.md are deployed as they stand there; what it says of a failure is what is said."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_apigateway as gateway
from aws_cdk import aws_sqs as sqs

from orbits_aws import AwsTarget, OfflineAws, testing
from orbits_cdk import CdkStack, Collected
from orbits_cdk.naming import bucket_name
from orbits_cdk.payload import LARGEST
from orbits_cdk.turns import longest
from orbits_iac import ExecutionFailed, Orbits, Resource, Settings

from .pages import loading, programs

PAGE = (Path(__file__).parents[2] / "docs" / "cdk.md").read_text()
PROGRAMS = programs(PAGE)


@pytest.fixture
def orbits_settings() -> Settings:
    return Settings(project="docs", store="memory:")


@pytest.fixture(scope="module", autouse=True)
def _begun(node: None) -> None:
    """CDK's Node process is begun before any of them."""


def member(aws: OfflineAws, name: str) -> AwsTarget:
    """A new account of the organization."""
    organizations = aws.client("organizations", account=testing.MANAGEMENT)
    made = organizations.create_account(AccountName=name, Email=f"{name}@agency.example")["CreateAccountStatus"]
    return AwsTarget(account=str(made["AccountId"]))


@pytest.fixture
def acme(aws: OfflineAws) -> AwsTarget:
    return member(aws, "acme")


@pytest.fixture
def program(tmp_path: Path) -> Iterator[Any]:
    """Imports a program of the page by its name."""
    yield from loading(tmp_path, PROGRAMS)


def alone(step: type[Any]) -> Resource[Any]:
    """A Resource that does one stack."""

    class Holder(Resource[Any]):
        def identity(self) -> str:
            return "acme"

        async def define_update(self) -> Any:
            return await self.do("it", step())

    return Holder()


async def test_values_go_from_one_account_to_another(
    orbits: Orbits, aws: OfflineAws, acme: AwsTarget, program: Any
) -> None:
    office = AwsTarget(account=member(aws, "office").account, region="us-east-2")
    shop = program("shop").Shop(client="acme", head_office=office, branch=acme)
    made = await orbits.run(shop)
    assert made.settings["news"].startswith(f"arn:aws:sns:us-east-2:{office.account}:")
    assert made.settings["arn"].startswith(f"arn:aws:sqs:eu-west-1:{acme.account}:")
    assert not await orbits.preview(shop)


async def test_a_stack_class_that_exists_is_deployed(
    orbits: Orbits, aws: OfflineAws, acme: AwsTarget, program: Any
) -> None:
    made = await orbits.run(alone(program("existing").Jobs), target=acme)
    assert made["queue_url"] in aws.client("sqs", account="acme").list_queues()["QueueUrls"]


async def test_stacks_of_an_assembly_are_deployed(
    orbits: Orbits, aws: OfflineAws, acme: AwsTarget, program: Any, tmp_path: Path
) -> None:
    app = cdk.App(
        outdir=str(tmp_path / "web" / "cdk.out"), analytics_reporting=False, builtin_cloud_formation_validation=False
    )
    first, second = cdk.Stack(app, "Queue"), cdk.Stack(app, "User")
    queue = sqs.Queue(first, "Jobs")
    cdk.CfnOutput(first, "QueueArn", value=queue.queue_arn)
    cdk.CfnOutput(second, "Reads", value=queue.queue_arn)
    sqs.Queue(second, "Own")
    app.synth()
    execution = await orbits.start(program("web").Web(client="acme"), target=acme)
    await execution
    stacks = aws.client("cloudformation", account="acme").describe_stacks()["Stacks"]
    assert sorted(stack["StackName"].split("-")[1] for stack in stacks) == ["AssemblyStack", "Queue"]


async def test_files_that_nobody_needs_are_collected(aws: OfflineAws, acme: AwsTarget, program: Any) -> None:
    assert await program("collect").collect(acme.account) == Collected(removed=True)


async def test_what_is_there_is_looked_up(orbits: Orbits, aws: OfflineAws, acme: AwsTarget, program: Any) -> None:
    made = await orbits.run(alone(program("inside").Inside), target=acme)
    assert made["network"] == aws.client("ec2", account="acme").describe_vpcs()["Vpcs"][0]["VpcId"]


class Unfinished(CdkStack):
    def define_stack(self, stack: cdk.Stack) -> None:
        gateway.RestApi(stack, "Api")


async def test_a_failure_shows_what_the_page_shows(orbits: Orbits, aws: OfflineAws, acme: AwsTarget) -> None:
    [shown] = re.findall(r"```\n(Unfinished cannot.*?)```", PAGE, re.DOTALL)
    with pytest.raises(ExecutionFailed) as failed:
        await orbits.run(alone(Unfinished), target=acme)
    said = re.sub(r"\S+\.py:\d+", "FILE", failed.value.message)
    assert said.strip() == re.sub(r"\S+\.py:\d+", "FILE", shown).strip()


def test_the_figures_of_the_page_are_those_of_the_code() -> None:
    assert f"over {LARGEST:,} bytes" in PAGE
    assert "ORBITS_CDK_TIMEOUT` seconds, 300 by default" in PAGE
    assert longest() == 300
    assert bucket_name("ACCOUNT", "REGION") in PAGE
