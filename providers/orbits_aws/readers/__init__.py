"""Readers of live state: for a type of CloudFormation, its properties as they are, by the service's own read calls.

A reader returns the properties in CloudFormation's shape, and None for a thing that is gone. What a type's reader does
not cover is said in `unread`, never guessed. What belongs here: a module for each service, reads only. What does not:
comparing, which is orbits_iac.drift's, and finding out which resources there are, which is the caller's.
"""

from orbits_aws.readers.contract import Aws, Reader
from orbits_aws.readers.dynamodb import TABLE
from orbits_aws.readers.iam import POLICY, ROLE
from orbits_aws.readers.lambda_ import FUNCTION
from orbits_aws.readers.s3 import BUCKET, BUCKET_POLICY
from orbits_aws.readers.sqs import QUEUE, QUEUE_POLICY

_READERS = {each.type: each for each in (BUCKET, BUCKET_POLICY, FUNCTION, POLICY, QUEUE, QUEUE_POLICY, ROLE, TABLE)}

__all__ = ["Aws", "Reader", "reader"]


def reader(type: str) -> Reader | None:  # noqa: A002 - CloudFormation's word
    """The reader of this type, or None."""
    return _READERS.get(type)
