"""One `do`, as a definition asked for it."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from orbits_iac.engine.calls import Call, asked_at
from orbits_iac.executors.contract import ProcessExecutor
from orbits_iac.model.ids import StepKey
from orbits_iac.model.retry import Retry
from orbits_iac.model.rows import Json, Reference
from orbits_iac.steps.options import Options
from orbits_iac.steps.shell import Shell
from orbits_iac.steps.step import Step


@dataclass(frozen=True, kw_only=True, slots=True)
class Undoing:
    """What undoes a step, as it is journalled: known at once, or made from the result (decoded)."""

    at_once: Json | None
    of: Callable[[Any], Json]


@dataclass(kw_only=True, eq=False)
class Request:
    """A step that a definition has asked for, and the future in which it waits for the outcome.

    A request whose future is cancelled is given up: its step is not begun, or is asked to cancel; its outcome is
    journalled all the same.
    """

    key: StepKey
    ref: str
    kind: str
    command: str  # "main" of an Action, "define" of a Workflow, "event" of a wait for one, else a Resource's
    step: Step[Any] | None  # fresh and bound; None for what the engine itself asks
    argument: Json
    digest: str
    returns: Any
    options: Options
    targets: dict[str, Json]
    future: "asyncio.Future[Any]"
    identity: str | None = None  # of a Resource's command
    owned: bool = False
    extra: Json = "{}"  # of a command: its own arguments
    once: str | None = None  # the place, if it is done once
    hidden: bool = False  # a provider's hook: no part of the path that people see
    ask: Callable[[], Awaitable[Any]] | None = None  # a question of the engine's own
    fits: Callable[[Any], bool] | None = None  # of a wait: which events it is for
    place: str | None = None  # the refs that lead to it, joined by "/", where its key has more
    begin: "Callable[[], asyncio.Task[None]] | None" = None  # starts the definition of a Workflow
    task: "asyncio.Task[None] | None" = None  # that definition
    tenant: str | None = None
    places: dict[str, str] = field(default_factory=dict)
    references: dict[str, Reference] = field(default_factory=dict)  # from the argument to outputs
    kinds: dict[str, str] = field(default_factory=dict)  # of what is done once: today's and former, with their digests
    undo: Undoing | None = None
    hands_down: Json | None = None  # of a Resource: where Actions below it run that say nothing else
    admitted: bool = False  # no plan has to show it
    call: Call | None = None  # where it stands in the user's code; None for what the engine itself asks

    @property
    def retry(self) -> Retry | None:
        """When a failed attempt is made again; only Actions are."""
        return self.options.get("retry") if self.command == "main" else None

    @property
    def timeout(self) -> timedelta | None:
        """How long an attempt may take."""
        return self.options.get("timeout")

    def line(self) -> str:
        """The file and line of the `do`, for people."""
        return asked_at(self.call)

    @property
    def executor(self) -> ProcessExecutor | None:
        """Where an Action's processes are; None where nothing but this process was named."""
        given = self.options.get("executor") if self.command == "main" else None
        return given if isinstance(given, ProcessExecutor) else None

    @property
    def elsewhere(self) -> bool:
        """Whether it runs in a process of its own, which goes on without this one and is found again."""
        return self.executor is not None or isinstance(self.step, Shell)

    @property
    def given_up(self) -> bool:
        """Whether the definition has cancelled its `do`."""
        return self.future.cancelled()

    def where(self) -> str | None:
        """The places of its targets, for people."""
        return ", ".join(self.places.values()) or None
