"""Tenant: one client, as a source names it."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from orbits_iac import Target

TenantId = Annotated[str, Field(min_length=1, max_length=63, pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]


class Tenant(BaseModel):
    """One client that a stack is rolled out for.

    Attributes:
        id: what it is called, everywhere and for ever: 1 to 63 letters, digits, dots, hyphens and underscores.
        labels: what it is chosen by.
        overrides: fields of its stack that are otherwise than for the others.
        targets: where its stack is done, where that does not come from the stack itself.

    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: TenantId
    labels: Mapping[str, str] = {}
    overrides: Mapping[str, Any] = {}
    targets: Sequence[Target] = ()
