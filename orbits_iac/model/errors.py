"""Every error that Orbits raises.

Error
├── Permanent              raised by an Action: not to be tried again
│   └── OutOfReach         where it should be done cannot be used: a closed account, one that lets nobody in
├── NothingDone            raised by an Action: the next attempt gets a new token
├── Interrupted            an Action's process died while it ran, and nobody knows how far it got
├── ProcessFailed          the process that an Action ran in, or its shell command, ended badly
├── NotHeld                another worker may have taken over what a hook does: the next change was not made
├── ExecutionFailed        a step or command ended badly: what `do` and `run` raise
├── Refused                what was asked for is not allowed, and nothing was done
│   └── UsageError         the request itself is wrong: a name, a field, a file, a value
└── StoreError             the store cannot be used
    ├── Unreachable        it cannot be reached now: whoever waits may go on waiting
    ├── Unreadable         one row of it is not what was written
    ├── Fenced             the writer no longer holds the execution
    └── Conflict           somebody else changed the document first
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Self

from orbits_iac.model.states import State

if TYPE_CHECKING:
    from pydantic import ValidationError
    from pydantic_core import ErrorDetails

LONGEST_MESSAGE = 10_000
"""Characters of an error's message that are kept; the beginning and the end of a longer one."""

_LEFT_OUT = " [... {} characters left out ...] "


class Error(Exception):
    """What all errors of Orbits have in common."""


class Permanent(Error):
    """Raised by an Action: not to be tried again."""


class OutOfReach(Permanent):
    """Raised by an Action: the place itself cannot be used. Its account is closed, suspended, or lets nobody in.

    A roll-out reports such a tenant apart: it says nothing about the release.
    """


class NothingDone(Error):
    """Raised by an Action: it is certain that nothing was done, so the next attempt gets a new token."""


class Interrupted(Error):
    """The process died while a non-idempotent Action ran; how far it got is not known."""


class ProcessFailed(Error):
    """A process ended with an exit status that is not 0, by a signal, or without saying what came of it."""


class NotHeld(Error):
    """The worker's lease was not renewed in time, so that another may have taken over: nothing more was changed."""


class Refused(Error):
    """What was asked for is not allowed; nothing was done."""


class UsageError(Refused):
    """The request is wrong: an unknown name, a field, a file, a value. The message says what to do."""


class StoreError(Error):
    """The store cannot be read or written."""


class Unreachable(StoreError):
    """Its server does not answer, or has no primary: what is stored is safe, and it may be there again later."""


class Unreadable(StoreError):
    """A row cannot be read back: damaged, or changed by hand. Nothing else is wrong with the store, as far as is known.

    `table` and `key` name it.
    """

    def __init__(self, table: str, key: tuple[str | int, ...], error: Exception) -> None:
        self.table = table
        self.key = key
        super().__init__(
            f"{table} {' '.join(str(part) for part in key)} cannot be read back: {error}. Bring it back from a backup; "
            f"`orbits state check` names all that are like it"
        )


class Fenced(StoreError):
    """Another owner has claimed the execution since; this writer's work is discarded."""


