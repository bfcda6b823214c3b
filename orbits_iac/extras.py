"""Entry points whose extra is not installed: which command installs it. For commands and dispatchers of other packages.

The extra is the one that is named like the entry point, or the one in its brackets.
"""

from importlib.metadata import EntryPoint, PackageNotFoundError, requires, version


def missing_extra(point: EntryPoint) -> str | None:
    """The command that installs what this entry point needs; None if it is all there."""
    distribution = getattr(point.dist, "name", None)
    if distribution is None:
        return None
    for extra in point.extras or [point.name]:
        if any(not _is_there(need) for need in _needs(distribution, extra)):
            return f"pip install '{distribution}[{extra}]'"
    return None


def _needs(distribution: str, extra: str) -> list[str]:
    """The names of the distributions that an extra asks for, those of extras that it names itself included."""
    found: list[str] = []
    for line in requires(distribution) or ():
        need, _, marker = line.partition(";")
        if f"extra == '{extra}'" not in marker.replace('"', "'"):
            continue
        name, _, inner = need.strip().partition("[")
        if name == distribution:
            found += [one for part in inner.split("]")[0].split(",") for one in _needs(distribution, part.strip())]
        else:
            found.append("".join(c if c.isalnum() or c in "-_." else " " for c in name).split()[0])
    return found


def _is_there(distribution: str) -> bool:
    try:
        version(distribution)
    except PackageNotFoundError:
        return False
    return True
