"""`orbits state import`: read an exported file into a store."""

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from orbits_iac.cli.options import AsJson, Debug, Store

if TYPE_CHECKING:
    from orbits_iac.exported import Exported
    from orbits_iac.importing import Imported
    from orbits_iac.settings import Settings
    from orbits_iac.store.contract import Store as Opened

File = Annotated[str, typer.Argument(metavar="FILE", help="What `orbits state export` has written.")]
Replace = Annotated[
    bool,
    typer.Option("--replace", help="Overwrite what is otherwise in the store, and delete what the file does not have."),
]


def command(
    file: File, replace: Replace = False, store: Store = None, as_json: AsJson = False, debug: Debug = False
) -> None:
    """Read an exported file into a store, which is made if there is none.

    Broken off, the same command goes on where it was; until it has finished, nobody works on the store.
    """
    from orbits_iac.cli import session
    from orbits_iac.cli.running import finish

    finish(_import(Path(file), session.settings_with(store), replace=replace, as_json=as_json))


async def _import(file: Path, settings: "Settings", *, replace: bool, as_json: bool) -> int:
    import asyncio

    from rich.progress import BarColumn, Progress, TextColumn

    from orbits_iac import importing
    from orbits_iac.cli import exits, report, session
    from orbits_iac.exported import Exported
    from orbits_iac.model.errors import UsageError
    from orbits_iac.terminal import console

    if settings.store.startswith("memory:"):
        raise UsageError("a store in memory is gone with this process: name another one (--store)")
    exported = Exported(file)
    _check_project(exported, settings)
    screen = console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:>3.0f} %"))
    with Progress(*columns, console=screen, transient=True, disable=not screen.is_terminal) as shown:
        task = shown.add_task("", total=exported.size)

        def told(what: str) -> None:
            shown.update(task, description=what, completed=exported.read)

        end = await importing.verify(exported, told)
        async with session.making(settings.store) as store:
            lease = settings.lease.total_seconds()
            try:
                done = await importing.read_into(
                    store, exported, end, told, at=time.time(), lease=lease, replace=replace
                )
            except asyncio.CancelledError:
                typer.echo("Interrupted: the same command goes on where it was.", err=True)
                raise
            notes = [*_about_live(exported), *await _about_the_key(store, settings)]
    if as_json:
        report.print_json({"file": str(file), "rows": end.counts, **vars(done), "notes": notes})
        return exits.DONE
    typer.echo(f"{file} is in {store.url}: {_said(done)}")
    for note in notes:
        typer.echo(note)
    return exits.DONE


def _check_project(exported: "Exported", settings: "Settings") -> None:
    from orbits_iac.model.errors import Refused

    if exported.header.project != settings.project:
        raise Refused(
            f"{exported.path} is of project {exported.header.project!r}, and this is {settings.project!r}: what it "
            f"made is tagged with its own, and would be refused to this one. Set ORBITS_PROJECT, or project in "
            f"orbits.toml, to {exported.header.project!r}"
        )


def _about_live(exported: "Exported") -> list[str]:
    if not exported.header.live:
        return []
    return ["It was exported while workers were alive: see with `orbits state check` whether all of it fits together."]


async def _about_the_key(store: "Opened", settings: "Settings") -> list[str]:
    """What to do where secrets cannot be read here."""
    from orbits_iac.codec.keys import DATA, VARIABLE, key_file, known, unwrap
    from orbits_iac.model.rows import DataKeyRow

    row, secret, file = await store.get(DataKeyRow, DATA), known(store, settings.secret_key), key_file(store)
    if row is None or (secret is not None and unwrap(row, secret) is not None):
        return []
    also = f", or copy the file to {file.path}" if file is not None else ""
    note = (
        f"Its secrets stay encrypted as they were. To work on it, set {VARIABLE} to the secret key of the store that "
        f"it came from (of a local one it is in secret.key beside it){also}."
    )
    return [note]


def _said(done: "Imported") -> str:
    parts = {
        "written": done.written,
        "overwritten": done.replaced,
        "deleted": done.deleted,
        "there already": done.there,
    }
    return ", ".join(f"{count:,} rows {what}" for what, count in parts.items() if count) or "no rows"
