"""What runs of tenants already: looked for by names at all their targets, and given to those whose it is.

What always holds: nothing is written, nobody is given what somebody else could mean by the same name, and what nobody
is given is listed. A place that cannot be looked at says so of its tenants, and stops no other. Called by `orbits
tenants import`.
"""

import asyncio
import re
from collections import Counter
from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from glob import escape

from orbits_iac import Target
from orbits_iac.provider import Existing, UsageError
from orbits_tenants.tenant import Tenant

_AT_ONCE = 16  # targets that are looked at together
_FIELD = re.compile(r"\{([^{}]*)\}")


@dataclass(frozen=True, kw_only=True)
class Sought:
    """What to look for, for one part of each tenant's stack.

    Attributes:
        part: the refs that lead to it, joined by dots; "" for the one that there is.
        like: what it is called, as a shell's pattern: `{tenant}` is the tenant's id, `{plan}` the value of its label.
        spread: instead, what has made one in many places: a StackSet.
        place: only those at a place like this, as a target's `place` says it.
        by: where what has spread it is; None: in the management account.

    """

    part: str = ""
    like: str = ""
    spread: str = ""
    place: str = "*"
    by: Target | None = None

    def name_of(self, tenant: Tenant) -> str:
        """What it is called for a tenant; UsageError if that has not the label."""
        values = {**tenant.labels, "tenant": tenant.id}

        def value(found: re.Match[str]) -> str:
            if found[1] not in values:
                raise UsageError(f"the tenant has no label {found[1]!r}, which {self.like!r} names")
            return escape(values[found[1]])

        return _FIELD.sub(value, self.like)

    @property
    def of_anybody(self) -> str:
        """What it may be called for whoever."""
        return _FIELD.sub("*", self.like)


@dataclass(kw_only=True)
class Found:
    """What was found of one tenant: of each part all that fits.

    And why it could not be looked for, if so, or what of it would be somebody else's as well.
    """

    tenant: Tenant
    parts: dict[str, list[Existing]] = field(default_factory=dict)
    why: str = ""
    shared: tuple[str, ...] = ()


async def find(
    sought: Sequence[Sought], tenants: Sequence[Tenant], meant: Container[str], *, project: str
) -> tuple[list[Found], list[Existing]]:
    """What there is of those of these tenants that are meant; and what is called so, or was spread, and is nobody's.

    Looked at are the targets of those who are meant alone. Raises UsageError where nobody can look for what is spread.
    """
    spread = [await _spread(one, tenants) for one in sought if one.spread]
    instances = {one.part: _by_place(these) for one, these in spread}
    targets = list(dict.fromkeys(target for one in tenants if one.id in meant for target in one.targets))
    wanted = {target: _wanted(target, sought, instances) for target in targets}
    room = asyncio.Semaphore(_AT_ONCE)

    async def look(target: Target) -> list[Existing] | str | None:
        async with room:
            try:
                return await asyncio.to_thread(target.existing, wanted[target], project=project)
            except NotImplementedError:  # a cluster, say, beside the account
                return None
            except Exception as error:  # noqa: BLE001 - one place that cannot be looked at stops no other
                return str(error) or type(error).__name__

    answers = zip(targets, await asyncio.gather(*map(look, targets)), strict=True)
    there = {target: answer for target, answer in answers if answer is not None}
    found = [_of_tenant(tenant, sought, there, instances) for tenant in tenants]
    taken = Counter(_key(one) for each in found for one in {_key(one): one for one in _all(each)}.values())
    for each in found:
        each.shared = tuple(one.name for one in _all(each) if taken[_key(one)] > 1)
    at_home = {target.place() for tenant in tenants for target in tenant.targets}
    seen = {_key(one): one for answer in there.values() if not isinstance(answer, str) for one in answer}
    spread_out = [one for places in instances.values() for these in places.values() for one in these]
    seen |= {_key(one): one for one in spread_out if one.place not in at_home}
    nobodys = [one for key, one in sorted(seen.items()) if key not in taken]
    return [each for each in found if each.tenant.id in meant], nobodys


async def _spread(one: Sought, tenants: Sequence[Tenant]) -> tuple[Sought, list[Existing]]:
    kinds = [type(one.by)] if one.by is not None else list({type(at): 0 for each in tenants for at in each.targets})
    for kind in kinds:
        try:
            return one, await asyncio.to_thread(kind.spread, one.spread, by=one.by)
        except NotImplementedError:
            continue
    raise UsageError(f"{one.spread}: no tenant has a target of a kind where anybody knows what that has spread")


def _by_place(these: Sequence[Existing]) -> dict[str, list[Existing]]:
    places: dict[str, list[Existing]] = {}
    for one in these:
        places.setdefault(one.place, []).append(one)
    return places


def _wanted(
    target: Target, sought: Sequence[Sought], instances: Mapping[str, Mapping[str, list[Existing]]]
) -> list[str]:
    """What a target is asked for."""
    patterns = [one.of_anybody for one in sought if one.like]
    names = [each.name for places in instances.values() for each in places.get(target.place(), ()) if each.name]
    return list(dict.fromkeys([*patterns, *names]))


def _of_tenant(
    tenant: Tenant,
    sought: Sequence[Sought],
    there: Mapping[Target, list[Existing] | str],
    instances: Mapping[str, Mapping[str, list[Existing]]],
) -> Found:
    answers = {target: there[target] for target in dict.fromkeys(tenant.targets) if target in there}
    found = Found(tenant=tenant)
    if not answers:
        found.why = "nobody knows where to look: name its targets in the source"
    found.why = "; ".join(answer for answer in answers.values() if isinstance(answer, str)) or found.why
    seen = {_key(one): one for answer in answers.values() if not isinstance(answer, str) for one in answer}
    for one in sought if not found.why else ():
        try:
            found.parts[one.part] = list(_fitting(one, tenant, seen, instances.get(one.part, {})))
        except UsageError as error:
            found.why = str(error)
    return found


def _fitting(
    one: Sought, tenant: Tenant, seen: Mapping[tuple[str, str], Existing], places: Mapping[str, list[Existing]]
) -> Iterator[Existing]:
    """What of all that was seen is this part of the tenant's stack."""
    if one.spread:
        for place in dict.fromkeys(target.place() for target in tenant.targets):
            if fnmatchcase(place, one.place):
                yield from (_with(each, seen) for each in places.get(place, ()))
        return
    name = one.name_of(tenant)
    for _, each in sorted(seen.items()):
        if fnmatchcase(each.name, name) and fnmatchcase(each.place, one.place):
            yield each


def _with(instance: Existing, seen: Mapping[tuple[str, str], Existing]) -> Existing:
    """An instance as what spreads it knows it, with how it is where it stands."""
    stands = seen.get(_key(instance))
    if instance.refused:
        return instance
    if stands is None:
        return replace(instance, refused="it is not there any more: take it out of what spreads it")
    return replace(stands, remarks=(*instance.remarks, *stands.remarks))


def _key(one: Existing) -> tuple[str, str]:
    return one.place, one.name


def _all(found: Found) -> list[Existing]:
    return [one for these in found.parts.values() for one in these]
