"""Promotion by policy: whether the next wave begins by itself, by what its plan contains. Pure.

What always holds: a policy only ever says why somebody has to look first. Where it says nothing of any tenant the wave
begins; where it says something, raises, or a tenant cannot be previewed, a person lets it begin, or nobody does.
"""

from collections.abc import Callable, Collection, Iterator, Mapping

from orbits_iac.provider import Change, UsageError, Verb
from orbits_tenants.tenant import Tenant

Policy = Callable[[Tenant, Change], str]
"""Why somebody has to look at what would be done to a tenant before its wave begins; "" if nobody has to."""

_NAMED = 5  # tenants of which the same is said
_REASONS = 3  # that are told of
_LONGEST = 700  # characters: what is to be typed comes behind it, in one message


class ByPolicy:
    """Somebody has to look at a wave before it begins that would do more than this; another one begins by itself.

    Without anything said, a wave begins by itself if nothing in it would be replaced or removed, no data would be lost,
    no step of no return passed, and the plan shows all that would be done to what stands.

    A policy of your own is a function of the tenant and the `Change` (orbits_iac.provider) that would be done to its
    stack; it returns why somebody has to look, or "". This one is such a function too, so that yours can call it.

    Args:
        services: of a tenant's stack, by the refs in its `define_update`, these alone may change; None: all.
        replace: things may be replaced.
        remove: things may be removed.
        no_return: steps of no return may be passed.
        unseen: what the plan cannot show may be done: it depends on what is not known before something else has run.
            Where nothing of a tenant's stack stands yet, nobody has to look at that.

    """

    def __init__(
        self,
        *,
        services: Collection[str] | None = None,
        replace: bool = False,
        remove: bool = False,
        no_return: bool = False,
        unseen: bool = False,
    ) -> None:
        if isinstance(services, str):
            raise UsageError(f"ByPolicy(services={services!r}): give a list of names")
        self.services = None if services is None else tuple(services)
        self.replace = replace
        self.remove = remove
        self.no_return = no_return
        self.unseen = unseen

    def __call__(self, tenant: Tenant, change: Change) -> str:
        """What of it somebody has to look at, as a list with semicolons."""
        del tenant
        return "; ".join(dict.fromkeys(self._reasons(change)))

    def _reasons(self, change: Change) -> Iterator[str]:
        for service in change.below if self.services is not None else ():
            if service and service.ref not in (self.services or ()):
                yield f"{service.ref} would change, and only {', '.join(self.services or ())} may"
        for path, one in _steps(change, ()):
            said = f"{'.'.join(path) or one.kind}"
            why = f" ({one.detail})" if one.detail else ""
            if one.verb is Verb.REPLACE and not self.replace:
                yield f"{said} would be replaced{why}"
            if one.verb is Verb.REMOVE and not self.remove:
                yield f"{said} would be removed{why}"
            if one.verb is Verb.UNKNOWN:
                yield f"{said}: {one.detail or 'what would be done is not known'}"
            if one.stateful_loss:
                yield f"{said} would lose data"
            if one.no_return and one.verb is not Verb.SKIP and not self.no_return:
                yield f"{said} cannot be taken back"
            if one.waits and not self.unseen and change.verb is not Verb.CREATE:
                yield f"{said}: what depends on {', '.join(one.waits)} cannot be shown before"


def told(said: Mapping[str, str]) -> str:
    """What a policy has said of tenants, in a line for people: each reason once, with those of whom it holds."""
    by_reason: dict[str, list[str]] = {}
    for id_, reason in said.items():
        by_reason.setdefault(reason, []).append(id_)
    most = sorted(by_reason.items(), key=lambda one: -len(one[1]))
    lines = [f"{_names(ids)}: {reason}" for reason, ids in most[:_REASONS]]
    rest = sum(len(ids) for _, ids in most[_REASONS:])
    said_of_all = "; ".join(
        [*lines, *([f"and {rest} more tenant{'' if rest == 1 else 's'} for other reasons"] if rest else [])]
    )
    return said_of_all if len(said_of_all) <= _LONGEST else f"{said_of_all[:_LONGEST]} ..."


def _names(ids: list[str]) -> str:
    more = f" and {len(ids) - _NAMED} more" if len(ids) > _NAMED else ""
    return f"{', '.join(ids[:_NAMED])}{more}"


def _steps(change: Change, above: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Change]]:
    """A change and all below it in which something would happen, with the refs that lead there."""
    if not change:
        return
    yield above, change
    for below in change.below:
        yield from _steps(below, (*above, below.ref))
