"""The CDK CLI bootstraps, deploys, compares, updates, fails and rolls back, and destroys a real app with an asset."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from orbits_aws.offline import OfflineAws

from .conftest import MANAGEMENT, Run, node


def synthesise(folder: Path) -> None:
    """The app's two versions, as cloud assemblies."""
    app = Path(__file__).with_name("app.py")
    environment = {**os.environ, "JSII_NODE": str(node())}
    done = subprocess.run(
        [sys.executable, str(app)], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
def test_an_app_lives_its_whole_life(aws: OfflineAws, cdk_cli: Run, tmp_path: Path) -> None:
    cdk_cli("bootstrap", f"aws://{MANAGEMENT}/eu-west-1")
    synthesise(tmp_path)
    cloudformation = aws.client("cloudformation", account=MANAGEMENT)

    def site() -> dict[str, Any]:
        [found] = cloudformation.describe_stacks(StackName="Site")["Stacks"]
        return dict(found)

    def timeout() -> str:
        [url] = [output["OutputValue"] for output in site()["Outputs"]]
        sqs = aws.client("sqs", account=MANAGEMENT)
        attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["VisibilityTimeout"])["Attributes"]
        return str(attributes["VisibilityTimeout"])

    deploy = ("deploy", "--require-approval", "never", "--app")
    said = cdk_cli(*deploy, "one.out").stdout
    assert "Site.QueueUrl = http" in said
    assert (site()["StackStatus"], timeout()) == ("CREATE_COMPLETE", "30")
    [function] = aws.client("lambda", account=MANAGEMENT).list_functions()["Functions"]
    assert function["CodeSize"] > 100  # the asset's zip file

    different = cdk_cli("diff", "--fail", "--app", "two.out", code=1)
    assert "VisibilityTimeout" in different.stdout + different.stderr
    [kept] = cloudformation.list_change_sets(StackName="Site")["Summaries"]
    assert (kept["ChangeSetName"], kept["ExecutionStatus"]) == ("cdk-deploy-change-set", "EXECUTE_COMPLETE")

    cdk_cli(*deploy, "two.out")
    assert (site()["StackStatus"], timeout()) == ("UPDATE_COMPLETE", "60")

    aws.fail("sqs", "SetQueueAttributes", code="AccessDenied", message="not today", origin="cloudformation")
    failed = cdk_cli(*deploy, "one.out", code=1)
    assert "not today" in failed.stdout + failed.stderr
    assert (site()["StackStatus"], timeout()) == ("UPDATE_ROLLBACK_COMPLETE", "60")

    cdk_cli("destroy", "--force", "--app", "two.out")
    left = [stack["StackName"] for stack in cloudformation.describe_stacks()["Stacks"]]
    assert left == ["CDKToolkit"]
    assert aws.client("sqs", account=MANAGEMENT).list_queues().get("QueueUrls") is None
