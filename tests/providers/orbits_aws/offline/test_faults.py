"""Faults by request: which calls they strike, and what the caller then gets."""

import json
from typing import Any, cast

import pytest
import urllib3
from botocore.exceptions import ClientError, ConnectionClosedError

from orbits_aws.offline import OfflineAws
from orbits_aws.offline.fault_spec import FaultSpec
from orbits_aws.offline.faults import FaultRules, Target

ACCOUNT = "111122223333"
OTHER = "444455556666"


def code_of(client: Any, operation: str, **arguments: object) -> str | None:
    """The error code of a call, None if it succeeded."""
    try:
        getattr(client, operation)(**arguments)
    except ClientError as failure:
        return str(cast("Any", failure.response)["Error"]["Code"])
    return None


def target(**changes: Any) -> Target:
    """A call of s3:PutObject into ACCOUNT."""
    given: dict[str, Any] = {
        "service": "s3",
        "operation": "PutObject",
        "account": ACCOUNT,
        "region": "eu-west-1",
        "origin": "outside",
    } | changes
    return Target(invocation=given.pop("invocation", None), text=given.pop("text", "/bucket/key"), **given)


@pytest.mark.parametrize(
    ("which", "call", "struck"),
    [
        ({}, {}, True),
        ({"service": "*"}, {}, True),
        ({"service": "sqs"}, {}, False),
        ({"operation": "Put*"}, {}, True),
        ({"operation": "Get*"}, {}, False),
        ({"account": ACCOUNT}, {}, True),
        ({"account": OTHER}, {}, False),
        ({"account": "acme"}, {}, True),
        ({"account": "bolt"}, {}, False),
        ({"region": "eu-west-1"}, {}, True),
        ({"region": "eu-west-2"}, {}, False),
        ({"kind": "stale"}, {}, False),
        ({"kind": "stale", "operation": "*"}, {"past": True}, False),
        ({"kind": "stale", "operation": "Get*"}, {"past": True, "operation": "GetObject"}, True),
        ({"kind": "stale", "operation": "Get*"}, {"operation": "GetObject"}, False),
        ({"resource": "bucket/k"}, {}, True),
        ({"resource": "pail"}, {}, False),
        ({"origin": "outside"}, {}, True),
        ({"origin": "cloudformation"}, {}, False),
    ],
)
def test_a_rule_strikes_the_calls_that_it_means(which: Any, call: Any, *, struck: bool) -> None:
    rules = FaultRules({"acme": ACCOUNT, "bolt": OTHER}.get)
    rules.add(FaultSpec.model_validate({"service": "s3", "operation": "PutObject", **which}))
    assert (rules.strike(target(**call)) is not None) is struck


@pytest.mark.parametrize(
    ("nth", "times", "struck"),
    [(1, 1, [1]), (3, 1, [3]), (2, 2, [2, 3]), (1, None, [1, 2, 3, 4, 5]), (4, None, [4, 5])],
)
def test_nth_and_times_count_matching_calls(nth: int, times: int | None, struck: list[int]) -> None:
    rules = FaultRules(lambda _: None)
    rules.add(FaultSpec(service="s3", operation="PutObject", nth=nth, times=times))
    rules.strike(target(operation="GetObject"))
    assert [number for number in range(1, 6) if rules.strike(target())] == struck


def test_every_rule_counts_but_the_first_that_strikes_wins() -> None:
    rules = FaultRules(lambda _: None)
    rules.add(FaultSpec(service="s3", operation="*", code="First"))
    rules.add(FaultSpec(service="s3", operation="*", code="Second", nth=2))
    strikes = [rules.strike(target()) for _ in range(3)]
    assert [strike and strike.spec.code for strike in strikes] == ["First", "Second", None]


def test_a_share_strikes_the_same_calls_in_every_run() -> None:
    def struck(**spec: Any) -> list[int]:
        rules = FaultRules(lambda _: None)
        rules.add(FaultSpec(service="s3", operation="*", share=0.3, **spec))
        return [number for number in range(1000) if rules.strike(target())]

    first = struck()
    assert 250 < len(first) < 350
    assert struck() == first
    assert struck(seed=1) != first
    assert struck(times=2) == first[:2]
    assert struck(nth=11)[0] >= 10


