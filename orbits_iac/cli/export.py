"""`orbits state export`: write the store into a file, to be kept or to be moved into another store."""

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, BinaryIO

import typer

from orbits_iac.cli.options import AsJson, Debug, Store

if TYPE_CHECKING:
    from orbits_iac.exported import End
    from orbits_iac.settings import Settings
    from orbits_iac.store.contract import Store as Opened

File = Annotated[str, typer.Argument(metavar="FILE", help="Where to write it; - for standard output.")]
Live = Annotated[
    bool,
    typer.Option("--live", help="Though workers are alive: what changes meanwhile may be in it half."),
]


def command(file: File, live: Live = False, store: Store = None, as_json: AsJson = False, debug: Debug = False) -> None:
    """Write the whole store into a file of JSON lines, which `orbits state import` reads into another one.

    Secrets stay encrypted. The file is there whole or not at all.
    """
    from orbits_iac.cli import session
    from orbits_iac.cli.running import finish
    from orbits_iac.model.errors import UsageError

    if as_json and file == "-":
        raise UsageError("with - the export itself is on standard output: leave --json away")
    finish(_export(file, session.settings_with(store), live=live, as_json=as_json))


async def _export(file: str, settings: "Settings", *, live: bool, as_json: bool) -> int:
    from orbits_iac.cli import exits, report, session

    async with session.reading(settings.store) as store:
        if file == "-":
            end = await _written(store, settings, sys.stdout.buffer, live=live)
            sys.stdout.flush()
        else:
            end = await _into(Path(file), store, settings, live=live)
        url = store.url
    notes = _beside(url)
    if as_json:
        report.print_json({"file": file, "rows": end.counts, "sha256": end.sha256, "live": live, "notes": notes})
        return exits.DONE
    counted = ", ".join(f"{count:,} {table}" for table, count in end.counts.items()) or "nothing"
    for line in (f"{url} is in {file}: {counted}", *notes):
        typer.echo(line, err=file == "-")
    return exits.DONE


def _beside(url: str) -> list[str]:
    """What to do with what is beside a local store and is no row."""
    technology, _, where = url.partition(":")
    folder = Path(f"{where}-files")
    if technology != "sqlite" or not folder.is_dir() or not any(folder.iterdir()):
        return []
    runs = sum(1 for _ in (folder / "runs").iterdir()) if (folder / "runs").is_dir() else 0
    under_way = f" and {runs} of their processes, which are found again by it alone" if runs else ""
    return [f"Not in it is {folder}, with the artifacts of steps{under_way}: copy that to beside where it is imported."]


async def _into(file: Path, store: "Opened", settings: "Settings", *, live: bool) -> "End":
    """Write it beside the file, and let it stand there once it is whole and on the disk."""
    from orbits_iac.model.errors import UsageError

    if not _may_be_replaced(file):
        raise UsageError(f"{file} is something else than an export, and is left as it is: name another file")
    unfinished = file.with_name(f"{file.name}-unfinished")
    try:
        descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "wb") as out:
            end = await _written(store, settings, out, live=live)
            out.flush()
            os.fsync(out.fileno())
        unfinished.replace(file)
    except OSError as error:
        raise UsageError(f"{file} cannot be written: {error.strerror or error}") from error
    finally:
        unfinished.unlink(missing_ok=True)
    return end


async def _written(store: "Opened", settings: "Settings", out: BinaryIO, *, live: bool) -> "End":
    import time

    from orbits_iac import exporting
    from orbits_iac.dispatch.living import living
    from orbits_iac.model.errors import Refused
    from orbits_iac.terminal import console

    screen = console(stderr=True)
    with screen.status("looking for workers") as status:
        alive = [] if live else await living(store, settings.lease.total_seconds())
        if alive:
            raise Refused(
                f"{', '.join(row.id for row in alive)}: alive, and changing {store.url} while it is exported. Stop "
                f"what runs there and export it then; or give --live, for a copy in which what changes meanwhile may "
                f"be half (`orbits state check` finds that)"
            )

        def told(table: str, rows: int) -> None:
            if rows % 1000 == 0:
                status.update(f"{rows:,} rows, {table}")

        said = await exporting.header(store, settings.project, at=time.time(), live=live)
        return await exporting.export(store, said, out.write, told)


def _may_be_replaced(file: Path) -> bool:
    """Whether there is nothing, or an export, even one that this version cannot read."""
    from orbits_iac.exported import Exported
    from orbits_iac.model.errors import Refused, UsageError

    try:
        Exported(file)
    except UsageError:
        return not file.exists()
    except Refused:
        return True
    return True
