"""The resource types that stacks can hold, a file a service.

A type belongs here if it can be made, changed in place wherever AWS changes it in place, and removed, by calls to the
offline AWS. A type that can do less is not listed, and a template that names it is refused.
"""

from .awslambda import Function
from .contract import ResourceType
from .dynamodb import Table
from .iam import ManagedPolicy, Policy, Role
from .logs import LogGroup
from .nothing import Metadata, WaitConditionHandle
from .s3 import Bucket, BucketPolicy
from .sns import Topic
from .sqs import Queue, QueuePolicy
from .ssm import Parameter

TYPES: dict[str, ResourceType] = {
    handler.type: handler
    for handler in (
        Bucket(),
        BucketPolicy(),
        Function(),
        LogGroup(),
        ManagedPolicy(),
        Metadata(),
        Parameter(),
        Policy(),
        Queue(),
        QueuePolicy(),
        Role(),
        Table(),
        Topic(),
        WaitConditionHandle(),
    )
}

__all__ = ["TYPES", "ResourceType"]
