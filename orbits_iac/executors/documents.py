"""What an Action that runs elsewhere is told, and what it leaves behind: the files of its run.

The engine writes a `Task` and reads an `Outcome` and lines of `Progress`; `orbits_iac.execute` does the other half.
Values in them are JSON text of a codec made for this run alone, whose key is handed over in memory.
"""

import msgspec

from orbits_iac.model.errors import Failure
from orbits_iac.model.ids import StepKey
from orbits_iac.model.rows import Json

TASK, OUTCOME, PROGRESS, OWNER = "task", "outcome", "progress", "owner"
"""The names of the files."""


class Task(msgspec.Struct, frozen=True, kw_only=True):
    """One call of a hook."""

    modules: tuple[str, ...]  # to be imported, for the kind
    path: tuple[str, ...] = ()  # where the worker imports from
    kind: str
    made: str | None = None  # the class, where it is a hook's: see `steps.hook.packed`
    called: str = ""
    takes_over: str = ""
    largest: int  # characters of a value's JSON
    hook: str  # "main", "watch" or "on_interrupted"
    argument: Json
    handle: Json | None = None  # of a watch
    execution: str
    token: str
    attempt: int
    tenant: str | None
    project: str
    record: tuple[str, str] | None
    targets: dict[str, Json]


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What came of it: one of result, handle and failure."""

    result: Json | None = None
    handle: Json | None = None
    poll: float = 0.0  # seconds until it is to be watched, with a handle
    failure: Failure | None = None
    raised: tuple[str, ...] = ()  # the qualified names of the error's class and its bases, the nearest first


class Progress(msgspec.Struct, frozen=True, kw_only=True):
    """A line of the progress file."""

    message: str
    share: float | None = None


class Owner(msgspec.Struct, frozen=True, kw_only=True):
    """Whose run it is: once that has an outcome in the store, the run is nobody's."""

    execution: str
    key: StepKey
    token: str
    attempt: int
