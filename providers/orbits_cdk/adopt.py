"""A stack that is there already, read so that it can be written down as a revision: nothing is written to AWS.

What is kept is its template as it was handed over, its parameters and its tags: a rollback to it brings back just that.
Its outputs are those that the stack publishes under the names that it will publish them under; others are worked out
from the resources that it has.
"""

import json
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict

from orbits_aws.ownership import PROJECT, RECORD, refuse_foreign
from orbits_aws.readers import Aws
from orbits_cdk.change_set import hidden_parameters
from orbits_cdk.cloudformation import NEVER_MADE, REVIEW, Stack, find_stack, template_of
from orbits_cdk.errors import StackBusy
from orbits_cdk.live import Where, world_of
from orbits_cdk.payload import StackOutput, StackPayload
from orbits_cdk.resolve import resolve
from orbits_cdk.stuck import refuse_stuck
from orbits_iac.provider import Refused, Unknown


class AsItIs(BaseModel):
    """A stack as it is: what a revision keeps of it, and the outputs that it publishes now."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    payload: StackPayload
    outputs: dict[str, str]


def read_stack(aws: Aws, wanted: StackPayload, where: Where, owner: Mapping[str, str], *, ours: bool) -> AsItIs | None:
    """What is deployed of the stack that `wanted` is for; None if there is none.

    `ours`: only one that is tagged as ours is read; otherwise one of nobody too. Raises StackBusy while somebody
    deploys it, StackStuck where a person has to bring it out of its state first, Refused where it is another's or where
    its outputs cannot be told.
    """
    cfn = aws("cloudformation")
    place = f"{where.account} ({where.region})"
    stack = find_stack(cfn, wanted.stack_name)
    if stack is None or stack.status in NEVER_MADE or stack.status == REVIEW:
        return None
    refuse_foreign(f"The stack {stack.name} in {place}", stack.tags, owner, known=not ours)
    if stack.busy:
        raise StackBusy(f"{stack.name} in {place} is {stack.status}: it is read when that is over")
    refuse_stuck(cfn, stack, place)
    template = template_of(cfn, stack.name)
    if template is None:
        raise Refused(f"The template of {stack.name} in {place} is neither JSON nor YAML, and cannot be kept")
    published, known = _outputs(cfn, wanted, stack, where)
    tags = {name: value for name, value in stack.tags.items() if name not in {PROJECT, RECORD}}
    payload = StackPayload(
        stack_name=stack.name,
        region=wanted.region,
        template=template,
        parameters=_parameters(template, stack),
        outputs=published,
        constants=None if wanted.constants is None else {**wanted.constants, **known},
        prefix=wanted.prefix,
        tags=tags if ours else {},
        kept_tags={} if ours else tags,
        ours=ours,
    )
    return AsItIs(payload=payload, outputs=dict(stack.outputs))


def _parameters(template: Mapping[str, Any], stack: Stack) -> dict[str, str]:
    """The values of the parameters; those that are not echoed stay as they are in every update."""
    hidden = hidden_parameters(template)
    return {name: value for name, value in stack.parameters.items() if name not in hidden}


def _outputs(
    cfn: Any, wanted: StackPayload, stack: Stack, where: Where
) -> tuple[tuple[StackOutput, ...], dict[str, Any]]:
    """The outputs that the stack publishes itself, and the values of the others by their fields."""
    world = world_of(cfn, wanted, stack, where)
    published = tuple(output for output in wanted.outputs if output.name in stack.outputs)
    declared: Any = wanted.template.get("Outputs", {})
    known: dict[str, Any] = {}
    for output in wanted.outputs:
        if output in published:
            continue
        value = resolve(declared[output.name]["Value"], world)
        if isinstance(value, Unknown):
            raise Refused(
                f"The stack {stack.name} does not publish the output {output.name}, and it cannot be worked out from "
                f"its resources: {value.why}. Add that output to the stack as it is, then adopt it."
            )
        known[output.field] = json.loads(value) if output.form == "json" else value
    return published, known
