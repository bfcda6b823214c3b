"""What deploying a template would do to a stack: a tree of changes, from two reads and no change set."""

from collections.abc import Mapping
from typing import Any

from orbits_aws.ownership import refuse_foreign
from orbits_cdk.cloudformation import IDLE, NEVER_MADE, REVIEW, find_stack, template_of
from orbits_cdk.deploy import unchanged
from orbits_cdk.stuck import refuse_stuck
from orbits_cdk.wanted import Wanted
from orbits_iac.provider import Change, PropertyChange, Rules, Verb, compare

_ALL = Rules(whole=True)
_HOLDS_DATA = (
    "AWS::Cognito::UserPool",
    "AWS::DocDB::",
    "AWS::DynamoDB::",
    "AWS::EC2::Volume",
    "AWS::EFS::FileSystem",
    "AWS::KMS::Key",
    "AWS::Logs::LogGroup",
    "AWS::Neptune::",
    "AWS::OpenSearchService::",
    "AWS::RDS::",
    "AWS::Redshift::",
    "AWS::S3::Bucket",
    "AWS::SecretsManager::Secret",
)


def change_of(cfn: Any, wanted: Wanted, kind: str) -> Change:
    """What `deploy` would do, as it stands now."""
    stack = find_stack(cfn, wanted.stack)
    if stack is None or stack.status in NEVER_MADE or stack.status == REVIEW:
        return _change(Verb.CREATE, kind, wanted.stack, differences({}, wanted.template))
    refuse_foreign(f"The stack {wanted.where}", stack.tags, wanted.tags)
    refuse_stuck(cfn, stack, wanted.place)
    if unchanged(cfn, stack, wanted):
        return Change(verb=Verb.UNCHANGED, kind=kind, identity=wanted.stack)
    below = differences(template_of(cfn, stack.name) or {}, wanted.template)
    if not below and stack.status not in IDLE:
        return Change(verb=Verb.UPDATE, kind=kind, identity=wanted.stack, detail=f"the stack is {stack.status}")
    if not below:
        return Change(verb=Verb.UPDATE, kind=kind, identity=wanted.stack, detail="parameters, tags or outputs")
    return _change(Verb.UPDATE, kind, wanted.stack, below)


def _change(verb: Verb, kind: str, stack: str, below: tuple[Change, ...]) -> Change:
    words = {Verb.CREATE: "to create", Verb.UPDATE: "to change", Verb.REMOVE: "to remove"}
    counts = [f"{n} {words[each]}" for each in words if (n := sum(change.verb is each for change in below))]
    return Change(verb=verb, kind=kind, identity=stack, detail=", ".join(counts), below=below)


def differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> tuple[Change, ...]:
    """What changes from one template to another, a change for each resource."""
    old, new = before.get("Resources", {}), after.get("Resources", {})
    changes = (_resource(name, old.get(name), new.get(name)) for name in dict.fromkeys((*new, *old)))
    return tuple(change for change in changes if change is not None)


def _resource(name: str, old: Mapping[str, Any] | None, new: Mapping[str, Any] | None) -> Change | None:
    if new is None and old is not None:
        kind = str(old["Type"])
        lost = kind.startswith(_HOLDS_DATA) and old.get("DeletionPolicy", "Delete") == "Delete"
        detail = "" if old.get("DeletionPolicy", "Delete") == "Delete" else f"kept ({old['DeletionPolicy']})"
        return Change(verb=Verb.REMOVE, ref=name, kind=kind, stateful_loss=lost, detail=detail)
    if old is None and new is not None:
        return Change(verb=Verb.CREATE, ref=name, kind=str(new["Type"]))
    if old is None or new is None or old == new:
        return None
    if old["Type"] != new["Type"]:
        return Change(verb=Verb.REPLACE, ref=name, kind=str(new["Type"]), detail=f"was {old['Type']}")
    return Change(verb=Verb.UPDATE, ref=name, kind=str(new["Type"]), properties=_properties(old, new))


def _properties(old: Mapping[str, Any], new: Mapping[str, Any]) -> tuple[PropertyChange, ...]:
    inside = compare(old.get("Properties", {}), new.get("Properties", {}), _ALL).differences
    others = {name for name in (*old, *new) if name not in {"Properties", "Type"} and old.get(name) != new.get(name)}
    around = compare({name: old.get(name) for name in others}, {name: new.get(name) for name in others}, _ALL)
    return tuple(PropertyChange(path=d.path, before=d.recorded, after=d.live) for d in (*inside, *around.differences))
