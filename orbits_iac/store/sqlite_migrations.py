"""The schema of a SQLite store: made in an empty file, and brought forward in one of an earlier version.

What always holds: a version's steps are one transaction, so that a crash leaves the file as it was; before them the
file is copied beside itself, for whoever has to go back to the earlier Orbits. Called while the file is opened, by the
one who holds the turnstile: nobody else writes meanwhile.

An older process that has the file open may not go on: it would drop what it does not know from the rows that it
changes. From version 2 on processes look at the version with the first group after another's (`check_version`); how one
of version 1 is kept out stands in migrations/0002.sql.
"""

import os
import sqlite3
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

from orbits_iac.model.errors import StoreError
from orbits_iac.store.contract import SCHEMA_VERSION

APPLICATION_ID = 0x4F524249  # "ORBI": marks the file as a store

_OLDER_THAN_2 = "this store was upgraded, start this process again with the later version of Orbits IaC"
_FOLDER = files("orbits_iac.store")


def know(connection: sqlite3.Connection) -> None:
    """Have what the triggers of an upgraded file look for."""
    connection.create_function(_OLDER_THAN_2, 0, lambda: None)


def make(connection: sqlite3.Connection) -> None:
    """Write the schema into an empty file: all of it in one transaction, in the file itself, before the log is on."""
    schema = (_FOLDER / "schema.sql").read_text(encoding="utf-8")
    _all_or_nothing(connection, schema, f"PRAGMA application_id = {APPLICATION_ID}")


def upgrade(path: Path, connection: sqlite3.Connection, version: int) -> None:
    """Bring a file of this earlier version forward, after a copy of it was put beside it."""
    _copy(connection, path.with_name(f"{path.name}-schema{version}"))
    _all_or_nothing(connection, *_steps(version))


def check(path: Path, application: int, version: int) -> None:
    """Raise a `StoreError` unless these numbers are those of a store that this version reads, or brings forward."""
    if application != APPLICATION_ID:
        raise StoreError(f"{path} is the database of another program: name another file as the store")
    if version > SCHEMA_VERSION:
        raise StoreError(
            f"{path} was written by a later version of Orbits IaC (schema {version}, this one knows up to "
            f"{SCHEMA_VERSION}): upgrade orbits-iac, or name another file as the store"
        )


def check_version(path: Path, connection: sqlite3.Connection) -> None:
    """Raise a `StoreError` if a later version has brought the file forward while it was in use here."""
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    check(path, APPLICATION_ID, version)


def _steps(version: int) -> Iterator[str]:
    for number in range(version + 1, SCHEMA_VERSION + 1):
        yield (_FOLDER / "migrations" / f"{number:04}.sql").read_text(encoding="utf-8")


def _all_or_nothing(connection: sqlite3.Connection, *steps: str) -> None:
    parts = "; ".join((*steps, f"PRAGMA user_version = {SCHEMA_VERSION}"))
    connection.executescript(f"BEGIN IMMEDIATE; {parts}; COMMIT;")


def _copy(connection: sqlite3.Connection, to: Path) -> None:
    """A whole copy under its name, or none: it is written under another one first."""
    unfinished = to.with_name(f"{to.name}-unfinished")
    unfinished.unlink(missing_ok=True)
    file = os.open(unfinished, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        connection.execute("VACUUM INTO ?", (str(unfinished),))
        os.fsync(file)
        unfinished.replace(to)
    finally:
        os.close(file)
        unfinished.unlink(missing_ok=True)
