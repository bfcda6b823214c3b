"""docs/recover.md and docs/adopt.md: their programs do what they say, and the table has every state that there is."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import botocore.session
import pytest

from orbits_aws import AwsTarget, OfflineAws, Queue, testing
from orbits_cdk.stuck import TODO
from orbits_iac import Orbits, Settings

from .pages import loading, programs

DOCS = Path(__file__).parents[2] / "docs"
RECOVER, ADOPT = ((DOCS / f"{name}.md").read_text() for name in ("recover", "adopt"))
PROGRAMS = programs(RECOVER + ADOPT)


@pytest.fixture
def orbits_settings() -> Settings:
    return Settings(project="docs", store="memory:")


@pytest.fixture(scope="module", autouse=True)
def _begun(node: None) -> None:
    """CDK's Node process is begun before any of them."""


@pytest.fixture
def acme(aws: OfflineAws) -> AwsTarget:
    organizations = aws.client("organizations", account=testing.MANAGEMENT)
    made = organizations.create_account(AccountName="acme", Email="acme@agency.example")["CreateAccountStatus"]
    return AwsTarget(account=str(made["AccountId"]))


@pytest.fixture
def program(tmp_path: Path) -> Iterator[Any]:
    """Imports a program of the pages by its name."""
    yield from loading(tmp_path, PROGRAMS)


async def test_the_failing_stack_fails_as_the_page_says(
    orbits: Orbits, aws: OfflineAws, acme: AwsTarget, program: Any
) -> None:
    await program("failing").test_a_failed_update_leaves_what_was(orbits, aws, acme)


def test_the_table_has_every_state_and_what_is_said_of_it() -> None:
    model: Any = botocore.session.get_session().get_service_model("cloudformation")
    states = set(model.shape_for("StackStatus").enum)
    [table] = re.findall(r"## States of a stack\n\n(.*?)\n\n", RECOVER, re.DOTALL)
    assert set(re.findall(r"`([A-Z_]+)`", table)) == states
    for state, todo in TODO.items():
        row = next(row for row in table.splitlines() if row.startswith(f"| `{state}`"))
        commands = re.findall(r"`(aws cloudformation [a-z-]+)", todo)
        assert state == "UPDATE_ROLLBACK_FAILED" or all(command in row for command in commands)


async def test_a_queue_that_is_there_is_adopted(orbits: Orbits, aws: OfflineAws, acme: AwsTarget, program: Any) -> None:
    sqs = aws.client("sqs", account="acme")
    url = sqs.create_queue(QueueName="orders")["QueueUrl"]
    made = await orbits.run(program("things").Orders(client="acme"), target=acme)
    assert (made.url, made.visibility_timeout) == (url, 60)
    numbers = [revision.number for revision in await orbits.record(Queue, "Orders acme/orders").history()]
    assert numbers == [0, 1]


async def test_a_stack_that_is_there_is_adopted_and_given_back(
    orbits: Orbits, aws: OfflineAws, acme: AwsTarget, program: Any
) -> None:
    cloudformation = aws.client("cloudformation", account="acme")
    body = {"Resources": {"Jobs": {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": "jobs"}}}}
    tags = [{"Key": "team", "Value": "web"}]
    cloudformation.create_stack(StackName="legacy", TemplateBody=json.dumps(body), Tags=tags)
    legacy = program("stacks").Legacy
    plan = await orbits.preview(legacy(retention=7), target=acme)
    [jobs] = [one for one in plan.root.below if one.ref == "Jobs"]
    assert [each.path for each in jobs.properties if "orbits:" not in each.path] == ["MessageRetentionPeriod"]
    made = await orbits.run(legacy(retention=7), target=acme, plan=plan)
    assert made.jobs.endswith("/jobs")
    await orbits.record(legacy, "legacy").rollback(0)
    [stack] = cloudformation.describe_stacks()["Stacks"]
    assert (stack["Tags"], stack.get("Outputs", [])) == (tags, [])


async def test_a_bucket_that_is_there_is_imported(
    orbits: Orbits, aws: OfflineAws, acme: AwsTarget, program: Any
) -> None:
    s3 = aws.client("s3", account="acme")
    s3.create_bucket(Bucket="files-of-acme", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    s3.put_object(Bucket="files-of-acme", Key="a", Body=b"1")
    made = await orbits.run(program("files").Files(name="files-of-acme"), target=acme)
    assert made.bucket == "files-of-acme"
    assert [each["Key"] for each in s3.list_objects_v2(Bucket="files-of-acme")["Contents"]] == ["a"]
