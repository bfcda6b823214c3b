"""AWS for Orbits: targets and clients, accounts, resources and actions made by single calls, and an offline AWS.

What belongs here: what is called through boto3 and is no stack. Stacks are orbits_cdk's. Names are imported when they
are first used: importing this package costs nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from orbits_aws.account import AccountOutputs, AwsAccount
    from orbits_aws.alarms import AlarmRang, AlarmsQuiet, AlarmsSeen
    from orbits_aws.aws_call import AwsCall, Until
    from orbits_aws.bucket import Bucket, BucketOutputs
    from orbits_aws.bucket_form import CorsRule, LifecycleRule
    from orbits_aws.clients import client
    from orbits_aws.errors import AccessDenied, AwsError, AwsRefused, AwsUnavailable, NotThere
    from orbits_aws.function import Function, FunctionOutputs
    from orbits_aws.function_code import Code
    from orbits_aws.invalidation import Invalidate
    from orbits_aws.invoke import InvocationFailed, Invoke
    from orbits_aws.log_group import LogGroup, LogGroupOutputs
    from orbits_aws.offline import OfflineAws
    from orbits_aws.organization_accounts import OrganizationAccounts
    from orbits_aws.ownership import refuse_foreign, tags_of
    from orbits_aws.parameter import Parameter, ParameterOutputs
    from orbits_aws.queue import Queue, QueueOutputs
    from orbits_aws.role import Role, RoleOutputs, trusted
    from orbits_aws.secret import Generated, Secret, SecretOutputs
    from orbits_aws.sql_migrations import Migration, SqlMigrations, migrations_in
    from orbits_aws.table import Table, TableOutputs
    from orbits_aws.table_form import Index, Key
    from orbits_aws.targets import AwsTarget

_HOME = {
    "AccessDenied": "errors",
    "AccountOutputs": "account",
    "AlarmRang": "alarms",
    "AlarmsQuiet": "alarms",
    "AlarmsSeen": "alarms",
    "AwsAccount": "account",
    "AwsCall": "aws_call",
    "AwsError": "errors",
    "AwsRefused": "errors",
    "AwsTarget": "targets",
    "AwsUnavailable": "errors",
    "Bucket": "bucket",
    "BucketOutputs": "bucket",
    "Code": "function_code",
    "CorsRule": "bucket_form",
    "Function": "function",
    "FunctionOutputs": "function",
    "Generated": "secret",
    "Index": "table_form",
    "Invalidate": "invalidation",
    "InvocationFailed": "invoke",
    "Invoke": "invoke",
    "Key": "table_form",
    "LifecycleRule": "bucket_form",
    "LogGroup": "log_group",
    "LogGroupOutputs": "log_group",
    "Migration": "sql_migrations",
    "NotThere": "errors",
    "OfflineAws": "offline",
    "OrganizationAccounts": "organization_accounts",
    "Parameter": "parameter",
    "ParameterOutputs": "parameter",
    "Queue": "queue",
    "QueueOutputs": "queue",
    "Role": "role",
    "RoleOutputs": "role",
    "Secret": "secret",
    "SecretOutputs": "secret",
    "SqlMigrations": "sql_migrations",
    "Table": "table",
    "TableOutputs": "table",
    "Until": "aws_call",
    "client": "clients",
    "migrations_in": "sql_migrations",
    "refuse_foreign": "ownership",
    "tags_of": "ownership",
    "trusted": "role",
}

__all__ = [
    "AccessDenied",
    "AccountOutputs",
    "AlarmRang",
    "AlarmsQuiet",
    "AlarmsSeen",
    "AwsAccount",
    "AwsCall",
    "AwsError",
    "AwsRefused",
    "AwsTarget",
    "AwsUnavailable",
    "Bucket",
    "BucketOutputs",
    "Code",
    "CorsRule",
    "Function",
    "FunctionOutputs",
    "Generated",
    "Index",
    "Invalidate",
    "InvocationFailed",
    "Invoke",
    "Key",
    "LifecycleRule",
    "LogGroup",
    "LogGroupOutputs",
    "Migration",
    "NotThere",
    "OfflineAws",
    "OrganizationAccounts",
    "Parameter",
    "ParameterOutputs",
    "Queue",
    "QueueOutputs",
    "Role",
    "RoleOutputs",
    "Secret",
    "SecretOutputs",
    "SqlMigrations",
    "Table",
    "TableOutputs",
    "Until",
    "client",
    "migrations_in",
    "refuse_foreign",
    "tags_of",
    "trusted",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    globals()[name] = value
    return value
