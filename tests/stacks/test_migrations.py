"""Migrations: applied once by a job that is known by its token, and refused without a trace."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from orbits_iac import ExecutionFailed, Orbits
from orbits_iac.testing.clock import Clock
from orbits_stacks import migration_job
from orbits_stacks.migrations import Migrate, applied, newest


@pytest.mark.parametrize(
    ("release", "migration"),
    [
        ("1", "0002_orders"),
        ("2", "0002_orders"),
        ("2.9.9", "0002_orders"),
        ("3", "0003_invoices"),
        ("10", "0003_invoices"),
    ],
)
def test_a_release_needs_the_migrations_up_to_its_own(release: str, migration: str) -> None:
    assert newest(release) == migration


async def test_a_database_gets_what_it_lacks(orbits: Orbits, clock: Clock) -> None:
    first = await _migrate(orbits, clock, "0001_clients")
    second = await _migrate(orbits, clock, "0003_invoices")
    assert (first, second, applied("db")) == (1, 2, ["0001_clients", "0002_orders", "0003_invoices"])


async def test_a_migration_that_is_refused_leaves_nothing_of_its_job(
    orbits: Orbits, clock: Clock, agency_home: Path
) -> None:
    await _migrate(orbits, clock, "0001_clients")
    with closing(sqlite3.connect(agency_home / "databases" / "db.sqlite3")) as connection:
        connection.execute("CREATE TABLE invoices (already TEXT)")
        connection.commit()
    with pytest.raises(ExecutionFailed, match="the database db refused a migration: table invoices already exists"):
        await _migrate(orbits, clock, "0003_invoices")
    assert applied("db") == ["0001_clients"]


def test_a_job_with_the_same_token_is_done_once(tmp_path: Path) -> None:
    job = {
        "file": str(tmp_path / "db.sqlite3"),
        "token": "t",
        "migrations": [["1", "CREATE TABLE one (id INTEGER)"]],
        "log": str(tmp_path / "log"),
        "line": {"step": "migrate"},
    }
    migration_job.run(job)
    migration_job.run({**job, "migrations": [*job["migrations"], ["2", "CREATE TABLE two (id INTEGER)"]]})
    assert (tmp_path / "log").read_text() == '{"step": "migrate", "token": "t", "what": "1"}\n'


async def _migrate(orbits: Orbits, clock: Clock, to: str) -> int:
    return await orbits.run(Migrate(database="db", to=to))