def test_a_throttle_has_a_bucket_for_each_account_region_and_service() -> None:
    now = [0.0]
    rules = FaultRules(lambda _: None, clock=lambda: now[0])
    rules.add(FaultSpec(kind="throttle", service="*", operation="*", rate=2, burst=3))

    def passed(**call: Any) -> int:
        return [bool(rules.strike(target(**call))) for _ in range(10)].index(True)

    assert passed() == 3
    assert [passed(account=OTHER), passed(region="eu-west-2"), passed(service="sqs")] == [3, 3, 3]
    now[0] += 1.0
    assert (passed(), passed()) == (2, 0)
    now[0] += 3600.0
    assert passed() == 3


@pytest.mark.parametrize(
    ("service", "operation", "arguments", "code", "status"),
    [
        ("sqs", "list_queues", {}, "RequestThrottled", 403),
        ("s3", "list_buckets", {}, "SlowDown", 503),
        ("ec2", "describe_vpcs", {}, "RequestLimitExceeded", 503),
        ("lambda", "list_functions", {}, "TooManyRequestsException", 429),
        ("dynamodb", "list_tables", {}, "ThrottlingException", 400),
        ("iam", "list_roles", {}, "Throttling", 400),
        ("cloudformation", "list_stacks", {}, "Throttling", 400),
        ("organizations", "list_accounts", {}, "TooManyRequestsException", 400),
    ],
)
def test_each_service_throttles_in_its_own_words(
    aws: OfflineAws, service: str, operation: str, arguments: dict[str, object], code: str, status: int, quick: None
) -> None:
    aws.throttle(service, rate=0, burst=1)
    client = aws.client(service, account="123456789012")
    assert code_of(client, operation, **arguments) is None
    with pytest.raises(ClientError) as refused:
        getattr(client, operation)(**arguments)
    response = cast("Any", refused.value.response)
    assert (response["Error"]["Code"], response["ResponseMetadata"]["HTTPStatusCode"]) == (code, status)
    assert aws.faults()[0]["struck"] == 2  # the SDK, too, knows that it was throttled: it asked again


def test_a_cut_connection_leaves_nothing_done_and_the_client_asks_again(aws: OfflineAws, quick: None) -> None:
    sqs = aws.client("sqs", account=ACCOUNT)
    aws.cut("sqs", "CreateQueue", times=2)
    with pytest.raises(ConnectionClosedError):
        sqs.create_queue(QueueName="orders")
    assert sqs.list_queues().get("QueueUrls") is None
    assert [call.error for call in aws.calls("sqs", operation="Create*")] == ["ConnectionCut", "ConnectionCut"]
    aws.cut("sqs", "CreateQueue")
    assert sqs.create_queue(QueueName="orders")["QueueUrl"]


@pytest.mark.parametrize("service", ["sqs", "ssm", "s3", "dynamodb", "iam"])
def test_a_stale_read_does_not_find_what_was_just_made(aws: OfflineAws, service: str) -> None:
    make: dict[str, tuple[str, dict[str, Any], str, dict[str, Any]]] = {
        "sqs": ("create_queue", {"QueueName": "one"}, "get_queue_url", {"QueueName": "one"}),
        "ssm": ("put_parameter", {"Name": "one", "Value": "1", "Type": "String"}, "get_parameter", {"Name": "one"}),
        "s3": ("put_object", {"Bucket": "one-bucket", "Key": "k"}, "get_object", {"Bucket": "one-bucket", "Key": "k"}),
        "dynamodb": (
            "create_table",
            {
                "TableName": "one",
                "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
                "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
                "BillingMode": "PAY_PER_REQUEST",
            },
            "describe_table",
            {"TableName": "one"},
        ),
        "iam": ("create_role", {"RoleName": "one", "AssumeRolePolicyDocument": "{}"}, "get_role", {"RoleName": "one"}),
    }
    create, given, read, named = make[service]
    client = aws.client(service, account=ACCOUNT, region="us-east-1")
    if service == "s3":
        client.create_bucket(Bucket="one-bucket")
    aws.stale(service, times=2)
    assert code_of(client, read, **named) is not None  # it is not there: this is no stale read
    getattr(client, create)(**given)
    assert [code_of(client, read, **named) is None for _ in range(3)] == [False, False, True]
    assert aws.faults()[0]["struck"] == 2


