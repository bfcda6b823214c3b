"""A claim, and the look for what is due next, cost the same however many wait or are due."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from importlib.resources import files

import pytest

from orbits_iac.model.ids import ExecutionId, WorkerId
from orbits_iac.model.rows import TaskRow
from orbits_iac.store import sqlite_reads
from orbits_iac.store.sqlite_claims import Narrowed, Wanted, eligible
from orbits_iac.store.tables import table_of

TASK = table_of(TaskRow)


@pytest.fixture
def connection() -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(":memory:")) as opened:
        opened.executescript((files("orbits_iac.store") / "schema.sql").read_text(encoding="utf-8"))
        yield opened


def fill(connection: sqlite3.Connection, many: int) -> None:
    """So many of one tenant that are due, and that wait for a message; one of another that is due after all."""
    rows = [task(f"due{n:05}", tenant="acme", due=float(n)) for n in range(many)]
    rows += [task(f"waits{n:05}", tenant=f"t{n % 9}") for n in range(many)]
    TASK.write(connection.execute, [TASK.values(row) for row in [*rows, task("other", tenant="beta", due=1e6)]])


def task(name: str, *, tenant: str, due: float | None = None) -> TaskRow:
    return TaskRow(id=ExecutionId(name), kind="K", build="b", tenant=tenant, due=due)


def claim(connection: sqlite3.Connection, without: str | None) -> list[str]:
    narrowed = Narrowed('["K"]', '["b"]', "[]")
    wanted = Wanted(WorkerId("w"), 1e7, 1, narrowed, None, {"b": "b"}, without, None)
    return [found.id for found in eligible(connection, wanted)]


LOOKS: dict[str, Callable[[sqlite3.Connection], object]] = {
    "claim": lambda connection: claim(connection, None) == ["due00000"],
    "claim of others": lambda connection: claim(connection, '["acme"]') == ["other"],
    "next due": lambda connection: sqlite_reads.next_due(connection) == 0.0,
    "due": lambda connection: len(sqlite_reads.due(connection, TASK, now=1e7, kinds=None, limit=5)) == 5,
}


@pytest.mark.parametrize("look", LOOKS.values(), ids=LOOKS)
def test_it_looks_at_no_more_among_many(
    connection: sqlite3.Connection, look: Callable[[sqlite3.Connection], object]
) -> None:
    def steps() -> int:
        taken = 0

        def step() -> None:
            nonlocal taken
            taken += 1

        connection.set_progress_handler(step, 1)
        assert look(connection)
        connection.set_progress_handler(None, 1)
        return taken

    fill(connection, 20)
    few = steps()
    fill(connection, 3000)
    assert steps() < 2 * few
