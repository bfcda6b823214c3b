"""The dispatcher that the settings name: `local`, or one that another package brings as an entry point."""

from importlib.metadata import entry_points

from orbits_iac.dispatch.contract import Dispatcher
from orbits_iac.extras import missing_extra
from orbits_iac.model.errors import UsageError

GROUP = "orbits_iac.dispatchers"


def dispatcher_named(name: str) -> type[Dispatcher]:
    """The class of a dispatcher, by its name among the entry points; UsageError if it cannot be had."""
    points = {point.name: point for point in entry_points(group=GROUP)}
    if name not in points:
        there = ", ".join(sorted(points))
        raise UsageError(f"there is no dispatcher {name!r}; installed are: {there} (`dispatcher` in orbits.toml)")
    point = points[name]
    try:
        found = point.load()
    except ModuleNotFoundError as error:
        how = missing_extra(point) or f"the module {error.name!r} is missing: install the package that brings it"
        raise UsageError(f"the dispatcher {name!r} cannot be used: {how}") from error
    if not (isinstance(found, type) and issubclass(found, Dispatcher)):
        raise UsageError(f"the dispatcher {name!r} names {point.value}, which is no subclass of Dispatcher")
    return found