class Conflict(StoreError):
    """The document was changed by somebody else between reading and writing it; read again and decide again."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Failure:
    """A failed step or command as it is recorded: enough to raise the same error again on any machine."""

    error_type: str
    message: str
    path: tuple[str, ...] = ()
    types: tuple[str, ...] = ()  # qualified names of the error's classes and of its causes'
    execution_id: str = ""
    state: State = State.ERROR  # how the execution that failed ended
    account: str | None = None  # where it happened, as the target's place says
    no_return: tuple[str, ...] = ()  # steps of no return that stand in the way of going back
    left: tuple[str, ...] = ()  # what could not be brought back and needs a decision

    @classmethod
    def of(
        cls,
        error: BaseException,
        *,
        execution_id: str = "",
        account: str | None = None,
        mask: Callable[[str], str] = str,
    ) -> Self:
        """What is recorded of `error`; an `ExecutionFailed` keeps the failure that it was raised from.

        `mask` takes the secrets out of a message, before that is shortened: half of one would not be found.
        """
        first = first_of(error)
        if isinstance(first, ExecutionFailed) and isinstance(first.failure, cls):
            return first.failure
        return cls(
            error_type=type(first).__name__,
            message=message_of(first, mask),
            types=_types(error),
            execution_id=execution_id,
            account=account,
        )

    def above(self, ref: str) -> Self:
        """The same failure, seen from the step above, which did it under `ref`."""
        return replace(self, path=(ref, *self.path))


class ExecutionFailed(Error):
    """A step or command ended badly.

    `path` leads from the step that raises to the one that failed first; `error_type` and `message` are the first
    error's, and `caused_by` asks whether an exception class was among its causes, on the first run as on every later.
    """

    def __init__(self, failure: Failure) -> None:
        self.failure = failure
        self.execution_id = failure.execution_id
        self.path = failure.path
        self.error_type = failure.error_type
        self.message = failure.message
        where = ".".join(failure.path)
        super().__init__(
            f"{where}: {failure.error_type}: {failure.message}" if where else f"{failure.error_type}: {failure.message}"
        )

    def __reduce__(self) -> tuple[type["ExecutionFailed"], tuple[Failure]]:
        return type(self), (self.failure,)

    def caused_by(self, error: type[BaseException]) -> bool:
        """Whether the first error, or an error that it was raised from, is an instance of `error`."""
        return _name(error) in self.failure.types


def first_of(error: BaseException) -> BaseException:
    """The error itself, or of a group (which a TaskGroup raises) the first step's that failed, else the first."""
    if not isinstance(error, BaseExceptionGroup) or not error.exceptions:
        return error
    leaves = [first_of(inner) for inner in error.exceptions]
    return next((leaf for leaf in leaves if isinstance(leaf, ExecutionFailed)), leaves[0])


def message_of(error: BaseException, mask: Callable[[str], str] = str) -> str:
    """What an error says, as text that every store can keep: masked, shortened, and without what is no Unicode."""
    try:
        text = _text(error)
    except Exception as second:  # noqa: BLE001 - an error that cannot say what it is has happened all the same
        text = f"its message cannot be had: str() of it raised {type(second).__name__}"
    text = mask(text).encode("utf-8", "backslashreplace").decode()
    return shortened(text, LONGEST_MESSAGE) or type(error).__name__


def shortened(text: str, most: int) -> str:
    """A text of at most so many characters: of a longer one both ends, with how many are left out between them."""
    if len(text) <= most:
        return text
    half = (most - len(_LEFT_OUT.format(len(text)))) // 2
    if half < 1:
        return text[:most]
    return f"{text[:half]}{_LEFT_OUT.format(len(text) - 2 * half)}{text[-half:]}"


def explain(error: "ValidationError") -> str:
    """A validation error for people: each field with what is wrong, on one line, without the values."""
    parts = []
    for problem in error.errors(include_url=False):
        where = ".".join(str(part) for part in problem["loc"])
        parts.append(f"{where}: {in_words(problem)}" if where else in_words(problem))
    return "; ".join(parts)


def in_words(problem: "ErrorDetails") -> str:
    """What is wrong with one field, without its name: in our words where pydantic's are of its own parts."""
    match problem["type"]:
        case "value_error":
            return str(problem.get("ctx", {}).get("error", problem["msg"]))
        case "missing":
            return "is missing"
        case "extra_forbidden":
            return "there is no such field"
        case "string_type":
            scalar = problem.get("input") is not None and not isinstance(problem["input"], list | dict)
            return f"has to be text{': put it in quotes' if scalar else ''}"
        case _:
            return problem["msg"]


def _text(error: BaseException) -> str:
    if type(error).__name__ == "ValidationError":
        from pydantic import ValidationError  # who raises one has it already; who only reads is not to load it

        if isinstance(error, ValidationError):
            return f"{error.title}: {explain(error)}"
    return str(error)


def _types(error: BaseException) -> tuple[str, ...]:
    names: dict[str, None] = {}
    seen: set[int] = set()
    waiting: list[BaseException] = [error]
    for cause in waiting:
        if id(cause) in seen:
            continue
        seen.add(id(cause))
        if isinstance(cause, ExecutionFailed):
            names.update(dict.fromkeys(cause.failure.types))
        else:
            names.update(dict.fromkeys(_name(kind) for kind in type(cause).__mro__ if kind is not object))
        if isinstance(cause, BaseExceptionGroup):
            waiting.extend(cause.exceptions)
        before = cause.__cause__ or (None if cause.__suppress_context__ else cause.__context__)
        if before is not None:
            waiting.append(before)
    return tuple(names)


def _name(kind: type[object]) -> str:
    return f"{kind.__module__}.{kind.__qualname__}"
