"""The resource types that stacks can hold, a file a service.

A type belongs here if it can be made and removed by calls to the offline AWS, and changed in place where AWS changes it
in place; a change that cannot be carried out is refused with the property, never forgotten. A type that can do less is
not listed, and a template that names it is refused. docs/offline-types.md tells what works; `orbits_aws.offline.types`
makes it by trying.
"""

from . import (
    acm,
    apigateway,
    apigatewayv2,
    autoscaling,
    awslambda,
    batch,
    cloudfront,
    cloudwatch,
    cognito,
    containers,
    data_work,
    dynamodb,
    ec2,
    ec2_groups,
    ec2_machines,
    efs,
    elb,
    events,
    iam,
    iam_users,
    iot,
    kinesis,
    kms,
    lambda_parts,
    logs,
    nested,
    nothing,
    rds,
    redshift,
    route53,
    s3,
    sagemaker,
    secretsmanager,
    sns,
    sqs,
    ssm,
    stepfunctions,
)
from .contract import ResourceType

_SERVICES = (
    acm,
    apigateway,
    apigatewayv2,
    autoscaling,
    awslambda,
    batch,
    cloudfront,
    cloudwatch,
    cognito,
    containers,
    data_work,
    dynamodb,
    ec2,
    ec2_groups,
    ec2_machines,
    efs,
    elb,
    events,
    iam,
    iam_users,
    iot,
    kinesis,
    kms,
    lambda_parts,
    logs,
    nested,
    nothing,
    rds,
    redshift,
    route53,
    s3,
    sagemaker,
    secretsmanager,
    sns,
    sqs,
    ssm,
    stepfunctions,
)

TYPES: dict[str, ResourceType] = {handler.type: handler for service in _SERVICES for handler in service.HANDLERS}

__all__ = ["TYPES", "ResourceType"]
