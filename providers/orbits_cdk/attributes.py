"""Attributes of resources that follow from their physical ids alone."""

from collections.abc import Callable, Mapping
from typing import Any

_Form = Callable[[str, str, str, str], str]  # partition, region, account, physical id

_FORMS: dict[tuple[str, str], _Form] = {
    ("AWS::DynamoDB::Table", "Arn"): lambda p, r, a, i: f"arn:{p}:dynamodb:{r}:{a}:table/{i}",
    ("AWS::Lambda::Function", "Arn"): lambda p, r, a, i: f"arn:{p}:lambda:{r}:{a}:function:{i}",
    ("AWS::Logs::LogGroup", "Arn"): lambda p, r, a, i: f"arn:{p}:logs:{r}:{a}:log-group:{i}:*",
    ("AWS::S3::Bucket", "Arn"): lambda p, r, a, i: f"arn:{p}:s3:::{i}",
    ("AWS::SNS::Topic", "TopicArn"): lambda p, r, a, i: i,
    ("AWS::SNS::Topic", "TopicName"): lambda p, r, a, i: i.rpartition(":")[2],
    ("AWS::SQS::Queue", "Arn"): lambda p, r, a, i: f"arn:{p}:sqs:{r}:{a}:{i.rpartition('/')[2]}",
    ("AWS::SQS::Queue", "QueueName"): lambda p, r, a, i: i.rpartition("/")[2],
    ("AWS::SQS::Queue", "QueueUrl"): lambda p, r, a, i: i,
}


def attribute_of(partition: str, region: str, account: str) -> Callable[[Mapping[str, Any], str, str], str | None]:
    """A function of resource, physical id and attribute that gives its value in this account and region, or None."""

    def attribute(resource: Mapping[str, Any], physical_id: str, name: str) -> str | None:
        kind = str(resource.get("Type", ""))
        if (kind, name) == ("AWS::IAM::Role", "Arn"):
            path = resource.get("Properties", {}).get("Path", "/")
            return f"arn:{partition}:iam::{account}:role{path}{physical_id}" if isinstance(path, str) else None
        form = _FORMS.get((kind, name))
        return form(partition, region, account, physical_id) if form else None

    return attribute
