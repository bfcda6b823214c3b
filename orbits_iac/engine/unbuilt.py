"""What the public signatures admit and this version does not do yet: refused by name, never ignored.

See docs/decisions/0007. Each line goes when the part that it names is built.
"""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from orbits_iac.executors.contract import ProcessExecutor
from orbits_iac.executors.local import Local
from orbits_iac.model.errors import Refused
from orbits_iac.steps.options import Executor
from orbits_iac.steps.step import Step, options_of

_OPTIONS = ("pool",)


def refuse_unbuilt(ref: str, step: Step[Any], given: Mapping[str, Any]) -> None:
    """Raise `Refused` where `step`, by its class's options or those `given` at the `do`, asks for what is not built."""
    cls = type(step)
    missing = (*_missing_of(cls), *_missing_among(given)) if given else _missing_of(cls)
    if missing:
        raise Refused(f"{ref}: {', '.join(missing)} is not built yet in this version; leave it out")


@lru_cache(maxsize=4096)
def _missing_of(cls: type[Step[Any]]) -> tuple[str, ...]:
    return _missing_among(options_of(cls))


def _missing_among(options: Mapping[str, Any]) -> tuple[str, ...]:
    missing = [name for name in _OPTIONS if name in options]
    executor: Executor | None = options.get("executor")
    if executor is not None and not isinstance(executor, (Local, ProcessExecutor)):
        missing.append(f"the executor {type(executor).__name__}")
    return tuple(missing)
