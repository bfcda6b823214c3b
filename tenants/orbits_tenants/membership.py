"""Membership: who is in a fleet, by what its source says now and what is known from before. Pure.

What always holds, whatever a source says: nobody who is known goes away by it, and nobody's targets move while anything
of that tenant may stand. A list that cannot be believed changes nothing; one that can adds tenants, and changes what is
said of those that are known.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from orbits_iac.provider import UsageError
from orbits_tenants.amounts import amount
from orbits_tenants.tenant import Tenant

OnDoubt = Literal["known", "stop"]
_NAMED = 5  # tenants that a doubt names


class Listing:
    """How far a fleet's source is believed.

    A read that fails, names nobody, or lacks more than `may_shrink` (a number, or a share) of the tenants that it had
    when it was read last, is in doubt: by `on_doubt` the roll-out stops (`stop`) before anything is done, or goes on
    with those that are `known`, as they were said to be. Of those that have expired a roll-out removes at most
    `most_removals` (a number, or a share of the fleet; one at least).
    """

    def __init__(self, *, may_shrink: str = "10%", on_doubt: OnDoubt = "stop", most_removals: str = "1%") -> None:
        amount(may_shrink, 1, "Listing(may_shrink=...)")
        amount(most_removals, 1, "Listing(most_removals=...)")
        if on_doubt not in ("known", "stop"):
            raise UsageError(f"Listing(on_doubt={on_doubt!r}): it is 'known' or 'stop'")
        self.may_shrink = may_shrink
        self.on_doubt: OnDoubt = on_doubt
        self.most_removals = most_removals


@dataclass(frozen=True, kw_only=True)
class Members:
    """Who is in a fleet.

    Attributes:
        present: those to whom a roll-out goes: known ones first, in the order in which they joined; with the targets
            that they are known with.
        vanished: known ones whom a believable list does not have any more: they stay as they are.
        doubts: why the list, or something in it, was not believed, for people.

    """

    present: tuple[Tenant, ...]
    vanished: tuple[Tenant, ...] = ()
    doubts: tuple[str, ...] = ()


def members(
    listing: Listing,
    known: Sequence[Tenant],
    read: Sequence[Tenant] | None,
    *,
    why: str = "",
    gone: Mapping[str, Tenant] | None = None,
    free: Collection[str] = (),
) -> Members:
    """Who is in a fleet now.

    Args:
        listing: how far the source is believed.
        known: those whom the source had when it was last believed, in the order in which they joined.
        read: what it has now; None if it could not be read, and `why`.
        why: what was wrong.
        gone: those known who had vanished before.
        free: of those known, by their ids, of whom nothing stands: they are where the source says.

    Raises:
        UsageError: the list is in doubt, and `listing` says to stop then; or it is, and nobody is known.

    """
    gone = gone or {}
    by_id = {tenant.id: tenant for tenant in read or ()}
    missing = [tenant for tenant in known if tenant.id not in by_id]
    doubt = _doubt(listing, known, missing, by_id, why)
    if doubt:
        if listing.on_doubt == "stop" or not known:
            raise UsageError(f"{doubt}; nothing was changed")
        return Members(present=tuple(known), vanished=tuple(gone.values()), doubts=(doubt,))
    doubts: list[str] = []
    before = {tenant.id: tenant for tenant in (*known, *gone.values())}
    there = [id_ for id_ in before if id_ in by_id]
    present = [by_id[id_] if id_ in free else _standing(before[id_], by_id[id_], doubts) for id_ in there]
    new = [tenant for id_, tenant in by_id.items() if id_ not in before]
    vanished = [tenant for tenant in before.values() if tenant.id not in by_id]
    doubts += _renamed(new, vanished, present)
    present += new
    return Members(present=tuple(present), vanished=tuple(vanished), doubts=tuple(doubts))


def _doubt(
    listing: Listing, known: Sequence[Tenant], missing: Sequence[Tenant], read: Mapping[str, Tenant], why: str
) -> str:
    """Why the list as a whole is not believed; "" if it is."""
    if why:
        return f"the source could not be read: {why}"
    if not read:
        return "the source names no tenant"
    if len(missing) <= amount(listing.may_shrink, len(known), "Listing(may_shrink=...)"):
        return ""
    names = ", ".join(tenant.id for tenant in missing[:_NAMED])
    more = f" and {len(missing) - _NAMED} more" if len(missing) > _NAMED else ""
    return (
        f"{len(missing)} of {len(known)} tenants are not in the source any more, and at most {listing.may_shrink} may "
        f"vanish at once: {names}{more}. If they are to go, remove them (orbits tenants remove), or raise may_shrink"
    )


def _renamed(new: Sequence[Tenant], vanished: Sequence[Tenant], present: Sequence[Tenant]) -> Iterator[str]:
    """Who is new where somebody has vanished who was there alone: another id is another tenant, beside what stands."""
    taken = {place for tenant in present for place in tenant.places.items()}
    alone = {place: tenant.id for tenant in vanished for place in tenant.places.items() if place not in taken}
    for tenant in new:
        if before := next((alone[place] for place in tenant.places.items() if place in alone), None):
            yield (
                f"tenant {tenant.id} is new at {', '.join(tenant.places.values())}, where {before} stands, whom the "
                f"source does not have any more: if that was renamed, give it its id back, since an id is for ever"
            )


def moved(known: Tenant, read: Tenant) -> bool:
    """Whether the source has a target of a tenant in another place than it is known to be.

    The first of each type is where its stack is done; of the others, one that is new stands where one is missing. That
    one is added behind them, or is not there any more, is no move.
    """
    if not known.places.items() <= read.places.items():
        return True
    return any(_replaced(known, read))


def _replaced(known: Tenant, read: Tenant) -> Iterator[tuple[str, str]]:
    """The places of the targets beyond the first of a type that have another in their place now, each with that."""
    if len(known.targets) == len(known.places):
        return
    now = _by_type(read)
    for name, was in _by_type(known).items():
        for place, instead in zip(was, now.get(name, ()), strict=False):
            if place not in now[name] and instead not in was:
                yield place, instead


def _by_type(tenant: Tenant) -> Mapping[str, Sequence[str]]:
    """The places of all its targets, by their type."""
    found: dict[str, list[str]] = {}
    for target in tenant.targets:
        found.setdefault(type(target).__name__, []).append(target.place())
    return found


def _standing(known: Tenant, read: Tenant, doubts: list[str]) -> Tenant:
    """A tenant as the source has it now, where it is known to be."""
    if not moved(known, read):
        return read
    if known.places.items() <= read.places.items():
        for place, instead in _replaced(known, read):
            doubts.append(
                f"tenant {read.id} has a target at {place}, and the source says {instead} in its place: it stays "
                f"where it is. To move it, leave it out of the source for a roll-out, and name the new one after that"
            )
    else:
        said = ", ".join(read.places.values()) or "nothing of where it is"
        doubts.append(
            f"tenant {read.id} is at {', '.join(known.places.values())}, and the source says {said}: it stays where it "
            f"is. To move it, remove it and add it again"
        )
    return read.model_copy(update={"targets": known.targets})
