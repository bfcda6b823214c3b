"""What notices and messages say: in words for people, with nothing in them that a channel would take for a command."""

import pytest

from orbits_iac import DriftNews
from orbits_iac.model.errors import Failure
from orbits_iac.model.ids import ExecutionId
from orbits_iac.model.news import Stop
from orbits_iac.model.rows import Difference, ExecutionRow
from orbits_iac.model.states import State
from orbits_iac.notify.messages import messages_of
from orbits_iac.notify.notices import News, Notice, Scene, as_row, of_drift, of_failure, of_row

AT = 1_800_000_000.0


def scene(**fields: object) -> Scene:
    row = ExecutionRow(
        **{
            "id": ExecutionId("x1"),
            "root": ExecutionId("x1"),
            "kind": "Shop",
            "identity": "o'neil",
            "command": "update",
            "argument": "{}",
            "build": "b",
            "who": "ada",
            "digest": "",
            "created_at": AT,
            "tenant": "acme",
            "labels": {"plan": "large"},
            **fields,
        }  # type: ignore[arg-type] # any of its fields
    )
    return Scene(execution=row, stack="Fleet f", where="448811223344/eu-west-1", at=AT)


@pytest.mark.parametrize(
    ("difference", "said"),
    [
        (Difference(path="text", recorded='"a"', live='"b"'), "`text`: recorded `a`, live `b`"),
        (Difference(path="n", recorded="1", live="[1, 2]"), "`n`: recorded `1`, live `[1, 2]`"),
        (Difference(path="", recorded="{}", live="null"), "is gone"),
        (Difference(path="", recorded="null", live="{}"), "is there, though it should not be"),
        (
            Difference(path="Tags", recorded="1", live='"<!channel> `x`"', resource="Queue", type="AWS::SQS::Queue"),
            "`Queue` AWS::SQS::Queue `Tags`: recorded `1`, live `<!channel> 'x'`",
        ),
        (Difference(path="long", recorded="1", live=f'"{"x" * 400}"'), f"`long`: recorded `1`, live `{'x' * 300}…`"),
    ],
)
def test_what_has_drifted_is_said_for_people(difference: Difference, said: str) -> None:
    (notice,) = of_drift(scene(), DriftNews(kind="Shop", identity="o'neil", new=(difference,)), before=None)
    assert notice.details == (said,)
    assert notice.todo[0] == """orbits drift Shop 'o'"'"'neil'"""
    assert of_row(as_row(notice)) == notice


def test_of_many_properties_the_first_are_said_and_what_is_healed_or_left_as_it_is_has_a_notice_of_its_own() -> None:
    many = tuple(Difference(path=f"p{number}", recorded="1", live="2") for number in range(8))
    back = Difference(path="text", recorded="1", live="2", remediated=True, since=AT - 60)
    news = DriftNews(kind="Shop", identity="x", new=many, healed=(back,), stopped="it was brought back 3 times")
    drift, healed, stopped = of_drift(scene(), news, before=AT - 3600)
    assert drift.details[-1] == "and 3 more"
    assert (healed.news, healed.details, healed.before) == (News.HEALED, ("`text` was brought back",), AT - 60)
    assert (stopped.title, stopped.details) == (
        "Shop x is not brought back any more",
        ("it was brought back 3 times",),
    )
    first, *_ = messages_of([drift], digest_after=1)
    assert first.body.splitlines()[-6:] == [
        "",
        "- **tenant:** acme",
        "- **where:** 448811223344/eu-west-1",
        "- **part of:** Fleet f",
        "- **since:** 2027-01-15 08:00:00 UTC (was in order at 2027-01-15 07:00:00 UTC)",
        "- **to do:** `orbits drift Shop x` or `orbits cycle Shop x --remediate`",
    ]


def test_drift_that_was_found_before_it_is_told_is_said_to_be_there_since_then() -> None:
    found = Difference(path="text", recorded="1", live="2", since=AT - 7200)
    (drift,) = of_drift(scene(), DriftNews(kind="Shop", identity="x", new=(found,)), before=AT - 3600)
    (message,) = messages_of([drift], digest_after=1)
    assert "- **since:** 2027-01-15 06:00:00 UTC" in message.body.splitlines()


def test_who_of_a_fleet_is_left_as_it_is_has_a_notice_of_its_own() -> None:
    stop = Stop(who="bolt", tenant="bolt", labels={"plan": "small"}, about="not now", why="bolt is paused")
    (notice,) = of_drift(scene(tenant=None), DriftNews(kind="Shops", identity="Shops", left=(stop,)), before=None)
    assert (notice.news, notice.title) == (News.STOPPED, "bolt of Shops Shops is left as it is")
    assert (notice.tenant, notice.labels) == ("bolt", {"plan": "small", "tenant": "bolt"})
    assert (notice.details, notice.todo) == (("bolt is paused",), ("orbits drift Shops Shops --tenant bolt",))


def test_what_needs_a_decision_says_what_is_left_and_where_to_decide() -> None:
    failure = Failure(
        error_type="Denied", message="no", path=("a", "b"), execution_id="x9", no_return=("migrate",), left=("a table",)
    )
    notice = of_failure(scene(state=State.QUARANTINED, failure=failure))
    assert notice.title == "update of Shop o'neil failed and needs a decision"
    assert notice.details == ("`a.b`: Denied: `no`", "step of no return: `migrate`", "left for a decision: `a table`")
    assert notice.todo == ("orbits get x9", "orbits answer x1")


def test_a_digest_has_the_worst_first_and_titles_are_short() -> None:
    notices = [Notice(news=news, title=f"{news} {number}", at=AT + number) for news in News for number in range(12)]
    (digest,) = messages_of(notices, digest_after=5)
    assert digest.title == (
        "12 failed, 12 roll-outs that need somebody, 12 not brought back any more, 12 drifted, 12 waiting, 12 healed"
    )
    assert digest.mood == "failure"
    assert digest.body.count("- and 2 more") == len(News)
    (long,) = messages_of([Notice(news=News.FAILED, title="x" * 200, at=AT)], digest_after=5)
    assert long.title == "x" * 119 + "…"
