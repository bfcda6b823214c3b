"""The tables of SQLite against the rows of the model."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from importlib.resources import files
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import fields

from orbits_iac.model.rows import TABLES, EventRow, Row, amended
from orbits_iac.store.tables import is_short, table_of

NUMBERS = st.integers(min_value=-(2**63), max_value=2**63 - 1)
st.register_type_strategy(float, st.floats(allow_nan=False, allow_infinity=False))
st.register_type_strategy(int, NUMBERS)
every_row = pytest.mark.parametrize("row_type", TABLES, ids=TABLES.values())


@pytest.fixture(scope="module")
def database() -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.executescript((files("orbits_iac.store") / "schema.sql").read_text(encoding="utf-8"))
        yield connection


@every_row
def test_schema_has_the_columns_of_the_row(database: sqlite3.Connection, row_type: type[Row]) -> None:
    """schema.sql is to be changed with the model."""
    table = table_of(row_type)
    columns = database.execute(f"PRAGMA table_info({table.name})").fetchall()
    assert {column[1] for column in columns} == set(table.columns)
    key = sorted((column[5], column[1]) for column in columns if column[5])
    assert tuple(name for _, name in key) == row_type.KEY


@every_row
def test_schema_has_an_index_for_what_rows_are_found_by(database: sqlite3.Connection, row_type: type[Row]) -> None:
    """One that gives them in the order of their keys, but for those that are known to be sorted first."""
    table = table_of(row_type)
    for name in (row_type.KEY[0], *row_type.INDEXED):
        steps = database.execute(f"EXPLAIN QUERY PLAN {table.find((name,), newest=False)}", (None, 1)).fetchall()
        plan = "; ".join(step[3] for step in steps)
        in_order = "SEARCH" in plan and "TEMP B-TREE" not in plan
        assert in_order == is_short(row_type, {name}), plan


@every_row
@given(data=st.data())
def test_row_is_the_same_once_written_and_read(database: sqlite3.Connection, row_type: type[Row], data: Any) -> None:
    row = data.draw(st.builds(row_type, **{field.name: st.from_type(field.type) for field in fields(row_type)}))
    table = table_of(row_type)
    database.execute("DELETE FROM " + table.name)
    table.write(database.execute, [table.values(row)])
    if isinstance(row, EventRow):
        [found] = database.execute(table.find(("root",), newest=False), (row.root, -1)).fetchall()
        row = amended(row, seq=found[0])
    else:
        found = database.execute(table.get, [getattr(row, name) for name in row.KEY]).fetchone()
    assert table.row(found) == row


@pytest.mark.parametrize("count", [0, 1, 2, 3, 63, 64, 65, 127, 200])
def test_any_number_of_rows_is_written(database: sqlite3.Connection, count: int) -> None:
    table = table_of(EventRow)
    database.execute("DELETE FROM event")
    rows = [EventRow(at=float(number), execution="e", root="e") for number in range(count)]  # type: ignore[arg-type]
    table.write(database.execute, [table.values(row) for row in rows])
    found = [table.row(values) for values in database.execute(table.find((), newest=False), (-1,)).fetchall()]
    assert [row.at for row in found] == [row.at for row in rows]
