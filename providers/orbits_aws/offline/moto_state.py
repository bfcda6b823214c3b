"""What moto holds, behind typed functions: the objects behind its API, where AWS's behaviour cannot be had through it.

They change under the hands of other threads, so what is walked is copied first.
"""

import functools
import importlib
import json
import sys
from typing import Any, cast

from moto.backends import get_backend
from moto.core.base_backend import BackendDict

from .moto_adapter import MANAGEMENT_ACCOUNT


def reset() -> None:
    """Forget everything in every account; what is left is a new organization and its management account."""
    from moto.moto_api._internal.models import moto_api_backend
    from moto.organizations.models import organizations_backends

    moto_api_backend.reset()
    organizations_backends[MANAGEMENT_ACCOUNT]["aws"].create_organization("us-east-1", FeatureSet="ALL")


_MADE_WITH = frozenset({"backend", "service_name", "_additional_regions", "_id", "_use_boto3_regions"})
"""Attributes of a service's table of accounts that say how it was made, and nothing of what is in it."""


def state() -> dict[tuple[str, str], Any]:
    """All that moto holds: for each service, by where its table of accounts stands, the accounts and the rest."""
    found: dict[tuple[str, str], Any] = {}
    for table_of_accounts in list(cast("Any", BackendDict)._instances):  # noqa: SLF001 - moto has no other list of them
        module = table_of_accounts.backend.__module__
        [name] = [name for name, value in vars(sys.modules[module]).items() if value is table_of_accounts]
        found[module, name] = (
            {account: dict(regions) for account, regions in table_of_accounts.items()},
            {name: value for name, value in vars(table_of_accounts).items() if name not in _MADE_WITH},
        )
    return found


def restore(state: dict[tuple[str, str], Any]) -> None:
    """Let moto, which was reset, hold what `state` gave."""
    for one in list(cast("Any", BackendDict)._instances):  # noqa: SLF001 - as above
        one.clear()
    for (module, name), (accounts, rest) in state.items():
        table_of_accounts = getattr(importlib.import_module(module), name)
        vars(table_of_accounts).update(rest)
        for account, regions in accounts.items():
            table_of_accounts[account].update(regions)


def backends(service: str, account: str) -> dict[str, Any]:
    """moto's own objects that hold what a service has in an account, by region. Raises LookupError without such."""
    try:
        return cast("dict[str, Any]", get_backend(cast("Any", service))[account])
    except (ImportError, AttributeError, KeyError) as missing:
        raise LookupError(service) from missing


def account_of_key(access_key: str) -> str | None:
    """The account that an access key was issued in; None if moto issued no such key."""
    from moto.iam.models import iam_backends

    for account_id, partitions in list(iam_backends.items()):
        for backend in list(partitions.values()):
            if access_key in backend.access_keys:
                return str(account_id)
    return None


def role_exists(arn: str) -> bool:
    """Whether the IAM role of this ARN exists in its account."""
    from moto.iam.models import iam_backends

    account, name = arn.split(":")[4], arn.rpartition("/")[2]
    return account in iam_backends and any(
        role.arn == arn and role.name == name for role in list(iam_backends[account]["aws"].roles.values())
    )


def queue(account: str, region: str, name: str) -> Any:
    """moto's own object of an SQS queue; None if there is none of the name."""
    from moto.sqs.models import sqs_backends

    return sqs_backends[account][region].queues.get(name)


def tag_bucket(account: str, region: str, name: str, tags: dict[str, str]) -> None:
    """Give an S3 bucket these tags and no others."""
    from moto.s3.models import s3_backends
    from moto.utilities.utils import get_partition

    s3_backends[account][get_partition(region)].put_bucket_tagging(name, tags)


def table(account: str, region: str, name: str) -> Any:
    """moto's own object of a DynamoDB table; None if there is none of the name."""
    from moto.dynamodb.models import dynamodb_backends

    return dynamodb_backends[account][region].tables.get(name)


def subnet_groups(account: str, region: str) -> Any:
    """moto's own RDS subnet groups, by name."""
    from moto.rds.models import rds_backends

    return rds_backends[account][region].subnet_groups


def account_named(name: str) -> str | None:
    """The id of the account that has this name in the organization of the management account."""
    from moto.organizations.models import organizations_backends

    for account in organizations_backends[MANAGEMENT_ACCOUNT]["aws"].accounts:
        if account.name == name:
            return str(account.id)
    return None


@functools.cache
def _aws_policies() -> dict[str, Any]:
    from moto.iam.aws_managed_policies import aws_managed_policies_data

    return cast("dict[str, Any]", json.loads(aws_managed_policies_data))


def provide_aws_policy(account: str, arn: str) -> None:
    """Make one of AWS's own managed policies attachable in an account; an arn that is no such policy is left alone.

    moto can load all 1,200 of them into each account; that is slow and large, so each comes when it is first named.
    """
    from moto.iam.models import AWSManagedPolicy, iam_backends

    path, _, name = arn.partition(":policy")[2].rpartition("/")
    data = _aws_policies().get(name)
    backend = iam_backends[account]["aws"]
    if data is None or arn in backend.managed_policies or data["Path"] != f"{path}/":
        return
    policy = AWSManagedPolicy.from_data(name, account, "aws", data)
    backend.managed_policies[policy.arn] = policy
