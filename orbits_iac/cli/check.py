"""`orbits state check`: whether the store fits together; and repairing what can be repaired without a guess."""

import time
from typing import TYPE_CHECKING, Annotated, Any

import typer

from orbits_iac.cli.options import AsJson, Debug, Store

if TYPE_CHECKING:
    from rich.console import Console

    from orbits_iac.checking.findings import Finding

Repair = Annotated[
    bool, typer.Option("--repair", help="Repair what can be repaired safely; without this it is only shown.")
]


def command(repair: Repair = False, store: Store = None, as_json: AsJson = False, debug: Debug = False) -> None:
    """Look whether everything in the store fits together, and explain what does not; exits with 1 if anything is left.

    Workers may go on meanwhile: what is repaired is written only if nobody has changed it since.
    """
    from orbits_iac.cli.running import finish

    finish(_check(store, repair=repair, as_json=as_json))


async def _check(given: str | None, *, repair: bool, as_json: bool) -> int:
    from orbits_iac.checking import looking
    from orbits_iac.cli import exits, report, session
    from orbits_iac.orbits import who_asks
    from orbits_iac.terminal import console

    screen = console(stderr=True)
    repaired: list[bool] = []
    async with session.reading(given) as store:
        with screen.status("reading the store"):
            found, known = await looking.look_over(store)
        if not as_json:
            _show(found, console(), repair=repair)
        who = who_asks()
        for one in found:
            repaired.append(repair and await looking.repair(store, one, who=who, at=time.time()))
            if repair and one.repair is not None and not as_json:
                typer.echo(f"{'Repaired' if repaired[-1] else 'Changed meanwhile, left'}: {one.about}: {one.check}")
        url = store.url
    left = len(found) - sum(repaired)
    if as_json:
        rows = [_document(one, repaired=done) for one, done in zip(found, repaired, strict=True)]
        report.print_json({"store": url, "rows": known.rows, "found": rows, "left": left})
    elif not found:
        typer.echo(f"{url}: {known.rows:,} rows fit together")
    elif not repair and any(one.repair for one in found):
        typer.echo("Nothing was written: --repair does what stands behind the arrows.")
    return exits.FAILED if left else exits.DONE


def _show(found: "list[Finding]", out: "Console", *, repair: bool) -> None:
    """Each check with what must hold, and below it what does not."""
    from rich.text import Text

    for check in dict.fromkeys(one.check for one in found):
        some = [one for one in found if one.check == check]
        out.print(Text.assemble((check, "bold"), f" ({len(some):,})"))
        out.print(Text(some[0].why, style="dim"))
        for one in some:
            out.print(Text.assemble("  ", (one.about, "yellow"), f": {one.what}"))
            if one.repair is not None:
                out.print(Text.assemble("    → ", (one.repair.how, "green")))
            else:
                out.print(Text(f"    {one.todo}"))


def _document(one: "Finding", *, repaired: bool) -> dict[str, Any]:
    return {
        "check": one.check,
        "about": one.about,
        "what": one.what,
        "why": one.why,
        "repair": one.repair.how if one.repair is not None else None,
        "todo": one.todo or None,
        "repaired": repaired,
    }
