"""Where moto is not as AWS and the offline AWS is."""

import json
from typing import Any

import pytest

from orbits_aws.offline import OfflineAws

ACCOUNT = "444455556666"
TRUST = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
        ],
    }
)


def test_a_tables_tag_has_one_value_and_its_stream_can_be_enabled_again(aws: OfflineAws) -> None:
    dynamodb = aws.client("dynamodb", account=ACCOUNT)
    arn = dynamodb.create_table(
        TableName="orders",
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        BillingMode="PAY_PER_REQUEST",
    )["TableDescription"]["TableArn"]
    for value in ("1", "2"):
        dynamodb.tag_resource(ResourceArn=arn, Tags=[{"Key": "release", "Value": value}])
    assert dynamodb.list_tags_of_resource(ResourceArn=arn)["Tags"] == [{"Key": "release", "Value": "2"}]
    on: Any = {"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"}
    for specification in (on, {"StreamEnabled": False}, on):
        dynamodb.update_table(TableName="orders", StreamSpecification=specification)
    assert dynamodb.describe_table(TableName="orders")["Table"]["StreamSpecification"] == on


def test_a_bucket_is_made_with_its_tags(aws: OfflineAws) -> None:
    s3 = aws.client("s3", account=ACCOUNT)
    tags = [{"Key": "release", "Value": "a & b"}, {"Key": "shop", "Value": ""}]
    asked: Any = {"LocationConstraint": "eu-west-1", "Tags": tags}
    s3.create_bucket(Bucket="site", CreateBucketConfiguration=asked)
    assert s3.get_bucket_tagging(Bucket="site")["TagSet"] == tags


def test_a_queue_keeps_its_policy_when_other_attributes_are_set(aws: OfflineAws) -> None:
    sqs = aws.client("sqs", account=ACCOUNT)
    url = sqs.create_queue(QueueName="orders")["QueueUrl"]
    policy = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Action": "sqs:*"}]})
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy})
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"VisibilityTimeout": "5"})
    live = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    assert (live["Policy"], live["VisibilityTimeout"]) == (policy, "5")
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": ""})
    assert "Policy" not in sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]


def test_policies_of_aws_can_be_attached_as_on_aws(aws: OfflineAws) -> None:
    iam = aws.client("iam", account=ACCOUNT)
    iam.create_role(RoleName="runner", AssumeRolePolicyDocument="{}")
    policy = "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole"
    iam.attach_role_policy(RoleName="runner", PolicyArn=policy)
    attached = iam.list_attached_role_policies(RoleName="runner")["AttachedPolicies"]
    assert [one["PolicyArn"] for one in attached] == [policy]
    with pytest.raises(iam.exceptions.NoSuchEntityException):
        iam.attach_role_policy(RoleName="runner", PolicyArn="arn:aws:iam::aws:policy/NoSuchPolicy")


def test_a_secrets_description_can_be_taken_away(aws: OfflineAws) -> None:
    secrets = aws.client("secretsmanager", account=ACCOUNT)
    arn = secrets.create_secret(Name="password", SecretString="x", Description="of the shop")["ARN"]
    secrets.update_secret(SecretId=arn, Description="")
    assert not secrets.describe_secret(SecretId="password").get("Description")


def test_a_table_has_a_class_that_can_be_changed(aws: OfflineAws) -> None:
    dynamodb = aws.client("dynamodb", account=ACCOUNT)
    dynamodb.create_table(
        TableName="rare",
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        BillingMode="PAY_PER_REQUEST",
        TableClass="STANDARD_INFREQUENT_ACCESS",
    )
    found = [dynamodb.describe_table(TableName="rare")["Table"]["TableClassSummary"]["TableClass"]]
    dynamodb.update_table(TableName="rare", TableClass="STANDARD")
    found += [dynamodb.describe_table(TableName="rare")["Table"]["TableClassSummary"]["TableClass"]]
    assert found == ["STANDARD_INFREQUENT_ACCESS", "STANDARD"]


def test_a_function_gets_another_architecture_with_its_code(aws: OfflineAws) -> None:
    role = aws.client("iam", account=ACCOUNT).create_role(RoleName="api", AssumeRolePolicyDocument=TRUST)["Role"]["Arn"]
    functions = aws.client("lambda", account=ACCOUNT)
    functions.create_function(
        FunctionName="api", Runtime="python3.12", Handler="a.b", Role=role, Code={"ZipFile": b"none"}
    )
    functions.update_function_code(FunctionName="api", ZipFile=b"other", Architectures=["arm64"])
    assert functions.get_function(FunctionName="api")["Configuration"]["Architectures"] == ["arm64"]
