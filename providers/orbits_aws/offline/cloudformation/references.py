"""Dynamic references and outputs of other stacks: what a template names outside of it, read when it is needed."""

import json
from collections.abc import Callable, Mapping
from typing import Any

from botocore.exceptions import ClientError

from .errors import ValidationError

Client = Callable[[str], Any]


def ssm_value(client: Client, name: str, *, secure: bool = False) -> str:
    """The value of an SSM parameter, `name` or `name:version`. Raises ValidationError with the service's words."""
    try:
        found: Mapping[str, Any] = client("ssm").get_parameter(Name=name, WithDecryption=True)["Parameter"]
    except ClientError as failure:
        raise ValidationError(
            f"Unable to fetch parameters [{name}] from parameter store for this account."
        ) from failure
    if (found["Type"] == "SecureString") is not secure:
        raise ValidationError(f"Parameters [{name}] referenced by template have types not supported by CloudFormation.")
    return str(found["Value"])


def secret_value(client: Client, key: str) -> str:
    """What `{{resolve:secretsmanager:key}}` stands for: secret:SecretString:json-key:version-stage:version-id."""
    secret, kind, rest = key.partition(":SecretString")
    member, stage, version = ((*rest.removeprefix(":").split(":"), "", "") if kind else ("", "", ""))[:3]
    which = {name: value for name, value in (("VersionStage", stage), ("VersionId", version)) if value}
    try:
        text = str(client("secretsmanager").get_secret_value(SecretId=secret, **which)["SecretString"])
    except ClientError as failure:
        raise ValidationError(
            f"Secrets Manager can't find the specified secret value for {secret}: "
            f"{failure.response.get('Error', {}).get('Message')}"
        ) from failure
    if not member:
        return text
    try:
        return str(json.loads(text)[member])
    except (KeyError, TypeError, ValueError) as failure:
        raise ValidationError(
            f"Could not find a value associated with JSONKey in SecretString of {secret}"
        ) from failure
