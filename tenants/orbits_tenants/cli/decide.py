"""`orbits tenants add | pause | resume | pin | unpin`: what people decide about a tenant, whatever the source says."""

import asyncio
import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from orbits_tenants.cli.options import AsJson, Fleet, Id, Why

if TYPE_CHECKING:
    from orbits_tenants.decisions import Decided

Reason = Annotated[str, typer.Option("--why", help="Why; reports say it.")]
Fields = Annotated[
    list[str], typer.Argument(metavar="NAME=VALUE", help="Fields of its stack; anything but text as JSON.")
]
Name = Annotated[str, typer.Option("--name", help="What people call it.")]
Labels = Annotated[list[str] | None, typer.Option("--label", metavar="NAME=VALUE", help="A label; several times.")]
Set = Annotated[
    list[str] | None, typer.Option("--set", metavar="NAME=VALUE", help="A field of its stack; several times.")
]
Targets = Annotated[
    list[str] | None,
    typer.Option("--target", metavar="JSON", help='Where: {"AwsTarget": {"account": "448811223344"}}; several times.'),
]
Window = Annotated[
    str | None, typer.Option("--window", help="When it may be changed: 'Mon-Fri 22:00-04:00 Europe/Berlin'.")
]
Expires = Annotated[str | None, typer.Option("--expires", help="When it ends by itself: 2027-01-31T00:00:00+00:00.")]


def add(  # noqa: PLR0913 - an option a field of the tenant
    fleet: Fleet,
    tenant: Id,
    *,
    name: Name = "",
    label: Labels = None,
    set_: Set = None,
    target: Targets = None,
    window: Window = None,
    expires: Expires = None,
    why: Why = "",
    as_json: AsJson = False,
) -> None:
    """Add a tenant beside those of the source, or take one back that was removed."""
    given: dict[str, Any] = {
        "name": name,
        "labels": _pairs(label or (), "--label"),
        "overrides": values(set_ or (), "--set"),
        "targets": [_json(text, "--target") for text in target or ()],
        "window": window,
        "expires": expires,
    }
    fields = {"id": tenant, **{field: value for field, value in given.items() if value}}
    _decide(fleet, tenant, "add", why, as_json, added=fields)


def pause(fleet: Fleet, tenant: Id, *, why: Reason, as_json: AsJson = False) -> None:
    """Let no roll-out change a tenant until it is resumed; one that is under way does not begin it any more."""
    _decide(fleet, tenant, "pause", why, as_json)


def resume(fleet: Fleet, tenant: Id, *, why: Why = "", as_json: AsJson = False) -> None:
    """Let roll-outs change a tenant again that was paused."""
    _decide(fleet, tenant, "resume", why, as_json)


def pin(fleet: Fleet, tenant: Id, fields: Fields, *, why: Why = "", as_json: AsJson = False) -> None:
    """Keep fields of a tenant's stack as they are said here, whatever is released."""
    _decide(fleet, tenant, "pin", why, as_json, pinned=values(fields, ""))


def unpin(fleet: Fleet, tenant: Id, *, why: Why = "", as_json: AsJson = False) -> None:
    """Let a tenant have what all have again."""
    _decide(fleet, tenant, "unpin", why, as_json)


def _decide(
    spec: str,
    tenant: str,
    what: Literal["add", "pause", "resume", "pin", "unpin"],
    why: str,
    as_json: bool,
    **more: Any,
) -> None:
    decided, but = asyncio.run(_recorded(spec, {"what": what, "tenant": tenant, "why": why, **more}))
    if as_json:
        typer.echo(decided.model_dump_json(indent=2))
        return
    said = {
        "add": "is in the fleet",
        "pause": f"is paused: {why}",
        "resume": "is changed by roll-outs again",
        "pin": f"keeps {', '.join(f'{name}={value!r}' for name, value in decided.pinned.get(tenant, {}).items())}",
        "unpin": "has what all have",
    }
    seen = "; a roll-out that is under way sees it, if it has not begun it yet"
    if what == "add":
        seen = "" if but else "; the next roll-out goes to it"
    typer.echo(f"{tenant} {but or said[what]}{seen}", err=True)


async def _recorded(spec: str, given: Mapping[str, Any]) -> "tuple[Decided, str]":
    """Record the decision; what holds in spite of it. What is wrong with it, or with its tenant, is a UsageError."""
    from pydantic import ValidationError

    from orbits_iac import Orbits, Settings
    from orbits_iac.provider import UsageError, explain, kind_of
    from orbits_tenants.cli.subject import named
    from orbits_tenants.deciding import check
    from orbits_tenants.decisions import Decision, TenantDecisions

    settings = Settings()
    fleet = named(spec, settings)
    async with Orbits(settings) as orbits:
        try:
            decision = Decision.model_validate({**given, "who": orbits.who})
        except ValidationError as error:
            raise UsageError(f"tenant {given['tenant']}: {explain(error)}") from error
        but = await check(orbits, fleet, decision)
        return await orbits.run(TenantDecisions(fleet=kind_of(fleet), decision=decision)), but


def _pairs(texts: Sequence[str], what: str) -> dict[str, str]:
    from orbits_iac.provider import UsageError

    found: dict[str, str] = {}
    for text in texts:
        name, is_pair, value = text.partition("=")
        if not is_pair or not name:
            raise UsageError(f"{what} {text!r}: write NAME=VALUE".strip())
        found[name] = value
    return found


def values(texts: Sequence[str], what: str) -> dict[str, Any]:
    """Values as JSON where they are, else as text: `45` is a number, `1.2.3` is a text."""
    found: dict[str, Any] = {}
    for name, value in _pairs(texts, what).items():
        try:
            found[name] = json.loads(value)
        except ValueError:
            found[name] = value
    return found


def _json(text: str, what: str) -> Any:
    from orbits_iac.provider import UsageError

    try:
        return json.loads(text)
    except ValueError as error:
        raise UsageError(f"{what} {text!r} is no JSON: {error}") from error
