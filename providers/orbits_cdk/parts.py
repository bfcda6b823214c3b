"""What of a stack would change, resource by resource: as a change set shows it, or from two templates. Pure."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from orbits_cdk.imports import MARK
from orbits_cdk.stateful import deletion_policy, holding, losses, recreating
from orbits_iac.provider import Change, PropertyChange, Rules, Verb, compare

_ALL = Rules(whole=True)
_KNOWN_LATER = "{{changeSet:KNOWN_AFTER_APPLY}}"
_LATER = "(known afterwards)"
_KEPT = {
    "ReplaceAndRetain": "the old one is kept",
    "ReplaceAndSnapshot": "a snapshot of the old one is kept",
    "Retain": "kept",
    "Snapshot": "a snapshot is kept",
}
_SCOPES = frozenset({"CreationPolicy", "DeletionPolicy", "Metadata", "UpdatePolicy", "UpdateReplacePolicy"})


@dataclass(frozen=True, kw_only=True)
class Part:
    """A resource that would change, with its properties before and after."""

    verb: Verb
    name: str
    kind: str
    before: Mapping[str, Any] = field(default_factory=dict[str, Any])
    after: Mapping[str, Any] = field(default_factory=dict[str, Any])
    others: tuple[PropertyChange, ...] = ()  # of what is no property: policies, dependencies, metadata
    detail: str = ""
    loses: bool = False

    def change(self) -> Change:
        """It as part of a plan; properties are shown of what is there before and after."""
        both = self.verb in {Verb.UPDATE, Verb.REPLACE}
        return Change(
            verb=self.verb,
            ref=self.name,
            kind=self.kind,
            detail=self.detail,
            properties=(*_properties(self.before, self.after), *self.others) if both else (),
            stateful_loss=self.loses,
        )


def from_change_set(changes: Iterable[Mapping[str, Any]]) -> list[Part]:
    """The parts as a change set shows them, in its order."""
    resources = [change for change in changes if "ResourceChange" in change]
    lost = {loss.resource for loss in losses(resources)}
    return [_of_change_set(change["ResourceChange"], lost) for change in resources]


def from_templates(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[Part]:
    """What differs between two templates; whether a change replaces something is not known from them."""
    old, new = before.get("Resources", {}), after.get("Resources", {})
    held = holding(before)
    parts = (_of_templates(name, old.get(name), new.get(name), held) for name in dict.fromkeys((*new, *old)))
    return [part for part in parts if part is not None]


def _of_change_set(change: Mapping[str, Any], lost: set[str]) -> Part:
    name, kind, action = str(change["LogicalResourceId"]), str(change["ResourceType"]), change["Action"]
    replacement = change.get("Replacement", "False")
    verbs = {"Add": Verb.CREATE, "Import": Verb.CREATE, "Remove": Verb.REMOVE}
    verb = verbs.get(action, Verb.REPLACE if replacement == "True" else Verb.UPDATE)
    return Part(
        verb=verb,
        name=name,
        kind=kind,
        before=_context(change.get("BeforeContext")),
        after=_context(change.get("AfterContext")),
        others=_attributes(change),
        detail="; ".join(_said(change, replacement)),
        loses=name in lost,
    )


def _attributes(change: Mapping[str, Any]) -> tuple[PropertyChange, ...]:
    before, after = (json.loads(change.get(f"{when}Context") or "{}") for when in ("Before", "After"))
    return tuple(
        PropertyChange(path=scope, before=_json(before.get(scope)), after=_json(after.get(scope)))
        for scope in change.get("Scope", ())
        if scope in _SCOPES
    )


def _said(change: Mapping[str, Any], replacement: str) -> list[str]:
    said: list[str] = []
    if change["Action"] == "Import":
        said.append(f"{change.get('PhysicalResourceId', 'what is there')} is imported")
    because = " and ".join(sorted(recreating(change)))
    if replacement in {"True", "Conditional"}:
        may = "" if replacement == "True" else "may be replaced: "
        said.append(f"{may}{because or 'something of it'} cannot change in place")
    if change.get("PolicyAction") in _KEPT:
        said.append(_KEPT[change["PolicyAction"]])
    if change.get("ResourceDriftStatus") == "DELETED":
        said.append("it was removed by somebody else")
    causes = {str(each["CausingEntity"]) for each in change.get("Details", ()) if _depends(each)}
    if causes:
        said.append(f"depends on {', '.join(sorted(causes))}")
    return said


def _depends(detail: Mapping[str, Any]) -> bool:
    """Whether what comes of a change is known only once something else has been done."""
    return detail.get("Evaluation") == "Dynamic" and bool(detail.get("CausingEntity"))


def _context(text: str | None) -> Mapping[str, Any]:
    if not text:
        return {}
    found: Mapping[str, Any] = json.loads(text.replace(_KNOWN_LATER, _LATER)).get("Properties") or {}
    return found


def _of_templates(
    name: str, old: Mapping[str, Any] | None, new: Mapping[str, Any] | None, held: Mapping[str, str]
) -> Part | None:
    if new is None and old is not None:
        policy = deletion_policy(old)
        detail = "" if policy == "Delete" else f"kept ({policy})"
        return Part(
            verb=Verb.REMOVE,
            name=name,
            kind=str(old["Type"]),
            before=old.get("Properties", {}),
            detail=detail,
            loses=name in held,
        )
    if old is None and new is not None:
        identifier = (new.get("Metadata") or {}).get(MARK)
        detail = "" if identifier is None else f"{', '.join(map(str, identifier.values()))} is imported"
        kind = str(new["Type"])
        return Part(verb=Verb.CREATE, name=name, kind=kind, after=new.get("Properties", {}), detail=detail)
    if old is None or new is None or old == new:
        return None
    kind = str(new["Type"])
    verb, detail = (Verb.UPDATE, "") if old["Type"] == kind else (Verb.REPLACE, f"was {old['Type']}")
    others = sorted(key for key in {*old, *new} if key not in {"Properties", "Type"} and old.get(key) != new.get(key))
    return Part(
        verb=verb,
        name=name,
        kind=kind,
        before=old.get("Properties", {}),
        after=new.get("Properties", {}),
        others=tuple(PropertyChange(path=key, before=_json(old.get(key)), after=_json(new.get(key))) for key in others),
        detail=detail,
        loses=verb is Verb.REPLACE and name in held,
    )


def _properties(before: Mapping[str, Any], after: Mapping[str, Any]) -> tuple[PropertyChange, ...]:
    found = compare(before, after, _ALL).differences
    return tuple(PropertyChange(path=each.path, before=each.recorded, after=each.live) for each in found)


def _json(value: object) -> str | None:
    return None if value is None else json.dumps(value, sort_keys=True)
