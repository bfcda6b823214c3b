"""What the public signatures admit and this version does not do yet: refused by name, never ignored.

See docs/decisions/0007. Each line goes when the part that it names is built.
"""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from orbits_iac.model.errors import Refused
from orbits_iac.steps.options import Every
from orbits_iac.steps.step import Step, options_of

_OPTIONS = ("executor", "pool")


def refuse_unbuilt(ref: str, step: Step[Any], given: Mapping[str, Any]) -> None:
    """Raise `Refused` where `step`, by its class's options or those `given` at the `do`, asks for what is not built."""
    missing = (*_missing_of(type(step)), *(name for name in _OPTIONS if name in given))
    if missing:
        raise Refused(f"{ref}: {', '.join(missing)} is not built yet in this version; leave it out")


@lru_cache(maxsize=4096)
def _missing_of(cls: type[Step[Any]]) -> tuple[str, ...]:
    options = options_of(cls)
    missing = [name for name in _OPTIONS if name in options]
    schedule: Every | None = options.get("schedule")
    if schedule is not None and schedule.on_drift == "notify":
        missing.append("on_drift='notify'")
    return tuple(missing)
