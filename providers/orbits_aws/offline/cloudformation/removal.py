"""Removing resources, each before what it depends on: of a stack, of a failed creation, or in a cleanup."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from .desired import keeps
from .graph import in_order
from .model import StackResource
from .work import Failed, Work


@dataclass(frozen=True, kw_only=True)
class Removal:
    """What became of the resources that were to be removed."""

    gone: list[StackResource] = field(default_factory=list[StackResource])
    """Removed, or kept by their policy: no longer the stack's."""
    failed: list[StackResource] = field(default_factory=list[StackResource])
    left: list[StackResource] = field(default_factory=list[StackResource])
    """The failed ones, and what they depend on."""

    @property
    def reason(self) -> str:
        """The stack's reason for what failed."""
        names = ", ".join(sorted(resource.logical_id for resource in self.failed))
        return f"The following resource(s) failed to delete: [{names}]. "


def remove(
    work: Work, resources: Iterable[StackResource], policy: Callable[[StackResource], str], *, force: bool = False
) -> Removal:
    """Remove resources as their policies say; what a failed one depends on stays, for it may still be needed.

    By `force`, what fails is left to its owner.
    """
    names: dict[str, list[StackResource]] = {}
    for resource in resources:
        names.setdefault(resource.logical_id, []).append(resource)
    order = in_order({name: {other for one in same for other in one.depends_on} for name, same in names.items()})
    needed: set[str] = set()
    removal = Removal()
    for name in reversed(order):
        for resource in names[name]:
            if name in needed:
                removal.left.append(resource)
            elif keeps(policy(resource)):
                work.keep(resource)
                removal.gone.append(resource)
                continue
            elif _removed(work, resource, snapshot=policy(resource) == "Snapshot"):
                removal.gone.append(resource)
                continue
            elif force:
                work.keep(resource)
                removal.gone.append(resource)
                continue
            else:
                removal.failed.append(resource)
                removal.left.append(resource)
            needed |= resource.depends_on
    return removal


def _removed(work: Work, resource: StackResource, *, snapshot: bool) -> bool:
    try:
        work.delete(resource, snapshot=snapshot)
    except Failed:
        return False
    return True
