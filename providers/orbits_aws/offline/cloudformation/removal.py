"""Removing resources, each before what it depends on: of a stack, of a failed creation, or in a cleanup."""

from collections.abc import Callable, Iterable

from .graph import in_order
from .model import StackResource
from .work import Failed, Work


def remove(
    work: Work,
    resources: Iterable[StackResource],
    keep: Callable[[StackResource], bool],
) -> tuple[list[StackResource], list[StackResource]]:
    """Remove resources, except those to keep; what a failed one depends on stays, for it may still be needed.

    Returns what is gone from the stack (removed or kept by its policy) and what failed or was left for its sake.
    """
    by_id = {(resource.logical_id, resource.physical_id): resource for resource in resources}
    names: dict[str, list[StackResource]] = {}
    for resource in by_id.values():
        names.setdefault(resource.logical_id, []).append(resource)
    order = in_order({name: {other for one in same for other in one.depends_on} for name, same in names.items()})
    needed: set[str] = set()
    gone: list[StackResource] = []
    left: list[StackResource] = []
    for name in reversed(order):
        for resource in names[name]:
            if name in needed:
                needed |= resource.depends_on
                left.append(resource)
            elif keep(resource):
                work.keep(resource)
                gone.append(resource)
            elif _removed(work, resource):
                gone.append(resource)
            else:
                needed |= resource.depends_on
                left.append(resource)
    return gone, left


def _removed(work: Work, resource: StackResource) -> bool:
    try:
        work.delete(resource)
    except Failed:
        return False
    return True
