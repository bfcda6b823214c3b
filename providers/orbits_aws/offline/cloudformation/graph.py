"""The order in which a stack's resources are made and removed. Pure."""

from collections.abc import Iterable, Mapping
from graphlib import CycleError, TopologicalSorter

from .errors import ValidationError


def in_order(depends_on: Mapping[str, Iterable[str]]) -> list[str]:
    """Every key after the keys it depends on; those that are free of each other keep the order of the mapping.

    Names that are no keys are passed over. Raises ValidationError with the service's words for a circle.
    """
    position = {name: index for index, name in enumerate(depends_on)}
    sorter = TopologicalSorter(
        {
            name: {other for other in others if other in position and other != name}
            for name, others in depends_on.items()
        }
    )
    try:
        sorter.prepare()
    except CycleError as failure:
        circle = ", ".join(sorted(set(failure.args[1])))
        raise ValidationError(f"Circular dependency between resources: [{circle}]") from failure
    ordered: list[str] = []
    while sorter.is_active():
        ready = sorted(sorter.get_ready(), key=position.__getitem__)
        ordered += ready
        sorter.done(*ready)
    return ordered
