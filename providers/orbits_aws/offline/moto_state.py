"""What moto holds, behind typed functions: the objects behind its API, where AWS's behaviour cannot be had through it.

They change under the hands of other threads, so what is walked is copied first.
"""

import functools
import importlib
import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from moto.backends import get_backend
from moto.core.base_backend import BackendDict

from .moto_adapter import MANAGEMENT_ACCOUNT
from .policies import EVERYBODY, decide

__all__ = ["MANAGEMENT_ACCOUNT"]


def reset() -> None:
    """Forget everything in every account; what is left is a new organization and its management account."""
    from moto.moto_api._internal.models import moto_api_backend

    moto_api_backend.reset()
    organization().create_organization("us-east-1", FeatureSet="ALL")


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


@dataclass(frozen=True, kw_only=True)
class IssuedKey:
    """An access key that moto gave out."""

    account: str
    user: str | None
    """The IAM user's name; None for a role's session."""
    active: bool
    assumed: Any
    """moto's own object of the role's session; None for a user."""


def issued_key(access_key: str, known: str | None = None) -> IssuedKey | None:
    """Whose an access key is; None if moto issued no such key. `known` is the account where it was found before."""
    from moto.iam.models import iam_backends

    for account in [known] if known else list(iam_backends):
        for partition, backend in list(iam_backends[account].items()):
            key = backend.access_keys.get(access_key)
            if key is not None:
                assumed = None if key.user_name else _assumed(account, partition, access_key)
                return IssuedKey(account=account, user=key.user_name, active=key.status == "Active", assumed=assumed)
    return None


def _assumed(account: str, partition: str, access_key: str) -> Any:
    from moto.sts.models import sts_backends

    return sts_backends[account][partition].get_assumed_role_from_access_key(access_key)


def sessions() -> list[Any]:
    """moto's own objects of all roles' sessions."""
    from moto.sts.models import sts_backends

    return [
        role
        for partitions in list(sts_backends.values())
        for backend in list(partitions.values())
        for role in list(backend.assumed_roles)
    ]


def role(arn: str) -> Any:
    """moto's own object of an IAM role; None if there is none of this ARN."""
    from moto.iam.models import iam_backends

    account = arn.split(":")[4]
    if account not in iam_backends:
        return None
    return next((one for one in list(iam_backends[account]["aws"].roles.values()) if one.arn == arn), None)


def audiences(provider: str) -> tuple[str, ...] | None:
    """For whom a provider of identities, named by its ARN, signs tokens; None if the account has none of that name."""
    from moto.iam.models import iam_backends

    account = provider.split(":")[4]
    found = iam_backends[account]["aws"].open_id_providers.get(provider) if account in iam_backends else None
    return None if found is None else tuple(found.client_id_list)


def role_exists(arn: str) -> bool:
    """Whether the IAM role of this ARN exists in its account."""
    return role(arn) is not None


@functools.cache
def _buckets() -> Any:
    """moto's own table of buckets, which from then on leaves it to others whom a bucket's policy lets in.

    moto reads a policy without its conditions, so that one which refuses what is not encrypted refuses everything.
    What it still asks is whether everybody is let in.
    """
    from moto.iam.access_control import PermissionResult
    from moto.s3.models import FakeBucket, s3_backends

    def permission(bucket: Any, action: str, resource: str) -> PermissionResult:
        let_in = decide(bucket.policy, EVERYBODY, action, resource, {}) == "allow"
        return PermissionResult.PERMITTED if let_in else PermissionResult.NEUTRAL

    cast("Any", FakeBucket).get_permission = permission
    return s3_backends


def bucket(name: str) -> tuple[str, Any] | None:
    """The account of an S3 bucket and moto's own object of it; None if there is none of the name."""
    buckets = _buckets()
    partition, account = buckets.bucket_accounts.get(name, ("", ""))
    return (account, buckets[account][partition].buckets[name]) if account else None


@dataclass(frozen=True, kw_only=True)
class Tagged:
    """A resource and its tags, of which it may have none."""

    arn: str
    type: str
    """As the tagging API calls it: `s3:bucket`."""
    tags: Mapping[str, str]


def taggable(account: str, region: str) -> list[Tagged]:
    """What moto holds of an account in a region and can tag; buckets, which moto gives in all, in theirs alone."""
    from moto.core.resource_tagging import iter_taggable_backends

    found = [
        Tagged(arn=one.arn, type=one.resource_type, tags=one.tags)
        for backend in iter_taggable_backends(account, region)
        for one in list(backend.iter_tagged_resources())
        if one.resource_type != "s3:bucket" or _bucket_region(one.arn) == region
    ]
    return found + _repositories(account, region)


def _bucket_region(arn: str) -> str:
    found = bucket(arn.rpartition(":")[2])
    return str(found[1].region_name) if found else ""


def _repositories(account: str, region: str) -> list[Tagged]:
    """Image repositories, which moto leaves out."""
    from moto.ecr.models import ecr_backends

    if account not in ecr_backends or region not in ecr_backends[account]:
        return []
    backend = ecr_backends[account][region]
    return [
        Tagged(arn=one.arn, type="ecr:repository", tags=backend.tagger.get_tag_dict_for_resource(one.arn))
        for one in list(backend.repositories.values())
    ]


def organization() -> Any:
    """moto's own object of the organization of the management account."""
    from moto.organizations.models import organizations_backends

    return organizations_backends[MANAGEMENT_ACCOUNT]["aws"]


def organization_of(account: str) -> Any:
    """moto's own object of the organization that an account is in, as its management or a member; None without one."""
    from moto.organizations.models import organizations_backends

    managed = organizations_backends[account]["aws"].org
    if managed is None and account in organizations_backends.master_accounts:
        master, partition = organizations_backends.master_accounts[account]
        managed = organizations_backends[master][partition].org
    return managed


def member(account: str) -> Any:
    """moto's own object of an account of the management account's organization; None if it is not in it."""
    return next((one for one in organization().accounts if one.id == account), None)


def queue(account: str, region: str, name: str) -> Any:
    """moto's own object of an SQS queue; None if there is none of the name."""
    from moto.sqs.models import sqs_backends

    return sqs_backends[account][region].queues.get(name)


def function(account: str, region: str, which: str) -> Any:
    """moto's own object of a Lambda function, by its name or ARN, as its latest version is; None if there is none."""
    from moto.awslambda.exceptions import UnknownFunctionException
    from moto.awslambda.models import lambda_backends

    try:
        return lambda_backends[account][region].get_function(which)
    except UnknownFunctionException:
        return None


def secret(account: str, region: str, which: str) -> Any:
    """moto's own object of a secret, by its name or ARN; None if there is none."""
    from moto.secretsmanager.models import secretsmanager_backends

    return secretsmanager_backends[account][region].secrets.get(which)


def tag_bucket(account: str, region: str, name: str, tags: dict[str, str]) -> None:
    """Give an S3 bucket these tags and no others."""
    from moto.s3.models import s3_backends
    from moto.utilities.utils import get_partition

    s3_backends[account][get_partition(region)].put_bucket_tagging(name, tags)


def topic_policy(arn: str) -> str | None:
    """The policy of an SNS topic; None if there is none of the ARN."""
    from moto.sns.models import sns_backends

    _, _, _, region, account, _ = arn.split(":", 5)
    topic = sns_backends[account][region].topics.get(arn)
    return None if topic is None else str(topic.policy)


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
    return next((str(one.id) for one in list(organization().accounts) if one.name == name), None)


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
