"""SQL migrations of a client's database, run by a job of their own and watched until it is done.

The database stands in for the client's: an SQLite file named after the table that the Backend has deployed. A job is
known by the token of the step that started it: started again, after a lost answer or a crash, it is found done.
"""

import json
import sqlite3
import subprocess
import sys
from contextlib import closing
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from orbits_iac import Action, InProgress, Options, Permanent, Retry
from orbits_stacks import migration_job
from orbits_stacks.home import EFFECTS, home


@dataclass(frozen=True)
class Migration:
    """One change of the database's schema, and the release that needs it."""

    name: str
    release: str
    sql: str


MIGRATIONS = (
    Migration("0001_clients", "1", "CREATE TABLE clients (id INTEGER PRIMARY KEY, name TEXT NOT NULL)"),
    Migration("0002_orders", "1", "CREATE TABLE orders (id INTEGER PRIMARY KEY, client INTEGER REFERENCES clients)"),
    Migration("0003_invoices", "3", "CREATE TABLE invoices (id INTEGER PRIMARY KEY, cents INTEGER NOT NULL)"),
)


def newest(release: str) -> str:
    """The last migration that a release needs: `0002_orders` for releases 1 and 2."""
    return [migration.name for migration in MIGRATIONS if _number(migration.release) <= _number(release)][-1]


def applied(database: str) -> list[str]:
    """The migrations that a database has had, in order; none if it is not there."""
    file = _file(database)
    if not file.is_file():
        return []
    with closing(sqlite3.connect(file)) as connection:
        return [name for (name,) in connection.execute("SELECT name FROM migrations ORDER BY name")]


class Migrate(Action[int, str]):
    """Brings a database to a migration; returns how many were applied now. The handle is the job's name."""

    options = Options(idempotent=True, retry=Retry(attempts=5), timeout=timedelta(minutes=10))
    database: str
    to: str

    def main(self) -> InProgress[str]:
        """Start the job; it goes on by itself, whatever becomes of this process."""
        wanted = [migration for migration in MIGRATIONS if migration.name <= self.to]
        job = {
            "file": str(_file(self.database)),
            "token": self.execution.token,
            "migrations": [[migration.name, migration.sql] for migration in wanted],
            "log": str(home() / EFFECTS),
            "line": {"step": "migrate", "client": self.execution.tenant, "release": self.to},
        }
        command = [sys.executable, "-I", "-S", migration_job.__file__]
        subprocess.run(command, input=json.dumps(job), text=True, check=True, timeout=60)
        return InProgress(self.execution.token, poll=_POLL)

    def watch(self, job: str, /) -> int | InProgress[str]:
        """Look into the database's list of jobs."""
        with closing(sqlite3.connect(_file(self.database), timeout=30)) as connection:
            try:
                found = connection.execute("SELECT applied, error FROM jobs WHERE token = ?", [job]).fetchone()
            except sqlite3.OperationalError:  # the job has not made its table yet
                found = None
        if found is None:
            return InProgress(job, poll=_POLL)
        count, error = found
        if error:
            raise Permanent(f"the database {self.database} refused a migration: {error}")
        return int(count)


_POLL = timedelta(milliseconds=50)


def _file(database: str) -> Path:
    folder = home() / "databases"
    folder.mkdir(parents=True, exist_ok=True)
    return folder / f"{database}.sqlite3"


def _number(release: str) -> tuple[int, ...]:
    return tuple(int(part) for part in release.split(".") if part.isdigit())
