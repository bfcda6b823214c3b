"""AWS for Orbits: targets and clients, accounts, queues, readers of live state, and an offline AWS for tests.

What belongs here: what is called through boto3 and is no stack. Stacks are orbits_cdk's. Names are imported when they
are first used: importing this package costs nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from orbits_aws.account import AccountOutputs, AwsAccount
    from orbits_aws.bucket import Bucket, BucketOutputs
    from orbits_aws.bucket_form import CorsRule, LifecycleRule
    from orbits_aws.clients import client
    from orbits_aws.errors import AccessDenied, AwsError, AwsRefused, AwsUnavailable
    from orbits_aws.function import Function, FunctionOutputs
    from orbits_aws.function_code import Code
    from orbits_aws.log_group import LogGroup, LogGroupOutputs
    from orbits_aws.offline import OfflineAws
    from orbits_aws.parameter import Parameter, ParameterOutputs
    from orbits_aws.queue import Queue, QueueOutputs
    from orbits_aws.role import Role, RoleOutputs, trusted
    from orbits_aws.secret import Generated, Secret, SecretOutputs
    from orbits_aws.table import Table, TableOutputs
    from orbits_aws.table_form import Index, Key
    from orbits_aws.targets import AwsTarget

_HOME = {
    "AccessDenied": "errors",
    "AccountOutputs": "account",
    "AwsAccount": "account",
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
    "Key": "table_form",
    "LifecycleRule": "bucket_form",
    "LogGroup": "log_group",
    "LogGroupOutputs": "log_group",
    "OfflineAws": "offline",
    "Parameter": "parameter",
    "ParameterOutputs": "parameter",
    "Queue": "queue",
    "QueueOutputs": "queue",
    "Role": "role",
    "RoleOutputs": "role",
    "Secret": "secret",
    "SecretOutputs": "secret",
    "Table": "table",
    "TableOutputs": "table",
    "client": "clients",
    "trusted": "role",
}

__all__ = [
    "AccessDenied",
    "AccountOutputs",
    "AwsAccount",
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
    "Key",
    "LifecycleRule",
    "LogGroup",
    "LogGroupOutputs",
    "OfflineAws",
    "Parameter",
    "ParameterOutputs",
    "Queue",
    "QueueOutputs",
    "Role",
    "RoleOutputs",
    "Secret",
    "SecretOutputs",
    "Table",
    "TableOutputs",
    "client",
    "trusted",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    globals()[name] = value
    return value
