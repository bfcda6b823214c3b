"""Stacks that are there already: found by their names in one account and region, or as the instances of a StackSet.

What always holds: nothing is written; a list is read to its end, page by page, or raises; and what cannot be recorded
as it is says why, and what to do about it. Called by `AwsTarget.existing` and `AwsTarget.spread`.
"""

from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any, ClassVar

from orbits_aws.clients import client, management_client
from orbits_aws.errors import AwsRefused, NotThere
from orbits_aws.ownership import PROJECT, RECORD, mark_of
from orbits_aws.targets import AwsTarget
from orbits_iac.provider import Existing, Refused

_STUCK = {
    "CREATE_FAILED": "its creation failed, and what was made was left there. Mend it, or delete it and let orbits up "
    "make it",
    "DELETE_FAILED": "it could not be deleted whole. Remove what stands in the way and delete it, or go on with it in "
    "CloudFormation first",
    "IMPORT_ROLLBACK_FAILED": "an import could not be taken back. Ask AWS Support, naming its id",
    "REVIEW_IN_PROGRESS": "it has no resources yet: somebody looks at a change set that is to create it. Execute that, "
    "or delete the stack and let orbits up make it",
    "ROLLBACK_COMPLETE": "its creation failed, and it has no resources: delete it, and let orbits up make it",
    "ROLLBACK_FAILED": "its creation failed, and could not be taken back: delete it, and let orbits up make it",
    "UPDATE_FAILED": "it was updated with rollback disabled. Run `aws cloudformation rollback-stack "
    "--stack-name {name}` first",
    "UPDATE_ROLLBACK_FAILED": "CloudFormation could not go back. Remove the cause, and run `aws cloudformation "
    "continue-update-rollback --stack-name {name}` first",
}
_SAID = {
    "OUTDATED": "the StackSet has changed since, and has not reached it",
    "INOPERABLE": "a deletion by the StackSet has failed, and the StackSet updates it no more",
}
_BEFORE_IT_IS_UPDATED = (
    "take it out of the StackSet before an update of Orbits, which the StackSet would undo: aws cloudformation "
    "delete-stack-instances --stack-set-name {name} --retain-stacks, with its account and region"
)


class _StackSets:
    """Reads StackSets, which the management account has."""

    uses_management: ClassVar[bool] = True


def stacks_like(target: AwsTarget, like: Sequence[str], project: str) -> list[Existing]:
    """The stacks of the target's account and region that are called like one of these, the oldest name first."""
    cfn = client("cloudformation", target)
    found = [
        _existing(stack, target, project)
        for stack in cfn.items("describe_stacks", "Stacks")
        if "ParentId" not in stack and any(fnmatchcase(stack["StackName"], pattern) for pattern in like)
    ]
    return sorted(found, key=lambda one: one.name)


def _existing(stack: Mapping[str, Any], target: AwsTarget, project: str) -> Existing:
    tags = {tag["Key"]: tag["Value"] for tag in stack.get("Tags", ())}
    name, state = str(stack["StackName"]), str(stack["StackStatus"])
    return Existing(
        name=name,
        place=target.place(),
        id=str(stack["StackId"]),
        state=state,
        refused=_owned(tags, project) or _in_the_way(name, state),
    )


def _owned(tags: Mapping[str, str], project: str) -> str:
    """Why a stack is another's; "" if it is nobody's, or this project's."""
    owner = tags.get(PROJECT)
    if owner in {None, mark_of(project)}:
        return ""
    return (
        f"it belongs to {tags.get(RECORD, 'a record')} of the project {owner}. Uninstall it there, or take it over: "
        f"orbits state take-over ... --from {owner}"
    )


def _in_the_way(name: str, state: str) -> str:
    """What of a stack's state stands in the way; "" if nothing."""
    if state in _STUCK:
        return f"it is {state}: {_STUCK[state].format(name=name)}"
    if state.endswith("_IN_PROGRESS"):
        return f"it is {state}: wait until that is over, then do this again"
    return ""


def instances_of(name: str, by: AwsTarget | None) -> list[Existing]:
    """The instances of a StackSet, in the order of their places.

    Raises Refused if there is no such StackSet.
    """
    if by is None:
        return _all_instances(management_client("cloudformation", _StackSets()), name, "the management account")
    cfn = client("cloudformation", by)
    try:
        return _all_instances(cfn, name, by.account)
    except Refused:  # those of a whole organization are shown to its delegated administrator alone, who says so
        return _all_instances(cfn, name, by.account, CallAs="DELEGATED_ADMIN")


def _all_instances(cfn: Any, name: str, whose: str, **as_whom: str) -> list[Existing]:
    try:
        return sorted(_instances(cfn, name, as_whom), key=lambda one: (one.place, one.name))
    except (NotThere, AwsRefused) as error:
        if error.code not in {"StackSetNotFoundException", "ValidationError"}:
            raise
        raise Refused(
            f"{whose} has no StackSet {name} in {cfn.meta.region_name}: {error.said}. Say where it is: --stack-set-in"
        ) from error


def _instances(cfn: Any, name: str, as_whom: Mapping[str, str]) -> Iterator[Existing]:
    for one in cfn.items("list_stack_instances", "Summaries", StackSetName=name, **as_whom):
        place = f"{one['Account']}/{one['Region']}"
        stack, state = one.get("StackId", ""), str(one.get("Status", ""))
        known = f"an instance of the StackSet {name}"
        why = f": {one['StatusReason']}" if one.get("StatusReason") else ""
        remark = f"{known} that is {state}: {_SAID[state]}{why}" if state in _SAID else known
        yield Existing(
            name=stack.partition(":stack/")[2].partition("/")[0],
            place=place,
            id=stack,
            state=state,
            refused="" if stack else f"{known} without a stack{why}: there is nothing to record",
            remarks=(remark, _BEFORE_IT_IS_UPDATED.format(name=name)),
        )
