"""Readers of live state: for a type of CloudFormation, its properties as they are, by the service's own read calls.

A reader returns the properties in CloudFormation's shape, and None for a thing that is gone. What a type's reader does
not cover is said in `unread`, never guessed. What belongs here: a module for each service, reads only. What does not:
comparing, which is orbits_iac.drift's, and finding out which resources there are, which is the caller's.
"""

from orbits_aws.readers.contract import Aws, Beside, Reader
from orbits_aws.readers.dynamodb import TABLE
from orbits_aws.readers.iam import MANAGED_POLICY, POLICY, ROLE
from orbits_aws.readers.lambda_ import FUNCTION
from orbits_aws.readers.logs import LOG_GROUP
from orbits_aws.readers.s3 import BUCKET, BUCKET_POLICY
from orbits_aws.readers.secretsmanager import SECRET
from orbits_aws.readers.sns import TOPIC
from orbits_aws.readers.sqs import QUEUE, QUEUE_POLICY
from orbits_aws.readers.ssm import PARAMETER

READERS = {
    each.type: each
    for each in (
        BUCKET,
        BUCKET_POLICY,
        FUNCTION,
        LOG_GROUP,
        MANAGED_POLICY,
        PARAMETER,
        POLICY,
        QUEUE,
        QUEUE_POLICY,
        ROLE,
        SECRET,
        TABLE,
        TOPIC,
    )
}

__all__ = ["READERS", "Aws", "Beside", "Reader", "reader"]


def reader(type: str) -> Reader | None:  # noqa: A002 - CloudFormation's word
    """The reader of this type, or None."""
    return READERS.get(type)
