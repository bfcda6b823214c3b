"""docs/guarantees.md: each fault names tests that show what is said of it, and those are there; so are its figures."""

import re
from datetime import timedelta
from pathlib import Path

from orbits_iac import Settings
from orbits_iac.dispatch.worker import LONGEST_WAIT
from orbits_iac.store.mongodb_gate import PATIENCE

from .pages import missing_tests, shown_by

PAGE = (Path(__file__).parents[2] / "docs" / "guarantees.md").read_text()
_, TABLE, NOTES = re.split(r"^## Faults.*$|^(?=1\. `tests)", PAGE.partition("## Where a person")[0], flags=re.MULTILINE)


def test_each_fault_is_shown_by_tests_that_there_are() -> None:
    rows = shown_by(TABLE, NOTES)
    assert len(rows) > 15
    assert [row for row, tests in rows.items() if not tests] == []
    assert missing_tests(test for tests in rows.values() for test in tests) == []


def test_the_figures_are_those_of_the_code() -> None:
    settings = Settings()
    assert settings.lease == timedelta(seconds=10)
    assert "its lease has run out, 10 s (`lease`) and a second at most" in TABLE
    assert settings.drain == timedelta(minutes=5)
    assert "up to 5 min (`drain`)" in TABLE
    assert LONGEST_WAIT == 1.0
    assert "workers look each second anyway" in TABLE
    assert PATIENCE == 5.0
    assert "else 5 s" in TABLE
