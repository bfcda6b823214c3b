"""Stacks of the samples that the offline AWS is tried with: types of every sort, which nobody has touched."""

import json
import re
from typing import Any

from orbits_aws.offline.types.trial import Sample, samples

STACKS = 4
SERVICES = (
    *("CloudWatch", "Cognito", "EC2", "ECR", "ECS", "EFS", "Events", "IAM", "KMS", "Kinesis", "Lambda", "RDS"),
    *("Route53", "SNS", "SecretsManager", "StepFunctions"),
)
"""Of these all samples fit into the same account: no two give something the same name."""


def templates() -> list[dict[str, Any]]:
    """The samples of these services, spread over a few templates."""
    found: list[dict[str, Any]] = [{"Resources": {}} for _ in range(STACKS)]
    chosen = [sample for sample in samples().values() if sample.type.split("::")[1] in SERVICES]
    for number, sample in enumerate(chosen):
        found[number % STACKS]["Resources"].update(_resources(sample, f"N{number}"))
    return found


def _resources(sample: Sample, prefix: str) -> dict[str, Any]:
    """The resources of a sample under names of their own."""
    resources: dict[str, Any] = json.loads(sample.template())["Resources"]
    return {f"{prefix}{name}": _renamed(each, resources, prefix) for name, each in resources.items()}


def _renamed(value: Any, names: dict[str, Any], prefix: str) -> Any:
    if isinstance(value, list):
        return [_renamed(each, names, prefix) for each in value]
    if not isinstance(value, dict):
        return value
    found = {name: _renamed(each, names, prefix) for name, each in value.items()}
    match value:
        case {"Ref": str(name)} if name in names:
            found["Ref"] = f"{prefix}{name}"
        case {"Fn::GetAtt": [str(name), attribute]}:
            found["Fn::GetAtt"] = [f"{prefix}{name}", attribute]
        case {"Fn::GetAtt": str(text)}:
            found["Fn::GetAtt"] = f"{prefix}{text}"
        case {"Fn::Sub": str(text)}:
            found["Fn::Sub"] = re.sub(r"\$\{(?!AWS::)", f"${{{prefix}", text)
        case {"DependsOn": depends}:
            found["DependsOn"] = [f"{prefix}{name}" for name in ([depends] if isinstance(depends, str) else depends)]
        case _:
            pass
    return found
