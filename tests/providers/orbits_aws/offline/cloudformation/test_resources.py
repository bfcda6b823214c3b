"""Every resource type: made, changed in place, brought back after a failure, looked at for drift, removed."""

from typing import Any, NamedTuple

import pytest

MANAGEMENT = "123456789012"


def trust(service: str) -> dict[str, Any]:
    statement = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": service}}
    return {"Version": "2012-10-17", "Statement": [statement]}


def policy(action: str) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": action, "Resource": "*"}]}


def queue_policy(action: str) -> dict[str, Any]:
    statement = {"Effect": "Allow", "Principal": "*", "Action": action, "Resource": {"Fn::GetAtt": ["Queue", "Arn"]}}
    return {"Version": "2012-10-17", "Statement": [statement]}


def tags(**values: str) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in values.items()]


KEYS: dict[str, Any] = {
    "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
    "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
}
BASIC = "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole"
READER = "arn:aws:iam::aws:policy/ReadOnlyAccess"
ROLE: dict[str, Any] = {
    "Type": "AWS::IAM::Role",
    "Properties": {"AssumeRolePolicyDocument": trust("lambda.amazonaws.com")},
}
BUCKET = {"Type": "AWS::S3::Bucket"}
QUEUE = {"Type": "AWS::SQS::Queue"}


class Case(NamedTuple):
    """A type with properties, others that need no replacement, and the resources that it refers to."""

    type: str
    before: dict[str, Any]
    after: dict[str, Any]
    others: dict[str, Any] = {}

    def template(self, properties: dict[str, Any]) -> dict[str, Any]:
        return {"Resources": {**self.others, "It": {"Type": self.type, "Properties": properties}}}


