"""AWS::Lambda::Function."""

from collections.abc import Mapping
from typing import Any

from orbits_aws.errors import NotThere
from orbits_aws.readers.contract import Aws, Properties, Reader, given, tag_list
from orbits_iac.provider import Rules

_SAME_NAME = (
    "Architectures",
    "Description",
    "EphemeralStorage",
    "FunctionName",
    "Handler",
    "MemorySize",
    "PackageType",
    "Role",
    "Runtime",
    "Timeout",
)


def _function(aws: Aws, name: str, _recorded: Mapping[str, Any]) -> Properties | None:
    try:
        found = aws("lambda").get_function(FunctionName=name)
    except NotThere:
        return None
    configuration = found["Configuration"]
    variables = configuration.get("Environment", {}).get("Variables")
    return given(
        {
            **{each: configuration.get(each) for each in _SAME_NAME},
            "DeadLetterConfig": configuration.get("DeadLetterConfig"),
            "Environment": {"Variables": variables} if variables else None,
            "KmsKeyArn": configuration.get("KMSKeyArn"),
            "Layers": [layer["Arn"] for layer in configuration.get("Layers", ())] or None,
            "ReservedConcurrentExecutions": found.get("Concurrency", {}).get("ReservedConcurrentExecutions"),
            "Tags": tag_list(found.get("Tags", {})),
            "TracingConfig": configuration.get("TracingConfig"),
        }
    )


FUNCTION = Reader(
    type="AWS::Lambda::Function",
    read=_function,
    covers=frozenset(
        {
            *_SAME_NAME,
            "DeadLetterConfig",
            "Environment",
            "KmsKeyArn",
            "Layers",
            "ReservedConcurrentExecutions",
            "Tags",
            "TracingConfig",
        }
    ),
    rules=Rules(
        whole=True,
        filled=("FunctionName",),
        defaults={
            "Architectures": ["x86_64"],
            "EphemeralStorage": {"Size": 512},
            "MemorySize": 128,
            "PackageType": "Zip",
            "Timeout": 3,
            "TracingConfig": {"Mode": "PassThrough"},
        },
        named=("FunctionName",),
    ),
    unread={"Code": "no reader: what runs cannot be read back in the form that a template has"},
)
