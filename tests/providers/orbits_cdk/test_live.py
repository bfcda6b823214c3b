"""The readers: a stack with each type that they read, and what somebody may have done to it behind its back."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from orbits_aws import AwsTarget, OfflineAws, client
from orbits_aws.readers import reader
from orbits_cdk.deploy import advance
from orbits_cdk.live import StackLook, Where, look_at
from orbits_cdk.payload import StackOutput, StackPayload
from orbits_cdk.wanted import Deployed, Underway, Wanted, Withheld

ALLOW_QUEUE = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Action": ["sqs:SendMessage", "sqs:GetQueueUrl"],
            "Resource": {"Fn::GetAtt": ["Jobs", "Arn"]},
        }
    ],
}
TEMPLATE: dict[str, Any] = {
    "Resources": {
        "Site": {
            "Type": "AWS::S3::Bucket",
            "Properties": {
                "VersioningConfiguration": {"Status": "Enabled"},
                "Tags": [{"Key": "release", "Value": "1"}],
                "PublicAccessBlockConfiguration": {"BlockPublicAcls": True, "BlockPublicPolicy": True},
                "LifecycleConfiguration": {"Rules": [{"Status": "Enabled", "ExpirationInDays": 1}]},
            },
        },
        "SitePolicy": {
            "Type": "AWS::S3::BucketPolicy",
            "Properties": {
                "Bucket": {"Ref": "Site"},
                "PolicyDocument": {
                    "Version": "2012-10-17",
                    "Statement": [
                        {
                            "Effect": "Deny",
                            "Principal": {"AWS": "*"},
                            "Action": "s3:*",
                            "Resource": {"Fn::Join": ["", [{"Fn::GetAtt": ["Site", "Arn"]}, "/*"]]},
                            "Condition": {"Bool": {"aws:SecureTransport": "false"}},
                        }
                    ],
                },
            },
        },
        "Jobs": {
            "Type": "AWS::SQS::Queue",
            "Properties": {
                "VisibilityTimeout": 45,
                "RedrivePolicy": {"deadLetterTargetArn": {"Fn::GetAtt": ["Dead", "Arn"]}, "maxReceiveCount": 3},
            },
        },
        "Dead": {"Type": "AWS::SQS::Queue"},
        "Table": {
            "Type": "AWS::DynamoDB::Table",
            "Properties": {
                "AttributeDefinitions": [
                    {"AttributeName": "id", "AttributeType": "S"},
                    {"AttributeName": "at", "AttributeType": "N"},
                ],
                "KeySchema": [
                    {"AttributeName": "id", "KeyType": "HASH"},
                    {"AttributeName": "at", "KeyType": "RANGE"},
                ],
                "BillingMode": "PAY_PER_REQUEST",
                "TimeToLiveSpecification": {"AttributeName": "gone", "Enabled": True},
            },
        },
        "Role": {
            "Type": "AWS::IAM::Role",
            "Properties": {
                "AssumeRolePolicyDocument": {
                    "Version": "2012-10-17",
                    "Statement": [
                        {
                            "Effect": "Allow",
                            "Action": "sts:AssumeRole",
                            "Principal": {"Service": "lambda.amazonaws.com"},
                        }
                    ],
                },
                "ManagedPolicyArns": [
                    {"Fn::Sub": "arn:${AWS::Partition}:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole"}
                ],
                "Policies": [{"PolicyName": "own", "PolicyDocument": ALLOW_QUEUE}],
            },
        },
        "Grants": {
            "Type": "AWS::IAM::Policy",
            "Properties": {"PolicyName": "grants", "PolicyDocument": ALLOW_QUEUE, "Roles": [{"Ref": "Role"}]},
        },
        "Function": {
            "Type": "AWS::Lambda::Function",
            "Properties": {
                "Code": {"ZipFile": "def handler(event, context): return 1"},
                "Handler": "index.handler",
                "Runtime": "python3.13",
                "Role": {"Fn::GetAtt": ["Role", "Arn"]},
                "Timeout": 10,
                "Environment": {"Variables": {"TABLE": {"Ref": "Table"}, "MODE": "a"}},
            },
        },
        "Logs": {"Type": "AWS::Logs::LogGroup", "Properties": {"RetentionInDays": 7}},
    },
    "Outputs": {"Bucket": {"Value": {"Ref": "Site"}}},
}
TAGS = {"orbits:project": "tests", "orbits:record": "Site acme"}
PAYLOAD = StackPayload(
    stack_name="site",
    region="eu-west-1",
    template=TEMPLATE,
    outputs=(StackOutput(field="bucket", name="Bucket", form="text"),),
)


class Live:
    """The deployed stack: what it looks like, and the hands of somebody else."""

    def __init__(self, aws: OfflineAws, target: AwsTarget) -> None:
        self.aws = aws
        self.target = target
        self.deploy()
        summaries = self.of("cloudformation").list_stack_resources(StackName="site")["StackResourceSummaries"]
        self.ids = {each["LogicalResourceId"]: each["PhysicalResourceId"] for each in summaries}
        self.outputs = {"bucket": self.ids["Site"]}

    def deploy(self, *, revert_drift: bool = False) -> None:
        cfn = client("cloudformation", self.target)
        wanted = Wanted(
            stack="site",
            place="here",
            template=TEMPLATE,
            parameters={},
            tags=TAGS,
            token="revert" if revert_drift else "make",
            revert_drift=revert_drift,
        )
        result: Underway | Withheld | Deployed = Underway()
        while isinstance(result, Underway):
            result = advance(cfn, wanted, result, lambda *_: None)

    def of(self, service: str) -> Any:
        return self.aws.client(service, account="acme")

    def look(self) -> StackLook:
        where = Where(account=self.target.account, region=self.target.region)
        return look_at(lambda service: client(service, self.target), PAYLOAD, where, self.outputs)


@pytest.fixture
def live(aws: OfflineAws, acme: AwsTarget) -> Live:
    return Live(aws, acme)


def test_nothing_was_done_and_nothing_is_found(live: Live) -> None:
    look = live.look()
    assert look.differences == ()
    assert look.unchecked == (
        "Function AWS::Lambda::Function Code: no reader: what runs cannot be read back in the form that a template has",
        "Logs AWS::Logs::LogGroup: no reader for this type",
        "Site AWS::S3::Bucket LifecycleConfiguration: not read by the reader of its type",
    )
    assert look.checked == 22


def test_a_look_writes_nothing(live: Live) -> None:
    before = len(live.aws.calls(writes=True))
    live.look()
    assert len(live.aws.calls(writes=True)) == before


def versioning(live: Live) -> None:
    live.of("s3").put_bucket_versioning(Bucket=live.ids["Site"], VersioningConfiguration={"Status": "Suspended"})


def bucket_tag(live: Live) -> None:
    live.of("s3").put_bucket_tagging(
        Bucket=live.ids["Site"],
        Tagging={"TagSet": [{"Key": "release", "Value": "2"}, {"Key": "owner", "Value": "me"}]},
    )


def bucket_tags_gone(live: Live) -> None:
    live.of("s3").delete_bucket_tagging(Bucket=live.ids["Site"])


def public_access(live: Live) -> None:
    live.of("s3").put_public_access_block(
        Bucket=live.ids["Site"],
        PublicAccessBlockConfiguration={
            "BlockPublicAcls": False,
            "BlockPublicPolicy": True,
            "IgnorePublicAcls": False,
            "RestrictPublicBuckets": False,
        },
    )


def encryption(live: Live) -> None:
    rule = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms"}}
    live.of("s3").put_bucket_encryption(Bucket=live.ids["Site"], ServerSideEncryptionConfiguration={"Rules": [rule]})


def bucket_policy(live: Live) -> None:
    policy = {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Principal": "*", "Action": "s3:*", "Resource": "*"}],
    }
    live.of("s3").put_bucket_policy(Bucket=live.ids["Site"], Policy=json.dumps(policy))


def bucket_policy_gone(live: Live) -> None:
    live.of("s3").delete_bucket_policy(Bucket=live.ids["Site"])


def queue_attribute(live: Live) -> None:
    live.of("sqs").set_queue_attributes(QueueUrl=live.ids["Jobs"], Attributes={"VisibilityTimeout": "5"})


def queue_attribute_added(live: Live) -> None:
    live.of("sqs").set_queue_attributes(QueueUrl=live.ids["Dead"], Attributes={"DelaySeconds": "9"})


def redrive(live: Live) -> None:
    arn = f"arn:aws:sqs:eu-west-1:{live.target.account}:{live.ids['Dead'].rpartition('/')[2]}"
    policy = json.dumps({"maxReceiveCount": "9", "deadLetterTargetArn": arn})
    live.of("sqs").set_queue_attributes(QueueUrl=live.ids["Jobs"], Attributes={"RedrivePolicy": policy})


def queue_tag(live: Live) -> None:
    live.of("sqs").tag_queue(QueueUrl=live.ids["Jobs"], Tags={"by": "hand"})


def queue_gone(live: Live) -> None:
    live.of("sqs").delete_queue(QueueUrl=live.ids["Jobs"])


def table_billing(live: Live) -> None:
    live.of("dynamodb").update_table(
        TableName=live.ids["Table"],
        BillingMode="PROVISIONED",
        ProvisionedThroughput={"ReadCapacityUnits": 1, "WriteCapacityUnits": 2},
    )


def table_expiry(live: Live) -> None:
    live.of("dynamodb").update_time_to_live(
        TableName=live.ids["Table"], TimeToLiveSpecification={"AttributeName": "gone", "Enabled": False}
    )


def table_protected(live: Live) -> None:
    live.of("dynamodb").update_table(TableName=live.ids["Table"], DeletionProtectionEnabled=True)


def table_gone(live: Live) -> None:
    live.of("dynamodb").delete_table(TableName=live.ids["Table"])


def function_timeout(live: Live) -> None:
    live.of("lambda").update_function_configuration(FunctionName=live.ids["Function"], Timeout=60)


def function_variables(live: Live) -> None:
    variables = {"TABLE": live.ids["Table"], "MODE": "b", "DEBUG": "1"}
    live.of("lambda").update_function_configuration(
        FunctionName=live.ids["Function"], Environment={"Variables": variables}
    )


def function_memory(live: Live) -> None:
    live.of("lambda").update_function_configuration(FunctionName=live.ids["Function"], MemorySize=512)


def role_policy_attached(live: Live) -> None:
    live.of("iam").attach_role_policy(
        RoleName=live.ids["Role"], PolicyArn="arn:aws:iam::aws:policy/AdministratorAccess"
    )


def role_trust(live: Live) -> None:
    document = json.loads(json.dumps(TEMPLATE["Resources"]["Role"]["Properties"]["AssumeRolePolicyDocument"]))
    document["Statement"][0]["Principal"] = {"AWS": "*"}
    live.of("iam").update_assume_role_policy(RoleName=live.ids["Role"], PolicyDocument=json.dumps(document))


def role_own_policy_gone(live: Live) -> None:
    live.of("iam").delete_role_policy(RoleName=live.ids["Role"], PolicyName="own")


def grants(live: Live) -> None:
    document = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
    live.of("iam").put_role_policy(RoleName=live.ids["Role"], PolicyName="grants", PolicyDocument=json.dumps(document))


def grants_gone(live: Live) -> None:
    live.of("iam").delete_role_policy(RoleName=live.ids["Role"], PolicyName="grants")


CHANGES: list[tuple[Callable[[Live], None], list[str]]] = [
    (versioning, ["Site VersioningConfiguration.Status"]),
    (bucket_tag, ["Site Tags[release]", "Site Tags[owner]"]),
    (bucket_tags_gone, ["Site Tags[release]"]),
    (public_access, ["Site PublicAccessBlockConfiguration.BlockPublicAcls"]),
    (
        encryption,
        ["Site BucketEncryption.ServerSideEncryptionConfiguration[0].ServerSideEncryptionByDefault.SSEAlgorithm"],
    ),
    (bucket_policy, ["SitePolicy PolicyDocument"]),
    (bucket_policy_gone, ["SitePolicy "]),
    (queue_attribute, ["Jobs VisibilityTimeout"]),
    (queue_attribute_added, ["Dead DelaySeconds"]),
    (redrive, ["Jobs RedrivePolicy.maxReceiveCount"]),
    (queue_tag, ["Jobs Tags[by]"]),
    (queue_gone, ["Jobs "]),
    (
        table_billing,
        [
            "Table BillingMode",
            "Table ProvisionedThroughput.ReadCapacityUnits",
            "Table ProvisionedThroughput.WriteCapacityUnits",
        ],
    ),
    (table_expiry, ["Table TimeToLiveSpecification.Enabled"]),
    (table_protected, ["Table DeletionProtectionEnabled"]),
    (table_gone, ["Table "]),
    (function_timeout, ["Function Timeout"]),
    (function_variables, ["Function Environment.Variables.MODE", "Function Environment.Variables.DEBUG"]),
    (function_memory, ["Function MemorySize"]),
    (role_policy_attached, ["Role ManagedPolicyArns"]),
    (role_trust, ["Role AssumeRolePolicyDocument"]),
    (role_own_policy_gone, ["Role Policies[own]"]),
    (grants, ["Grants PolicyDocument"]),
    (grants_gone, ["Grants "]),
]


@pytest.mark.parametrize(("change", "found"), CHANGES, ids=[change.__name__ for change, _ in CHANGES])
def test_what_somebody_did_is_found_there_and_nowhere_else(
    live: Live, change: Callable[[Live], None], found: list[str]
) -> None:
    change(live)
    assert [f"{each.resource} {each.path}" for each in live.look().differences] == found


def test_each_reader_says_what_it_covers() -> None:
    types = {each["Type"] for each in TEMPLATE["Resources"].values()} - {"AWS::Logs::LogGroup"}
    for each in types:
        found = reader(each)
        assert found is not None
        assert not found.covers & set(found.unread)
    assert reader("AWS::Logs::LogGroup") is None