CASES = {
    "queue": Case(
        "AWS::SQS::Queue",
        {
            "VisibilityTimeout": 10,
            "RedrivePolicy": {"deadLetterTargetArn": {"Fn::GetAtt": ["Dead", "Arn"]}, "maxReceiveCount": 3},
            "Tags": tags(a="1", b="1"),
        },
        {"VisibilityTimeout": 20, "DelaySeconds": 5, "Tags": tags(a="2", c="1")},
        {"Dead": QUEUE},
    ),
    "fifo queue": Case(
        "AWS::SQS::Queue",
        {"FifoQueue": True, "ContentBasedDeduplication": True},
        {"FifoQueue": True, "ContentBasedDeduplication": False, "MessageRetentionPeriod": 60},
    ),
    "queue policy": Case(
        "AWS::SQS::QueuePolicy",
        {"Queues": [{"Ref": "Queue"}], "PolicyDocument": queue_policy("sqs:SendMessage")},
        {"Queues": [{"Ref": "Queue"}], "PolicyDocument": queue_policy("sqs:*")},
        {"Queue": QUEUE},
    ),
    "bucket": Case(
        "AWS::S3::Bucket",
        {
            "VersioningConfiguration": {"Status": "Enabled"},
            "LifecycleConfiguration": {
                "Rules": [
                    {
                        "Id": "old",
                        "Status": "Enabled",
                        "ExpirationInDays": 30,
                        "Prefix": "logs/",
                        "NoncurrentVersionExpiration": {"NoncurrentDays": 3},
                    }
                ]
            },
            "CorsConfiguration": {"CorsRules": [{"AllowedMethods": ["GET"], "AllowedOrigins": ["*"], "MaxAge": 9}]},
            "PublicAccessBlockConfiguration": {
                "BlockPublicAcls": True,
                "BlockPublicPolicy": True,
                "IgnorePublicAcls": True,
                "RestrictPublicBuckets": True,
            },
            "Tags": tags(release="1"),
        },
        {
            "VersioningConfiguration": {"Status": "Suspended"},
            "LifecycleConfiguration": {
                "Rules": [
                    {
                        "Id": "old",
                        "Status": "Disabled",
                        "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 1},
                        "Transitions": [{"TransitionInDays": 60, "StorageClass": "GLACIER"}],
                    }
                ]
            },
            "BucketEncryption": {
                "ServerSideEncryptionConfiguration": [
                    {"ServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms"}, "BucketKeyEnabled": True}
                ]
            },
            "OwnershipControls": {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]},
            "WebsiteConfiguration": {"IndexDocument": "index.html", "ErrorDocument": "error.html"},
            "Tags": tags(release="2"),
        },
    ),
    "bucket policy": Case(
        "AWS::S3::BucketPolicy",
        {"Bucket": {"Ref": "Bucket"}, "PolicyDocument": policy("s3:GetObject")},
        {"Bucket": {"Ref": "Bucket"}, "PolicyDocument": policy("s3:*")},
        {"Bucket": BUCKET},
    ),
    "table": Case(
        "AWS::DynamoDB::Table",
        {
            **KEYS,
            "BillingMode": "PAY_PER_REQUEST",
            "PointInTimeRecoverySpecification": {"PointInTimeRecoveryEnabled": True},
            "TimeToLiveSpecification": {"AttributeName": "until", "Enabled": True},
            "StreamSpecification": {"StreamViewType": "NEW_IMAGE"},
            "Tags": tags(a="1", b="1"),
        },
        {
            "AttributeDefinitions": [
                {"AttributeName": "id", "AttributeType": "S"},
                {"AttributeName": "other", "AttributeType": "N"},
            ],
            "KeySchema": KEYS["KeySchema"],
            "BillingMode": "PROVISIONED",
            "ProvisionedThroughput": {"ReadCapacityUnits": 2, "WriteCapacityUnits": 3},
            "GlobalSecondaryIndexes": [
                {
                    "IndexName": "by-other",
                    "KeySchema": [{"AttributeName": "other", "KeyType": "HASH"}],
                    "Projection": {"ProjectionType": "ALL"},
                    "ProvisionedThroughput": {"ReadCapacityUnits": 1, "WriteCapacityUnits": 1},
                }
            ],
            "Tags": tags(a="2"),
        },
    ),
    "function": Case(
        "AWS::Lambda::Function",
        {
            "Code": {"ZipFile": "def handler(event, context): return 1"},
            "Handler": "index.handler",
            "Runtime": "python3.13",
            "Role": {"Fn::GetAtt": ["Role", "Arn"]},
            "Environment": {"Variables": {"STAGE": "one", "OLD": "x"}},
            "Timeout": 10,
            "Tags": tags(a="1"),
        },
        {
            "Code": {"ZipFile": "def handler(event, context): return 2"},
            "Handler": "index.other",
            "Runtime": "python3.13",
            "Role": {"Fn::GetAtt": ["Role", "Arn"]},
            "Environment": {"Variables": {"STAGE": "two"}},
            "MemorySize": 256,
            "ReservedConcurrentExecutions": 2,
            "Tags": tags(a="2"),
        },
        {"Role": ROLE},
    ),
    "role": Case(
        "AWS::IAM::Role",
        {
            "AssumeRolePolicyDocument": trust("lambda.amazonaws.com"),
            "Description": "before",
            "ManagedPolicyArns": [BASIC],
            "Policies": [
                {"PolicyName": "one", "PolicyDocument": policy("s3:*")},
                {"PolicyName": "two", "PolicyDocument": policy("s3:*")},
            ],
            "Tags": tags(a="1", b="1"),
        },
        {
            "AssumeRolePolicyDocument": trust("ecs.amazonaws.com"),
            "MaxSessionDuration": 7200,
            "ManagedPolicyArns": [READER],
            "Policies": [{"PolicyName": "one", "PolicyDocument": policy("sqs:*")}],
            "Tags": tags(a="2"),
        },
    ),
    "inline policy": Case(
        "AWS::IAM::Policy",
        {"PolicyName": "use", "PolicyDocument": policy("s3:*"), "Roles": [{"Ref": "One"}]},
        {"PolicyName": "use", "PolicyDocument": policy("sqs:*"), "Roles": [{"Ref": "Two"}]},
        {"One": ROLE, "Two": ROLE},
    ),
    "managed policy": Case(
        "AWS::IAM::ManagedPolicy",
        {"PolicyDocument": policy("s3:*"), "Roles": [{"Ref": "One"}], "Description": "d", "Path": "/"},
        {"PolicyDocument": policy("sqs:*"), "Roles": [{"Ref": "Two"}], "Description": "d", "Path": "/"},
        {"One": ROLE, "Two": ROLE},
    ),
    "log group": Case(
        "AWS::Logs::LogGroup",
        {"RetentionInDays": 7, "Tags": tags(a="1", b="1")},
        {"RetentionInDays": 30, "Tags": tags(a="2")},
    ),
    "parameter": Case(
        "AWS::SSM::Parameter",
        {"Type": "String", "Value": "one", "Tags": {"a": "1", "b": "1"}},
        {"Type": "String", "Value": "two", "Tags": {"a": "2"}},
    ),
    "topic": Case(
        "AWS::SNS::Topic",
        {"DisplayName": "Orders", "Tags": tags(a="1", b="1")},
        {"DisplayName": "Others", "Tags": tags(a="2")},
    ),
}


