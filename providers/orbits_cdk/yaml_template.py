"""Templates that were written in YAML, read as the JSON that they stand for. Pure.

CloudFormation gives a template back as it was handed over; what somebody else has deployed is often YAML, with the
short forms of intrinsic functions (`!Ref`, `!GetAtt`, `!Sub`).
"""

from collections.abc import Mapping
from typing import Any

import yaml

_TIMESTAMP = "tag:yaml.org,2002:timestamp"  # `2010-09-09` is the text of a version, and no date


class _Loader(yaml.SafeLoader):
    """Reads the short forms, and leaves dates as text."""


def read_yaml(text: str) -> dict[str, Any] | None:
    """The template; None if the text is none."""
    try:
        found = yaml.load(text, _Loader)  # noqa: S506 - a SafeLoader, which makes plain values only
    except yaml.YAMLError:
        return None
    return dict(found) if isinstance(found, Mapping) else None


def _short(loader: yaml.SafeLoader, suffix: str, node: yaml.Node) -> dict[str, Any]:
    value: Any
    if isinstance(node, yaml.ScalarNode):
        value = loader.construct_scalar(node)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    else:
        value = loader.construct_mapping(node, deep=True)  # type: ignore[arg-type] # a node is one of the three
    if suffix in {"Ref", "Condition"}:
        return {suffix: value}
    if suffix == "GetAtt" and isinstance(value, str):
        value = value.split(".", 1)
    return {f"Fn::{suffix}": value}


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != _TIMESTAMP]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_multi_constructor("!", _short)
