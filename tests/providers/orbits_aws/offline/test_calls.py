"""The log of calls: what each call was, and which of them count as writes."""

import re

import pytest

from orbits_aws.offline import Call, OfflineAws
from orbits_aws.offline.calls import CallLog, is_write

ACCOUNT = "111122223333"


def ask(aws: OfflineAws, service: str, operation: str, **arguments: object) -> None:
    """Make a call that may fail: it is logged all the same."""
    client = aws.client(service, account=ACCOUNT)
    try:
        getattr(client, operation)(**arguments)
    except client.exceptions.ClientError:
        return


@pytest.mark.parametrize(
    ("service", "operation", "arguments", "logged"),
    [
        ("s3", "list_buckets", {}, "s3:ListBuckets"),
        ("s3", "create_bucket", {"Bucket": "bucket"}, "s3:CreateBucket"),
        ("s3", "head_bucket", {"Bucket": "bucket"}, "s3:HeadBucket"),
        ("s3", "get_bucket_tagging", {"Bucket": "bucket"}, "s3:GetBucketTagging"),
        ("s3", "put_bucket_tagging", {"Bucket": "bucket", "Tagging": {"TagSet": []}}, "s3:PutBucketTagging"),
        ("s3", "put_object", {"Bucket": "bucket", "Key": "a/b c", "Body": b"x"}, "s3:PutObject"),
        ("s3", "list_objects_v2", {"Bucket": "bucket"}, "s3:ListObjectsV2"),
        ("s3", "delete_objects", {"Bucket": "b", "Delete": {"Objects": [{"Key": "k"}]}}, "s3:DeleteObjects"),
        ("sqs", "get_queue_url", {"QueueName": "none"}, "sqs:GetQueueUrl"),
        ("dynamodb", "describe_table", {"TableName": "none"}, "dynamodb:DescribeTable"),
        ("lambda", "get_function", {"FunctionName": "none"}, "lambda:GetFunction"),
        ("lambda", "update_function_configuration", {"FunctionName": "n"}, "lambda:UpdateFunctionConfiguration"),
        ("iam", "get_role", {"RoleName": "none"}, "iam:GetRole"),
        ("sts", "get_caller_identity", {}, "sts:GetCallerIdentity"),
        ("ssm", "get_parameter", {"Name": "none"}, "ssm:GetParameter"),
        ("logs", "describe_log_groups", {}, "logs:DescribeLogGroups"),
        ("ec2", "describe_vpcs", {}, "ec2:DescribeVpcs"),
        ("elbv2", "describe_load_balancers", {}, "elbv2:DescribeLoadBalancers"),
        ("elb", "describe_load_balancers", {}, "elb:DescribeLoadBalancers"),
        ("cloudwatch", "list_dashboards", {}, "cloudwatch:ListDashboards"),
        ("apigatewayv2", "get_apis", {}, "apigatewayv2:GetApis"),
        ("apigateway", "get_rest_apis", {}, "apigateway:GetRestApis"),
        ("organizations", "describe_organization", {}, "organizations:DescribeOrganization"),
        ("cloudformation", "list_stacks", {}, "cloudformation:ListStacks"),
        ("stepfunctions", "list_state_machines", {}, "stepfunctions:ListStateMachines"),
    ],
)
def test_service_and_operation_are_those_of_boto3(
    aws: OfflineAws, service: str, operation: str, arguments: dict[str, object], logged: str
) -> None:
    ask(aws, service, operation, **arguments)
    [call] = aws.calls()
    assert (call, call.service, call.operation) == (logged, *logged.split(":"))
    assert (call.account, call.region, call.origin) == (ACCOUNT, "eu-west-1", "outside")


def test_a_presigned_request_is_known_too(aws: OfflineAws) -> None:
    import urllib3

    s3 = aws.client("s3", account=ACCOUNT)
    s3.create_bucket(Bucket="bucket", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    s3.put_object(Bucket="bucket", Key="key", Body=b"text")
    url = s3.generate_presigned_url("get_object", Params={"Bucket": "bucket", "Key": "key"})
    assert urllib3.request("GET", url, retries=False).data == b"text"
    assert repr(aws.calls()[-1]) == f"<3 s3:GetObject {ACCOUNT}/us-east-1>"


@pytest.mark.parametrize(
    ("operation", "write"),
    [
        ("AssumeRole", False),
        ("BatchGetItem", False),
        ("CreateChangeSet", True),
        ("DeleteQueue", True),
        ("DescribeStacks", False),
        ("DetectStackDrift", False),
        ("ExecuteChangeSet", True),
        ("GetObject", False),
        ("HeadBucket", False),
        ("Invoke", True),
        ("ListQueues", False),
        ("PutObject", True),
        ("Query", False),
        ("ReceiveMessage", True),
        ("SetQueueAttributes", True),
        ("TagResource", True),
        ("ValidateTemplate", False),
    ],
)
def test_writes_are_told_by_the_verb(operation: str, *, write: bool) -> None:
    assert is_write(operation) is write


def test_calls_are_selected_and_counted(aws: OfflineAws) -> None:
    ask(aws, "sqs", "list_queues")
    ask(aws, "sqs", "create_queue", QueueName="orders")
    ask(aws, "s3", "head_bucket", Bucket="none")
    assert aws.calls() == ["sqs:ListQueues", "sqs:CreateQueue", "s3:HeadBucket"]
    assert aws.calls("sqs", writes=True) == ["sqs:CreateQueue"]
    assert aws.calls(account=MANAGEMENT) == []
    assert [call.seq for call in aws.calls()] == [1, 2, 3]
    assert aws.calls("s3")[0].error == "404"
    aws.client("sqs", account=ACCOUNT, region="eu-west-2").list_queues()
    assert aws.calls(region="eu-west-2") == aws.calls(operation="List*")[1:] == ["sqs:ListQueues"]
    assert aws.counts("sqs", region="eu-west-2", account=ACCOUNT) == {ACCOUNT: {"sqs": {"ListQueues": 1}}}
    assert aws.counts("s3", account=MANAGEMENT) == {}
    assert aws.counts() == {ACCOUNT: {"s3": {"HeadBucket": 1}, "sqs": {"CreateQueue": 1, "ListQueues": 2}}}


MANAGEMENT = "123456789012"


def test_a_call_survives_the_way_over_http_and_tells_what_it_was() -> None:
    call = CallLog().add(
        account=ACCOUNT, region="eu-west-1", service="s3", operation="PutObject", origin="cloudformation", error="Slow"
    )
    again = Call.from_dict(call.as_dict())
    assert again.as_dict() == call.as_dict()
    assert re.fullmatch(r"<1 s3:PutObject 111122223333/eu-west-1 by cloudformation -> Slow>", repr(again))


def test_what_moto_does_not_have_is_said_so_and_logged(aws: OfflineAws) -> None:
    client = aws.client("cloudformation", account=ACCOUNT)
    with pytest.raises(client.exceptions.ClientError, match="does not offer ListStackSets"):
        client.list_stack_sets()
    assert aws.calls()[-1].error == "NotImplemented"