@pytest.fixture(params=list(CASES.values()), ids=list(CASES))
def case(request: pytest.FixtureRequest) -> Case:
    found: Case = request.param
    return found


def assert_in_sync(cfn: Any, stack: str = "shop") -> None:
    drift = cfn.drift(stack)
    assert {status for status, _ in drift.values()} <= {"IN_SYNC"}, drift
    assert "It" in drift


def test_it_is_made_changed_in_place_and_removed_as_declared(aws: Any, cfn: Any, case: Case) -> None:
    made = cfn.deploy("shop", case.template(case.before))
    assert made["StackStatus"] == "CREATE_COMPLETE", cfn.reasons("shop")
    assert_in_sync(cfn)
    physical_id = cfn.physical_id("shop", "It")
    changed = cfn.deploy("shop", case.template(case.after))
    assert changed["StackStatus"] == "UPDATE_COMPLETE", cfn.reasons("shop")
    assert cfn.physical_id("shop", "It") == physical_id
    assert_in_sync(cfn)
    back = cfn.deploy("shop", case.template(case.before))
    assert back["StackStatus"] == "UPDATE_COMPLETE", cfn.reasons("shop")
    assert_in_sync(cfn)
    cfn.client.delete_stack(StackName="shop")
    assert cfn.stack(made["StackId"])["StackStatus"] == "DELETE_COMPLETE", cfn.reasons(made["StackId"])
    assert left_over(aws) == []