def test_a_stale_read_shows_the_old_value_in_that_account_alone(aws: OfflineAws) -> None:
    clients = [aws.client("ssm", account=account) for account in (ACCOUNT, OTHER)]
    for client in clients:
        client.put_parameter(Name="one", Value="old", Type="String")
    aws.stale("ssm", "GetParameter", account=ACCOUNT, times=None)
    for value in ("new", "newest"):
        for client in clients:
            client.put_parameter(Name="one", Value=value, Type="String", Overwrite=True)
    assert [client.get_parameter(Name="one")["Parameter"]["Value"] for client in clients] == ["new", "newest"]
    assert [len(client.describe_parameters()["Parameters"]) for client in clients] == [1, 1]
    aws.clear_faults()
    assert clients[0].get_parameter(Name="one")["Parameter"]["Value"] == "newest"


def test_stale_reads_of_stacks_and_of_the_organization(aws: OfflineAws) -> None:
    management = "123456789012"
    cloudformation = aws.client("cloudformation", account=management)
    template = {"Resources": {"Queue": {"Type": "AWS::SQS::Queue", "Properties": {"VisibilityTimeout": 30}}}}
    cloudformation.create_stack(StackName="shop", TemplateBody=json.dumps(template))
    aws.stale("cloudformation", "DescribeStacks", times=2)
    template["Resources"]["Queue"]["Properties"] = {"VisibilityTimeout": 60}
    cloudformation.update_stack(StackName="shop", TemplateBody=json.dumps(template))
    states = [cloudformation.describe_stacks(StackName="shop")["Stacks"][0]["StackStatus"] for _ in range(3)]
    assert states == ["CREATE_COMPLETE", "CREATE_COMPLETE", "UPDATE_COMPLETE"]
    organizations = aws.client("organizations", account=management)
    aws.stale("organizations", "ListAccounts")
    organizations.create_account(AccountName="acme", Email="aws+acme@agency.example")
    assert [len(organizations.list_accounts()["Accounts"]) for _ in range(2)] == [1, 2]


@pytest.mark.parametrize(
    ("service", "operation", "arguments", "name"),
    [
        ("s3", "list_buckets", {}, "ListBuckets"),
        ("s3", "put_object", {"Bucket": "b", "Key": "k"}, "PutObject"),
        ("sqs", "list_queues", {}, "ListQueues"),
        ("dynamodb", "list_tables", {}, "ListTables"),
        ("lambda", "list_functions", {}, "ListFunctions"),
        ("iam", "list_roles", {}, "ListRoles"),
        ("ec2", "describe_vpcs", {}, "DescribeVpcs"),
        ("cloudformation", "list_stacks", {}, "ListStacks"),
        ("organizations", "list_accounts", {}, "ListAccounts"),
    ],
)
def test_an_error_reaches_clients_of_every_protocol(
    aws: OfflineAws, service: str, operation: str, arguments: dict[str, object], name: str
) -> None:
    aws.fail(service, name, code="AccessDenied", message="not today")
    client = aws.client(service, account=ACCOUNT)
    with pytest.raises(ClientError) as refused:
        getattr(client, operation)(**arguments)
    response = cast("Any", refused.value.response)
    assert response["Error"]["Code"] == "AccessDenied"
    assert "not today" in response["Error"]["Message"]
    assert response["ResponseMetadata"]["HTTPStatusCode"] == 403
    assert [call.error for call in aws.calls(service)] == ["AccessDenied"]


def test_a_refused_call_does_nothing(aws: OfflineAws) -> None:
    sqs = aws.client("sqs", account=ACCOUNT)
    aws.fail("sqs", "CreateQueue", code="AccessDenied")
    assert code_of(sqs, "create_queue", QueueName="orders") == "AccessDenied"
    assert sqs.list_queues().get("QueueUrls") is None
    assert code_of(sqs, "create_queue", QueueName="orders") is None


def test_the_account_may_be_named_before_it_exists(aws: OfflineAws) -> None:
    aws.fail("sqs", "ListQueues", code="AccessDenied", account="acme")
    organizations = aws.client("organizations", account="123456789012")
    organizations.create_account(Email="aws+acme@agency.example", AccountName="acme")
    assert code_of(aws.client("sqs", account="123456789012"), "list_queues") is None
    assert code_of(aws.client("sqs", account="acme"), "list_queues") == "AccessDenied"


def test_a_throttled_call_succeeds_when_the_client_repeats_it(aws: OfflineAws) -> None:
    aws.fail("sqs", "ListQueues", code="ThrottlingException")
    assert code_of(aws.client("sqs", account=ACCOUNT), "list_queues") is None
    assert [call.error for call in aws.calls()] == ["ThrottlingException", None]


