"""Tenant: one client, as a source names it."""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    AwareDatetime,
    ConfigDict,
    PlainSerializer,
    PlainValidator,
    ValidationError,
    WithJsonSchema,
)

from orbits_iac import Target
from orbits_iac.provider import check_labels, explain, target_types
from orbits_tenants.numerous import Numerous
from orbits_tenants.window import Window

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")


def _id(given: str) -> str:
    if not _ID.fullmatch(given):
        raise ValueError("is 1 to 63 letters, digits, dots, hyphens and underscores, and begins with a letter or digit")
    return given


TenantId = Annotated[str, AfterValidator(_id), WithJsonSchema({"type": "string", "pattern": f"^{_ID.pattern}$"})]

REF = "tenant"
"""What a tenant's stack is called in the record of its fleet; its key is the tenant's id."""

SHARED = "shared"
"""What is called so there is used by several tenants; its key is its kind and identity."""


def _targets(given: Any) -> tuple[Target, ...]:
    """Targets as they are, or each as the name of its type and its fields: `AwsTarget: {account: "448811223344"}`."""
    if not isinstance(given, Sequence) or isinstance(given, str):
        raise ValueError("a list of targets, each the name of its type and its fields")  # noqa: TRY004 - as pydantic wants it
    return tuple(one if isinstance(one, Target) else _target(one) for one in given)


def _target(given: Any) -> Target:
    known = target_types()
    none = "none: import one in the file of the stack, as in from orbits_aws import AwsTarget"
    if not isinstance(given, Mapping) or len(given) != 1 or next(iter(given)) not in known:
        raise ValueError(
            f"{given!r} is no target: the name of its type, and below it its fields; the types that are imported are "
            f"{', '.join(sorted(known)) or none}"
        )
    [(name, fields)] = given.items()
    try:
        return known[name].model_validate(fields)
    except ValidationError as error:
        raise ValueError(f"{name}: {explain(error)}") from error


def _written(targets: Sequence[Target]) -> list[dict[str, Any]]:
    return [{type(target).__name__: target.model_dump(mode="json", exclude_defaults=True)} for target in targets]


def _text(given: str) -> str:
    """A text that can be kept: half a character, which JSON may have, is none."""
    if not given.isascii():
        try:
            given.encode()
        except UnicodeEncodeError:
            raise ValueError(f"{given!r} is no Unicode text") from None
    return given


def _texts(given: Any) -> Any:
    """The same for all texts within a value, names of fields too."""
    match given:
        case str():
            _text(given)
        case Mapping():
            _texts(list(given.items()))
        case list() | tuple():
            for one in given:
                _texts(one)
        case _:
            pass
    return given


def _labels(given: Mapping[str, str]) -> Mapping[str, str]:
    check_labels(given)
    return given


Text = Annotated[str, AfterValidator(_text)]
Labels = Annotated[Mapping[Text, Text], AfterValidator(_labels)]
Fields = Annotated[Mapping[str, Any], AfterValidator(_texts)]
Targets = Annotated[tuple[Target, ...], PlainValidator(_targets), PlainSerializer(_written)]


class Tenant(Numerous):
    """One client that a stack is rolled out for.

    Attributes:
        id: what it is called, everywhere and for ever: 1 to 63 letters, digits, dots, hyphens and underscores.
        name: what people call it.
        labels: what it is chosen by.
        overrides: fields of its stack that are otherwise than for the others.
        pinned: the same, and they stay whatever is released: said in each report, until they are taken away.
        targets: where its stack is done: at the first one of each type; `stack()` hands on the others. Written as the
            name of the type and its fields. It may act nowhere else but in the accounts that it makes itself, and in
            those that it reads from what is shared.
        window: when it may be changed; None: at any time.
        expires: when it ends by itself; None: never.
        paused: why no roll-out changes it; "" if they do.

    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: TenantId
    name: Text = ""
    labels: Labels = {}
    overrides: Fields = {}
    pinned: Fields = {}
    targets: Targets = ()
    window: Window | None = None
    expires: AwareDatetime | None = None
    paused: Text = ""

    @property
    def places(self) -> Mapping[str, str]:
        """Where its stack is done, by the type of target: what never changes under its id."""
        return {type(target).__name__: target.place() for target in self.home}

    @property
    def home(self) -> tuple[Target, ...]:
        """The targets that its stack is done at: the first one of each type."""
        first: dict[type[Target], Target] = {}
        for target in self.targets:
            first.setdefault(type(target), target)
        return tuple(first.values())

    def has_ended(self, now: datetime) -> bool:
        """Whether it has expired."""
        return self.expires is not None and self.expires <= now