def test_a_failing_update_brings_every_property_back(aws: Any, cfn: Any, case: Case) -> None:
    template = case.template(case.before)
    cfn.deploy("shop", template)
    failing = case.template(case.after)
    failing["Resources"]["Last"] = {**QUEUE, "DependsOn": "It"}
    aws.fail("sqs", "CreateQueue", code="AccessDenied", resource="Last")
    assert cfn.deploy("shop", failing)["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE", cfn.reasons("shop")
    assert_in_sync(cfn)
    assert cfn.change_set("shop", template)["Status"] == "FAILED"


def test_whichever_call_fails_the_update_goes_back(aws: Any, cfn: Any, case: Case) -> None:
    template = case.template(case.before)
    cfn.deploy("shop", template)
    before = len(aws.calls(writes=True, origin="cloudformation"))
    cfn.deploy("shop", case.template(case.after))
    calls = len(aws.calls(writes=True, origin="cloudformation")) - before
    cfn.deploy("shop", template)
    for nth in range(1, calls + 1):
        made = aws.calls(writes=True, origin="cloudformation")[before : before + nth]
        write = made[-1]
        same = [call for call in made if call == write]
        aws.fail(write.service, write.operation, code="AccessDenied", nth=len(same), origin="cloudformation")
        stack = cfn.deploy("shop", case.template(case.after))
        assert stack["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE", (write, cfn.reasons("shop"))
        aws.clear_faults()
        assert_in_sync(cfn)


def test_whichever_call_fails_a_creation_leaves_nothing(aws: Any, cfn: Any, case: Case) -> None:
    cfn.deploy("first", case.template(case.before))
    writes = aws.calls(writes=True, origin="cloudformation")
    cfn.client.delete_stack(StackName="first")
    for nth, write in enumerate(writes, start=1):
        same = [call for call in writes[:nth] if call == write]
        aws.fail(write.service, write.operation, code="AccessDenied", nth=len(same), origin="cloudformation")
        stack = cfn.deploy(f"shop-{nth}", case.template(case.before))
        assert stack["StackStatus"] == "ROLLBACK_COMPLETE", (write, cfn.reasons(f"shop-{nth}"))
        aws.clear_faults()
        assert left_over(aws) == []


def left_over(aws: Any) -> list[str]:
    """What is left in the account of anything that these tests make."""

    def client(service: str) -> Any:
        return aws.client(service, account=MANAGEMENT)

    return [
        *client("sqs").list_queues().get("QueueUrls", []),
        *[bucket["Name"] for bucket in client("s3").list_buckets()["Buckets"]],
        *client("dynamodb").list_tables()["TableNames"],
        *[function["FunctionName"] for function in client("lambda").list_functions()["Functions"]],
        *[role["RoleName"] for role in client("iam").list_roles()["Roles"]],
        *[one["PolicyName"] for one in client("iam").list_policies(Scope="Local")["Policies"]],
        *[group["logGroupName"] for group in client("logs").describe_log_groups()["logGroups"]],
        *[parameter["Name"] for parameter in client("ssm").describe_parameters()["Parameters"]],
        *[topic["TopicArn"] for topic in client("sns").list_topics()["Topics"]],
    ]


def live(aws: Any, service: str, operation: str, **arguments: Any) -> Any:
    return getattr(aws.client(service, account=MANAGEMENT), operation)(**arguments)


def test_updates_reach_the_live_resource(aws: Any, cfn: Any) -> None:
    """The readers are checked against the services themselves, for what drift detection does not compare."""
    cfn.deploy("shop", CASES["function"].template(CASES["function"].before))
    name = cfn.physical_id("shop", "It")
    first = live(aws, "lambda", "get_function", FunctionName=name)["Configuration"]
    cfn.deploy("shop", CASES["function"].template(CASES["function"].after))
    answer = live(aws, "lambda", "get_function", FunctionName=name)
    second = answer["Configuration"]
    assert first["CodeSha256"] != second["CodeSha256"]
    assert (first["Timeout"], second["Timeout"], second["Handler"]) == (10, 3, "index.other")
    assert second["Environment"]["Variables"] == {"STAGE": "two"}
    assert answer["Tags"] == {"a": "2"}


def test_attributes_are_those_of_the_service(aws: Any, cfn: Any) -> None:
    template: dict[str, Any] = {
        "Resources": {
            "Bucket": {**BUCKET, "Properties": {"BucketName": "site"}},
            "Queue": {**QUEUE, "Properties": {"QueueName": "orders"}},
            "Table": {"Type": "AWS::DynamoDB::Table", "Properties": {**CASES["table"].before, "TableName": "orders"}},
            "Role": {**ROLE, "Properties": {**ROLE["Properties"], "RoleName": "runner", "Path": "/a/"}},
            "Topic": {"Type": "AWS::SNS::Topic", "Properties": {"TopicName": "news"}},
            "Logs": {"Type": "AWS::Logs::LogGroup", "Properties": {"LogGroupName": "/logs"}},
            "Parameter": {"Type": "AWS::SSM::Parameter", "Properties": {"Name": "/p", "Type": "String", "Value": "v"}},
        },
        "Outputs": {},
    }
    wanted = {
        "Bucket.Arn": "arn:aws:s3:::site",
        "Bucket.RegionalDomainName": "site.s3.eu-west-1.amazonaws.com",
        "Queue.Arn": f"arn:aws:sqs:eu-west-1:{MANAGEMENT}:orders",
        "Queue.QueueName": "orders",
        "Table.Arn": f"arn:aws:dynamodb:eu-west-1:{MANAGEMENT}:table/orders",
        "Role.Arn": f"arn:aws:iam::{MANAGEMENT}:role/a/runner",
        "Topic.TopicArn": f"arn:aws:sns:eu-west-1:{MANAGEMENT}:news",
        "Topic.TopicName": "news",
        "Logs.Arn": f"arn:aws:logs:eu-west-1:{MANAGEMENT}:log-group:/logs:*",
        "Parameter.Value": "v",
    }
    for number, name in enumerate(wanted):
        template["Outputs"][f"O{number}"] = {"Value": {"Fn::GetAtt": name.split(".")}}
    stack = cfn.deploy("shop", template)
    assert stack["StackStatus"] == "CREATE_COMPLETE", cfn.reasons("shop")
    outputs = cfn.outputs("shop")
    assert {name: outputs[f"O{number}"] for number, name in enumerate(wanted)} == wanted


@pytest.mark.parametrize(
    ("properties", "said"),
    [
        (
            {"ReplicationConfiguration": {"Role": "arn:aws:iam::123456789012:role/copy", "Rules": []}},
            "does not carry out property ReplicationConfiguration of AWS::S3::Bucket",
        ),
        (
            {"LifecycleConfiguration": {"Rules": [{"Status": "Enabled", "TagFilters": []}]}},
            "does not support TagFilters in a rule of LifecycleConfiguration",
        ),
        ({"WebsiteConfiguration": {"RoutingRules": []}}, "does not support RoutingRules in WebsiteConfiguration"),
    ],
)
def test_what_is_not_carried_out_is_said_and_not_left_out(
    aws: Any, cfn: Any, properties: dict[str, Any], said: str
) -> None:
    stack = cfn.deploy("shop", {"Resources": {"It": {**BUCKET, "Properties": properties}}})
    assert stack["StackStatus"] == "ROLLBACK_COMPLETE"
    assert said in cfn.reasons("shop")["It"]
    assert left_over(aws) == []
