"""`orbits tenants import`: record what runs of tenants already as it is, after showing what an update would change."""

import asyncio
import json
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from orbits_tenants.cli.options import AsJson, Fleet, Yes

if TYPE_CHECKING:
    from orbits_iac import Settings
    from orbits_tenants.finding import Sought
    from orbits_tenants.report import Report
    from orbits_tenants.survey import Survey
    from orbits_tenants.tenants import Tenants

Arguments = Annotated[
    list[str] | None, typer.Argument(metavar="NAME=VALUE", help="Fields of the fleet; anything but text as JSON.")
]
Stacks = Annotated[
    list[str] | None,
    typer.Option(
        "--stacks",
        metavar="[PART=]PATTERN[@PLACE]",
        help="What they are called, as in 'client-{tenant}-web'. PART: the refs that lead to who takes it, where there "
        "are several. PLACE: account/region, as a pattern. Several times.",
    ),
]
StackSet = Annotated[
    list[str] | None,
    typer.Option(
        "--stack-set", metavar="[PART=]NAME[@PLACE]", help="Instances of this StackSet instead; several times."
    ),
]
In = Annotated[
    str | None,
    typer.Option("--stack-set-in", metavar="JSON", help='Where that is: {"AwsTarget": {"account": "448811223344"}}.'),
]
Only = Annotated[list[str] | None, typer.Option("--only", metavar="ID", help="This tenant; several times.")]

_FOUND, _PARTLY = 3, 4  # exit codes, as everywhere


def command(
    fleet: Fleet,
    arguments: Arguments = None,
    stacks: Stacks = None,
    stack_set: StackSet = None,
    stack_set_in: In = None,
    only: Only = None,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Record what runs of tenants already, as revision 0 of their stacks; nothing is changed.

    First it shows what was found of each, and what an update would change. Then it asks; without a terminal, and
    without --yes, it ends there, with exit code 3 if there is something to record.
    """
    from orbits_tenants.cli.decide import values

    given, names = values(arguments or (), ""), (stacks or (), stack_set or (), stack_set_in)
    raise typer.Exit(asyncio.run(_import(fleet, given, names, only or (), yes=yes, as_json=as_json)))


async def _import(
    spec: str,
    given: Mapping[str, Any],
    names: tuple[Sequence[str], Sequence[str], str | None],
    only: Sequence[str],
    *,
    yes: bool,
    as_json: bool,
) -> int:
    from orbits_iac import Settings
    from orbits_iac.provider import console
    from orbits_tenants.cli.subject import named
    from orbits_tenants.reporting.prospects import Drawing, document

    settings = Settings()
    cls = named(spec, settings)  # first: it brings the types of targets
    found = await _surveyed(cls, given, _sought(*names), only, settings)
    if not as_json:
        console().print(Drawing(found.prospects, found.nobodys))
    if _found_nobody(found):
        typer.echo(
            "Nothing was found of anybody: see to the pattern, the accounts and the regions before orbits up, which "
            "would make a second one of what runs",
            err=True,
        )
    agreed = found.intake is not None and _agreed(len(found.intake.importing), yes=yes, ask=not as_json)
    report = await _recorded(found.intake, settings) if agreed and found.intake is not None else None
    code = _code(found, report)
    if as_json:
        said = None if report is None else json.loads(report.model_dump_json())
        shown = {**document(found.prospects, found.nobodys), "report": said, "exit_code": code}
        typer.echo(json.dumps(shown, ensure_ascii=False, indent=2))
    elif report is not None:
        console().print(report)
    return code


def _sought(stacks: Sequence[str], sets: Sequence[str], by: str | None) -> "list[Sought]":
    """What to look for; UsageError if that is nothing, or two things for one part."""
    from pydantic import ValidationError

    from orbits_iac.provider import UsageError, in_words
    from orbits_tenants.finding import Sought
    from orbits_tenants.tenant import Tenant

    try:
        at = Tenant(id="by", targets=(json.loads(by),)).targets[0] if by is not None else None
    except ValidationError as error:
        raise UsageError(f"--stack-set-in {by!r}: {'; '.join(map(in_words, error.errors()))}") from error
    except ValueError as error:
        raise UsageError(f"--stack-set-in {by!r} is no JSON: {error}") from error
    found = [Sought(part=part, like=like, place=place) for part, like, place in map(_parts, stacks)]
    found += [Sought(part=part, spread=name, place=place, by=at) for part, name, place in map(_parts, sets)]
    if not found or not all(one.like or one.spread for one in found):
        raise UsageError("say what they are called (--stacks 'client-{tenant}-web'), or of which StackSet they are")
    parts = [one.part for one in found]
    if len(set(parts)) < len(parts) or ("" in parts and len(parts) > 1):
        raise UsageError("several are looked for: say for each the part of a tenant's stack that it is, and each once")
    return found


def _parts(text: str) -> tuple[str, str, str]:
    """The part, the name and the place of `PART=NAME@PLACE`, of which only the name has to be there."""
    part, is_given, rest = text.partition("=")
    name, _, place = (rest if is_given else text).partition("@")
    return part if is_given else "", name, place or "*"


async def _surveyed(
    cls: "type[Tenants[Any]]",
    given: Mapping[str, Any],
    sought: "Sequence[Sought]",
    only: Sequence[str],
    settings: "Settings",
) -> "Survey":
    """What there is; nothing is written, not even a store."""
    from orbits_iac import Orbits
    from orbits_iac.provider import exists
    from orbits_tenants.survey import survey

    if not exists(settings.store):
        settings = settings.model_copy(update={"store": "memory:"})
    async with Orbits(settings, work=False) as orbits:
        return await survey(orbits, cls, given, sought, only)


async def _recorded(intake: "Tenants[Any]", settings: "Settings") -> "Report":
    """Record them, durably; the report of the fleet."""
    from orbits_iac import Orbits

    async with Orbits(settings) as orbits:
        execution = await orbits.start(intake, on_conflict="wait")  # it stops no release, whatever its class says
        typer.echo(f"execution {execution.id}: should this process end, any other goes on with it", err=True)
        report: Report = await execution
        return report


def _agreed(number: int, *, yes: bool, ask: bool) -> bool:
    if yes:
        return True
    from orbits_iac.provider import agreed
    from orbits_tenants.amounts import counted

    said = counted(number)
    if not ask or not sys.stdin.isatty():
        typer.echo(f"Nothing was recorded of {said}: say --yes", err=True)
        return False
    return agreed(f"Record what runs of {said}? Nothing is changed by that.")


def _found_nobody(found: "Survey") -> bool:
    from orbits_tenants.prospects import Outlook

    return bool(found.prospects) and all(one.outlook is Outlook.NOT_FOUND for one in found.prospects)


def _code(found: "Survey", report: "Report | None") -> int:
    """0 if nothing is left to be done, 3 if what was found is not recorded, 4 if some cannot be, 1 if none can."""
    from orbits_tenants.prospects import BAD
    from orbits_tenants.report import TenantState

    if _found_nobody(found):
        return 1
    meant = found.intake.importing if found.intake is not None else {}
    if meant and report is None:
        return _FOUND
    states = [report.tenants[id_].state for id_ in meant] if report is not None else []
    done = sum(state is TenantState.ADOPTED for state in states)
    bad = sum(one.outlook in BAD for one in found.prospects) + len(states) - done
    return 0 if not bad else _PARTLY if done else 1
