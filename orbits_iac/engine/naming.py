"""What a `do` is called: its key, and the identity of the Resource that it names or owns."""

from collections.abc import Callable
from functools import lru_cache
from typing import Any, cast

from pydantic import BaseModel

from orbits_iac.codec import Codec
from orbits_iac.model.errors import UsageError
from orbits_iac.model.ids import StepKey, place_of, refs, step_key
from orbits_iac.steps.resource import Command, Resource, command_result_type
from orbits_iac.steps.step import Step, kind_of, result_type
from orbits_iac.steps.workflow import Workflow


def subject_of(step: Step[Any]) -> tuple[Step[Any], str]:
    """What a step is about, and which command of it: a Resource itself stands for its update."""
    command = _command_of(type(step))
    if command is None:
        asked = cast("Command[Any]", step)
        return asked.resource, asked.command
    return step, command


@lru_cache(maxsize=4096)
def _command_of(cls: type[Step[Any]]) -> str | None:
    """The command that a step of this class stands for; None for a Command, which says so itself."""
    if issubclass(cls, Command):
        return None
    if issubclass(cls, Resource):
        return "update"
    return "define" if issubclass(cls, Workflow) else "main"


LONGEST = 1000  # characters


def check_name(what: str, name: str, where: Callable[[], str]) -> None:
    """Raise UsageError unless every store can keep this ref, `key=` or identity as a name; `what` says which it is."""
    if len(name) > LONGEST:
        raise UsageError(
            f"{_shortened(name)}: {what} of {len(name):,} characters is too long for a name ({where()}): {LONGEST:,} "
            f"are the most; name it by a digest of that, for example"
        )
    if "\0" in name or not (name.isascii() or _is_unicode(name)):
        raise UsageError(f"{_shortened(name)}: {what} has to be Unicode text without NUL ({where()})")


def _shortened(name: str) -> str:
    return repr(name if len(name) <= 60 else f"{name[:60]}...")


def identity_of(
    resource: Resource[Any], record: tuple[str, str] | None, above: StepKey, ref: str, key: str | None
) -> tuple[str, bool]:
    """A Resource's identity, and whether it belongs to its place: the record above, then the refs and keys between."""
    named = resource.identity()
    if named == "":
        raise UsageError(f"{ref}: identity() of {kind_of(type(resource))} is empty: the name of a record cannot be")
    if named is not None:
        check_name("an identity", named, lambda: f"{ref}: identity() of {kind_of(type(resource))}")
        return named, False
    if record is None:
        raise UsageError(
            f"{ref}: {kind_of(type(resource))} has no identity(), and there is no Resource above it that it could "
            f"belong to: give it an identity()"
        )
    place = "/".join((*refs(above), f"{ref}[{key}]" if key else ref))
    return f"{record[0]} {record[1]}/{place}", True


def check_identity(resource: Resource[Any], where: str) -> None:
    """Raise UsageError, which begins with `where`, unless a record can be named by what a Resource calls itself."""
    identity_of(resource, ("", ""), StepKey(""), where, None)


def key_of(above: StepKey, ref: str, kind: str, command: str, key: str | None, identity: str | None) -> StepKey:
    """The key of a `do`: `key=` if it was given, else the identity that the step names."""
    return step_key(above, ref, kind, command, key if key is not None else identity or "")


def once_at(key: StepKey, kind: str) -> str:
    """Where the success of a step that is done once is remembered: its place, and its kind."""
    return f"{place_of(key)}:{kind}"


def refuse_secrets(codec: Codec, where: Callable[[], str], holder: BaseModel, *names: str | None) -> None:
    """Raise UsageError where a secret of a step or target is part of a name: names are kept and shown as they are."""
    secrets = codec.secrets(holder)
    if secrets and any(secret in name for secret in secrets for name in names if name is not None):
        raise UsageError(
            f"a secret of {type(holder).__name__} is part of a ref, a key=, an identity() or a place() ({where()}): "
            f"those are kept and shown as they are; name it by something else"
        )


def returns_of(step: Step[Any]) -> Any:
    """The type of what a step or a command returns."""
    subject, command = subject_of(step)
    return result_of(type(subject), command)


def result_of(cls: type[Step[Any]], command: str) -> Any:
    """The type of what a command of this class returns; of an Action or a Workflow there is only its result."""
    if not issubclass(cls, Resource) or command in {"update", "rollback"}:
        return result_type(cls)
    if command == "cycle":
        return type(None)
    if command == "uninstall":
        return list[str] | None
    return command_result_type(cls, command)


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
