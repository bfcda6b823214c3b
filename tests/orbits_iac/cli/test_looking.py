"""What `orbits drift` and `orbits cycle` print of what was found."""

from io import StringIO

from rich.console import Console

from orbits_iac.cli.looking import print_found
from orbits_iac.model.rows import Difference, LookRow, RecordRow
from orbits_iac.queries import Found


def test_all_of_a_look_is_shown_with_what_was_not_compared_and_why() -> None:
    record = RecordRow(kind="Site", identity="Shop acme/site")
    look = LookRow(
        kind="Site",
        identity="Shop acme/site",
        at=100.0,
        differences=(
            Difference(path="DelaySeconds", recorded="5", live="9", resource="Jobs", type="AWS::SQS::Queue"),
            Difference(path="", recorded='"there"', live="null", resource="Mail", type="AWS::SQS::Queue"),
            Difference(path="Tags[a]", recorded="null", live='"b"', resource="Web", type="T", remediated=True),
        ),
        unchecked=("Web AWS::Lambda::Function Code: no reader",),
        ignored=("Web AWS::ECS::Service DesiredCount: its service scales it",),
        checked=7,
        stopped="it was brought back 3 times",
    )
    out = StringIO()
    console = Console(file=out, width=120, no_color=True)
    print_found([Found(path=("site",), record=record, look=look)], console, now=160.0)
    assert [line.rstrip() for line in out.getvalue().splitlines()] == [
        "site.Jobs  AWS::SQS::Queue  DelaySeconds  recorded 5 → live 9",
        "site.Mail  AWS::SQS::Queue                is gone",
        "site.Web   T                Tags[a]       recorded null → live b  brought back",
        "0 in sync, 1 drifted; 7 properties compared, looked at 1 min ago",
        "not brought back: site: it was brought back 3 times",
        "unchecked: 1 property of site Web AWS::Lambda::Function (no reader)",
        "ignored: site Web AWS::ECS::Service DesiredCount: its service scales it",
    ]