def test_a_lost_answer_leaves_the_work_done_once_and_the_client_without_an_answer(aws: OfflineAws) -> None:
    sns = aws.client("sns", account=ACCOUNT)
    arn = sns.create_topic(Name="orders")["TopicArn"]
    sqs = aws.client("sqs", account=ACCOUNT)
    url = sqs.create_queue(QueueName="orders")["QueueUrl"]
    aws.lose_answer("sqs", "SendMessage")
    with pytest.raises(ConnectionClosedError):
        sqs.send_message(QueueUrl=url, MessageBody=arn)
    assert [call.error for call in aws.calls("sqs")[-2:]] == ["AnswerLost", "AnswerLost"]
    counted = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["ApproximateNumberOfMessages"])
    assert counted["Attributes"]["ApproximateNumberOfMessages"] == "1"
    sqs.send_message(QueueUrl=url, MessageBody="another")


def test_a_delay_is_waited_for_before_the_work(aws: OfflineAws, monkeypatch: pytest.MonkeyPatch) -> None:
    waited: list[float] = []
    monkeypatch.setattr(aws._server.cloud.gateway, "sleep", waited.append)
    aws.delay("sqs", "ListQueues", seconds=7.5)
    assert code_of(aws.client("sqs", account=ACCOUNT), "list_queues") is None
    assert waited == [7.5]


def test_faults_are_listed_and_cleared(aws: OfflineAws) -> None:
    aws.fail("sqs", "ListQueues", code="AccessDenied", times=None)
    assert code_of(aws.client("sqs", account=ACCOUNT), "list_queues") == "AccessDenied"
    [fault] = aws.faults()
    assert (fault["service"], fault["operation"], fault["seen"], fault["struck"]) == ("sqs", "ListQueues", 1, 1)
    aws.clear_faults()
    assert aws.faults() == []
    assert code_of(aws.client("sqs", account=ACCOUNT), "list_queues") is None


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "said"),
    [
        ("POST", "faults", {"service": "s3"}, 400, "operation"),
        ("POST", "faults", {"service": "s3", "operation": "*", "nth": 0}, 400, "greater than or equal to 1"),
        ("POST", "faults", {"service": "s3", "operation": "*", "when": "now"}, 400, "when"),
        ("POST", "faults", {"service": "S3", "operation": "*"}, 400, "AWS has no service S3; boto3's names are meant"),
        ("POST", "faults", {"service": "s3", "operation": "PutTags"}, 400, "s3 has no operation PutTags"),
        ("POST", "faults", {"service": "sqs", "operation": "CreateQueu"}, 400, "did you mean CreateQueue?"),
        ("POST", "faults", {"service": "s3", "operation": "*", "kind": "slow"}, 400, "kind"),
        ("POST", "faults", {"service": "s3", "operation": "*", "share": 0}, 400, "greater than 0"),
        ("POST", "faults", {"service": "s3", "operation": "*", "seed": 1}, 400, "seed has no meaning without a share"),
        ("POST", "faults", {"service": "s3", "operation": "*", "rate": 1}, 400, "rate has no meaning for a fault"),
        ("POST", "faults", {"service": "s3", "operation": "*", "kind": "throttle"}, 400, "a throttle needs its rate"),
        ("POST", "faults", {"service": "s3", "operation": "*", "kind": "delay"}, 400, "needs its delay"),
        ("POST", "faults", {"service": "cloudcontrol", "operation": "*", "kind": "stale"}, 400, "are not offered"),
        ("PUT", "settings", {"polls": -1}, 400, "greater than or equal to 0"),
        ("DELETE", "faults/99", None, 404, "there is no fault 99"),
        ("GET", "nothing", None, 404, "GET /_offline/nothing is not offered"),
        ("GET", "reset", None, 404, "GET /_offline/reset is not offered"),
    ],
)
def test_bad_requests_to_the_administration_are_refused(
    aws: OfflineAws, method: str, path: str, body: object, status: int, said: str
) -> None:
    answer = urllib3.request(method, f"{aws.endpoint_url}/_offline/{path}", body=json.dumps(body), retries=False)
    assert answer.status == status
    assert said in answer.json()["error"]


def test_the_administration_is_neither_logged_nor_struck(aws: OfflineAws) -> None:
    aws.fail("*", "*", code="AccessDenied", times=None)
    assert urllib3.request("GET", f"{aws.endpoint_url}/_offline/health", retries=False).json() == {
        "status": "ok",
        "endpoint_url": aws.endpoint_url,
    }
    assert aws.calls() == []
