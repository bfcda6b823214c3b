"""docs/guarantees.md: each fault names tests that show what is said of it, and those are there; so are its figures."""

import ast
import re
from datetime import timedelta
from pathlib import Path

from orbits_iac import Settings
from orbits_iac.dispatch.worker import LONGEST_WAIT
from orbits_iac.store.mongodb_gate import PATIENCE

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "guarantees.md").read_text()
_, TABLE, NOTES = re.split(r"^## Faults.*$|^(?=1\. `tests)", PAGE.partition("## Where a person")[0], flags=re.MULTILINE)
SHOWN = {
    int(number): text for number, text in re.findall(r"^(\d+)\. (.*?)(?=^\d+\. |\Z)", NOTES, re.DOTALL | re.MULTILINE)
}


def test_each_fault_is_shown_by_tests_that_there_are() -> None:
    rows = re.findall(r"^\| (.*) \|$", TABLE, re.MULTILINE)[1:]
    assert len(rows) > 15
    asked: set[int] = set()
    for row in rows:
        numbers = re.findall(r"\[(\d+)\]", row.split(" | ")[-1])
        assert numbers, row
        asked.update(map(int, numbers))
    assert asked == SHOWN.keys()
    for number, text in SHOWN.items():
        named = re.findall(r"`(tests/\S+\.py)::(\w+)`", text)
        assert named, number
        for file, name in named:
            there = ast.walk(ast.parse((ROOT / file).read_text()))
            assert name in {node.name for node in there if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}, (
                name
            )


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
