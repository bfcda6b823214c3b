"""Outputs of a stack: tokens while it is synthesised, the values themselves once it is deployed.

A field whose value is known already is kept as a constant. Every other one becomes an output of the stack, named after
the field: text as it is, anything else as JSON, so that numbers, lists and nested models come back as what they are.

A stack that was made elsewhere has outputs of its own: a field takes the one of the same name, `bucket_name` that of
`BucketName`. A field that is no text takes its output for JSON.
"""

import json
import typing
from collections.abc import Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, JsonValue, SecretStr, TypeAdapter, ValidationError

from orbits_cdk.errors import DeployFailed, SynthesisFailed
from orbits_cdk.payload import StackOutput, StackPayload
from orbits_iac import Outputs
from orbits_iac.provider import explain


class StackOutputs(Outputs):
    """The outputs of a stack as the template calls them, each a text: `outputs["BucketName"]`."""

    model_config = ConfigDict(extra="allow", frozen=True)

    def __getitem__(self, name: str) -> str:
        """The output of this name; KeyError, naming those there are, if there is none."""
        known = self.__pydantic_extra__ or {}
        if name not in known:
            raise KeyError(f"{name}; the stack has the outputs {', '.join(known) or 'none'}")
        return str(known[name])


def add_outputs(stack: Any, outputs: Outputs | None) -> tuple[tuple[StackOutput, ...], dict[str, JsonValue] | None]:
    """Add a CfnOutput for each field whose value is not known before the stack is deployed."""
    if outputs is None:
        return (), None
    if not isinstance(outputs, Outputs):
        raise SynthesisFailed(f"define_stack returned {type(outputs).__name__}; it has to return its Outputs, or None")
    made: list[StackOutput] = []
    constants: dict[str, JsonValue] = {}
    for field in type(outputs).model_fields:
        value = getattr(outputs, field)
        if isinstance(value, SecretStr):
            raise SynthesisFailed(
                f"The output {field!r} is a secret: outputs of a stack can be read by everybody who may describe it. "
                f"Return the name or ARN of a secret in Secrets Manager instead."
            )
        plain = _plain(value)
        resolved = stack.resolve(plain)
        if resolved == plain:
            constants[field] = plain
        else:
            made.append(_add(stack, field, plain))
    return tuple(made), constants


def with_outputs(payload: StackPayload, kind: Any) -> StackPayload:
    """The payload of a stack made elsewhere, with the outputs that the fields of `kind` take."""
    if not (isinstance(kind, type) and issubclass(kind, Outputs)):
        return payload.model_copy(update={"outputs": (), "constants": None})
    offered = payload.template.get("Outputs")
    by_name: dict[str, list[str]] = {}
    for name in offered if isinstance(offered, dict) else {}:
        by_name.setdefault(_bare(name), []).append(name)
    if issubclass(kind, StackOutputs):
        names = [name for each in by_name.values() for name in each]
        untyped = tuple(StackOutput(field=name, name=name, form="text") for name in names)
        return payload.model_copy(update={"outputs": untyped, "constants": {}})
    made: list[StackOutput] = []
    for field, info in kind.model_fields.items():
        names = by_name.get(_bare(field), [])
        if len(names) == 1:
            form: Literal["text", "json"] = "text" if _takes_text(info.annotation) else "json"
            made.append(StackOutput(field=field, name=names[0], form=form))
        elif names or info.is_required():
            there = ", ".join(names or (name for each in by_name.values() for name in each)) or "none"
            raise SynthesisFailed(
                f"No single output of the stack {payload.stack_name} is called like the field {field!r} of "
                f"{kind.__name__}; there are: {there}. Give the stack a CfnOutput of that name."
            )
    return payload.model_copy(update={"outputs": tuple(made), "constants": {}})


def _bare(name: str) -> str:
    return "".join(letter for letter in name.lower() if letter.isalnum())


def _takes_text(annotation: Any) -> bool:
    return annotation is str or str in typing.get_args(annotation)


def read_outputs(payload: StackPayload, live: Mapping[str, str], kind: Any) -> Any:
    """The outputs of a deployed stack as an instance of `kind`, None for a stack that publishes nothing."""
    if payload.constants is None:
        return None
    values = {**payload.constants, **output_values(payload, live)}
    missing = [output.name for output in payload.outputs if output.field not in values]
    if missing:
        raise DeployFailed(f"The stack {payload.stack_name} lacks the outputs {', '.join(missing)}")
    try:
        return TypeAdapter(kind).validate_python(values)
    except ValidationError as error:
        says = getattr(kind, "__name__", kind)
        raise DeployFailed(f"The outputs of {payload.stack_name} are not what {says} says: {explain(error)}") from error


def output_values(payload: StackPayload, live: Mapping[str, str]) -> dict[str, Any]:
    """The values of the fields that come from the stack, as far as it has them."""
    return {
        output.field: json.loads(live[output.name]) if output.form == "json" else live[output.name]
        for output in payload.outputs
        if output.name in live
    }


def _plain(value: Any) -> Any:
    if isinstance(value, BaseModel):
        return {name: _plain(getattr(value, name)) for name in type(value).model_fields}
    if isinstance(value, Mapping):
        return {str(name): _plain(each) for name, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(each) for each in value]
    return value


def _add(stack: Any, field: str, value: Any) -> StackOutput:
    import aws_cdk as cdk

    name = "".join(part[:1].upper() + part[1:] for part in field.split("_"))
    text = isinstance(value, str)
    output = cdk.CfnOutput(stack, f"OrbitsOutput{name}", value=value if text else stack.to_json_string(value))
    output.override_logical_id(name)
    return StackOutput(field=field, name=name, form="text" if text else "json")
