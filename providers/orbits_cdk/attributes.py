"""Attributes of resources that follow from their physical ids alone."""

import re
from collections.abc import Callable, Mapping
from typing import Any

_FORMS: dict[tuple[str, str], str] = {
    ("AWS::DynamoDB::Table", "Arn"): "arn:{partition}:dynamodb:{region}:{account}:table/{id}",
    ("AWS::IAM::Role", "Arn"): "arn:{partition}:iam::{account}:role{path}{id}",
    ("AWS::Lambda::Function", "Arn"): "arn:{partition}:lambda:{region}:{account}:function:{id}",
    ("AWS::Logs::LogGroup", "Arn"): "arn:{partition}:logs:{region}:{account}:log-group:{id}:*",
    ("AWS::S3::Bucket", "Arn"): "arn:{partition}:s3:::{id}",
    ("AWS::SNS::Topic", "TopicArn"): "{id}",
    ("AWS::SNS::Topic", "TopicName"): "{last}",
    ("AWS::SQS::Queue", "Arn"): "arn:{partition}:sqs:{region}:{account}:{last}",
    ("AWS::SQS::Queue", "QueueName"): "{last}",
    ("AWS::SQS::Queue", "QueueUrl"): "{id}",
}


def attribute_of(partition: str, region: str, account: str) -> Callable[[Mapping[str, Any], str, str], str | None]:
    """A function of resource, physical id and attribute that gives its value in this account and region, or None."""

    def attribute(resource: Mapping[str, Any], physical_id: str, name: str) -> str | None:
        form = _FORMS.get((str(resource.get("Type", "")), name))
        path = resource.get("Properties", {}).get("Path", "/")
        if form is None or not isinstance(path, str):
            return None
        last = re.split(r"[:/]", physical_id)[-1]
        return form.format(partition=partition, region=region, account=account, id=physical_id, last=last, path=path)

    return attribute
