"""The state of the offline AWS: copied, and gone back to."""

import io
import json
import zipfile
from typing import Any

import pytest

from orbits_aws.offline import OfflineAws

from .conftest import MANAGEMENT

QUEUE = {"Resources": {"Jobs": {"Type": "AWS::SQS::Queue", "Properties": {"VisibilityTimeout": 60}}}}
TRUST = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}],
}


def client(aws: OfflineAws, service: str) -> Any:
    return aws.client(service, account=MANAGEMENT)


def fill(aws: OfflineAws) -> None:
    """Something of each service that the providers use."""
    code = io.BytesIO()
    with zipfile.ZipFile(code, "w") as archive:
        archive.writestr("code.py", "def main(*_): pass")
    client(aws, "s3").create_bucket(Bucket="kept", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    client(aws, "s3").put_object(Bucket="kept", Key="a", Body=b"first")
    client(aws, "sqs").create_queue(QueueName="kept")
    client(aws, "dynamodb").create_table(
        TableName="kept",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    role = client(aws, "iam").create_role(RoleName="kept", AssumeRolePolicyDocument=json.dumps(TRUST))["Role"]["Arn"]
    client(aws, "lambda").create_function(
        FunctionName="kept", Runtime="python3.12", Role=role, Handler="code.main", Code={"ZipFile": code.getvalue()}
    )
    client(aws, "logs").create_log_group(logGroupName="kept")
    client(aws, "secretsmanager").create_secret(Name="kept", SecretString="a secret")
    client(aws, "ssm").put_parameter(Name="kept", Value="a value", Type="String")
    client(aws, "organizations").create_account(AccountName="acme", Email="acme@agency.example")
    client(aws, "cloudformation").create_stack(StackName="kept", TemplateBody=json.dumps(QUEUE))


def seen(aws: OfflineAws) -> dict[str, Any]:
    """What any client sees of it."""
    return {
        "object": client(aws, "s3").get_object(Bucket="kept", Key="a")["Body"].read(),
        "queues": len(client(aws, "sqs").list_queues().get("QueueUrls", [])),
        "tables": client(aws, "dynamodb").list_tables()["TableNames"],
        "functions": [one["FunctionName"] for one in client(aws, "lambda").list_functions()["Functions"]],
        "groups": [one["logGroupName"] for one in client(aws, "logs").describe_log_groups()["logGroups"]],
        "secret": client(aws, "secretsmanager").get_secret_value(SecretId="kept")["SecretString"],
        "parameter": client(aws, "ssm").get_parameter(Name="kept")["Parameter"]["Version"],
        "account": aws.account("acme"),
        "stacks": [one["StackStatus"] for one in client(aws, "cloudformation").describe_stacks()["Stacks"]],
    }


def test_what_was_copied_is_there_again_and_nothing_else(aws: OfflineAws) -> None:
    fill(aws)
    before, saved = seen(aws), aws.snapshot()
    client(aws, "s3").put_object(Bucket="kept", Key="a", Body=b"second")
    client(aws, "s3").create_bucket(Bucket="later", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    client(aws, "sqs").create_queue(QueueName="later")
    client(aws, "ssm").put_parameter(Name="kept", Value="another", Overwrite=True)
    client(aws, "lambda").delete_function(FunctionName="kept")
    client(aws, "cloudformation").delete_stack(StackName="kept")
    assert seen_differs(aws, before)
    aws.restore(saved)
    assert seen(aws) == before
    assert [one["Name"] for one in client(aws, "s3").list_buckets()["Buckets"]] == ["kept"]


def seen_differs(aws: OfflineAws, before: dict[str, Any]) -> bool:
    return seen(aws) != before


def test_a_copy_is_apart_from_what_it_was_taken_of(aws: OfflineAws) -> None:
    fill(aws)
    saved = aws.snapshot()
    for _ in range(2):
        aws.restore(saved)
        client(aws, "sqs").create_queue(QueueName="later")
        assert seen(aws)["queues"] == 3


def test_a_stack_that_was_copied_in_a_failed_state_is_gone_on_with(aws: OfflineAws) -> None:
    cfn = client(aws, "cloudformation")
    cfn.create_stack(StackName="kept", TemplateBody=json.dumps(QUEUE))
    aws.fail("sqs", "SetQueueAttributes", code="AccessDenied", times=2)
    cfn.update_stack(StackName="kept", TemplateBody=json.dumps(QUEUE).replace("60", "61"))
    [stack] = cfn.describe_stacks()["Stacks"]
    assert stack["StackStatus"] == "UPDATE_ROLLBACK_FAILED"
    saved = aws.snapshot()
    aws.reset()
    aws.restore(saved)
    cfn.continue_update_rollback(StackName="kept")
    assert cfn.describe_stacks()["Stacks"][0]["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"


def test_faults_are_a_part_of_it(aws: OfflineAws) -> None:
    aws.fail("sqs", "CreateQueue", code="AccessDenied", times=None)
    saved = aws.snapshot()
    aws.clear_faults()
    aws.restore(saved)
    with pytest.raises(client(aws, "sqs").exceptions.ClientError, match="AccessDenied"):
        client(aws, "sqs").create_queue(QueueName="x")


def test_one_that_runs_elsewhere_is_not_copied(aws: OfflineAws) -> None:
    other = OfflineAws.attach(aws.endpoint_url)
    with other, pytest.raises(RuntimeError, match="does not run in this process"):
        other.snapshot()
