"""What is live of an account, and what of it is not as it was recorded: plain values. Called by `account`."""

from collections.abc import Iterator

from pydantic import BaseModel, ConfigDict

from orbits_iac.provider import Difference, json_text


class Whereabouts(BaseModel):
    """Which unit an account is in, and which one it is to be in, by their ids."""

    model_config = ConfigDict(frozen=True)

    unit: str
    path: str  # of `unit`, for people, where it is not the wanted one
    wanted: str | None  # None: it is not there


class Look(BaseModel):
    """What is live of an account."""

    model_config = ConfigDict(frozen=True)

    account: str | None
    status: str = ""
    whereabouts: Whereabouts | None = None  # None: any unit will do
    service_role: bool = True


def differences_of(look: Look, known: str, unit: str | None, service_role: str) -> Iterator[Difference]:
    """What is not as it was recorded."""
    if look.account != known:
        yield Difference(path="account", recorded=json_text(known), live=json_text(look.account))
    elif look.status != "ACTIVE":
        yield Difference(path="status", recorded=json_text("ACTIVE"), live=json_text(look.status))
    if look.whereabouts is not None and look.whereabouts.unit != look.whereabouts.wanted:
        yield Difference(path="unit", recorded=json_text(unit), live=json_text(look.whereabouts.path))
    if not look.service_role:
        yield Difference(path="service_role", recorded=json_text(service_role), live="null")
