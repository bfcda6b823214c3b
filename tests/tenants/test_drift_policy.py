"""The rules of a fleet's cycles: what is done about whose drift, who is looked at when, how many are brought back."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orbits_iac import Every
from orbits_iac.provider import OnDrift, Stop, UsageError
from orbits_tenants import DriftPolicy, Tenant
from orbits_tenants.drift_policy import TICKS, Verdict, in_turn, left_alone, place, verdict
from orbits_tenants.window import Window

HOUR = timedelta(hours=1)


@pytest.mark.parametrize(
    ("labels", "done"),
    [({"plan": "large"}, "notify"), ({"plan": "large", "region": "eu"}, "notify"), ({"region": "eu"}, "remediate")],
)
def test_the_first_selector_that_fits_says_what_is_done(labels: dict[str, str], done: OnDrift) -> None:
    policy = DriftPolicy("report", by_label={"plan=large": "notify", "region=eu": "remediate"})
    assert policy.of(labels) == done
    assert policy.of({"plan": "small"}) == "report"


def test_what_is_done_is_said_in_a_line() -> None:
    by_label: dict[str, OnDrift] = {"plan=large": "notify", "plan in (small, trial)": "report"}
    assert DriftPolicy("remediate", by_label=by_label).in_words == (
        "notify where plan=large; report where plan in (small, trial); else remediate"
    )
    assert DriftPolicy("notify").in_words == "notify"


@pytest.mark.parametrize(("tenants", "most"), [(2, 3), (60, 3), (80, 4), (300, 15), (10_000, 500)])
def test_a_share_of_the_fleet_is_brought_back_and_three_in_any_case(tenants: int, most: int) -> None:
    assert DriftPolicy().most(tenants) == most


@pytest.mark.parametrize(
    ("every", "spread", "seconds"),
    [
        (Every(HOUR), None, 2880),
        (Every(HOUR), timedelta(minutes=5), 300),
        (Every("30 2 * * *"), None, 0),
        (None, None, 0),
    ],
)
def test_an_interval_is_spread_over_and_a_time_of_day_is_not(
    every: Every | None, spread: timedelta | None, seconds: float
) -> None:
    assert DriftPolicy(spread=spread).seconds(every) == seconds


@settings(max_examples=20)
@given(st.sets(st.text("abc", min_size=1), max_size=20), st.text("abc", min_size=1))
def test_a_tenant_keeps_its_turn_whoever_else_there_is(names: set[str], one: str) -> None:
    turns = in_turn(((name, name) for name in names | {one}), 1000.0)
    assert [at for at, _ in turns] == sorted({at for at, _ in turns})
    assert sorted(name for _, group in turns for name in group) == sorted(names | {one})
    [at] = [at for at, group in turns if one in group]
    assert at <= place(one) * 1000 < at + 1000 / TICKS


def test_turns_are_spread_evenly() -> None:
    turns = in_turn(((f"t{number}", number) for number in range(10_000)), 100.0)
    for quarter in range(4):
        there = sum(len(group) for at, group in turns if quarter * 25 <= at < (quarter + 1) * 25)
        assert 2_300 < there < 2_700


def test_without_time_all_are_looked_at_at_once_in_their_order() -> None:
    assert in_turn([("b", 1), ("a", 2)], 0.0) == [(0.0, [1, 2])]


def names(count: int) -> dict[str, int]:
    return {f"t{number}": 1 for number in range(count)}


def test_up_to_the_limit_they_are_brought_back_and_beyond_it_none_is() -> None:
    policy = DriftPolicy("remediate")
    assert verdict(names(15), tenants=300, policy=policy, fleet="F F").brought_back == tuple(names(15))
    too_many = verdict(names(16), tenants=300, policy=policy, fleet="F F")
    assert too_many.brought_back == ()
    assert too_many.stopped == (
        "16 of 300 tenants have drifted, and at most 15 are brought back at a time: nothing was. See what it is "
        "(orbits drift F F --last); if it is to be brought back: orbits cycle F F --remediate --most 16"
    )


def test_what_somebody_allowed_is_brought_back_and_no_more() -> None:
    policy = DriftPolicy("remediate")
    assert len(verdict(names(16), tenants=300, policy=policy, fleet="F F", allowed=16).brought_back) == 16
    assert verdict(names(17), tenants=300, policy=policy, fleet="F F", allowed=16).brought_back == ()


def test_a_tenant_with_too_much_drift_is_left_and_the_others_are_not() -> None:
    found = verdict({"acme": 11, "bolt": 10}, tenants=300, policy=DriftPolicy("remediate"), fleet="F F")
    assert found.brought_back == ("bolt",)
    assert found.stopped == (
        "of acme 11 things have drifted, and at most 10 are brought back at a time: "
        "orbits cycle F F --remediate --tenant acme"
    )
    assert verdict({"acme": 11}, tenants=300, policy=DriftPolicy(), fleet="F F", allowed=1).brought_back == ("acme",)


def test_who_is_not_to_be_changed_now_is_left_and_it_is_said_why() -> None:
    tenants = [
        Tenant(id="acme", paused="they migrate"),
        Tenant(id="bolt", window=Window("Sat 22:00-23:00")),
        Tenant(id="cafe", window=Window("Thu 08:00-10:00")),
        Tenant(id="dodo"),
    ]
    left = left_alone(tenants, datetime(2026, 11, 26, 9, tzinfo=UTC))
    drifted: dict[str, int] = dict.fromkeys(("acme", "cafe", "dodo"), 1)
    found = verdict(drifted, tenants=300, policy=DriftPolicy(), fleet="F F", left=left)
    why = "acme has drifted, and is paused: they migrate"
    assert found == Verdict(brought_back=("cafe", "dodo"), stops=(Stop(about="not now", who="acme", why=why),))
    assert left["bolt"] == "may be changed in its window alone: Sat 22:00-23:00"


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"default": "heal"}, "'heal' is not one of report, notify, remediate"),
        ({"by_label": {"plan=large": "heal"}}, "'heal' is not one of"),
        ({"by_label": {"plan=": "notify", "=": "notify"}}, "selector '='"),
        ({"share": 5}, "a share of the fleet is from 0 to 1"),
        ({"at_once": 0}, "at least 1"),
        ({"longest": timedelta()}, "longest is more than no time"),
    ],
)
def test_a_policy_that_is_none_is_refused(wrong: dict[str, object], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        DriftPolicy(**wrong)  # type: ignore[arg-type]
