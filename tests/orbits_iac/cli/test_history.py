"""What `orbits history` shows of a record's revisions."""

import json
from io import StringIO

from rich.console import Console

from orbits_iac.cli.history import table
from orbits_iac.model.rows import RecordRow, RevisionRow

RECORD = RecordRow(kind="Shops", identity="Shops", revision=3)


def revision(number: int, argument: dict[str, object], why: str = "") -> RevisionRow:
    return RevisionRow(
        kind="Shops",
        identity="Shops",
        number=number,
        argument=json.dumps(argument),
        build="0123456789abcdef",
        who="ada@laptop",
        at=0.0,
        why=why,
    )


def lines(rows: list[RevisionRow], width: int = 80) -> list[str]:
    console = Console(file=StringIO(), width=width)
    console.print(table(RECORD, rows, width))
    return [line.rstrip() for line in console.file.getvalue().splitlines()]  # type: ignore[attr-defined]


def test_a_long_reason_stands_below_its_row_over_the_whole_width() -> None:
    why = "gone back: " + "the queue of bolt was full; " * 10
    rows = [revision(1, {"release": "1"}), revision(2, {"release": "2"}, why), revision(3, {"release": "3"}, "again")]
    header, third, second, *reason, first = lines(rows)
    at = header.index("at ")
    assert [line.split() for line in (header, third[:at], second[:at], first[:at])] == [
        ["revision", "at", "who", "argument", "build"],
        ["▸", "3"],
        ["2"],
        ["1"],
    ]
    assert [line[header.index("argument") :].split() for line in (third, second, first)] == [
        ["release=3", "again", "01234567"],
        ["release=2", "01234567"],
        ["release=1", "01234567"],
    ]
    assert " ".join(" ".join(reason).split()) == why.strip()
    assert all(line.startswith("   ") and 60 < len(line) <= 80 for line in reason[:-1])


def test_a_field_that_says_nothing_is_left_out_though_it_said_something_before() -> None:
    to_some: dict[str, object] = {
        "release": "2",
        "only": ["acme"],
        "only_failed": True,
        "from_wave": "2",
        "back": {"acme": 1},
    }
    to_all: dict[str, object] = {"release": "3", "only": None, "only_failed": False, "from_wave": "", "back": {}}
    _, after, before = lines([revision(2, to_some), revision(3, to_all)], 160)
    assert after.split()[-2:] == ["release=3", "01234567"]
    assert 'release=2 only=["acme"] only_failed=true from_wave=2 back={"acme": 1}' in before
