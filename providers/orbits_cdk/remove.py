"""Removing a stack: `advance_removal` may be called again at any point, and a stack that is gone is fine."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict

from orbits_aws.errors import AwsUnavailable
from orbits_aws.ownership import refuse_foreign
from orbits_cdk.cloudformation import REVIEW, Stack, find_stack, last_operation
from orbits_cdk.stuck import delete, refuse_stuck
from orbits_cdk.wanted import Tell


@dataclass(frozen=True, kw_only=True)
class Unwanted:
    """The stack that is to go."""

    stack: str
    place: str
    tags: dict[str, str]
    token: str
    watch: Callable[[str], str | None] = lambda _: None  # the state of a stack that is surely in progress
    role: Callable[[], str | None] = lambda: None  # as whom CloudFormation acts; asked where there is work


class Removing(BaseModel):
    """How far a removal is."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    stack_id: str = ""
    asked: bool = False  # whether the deletion was asked for


class Removed(BaseModel):
    """A stack that is gone. `kept` are the resources that its template says are to stay."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kept: tuple[str, ...] = ()


def advance_removal(cfn: Any, unwanted: Unwanted, removing: Removing, tell: Tell) -> Removed | Removing:
    """Ask for the deletion, or look whether it is done; while that cannot be asked, it is taken to go on."""
    try:
        in_progress = unwanted.watch(removing.stack_id) if removing.stack_id else None
        if in_progress is not None:
            tell(f"{unwanted.stack} is {in_progress}", None)
            return removing
        stack = find_stack(cfn, removing.stack_id or unwanted.stack)
        if stack is None:
            return Removed(kept=_kept(cfn, removing.stack_id)) if removing.asked else Removed()
    except AwsUnavailable as error:
        if not removing.stack_id:
            raise
        tell(f"it goes on, and how far it is cannot be asked now: {error}", None)
        return removing
    if stack.busy:
        tell(f"{stack.name} is {stack.status}", None)
        return Removing(stack_id=stack.id, asked=removing.asked or stack.status == "DELETE_IN_PROGRESS")
    if removing.asked:
        refuse_stuck(cfn, stack, unwanted.place)
    return _ask(cfn, unwanted, stack)


def _ask(cfn: Any, unwanted: Unwanted, stack: Stack) -> Removing:
    if stack.status != REVIEW or stack.tags:
        refuse_foreign(f"The stack {stack.name} in {unwanted.place}", stack.tags, unwanted.tags)
    delete(cfn, stack, unwanted.token, unwanted.role(), unwanted.place)
    return Removing(stack_id=stack.id, asked=True)


def _kept(cfn: Any, stack_id: str) -> tuple[str, ...]:
    skipped = [event for event in last_operation(cfn, stack_id) if event.status == "DELETE_SKIPPED"]
    return tuple(dict.fromkeys(f"{event.type} {event.physical_id or event.logical_id}" for event in skipped))
