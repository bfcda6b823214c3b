"""Change sets: the request that makes one, and one that is made only to be looked at.

A change set of a preview is deleted again whatever happens; one that a crash left behind is deleted by the next
preview of that stack. It is only ever made of a stack that exists: for one that does not, CloudFormation would make it.
Called by `deploy` and `plan`.
"""

import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal

from orbits_aws.errors import AccessDenied, NotThere
from orbits_cdk.cloudformation import STACK, changes_of, validation_errors
from orbits_cdk.errors import DeployFailed
from orbits_cdk.payload import template_text
from orbits_cdk.wanted import Wanted

Kind = Literal["CREATE", "IMPORT", "UPDATE"]
PREVIEW = "orbits-preview-"
_CAPABILITIES = ["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"]
_NOTHING = ("didn't contain changes", "no updates are to be performed", "no changes")
_MAKING = frozenset({"CREATE_PENDING", "CREATE_IN_PROGRESS"})
_STALE = timedelta(minutes=15)  # after that, nobody is looking at a preview's change set any more
_LOOKS = 150
_PAUSE = 2.0  # seconds


@dataclass(frozen=True, kw_only=True)
class Shown:
    """What a change set shows: whether anything changes, which resources do, and what CloudFormation warns of."""

    anything: bool
    changes: list[Mapping[str, Any]]
    warnings: list[str]


def make(cfn: Any, wanted: Wanted, kind: Kind, *, name: str = "") -> dict[str, Any]:
    """Ask for a change set, and return the answer."""
    role = wanted.role()
    more: dict[str, Any] = {"RoleARN": role} if role else {}
    if wanted.template_url:
        more["TemplateURL"] = wanted.template_url
    else:
        more["TemplateBody"] = template_text(wanted.template)
    if wanted.reverts is not None and kind == "UPDATE":
        more["DeploymentMode"] = "REVERT_DRIFT"
    if kind == "UPDATE" and wanted.reverts is None and _nests(wanted.template):
        more["IncludeNestedStacks"] = True  # so that it shows what changes, and would be lost, inside them
    if kind == "IMPORT":
        more["ResourcesToImport"] = [
            {
                "ResourceType": wanted.template["Resources"][logical_id]["Type"],
                "LogicalResourceId": logical_id,
                "ResourceIdentifier": dict(identifier),
            }
            for logical_id, identifier in wanted.imports.items()
        ]
    answer: dict[str, Any] = cfn.create_change_set(
        StackName=wanted.stack,
        ChangeSetName=name or wanted.change_set,
        ChangeSetType=kind,
        Parameters=_parameters(wanted, kind),
        Tags=[{"Key": k, "Value": v} for k, v in wanted.tags.items()],
        Capabilities=_CAPABILITIES,
        ClientToken=name or wanted.change_set,
        **more,
    )
    return answer


def _nests(template: Mapping[str, Any]) -> bool:
    return any(each["Type"] == STACK for each in template.get("Resources", {}).values())


def hidden_parameters(template: Mapping[str, Any]) -> set[str]:
    """The parameters that CloudFormation does not tell the values of."""
    declared = template.get("Parameters", {})
    return {name for name, each in declared.items() if str(each.get("NoEcho", False)).lower() == "true"}


def _parameters(wanted: Wanted, kind: str) -> list[dict[str, Any]]:
    """The parameters' values; one that is not told, and has none here, keeps the value that it has."""
    given = [{"ParameterKey": name, "ParameterValue": value} for name, value in wanted.parameters.items()]
    kept = sorted(hidden_parameters(wanted.template) - set(wanted.parameters)) if kind != "CREATE" else []
    return [*given, *({"ParameterKey": name, "UsePreviousValue": True} for name in kept)]


def changes_nothing(reason: str) -> bool:
    """Whether a change set failed because there is nothing to change."""
    return any(words in reason.lower() for words in _NOTHING)


def show(cfn: Any, wanted: Wanted, wait: Callable[[float], None] = time.sleep) -> Shown:
    """What deploying would change in a stack that exists; nothing is left behind.

    Raises AccessDenied where change sets may not be made or looked at, DeployFailed where CloudFormation would refuse
    the change, with what its validation says of each property.
    """
    name = f"{PREVIEW}{uuid.uuid4().hex[:12]}"
    try:
        made = make(cfn, wanted, "UPDATE", name=name)
        shown = _described(cfn, wanted, made["Id"], wait)
    finally:
        _delete(cfn, wanted.stack, name)
    return shown


def _described(cfn: Any, wanted: Wanted, change_set: str, wait: Callable[[float], None]) -> Shown:
    made = cfn.describe_change_set(ChangeSetName=change_set, IncludePropertyValues=True)
    for _ in range(_LOOKS):
        if made["Status"] not in _MAKING:
            break
        wait(_PAUSE)
        made = cfn.describe_change_set(ChangeSetName=change_set, IncludePropertyValues=True)
    _delete_stale(cfn, made)
    if made["Status"] == "CREATE_COMPLETE":
        changes = changes_of(cfn, made, IncludePropertyValues=True)
        return Shown(anything=True, changes=changes, warnings=explained(cfn, change_set))
    reason = str(made.get("StatusReason") or f"its change set is {made['Status']}")
    if changes_nothing(reason):
        return Shown(anything=False, changes=[], warnings=[])
    said = "; ".join((reason, *explained(cfn, change_set)))
    raise DeployFailed(f"CloudFormation would refuse the change of {wanted.where}: {said}")


def explained(cfn: Any, change_set: str) -> list[str]:
    """What CloudFormation's validation says against a change set, or that it may not be asked."""
    try:
        return validation_errors(cfn, change_set)
    except AccessDenied:
        return ["what its validation found may not be read: allow cloudformation:DescribeEvents"]


def _delete_stale(cfn: Any, made: Mapping[str, Any]) -> None:
    """Delete what earlier previews of this stack have left; by CloudFormation's clock."""
    for each in cfn.items("list_change_sets", "Summaries", StackName=made["StackId"]):
        old = each["CreationTime"] < made["CreationTime"] - _STALE
        ours = each["ChangeSetName"].startswith(PREVIEW) and each["ChangeSetId"] != made["ChangeSetId"]
        if old and ours:
            cfn.delete_change_set(StackName=made["StackId"], ChangeSetName=each["ChangeSetName"])


def _delete(cfn: Any, stack: str, name: str) -> None:
    try:
        cfn.delete_change_set(StackName=stack, ChangeSetName=name)
    except NotThere:
        return  # it was never made, or a deployment has deleted it with all others
