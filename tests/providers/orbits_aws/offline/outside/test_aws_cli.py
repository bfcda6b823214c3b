"""The AWS CLI deploys stacks, waits for them, copies files and says who it is."""

import json
from pathlib import Path
from typing import Any

import pytest

from orbits_aws.offline import OfflineAws

from .conftest import MANAGEMENT, Run


def template(seconds: int) -> str:
    queue = {"Type": "AWS::SQS::Queue", "Properties": {"VisibilityTimeout": seconds}}
    return json.dumps({"Resources": {"Queue": queue}, "Outputs": {"Url": {"Value": {"Ref": "Queue"}}}})


@pytest.mark.slow
def test_deploy_creates_updates_leaves_alone_and_rolls_back(aws: OfflineAws, aws_cli: Run, tmp_path: Path) -> None:
    cloudformation = aws.client("cloudformation", account=MANAGEMENT)
    file = tmp_path / "template.json"

    def deploy(seconds: int, code: int = 0) -> str:
        file.write_text(template(seconds))
        arguments = ("cloudformation", "deploy", "--stack-name", "shop", "--template-file", str(file))
        done = aws_cli(*arguments, code=code)
        for old in cloudformation.list_change_sets(StackName="shop")["Summaries"]:
            cloudformation.delete_change_set(ChangeSetName=old["ChangeSetId"])  # the CLI names them by the second
        return done.stdout + done.stderr

    def status() -> str:
        return str(cloudformation.describe_stacks(StackName="shop")["Stacks"][0]["StackStatus"])

    assert "Successfully created/updated stack - shop" in deploy(30)
    assert status() == "CREATE_COMPLETE"
    assert "No changes to deploy. Stack shop is up to date" in deploy(30, code=255)
    deploy(60)
    assert status() == "UPDATE_COMPLETE"
    aws.fail("sqs", "SetQueueAttributes", code="AccessDenied", origin="cloudformation")
    assert "Failed to create/update the stack" in deploy(30, code=255)
    assert status() == "UPDATE_ROLLBACK_COMPLETE"


@pytest.mark.slow
def test_waiters_see_a_stack_made_and_gone(aws_cli: Run, tmp_path: Path) -> None:
    (tmp_path / "template.json").write_text(template(30))
    named = ("--stack-name", "shop")
    aws_cli("cloudformation", "create-stack", *named, "--template-body", "file://template.json")
    aws_cli("cloudformation", "wait", "stack-create-complete", *named)
    aws_cli("cloudformation", "delete-stack", *named)
    aws_cli("cloudformation", "wait", "stack-delete-complete", *named)
    aws_cli("cloudformation", "describe-stacks", *named, code=255)


@pytest.mark.slow
def test_files_are_copied_and_the_caller_is_told(aws: OfflineAws, aws_cli: Run, tmp_path: Path) -> None:
    told: dict[str, Any] = json.loads(aws_cli("sts", "get-caller-identity", "--output", "json").stdout)
    assert told["Account"] == MANAGEMENT
    aws_cli("s3", "mb", "s3://agency-files")
    (tmp_path / "note.txt").write_text("text")
    aws_cli("s3", "cp", "note.txt", "s3://agency-files/a/note.txt")
    aws_cli("s3", "cp", "s3://agency-files/a/note.txt", "back.txt")
    assert (tmp_path / "back.txt").read_text() == "text"
