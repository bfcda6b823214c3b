"""What is tagged, in one question: resources of each service, stacks and what they made, filters and pages."""

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from orbits_aws.offline import OfflineAws

MANAGEMENT = "123456789012"
PLACE = f"eu-west-1:{MANAGEMENT}"
JOBS, ORDERS = f"sqs:{PLACE}:jobs", f"sqs:{PLACE}:orders"
TAGS = [{"Key": "project", "Value": "shop"}]
QUEUE = {"Resources": {"Orders": {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": "orders"}}}}


def client(aws: OfflineAws, service: str, region: str = "eu-west-1") -> Any:
    return aws.client(service, account=MANAGEMENT, region=region)


@pytest.fixture
def tagging(aws: OfflineAws) -> Any:
    """The API, over one tagged thing of each service that the providers make, and things without a tag."""
    for region, name in (("eu-west-1", "here"), ("eu-west-2", "there")):
        s3 = client(aws, "s3", region)
        s3.create_bucket(Bucket=f"bucket-{name}", CreateBucketConfiguration={"LocationConstraint": region})
        s3.put_bucket_tagging(Bucket=f"bucket-{name}", Tagging={"TagSet": TAGS})
    client(aws, "sqs").create_queue(QueueName="jobs", tags={"project": "other"})
    client(aws, "sqs").create_queue(QueueName="bare")
    client(aws, "dynamodb").create_table(
        TableName="items",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
        Tags=TAGS,
    )
    client(aws, "iam").create_role(RoleName="role", AssumeRolePolicyDocument="{}", Tags=TAGS)
    client(aws, "secretsmanager").create_secret(Name="secret", SecretString="x", Tags=TAGS)
    client(aws, "ssm").put_parameter(Name="/a/b", Value="1", Type="String", Tags=TAGS)
    client(aws, "logs").create_log_group(logGroupName="group", tags={"project": "shop"})
    client(aws, "ecr").create_repository(repositoryName="images", tags=TAGS)
    client(aws, "cloudformation").create_stack(StackName="stack", TemplateBody=json.dumps(QUEUE), Tags=TAGS)
    return client(aws, "resourcegroupstaggingapi")


def found(tagging: Any, **arguments: Any) -> list[str]:
    pages = tagging.get_paginator("get_resources").paginate(**arguments)
    return [one["ResourceARN"].removeprefix("arn:aws:") for page in pages for one in page["ResourceTagMappingList"]]


def test_everything_with_a_tag_is_found(tagging: Any) -> None:
    secret, stack = f"secretsmanager:{PLACE}:secret:secret-", f"cloudformation:{PLACE}:stack/stack/"
    names = [name if secret not in name and stack not in name else "made up" for name in found(tagging)]
    assert names == [
        "made up",
        f"dynamodb:{PLACE}:table/items",
        f"ecr:{PLACE}:repository/images",
        f"logs:{PLACE}:log-group:group",
        "s3:::bucket-here",
        "made up",
        JOBS,
        ORDERS,
        f"ssm:{PLACE}:parameter/a/b",
    ]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({"TagFilters": [{"Key": "project", "Values": ["other", "more"]}]}, [JOBS]),
        ({"TagFilters": [{"Key": "absent"}]}, []),
        (
            {"ResourceTypeFilters": ["sqs", "s3:bucket"]},
            ["s3:::bucket-here", JOBS, ORDERS],
        ),
        (
            {
                "ResourceTypeFilters": ["sqs:queue"],
                "TagFilters": [{"Key": "project"}, {"Key": "project", "Values": ["shop"]}],
            },
            [ORDERS],
        ),
        ({"TagFilters": [{"Key": "aws:cloudformation:stack-name", "Values": ["stack"]}]}, [ORDERS]),
        ({"ResourceARNList": [f"arn:aws:sqs:{PLACE}:jobs"]}, [JOBS]),
    ],
)
def test_filters(tagging: Any, arguments: dict[str, Any], expected: list[str]) -> None:
    assert found(tagging, **arguments) == expected


def test_pages_keys_and_values(tagging: Any) -> None:
    first = tagging.get_resources(ResourcesPerPage=4)
    assert len(first["ResourceTagMappingList"]) == 4
    assert found(tagging, PaginationConfig={"PageSize": 4}) == found(tagging)
    assert tagging.get_tag_values(Key="project")["TagValues"] == ["other", "shop"]
    assert "aws:cloudformation:stack-id" in tagging.get_tag_keys()["TagKeys"]
    for arguments, code in (
        ({"PaginationToken": "?"}, "PaginationTokenExpiredException"),
        ({"ResourcesPerPage": 101}, "InvalidParameterException"),
        ({"ResourceARNList": ["arn:aws:s3:::bucket-here"], "ResourcesPerPage": 5}, "InvalidParameterException"),
    ):
        with pytest.raises(ClientError, match=code):
            tagging.get_resources(**arguments)
    tagging.tag_resources(ResourceARNList=["arn:aws:s3:::bucket-here"], Tags={"project": "late"})
    assert found(tagging, TagFilters=[{"Key": "project", "Values": ["late"]}]) == ["s3:::bucket-here"]
