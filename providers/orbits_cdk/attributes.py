"""Attributes of resources that follow from their physical ids alone."""

import re
from collections.abc import Callable, Mapping
from typing import Any

_FORMS: dict[tuple[str, str], str] = {
    ("AWS::CloudWatch::Alarm", "Arn"): "arn:{partition}:cloudwatch:{region}:{account}:alarm:{id}",
    ("AWS::Cognito::UserPool", "Arn"): "arn:{partition}:cognito-idp:{region}:{account}:userpool/{id}",
    ("AWS::DynamoDB::Table", "Arn"): "arn:{partition}:dynamodb:{region}:{account}:table/{id}",
    ("AWS::EC2::SecurityGroup", "GroupId"): "{id}",
    ("AWS::EC2::Subnet", "SubnetId"): "{id}",
    ("AWS::EC2::VPC", "VpcId"): "{id}",
    ("AWS::ECR::Repository", "Arn"): "arn:{partition}:ecr:{region}:{account}:repository/{id}",
    ("AWS::ECS::Cluster", "Arn"): "arn:{partition}:ecs:{region}:{account}:cluster/{id}",
    ("AWS::Events::EventBus", "Arn"): "arn:{partition}:events:{region}:{account}:event-bus/{id}",
    ("AWS::Events::Rule", "Arn"): "arn:{partition}:events:{region}:{account}:rule/{id}",
    ("AWS::IAM::ManagedPolicy", "PolicyArn"): "{id}",
    ("AWS::IAM::Role", "Arn"): "arn:{partition}:iam::{account}:role{path}{id}",
    ("AWS::KMS::Key", "Arn"): "arn:{partition}:kms:{region}:{account}:key/{id}",
    ("AWS::KMS::Key", "KeyId"): "{id}",
    ("AWS::Kinesis::Stream", "Arn"): "arn:{partition}:kinesis:{region}:{account}:stream/{id}",
    ("AWS::Lambda::Function", "Arn"): "arn:{partition}:lambda:{region}:{account}:function:{id}",
    ("AWS::Logs::LogGroup", "Arn"): "arn:{partition}:logs:{region}:{account}:log-group:{id}:*",
    ("AWS::S3::Bucket", "Arn"): "arn:{partition}:s3:::{id}",
    ("AWS::SecretsManager::Secret", "Id"): "{id}",
    ("AWS::SNS::Topic", "TopicArn"): "{id}",
    ("AWS::SNS::Topic", "TopicName"): "{last}",
    ("AWS::SQS::Queue", "Arn"): "arn:{partition}:sqs:{region}:{account}:{last}",
    ("AWS::SQS::Queue", "QueueName"): "{last}",
    ("AWS::SQS::Queue", "QueueUrl"): "{id}",
    ("AWS::StepFunctions::StateMachine", "Arn"): "{id}",
    ("AWS::StepFunctions::StateMachine", "Name"): "{last}",
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
