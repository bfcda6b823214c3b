"""What all things that are made by single calls have in common: tags, an owner, and how long one waits for them.

What always holds: everything carries the tags of project and record from the call that makes it on, beside the user's;
`owner`, which is made of these two, is compared as a property, so that what was adopted, or has lost its tags, gets
them. Called by the modules of the resources.
"""

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, JsonValue

from orbits_aws.clients import is_local
from orbits_aws.errors import AwsRefused, AwsUnavailable, NotReady, NotThere
from orbits_aws.ownership import owner_of, refuse_foreign, tags_of
from orbits_aws.targets import AwsTarget
from orbits_iac import Managed, Outputs, Retry
from orbits_iac.provider import Current

O = TypeVar("O", bound=Outputs)
S = TypeVar("S")
T = TypeVar("T")

UNTIL_READY = Retry(attempts=8, delay=timedelta(seconds=1), on=(AwsUnavailable,))
"""Attempts over two minutes: what AWS takes at most until a role, or the end of a queue, is known everywhere.

A lost answer, throttling and failures of the services are outlived by it too, beyond the SDK's own attempts."""

Document = dict[str, JsonValue]
"""A policy document, as JSON has it."""


def _users(tags: dict[str, str]) -> dict[str, str]:
    reserved = [name for name in tags if name.startswith(("aws:", "orbits:"))]
    if reserved:
        raise ValueError(f"the tag {reserved[0]} is not the user's to set: AWS and Orbits set those")
    return tags


Tags = Annotated[dict[str, str], AfterValidator(_users)]
"""The user's own tags; those of Orbits are added."""


def wanted_tags(tags: Mapping[str, str], execution: Current) -> dict[str, str]:
    """The user's tags and ours."""
    return {**tags, **tags_of(execution)}


def users_tags(tags: Mapping[str, str]) -> dict[str, str]:
    """Those of a thing's tags that neither AWS nor Orbits has set, in order of their names."""
    return {name: tags[name] for name in sorted(tags) if not name.startswith(("aws:", "orbits:"))}


def owner(execution: Current) -> str | None:
    """Who is to own what this execution makes."""
    return owner_of(tags_of(execution))


def check_owner(step: Managed[Any], what: str, tags: Mapping[str, str], *, known: bool) -> None:
    """Raise `Refused` where the existing thing `what`, of these tags, is not the step's to write to."""
    target = step.execution.target(AwsTarget)
    where = f"{what} in {target.account} ({target.region})"
    refuse_foreign(where, tags, tags_of(step.execution), known=known)


def tag_list(tags: Mapping[str, str]) -> list[dict[str, str]]:
    """Tags as the services take them that want a list."""
    return [{"Key": name, "Value": value} for name, value in tags.items()]


def as_changed(step: Managed[O], live: O) -> O:
    """What is live, with what differs as it is to be.

    What does not differ stays as the service has it, in its own form: otherwise the next look would publish other
    outputs, though nothing has changed.
    """
    wanted = step.desired()
    return type(live).model_validate({**live.model_dump(), **{name: wanted[name] for name in step.differing(live)}})


def made_whole(change: Callable[[S], T], made: S, *, new: str) -> T:
    """What `change` makes of a thing that was made a moment ago; `NotReady` where it is refused with the words `new`.

    Then the service has the thing, and not everybody there knows it yet.
    """
    try:
        return change(made)
    except NotThere as error:
        if new not in str(error):
            raise
        raise NotReady.because(error) from error


def raise_if_new_principal(error: AwsRefused) -> None:
    """Raise `NotReady` where a policy names a role or user that was made a moment ago.

    The services call it malformed: which of the two it is stands in the message alone.
    """
    if error.code in {"MalformedPolicy", "MalformedPolicyDocument"} and "rincipal" in str(error):
        raise NotReady.because(error) from error


def poll(seconds: float) -> timedelta:
    """How long to wait before AWS is asked again; an offline one on this machine may be asked often."""
    return timedelta(seconds=0.05 if is_local() else seconds)
