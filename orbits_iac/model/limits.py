"""Limits: how many executions of one kind, label or tenant may be under way at a time, over all workers.

Pure. A limit is named as in the settings: `kind:CdkStack`; `label:plan=large`, or `label:plan` for each value of that
label; `tenant:acme`, or `tenant` for each tenant. What is said of one value counts instead of what is said of each.
"""

import re
from collections.abc import Mapping

from orbits_iac.model.rows import TaskRow

_NAME = re.compile(r"kind:\S+|label:[^=\s]+(=.*)?|tenant(:.+)?")
_FORMS = '"kind:CdkStack", "label:plan=large", "label:plan" (for each value), "tenant:acme" or "tenant" (for each)'


class Limits:
    """The limits that are set here."""

    def __init__(self, given: Mapping[str, int]) -> None:
        self._given = dict(given)
        self._labels = {name.partition(":")[2].partition("=")[0] for name in given if name.startswith("label:")}

    def of(self, task: TaskRow) -> dict[str, int]:
        """The limits that an execution counts for, each of one value, and how many of them may be under way."""
        if not self._given:
            return {}
        names = [f"kind:{task.kind}"]
        if task.tenant is not None:
            names.append(f"tenant:{task.tenant}")
        names += [f"label:{label}" for label in task.labels if label.partition("=")[0] in self._labels]
        sizes = {name: self.size(name) for name in names}
        return {name: size for name, size in sizes.items() if size is not None}

    def size(self, name: str) -> int | None:
        """How many may be under way of what this names; None if that is not limited."""
        if name in self._given:
            return self._given[name]
        what, _, value = name.partition(":")
        each = f"label:{value.partition('=')[0]}" if what == "label" else what
        return self._given.get(each) if each != name else None


def check(given: Mapping[str, int]) -> None:
    """Raise a ValueError where a limit is none."""
    for name, size in given.items():
        if not _NAME.fullmatch(name):
            raise ValueError(f"{name!r} is no limit: it has to be as {_FORMS}")
        if size < 1:
            raise ValueError(f"{name} is {size}: at least one has to be allowed; `orbits pause` stops executions")
