"""Where a tenant may act: in its own accounts and clusters, in those that it was given, and nowhere else.

A step that is done with `within=` is bound to that: it and all below it. The bounds travel with the targets, under a
name that no class has, so that they are kept and handed down wherever those are. They hold, as `Type realm`:

- the realms of what stands in `within=`, and of the targets that were inherited there;
- those of the targets that a definition finds in the outputs of Resources, which are the tenant's own or nobody's: what
  belongs to another tenant is refused before anybody gets its outputs.

`do(target=)` is held against them where the request is made; what a hook asks for by itself, where it does. Who is not
bound may act wherever its definition says, and its hooks only there.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pydantic import BaseModel

from orbits_iac.codec import Codec
from orbits_iac.model.bounds import WITHIN, given
from orbits_iac.model.errors import Refused
from orbits_iac.model.rows import Json
from orbits_iac.model.target import Target, target_types


def realm_of(target: Target) -> str:
    """What bounds name of a target."""
    return f"{type(target).__name__} {target.realm()}"


def published(outputs: Any) -> set[str]:
    """The realms of the targets that stand anywhere in outputs."""
    if isinstance(outputs, Target):
        return {realm_of(outputs)}
    if isinstance(outputs, BaseModel):
        return published(outputs.__dict__)
    if isinstance(outputs, Mapping):
        return published(list(outputs.values()))
    if isinstance(outputs, (list, tuple)):
        return {realm for item in outputs for realm in published(item)}
    return set()


def bound(
    codec: Codec,
    above: Mapping[str, Json],
    within: Sequence[Target],
    found: Iterable[str],
    *,
    what: str,
    tenant: str | None,
) -> dict[str, Json]:
    """The targets of a step that is bound to `within`; `Refused` where one of that is beyond what is bound already."""
    for target in within:
        check(above, target, what=what, tenant=tenant)
    classes = target_types()
    inherited = [codec.decode(text, classes[name]) for name, text in given(above).items() if name in classes]
    realms = {*(_realms(above) or ()), *found, *map(realm_of, [*within, *inherited])}
    return {**above, WITHIN: json.dumps(sorted(realms))}


def widened(targets: dict[str, Json], found: Iterable[str]) -> dict[str, Json]:
    """The targets with what its definition has `found` in outputs, for what it does."""
    realms = _realms(targets)
    more = set(found)
    if realms is None or more <= realms:
        return targets
    return {**targets, WITHIN: json.dumps(sorted(realms | more))}


def check(targets: Mapping[str, Json], target: Target, *, what: str, tenant: str | None) -> None:
    """Raise `Refused` where a step is to act in what is beyond the bounds."""
    realms = _realms(targets)
    if realms is None or realm_of(target) in realms:
        return
    raise Refused(
        f"{what}: {_of(tenant)} may not act in {target.realm()} ({type(target).__name__}); it may in "
        f"{_said(realms)}. If that is its own, name it among the tenant's targets; what several share belongs to "
        f"none: its record publishes the target, and each reads it with self.execution.outputs()"
    )


def admit(codec: Codec, targets: Mapping[str, Json], target: Target, *, what: str, tenant: str | None) -> None:
    """Raise `Refused` where a hook of a tenant's step asks for credentials that it was not given."""
    if tenant is None:
        return
    text = targets.get(type(target).__name__)
    own = () if text is None else (realm_of(codec.decode(text, type(target))),)
    allowed = {*own, *(_realms(targets) or ())}
    if realm_of(target) in allowed:
        return
    raise Refused(
        f"{what} of tenant {tenant} asks for credentials of {target.realm()} ({type(target).__name__}), and was given "
        f"{_said(allowed)}: hand the target over with do(..., target=...), or name it among the tenant's targets"
    )


def _realms(targets: Mapping[str, Json]) -> set[str] | None:
    text = targets.get(WITHIN)
    return None if text is None else set(json.loads(text))


def _of(tenant: str | None) -> str:
    return "what is bound to its targets" if tenant is None else f"tenant {tenant}"


def _said(realms: Iterable[str]) -> str:
    return ", ".join(f"{realm.partition(' ')[2]} ({realm.partition(' ')[0]})" for realm in sorted(realms)) or "none"
