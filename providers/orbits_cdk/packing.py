"""From a stack of an assembly to the payload that is deployed and kept."""

from collections.abc import Mapping
from dataclasses import dataclass

from orbits_cdk.assembly import AssembledStack
from orbits_cdk.assets import stage
from orbits_cdk.errors import SynthesisFailed
from orbits_cdk.exports import imports_of
from orbits_cdk.payload import LARGEST_OF_ALL, StackPayload, template_text


@dataclass(frozen=True, kw_only=True)
class Place:
    """The stack that a synthesis is for: what it is called, and where it is to be."""

    kind: str
    stack_name: str
    account: str
    region: str
    prefix: str  # of the keys of the project's files


def pack(stack: AssembledStack, place: Place, parameters: Mapping[str, str]) -> StackPayload:
    """The payload of a stack, its files staged; SynthesisFailed if it was made for another account or region."""
    for what, made_for, wanted in (("account", stack.account, place.account), ("region", stack.region, place.region)):
        if made_for is not None and made_for != wanted:
            raise SynthesisFailed(
                f"{stack.name} was synthesised for the {what} {made_for}, and is to be deployed in {place.account} "
                f"({place.region}). Leave `env` out of the stack, or give the target's."
            )
    if stack.errors:
        raise SynthesisFailed(
            f"{stack.name} is not as it should be:\n" + "\n".join(f"  {each}" for each in stack.errors)
        )
    declared = stack.template.get("Parameters", {})
    values = {**stack.parameters, **parameters}
    _refuse_parameters(stack.name, declared, values)
    moved = stage(stack, place.prefix)
    size = len(template_text(moved.template).encode())
    if size > LARGEST_OF_ALL:
        raise SynthesisFailed(
            f"The template of {stack.name} has {size:,} bytes, and CloudFormation takes {LARGEST_OF_ALL:,}: split it."
        )
    return StackPayload(
        stack_name=place.stack_name,
        region=place.region,
        template=moved.template,
        parameters=values,
        tags=dict(stack.tags),
        assets=moved.assets,
        warnings=stack.warnings,
        imports=imports_of(stack),
        bound=stack.account is not None or stack.region is not None,
        prefix=place.prefix,
    )


def _refuse_parameters(name: str, declared: Mapping[str, Mapping[str, object]], values: Mapping[str, str]) -> None:
    unknown = [each for each in values if each not in declared]
    if unknown:
        raise SynthesisFailed(f"{name} has no parameter {', '.join(unknown)}; it has: {', '.join(declared) or 'none'}.")
    missing = [each for each, of in declared.items() if each not in values and "Default" not in of]
    if missing:
        raise SynthesisFailed(
            f"{name} has parameters without a value: {', '.join(missing)}. Give them in `parameters`, or, in a stack "
            f"that is defined in Python, use a field instead."
        )
