"""Values that CDK hands from one stack of an app to another: by exports, which both stacks name.

They join stacks of one account and region only. A stack that needs one can be deployed once the other has been.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from orbits_cdk.assembly import AssembledStack
from orbits_cdk.errors import SynthesisFailed
from orbits_cdk.payload import StackPayload
from orbits_iac.provider import Refused

_INSTEAD = "or give the value as a field or parameter, from the outputs of the other step"


def imports_of(stack: AssembledStack) -> dict[str, str]:
    """The exports of other stacks of its app that a stack needs, and which stack each is of."""
    for name in _arguments(stack.template, "Fn::GetStackOutput"):
        other = name.get("StackName") if isinstance(name, Mapping) else None
        if other in stack.others:
            raise SynthesisFailed(
                f"{stack.name} takes an output of {other} by CDK's name of that stack, which has another name here. "
                f"Have CDK use a strong reference, {_INSTEAD}."
            )
    needed = [name for name in _arguments(stack.template, "Fn::ImportValue") if isinstance(name, str)]
    return {name: stack.exports[name] for name in needed if name in stack.exports}


def refuse_missing_exports(cfn: Any, payload: StackPayload, place: str) -> None:
    """Raise Refused unless all that the payload imports from stacks of its app is exported in this place."""
    there = {each["Name"] for each in cfn.items("list_exports", "Exports")}
    missing = sorted({stack for name, stack in payload.imports.items() if name not in there})
    if missing:
        names = ", ".join(missing)
        raise Refused(
            f"{payload.stack_name} needs what {names} of the same app exports, and that is not in {place}. Do a step "
            f"for {names} before this one, in the same account and region; {_INSTEAD}."
        )


def _arguments(value: Any, function: str) -> Iterator[Any]:
    if isinstance(value, Mapping):
        for name, each in value.items():
            if name == function:
                yield each
            yield from _arguments(each, function)
    elif isinstance(value, list):
        for each in value:
            yield from _arguments(each, function)
