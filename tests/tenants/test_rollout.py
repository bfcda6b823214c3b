"""The pure rules of a roll-out, as tables."""

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orbits_iac import Target
from orbits_iac.provider import UsageError
from orbits_tenants import Listing, Rollout, Tenant, Wave


class Town(Target):
    account: str
    region: str

    def place(self) -> str:
        return f"{self.account}/{self.region}"


@pytest.mark.parametrize(
    ("waves", "tenants", "sizes"),
    [
        pytest.param(["100%"], 3, [3], id="all-at-once"),
        pytest.param(["1", "10%", "100%"], 31, [1, 3, 27], id="shares-are-of-the-whole-fleet"),
        pytest.param(["1", "10%", "100%"], 3, [1, 2], id="a-share-that-adds-nobody-is-no-wave"),
        pytest.param(["5", "100%"], 3, [3], id="a-number-beyond-the-fleet-reaches-all"),
        pytest.param(["50%", "10%", "100%"], 10, [5, 5], id="a-smaller-share-adds-nobody"),
        pytest.param(["7%", "100%"], 100, [7, 93], id="a-share-is-exact"),
        pytest.param(["1", "100%"], 1, [1], id="one-tenant"),
        pytest.param(["1", "100%"], 0, [], id="nobody"),
    ],
)
def test_waves_are_cut_in_order_and_reach_everyone(waves: list[str], tenants: int, sizes: list[int]) -> None:
    fleet = [Tenant(id=f"t{number}") for number in range(tenants)]
    cuts = Rollout(waves=waves).cut(fleet)
    assert [len(cut.tenants) for cut in cuts] == sizes
    assert [tenant for cut in cuts for tenant in cut.tenants] == fleet


AMOUNTS = st.integers(0, 100).map(lambda share: f"{share}%") | st.integers(0, 5000).map(str)


RINGS = st.sampled_from(["ring=canary", "ring in (canary,early)", "!ring", "plan"])
FLEET = [
    Tenant(id=f"t{number}", labels={"ring": "canary"} if number % 7 == 0 else {"plan": "large"}) for number in range(90)
]


@given(st.lists(AMOUNTS | RINGS, max_size=6), st.integers(8, 90))
def test_whatever_the_waves_each_tenant_is_in_one_of_them(waves: list[str], tenants: int) -> None:
    cuts = Rollout(waves=[*waves, "100%"]).cut(FLEET[:tenants])
    reached = [tenant.id for cut in cuts for tenant in cut.tenants]
    assert sorted(reached) == sorted(tenant.id for tenant in FLEET[:tenants])
    assert all(cut.tenants for cut in cuts)


def test_a_wave_by_labels_takes_who_was_not_reached_and_counts_towards_shares() -> None:
    cuts = Rollout(waves=["1", "ring=canary", "50%", "100%"]).cut(FLEET[:20])
    assert [[tenant.id for tenant in cut.tenants] for cut in cuts[:2]] == [["t0"], ["t7", "t14"]]
    assert [len(cut.tenants) for cut in cuts] == [1, 2, 7, 10]


def test_a_wave_by_a_label_that_nobody_has_is_refused() -> None:
    with pytest.raises(UsageError, match="no tenant has a label 'rign'"):
        Rollout(waves=["rign=canary", "100%"]).cut(FLEET)
    with pytest.raises(UsageError, match=r"no tenant has ring=canray; there are: canary\. Did you mean 'canary'"):
        Rollout(waves=["ring=canray", "100%"]).cut(FLEET)


def test_of_nobody_there_are_no_waves_by_labels_either() -> None:
    assert Rollout(waves=["ring=canary", "100%"]).cut([]) == []


def test_lanes_are_what_a_tenant_has_in_common_with_others() -> None:
    rollout = Rollout(waves=["100%"], at_most={"region": 2, "plan": 1, "account": 3})
    placed = Tenant(id="a", labels={"plan": "large", "region": "unused"}, targets=(Town(account="1", region="eu"),))
    assert rollout.lanes(placed) == [("account", "1", 3), ("plan", "large", 1), ("region", "eu", 2)]
    assert rollout.lanes(Tenant(id="b", labels={"region": "us"})) == [("region", "us", 2)]
    assert rollout.lanes(Tenant(id="c")) == []


def test_a_limit_by_a_label_that_nobody_has_is_refused() -> None:
    tenants = [Tenant(id="a", labels={"plan": "large"}), Tenant(id="b", labels={"region": "eu"})]
    Rollout(waves=["100%"], at_most={"region": 1, "plan": 2, "account": 3}).refuse_unknown(tenants)
    Rollout(waves=["100%"], at_most={"region": 1, "account": 3}).refuse_unknown([Tenant(id="a")])
    said = (
        r"at_most=\.\.\.\): no tenant has a label 'regoin'; there are: account, region, plan\. Did you mean 'region'\?"
    )
    with pytest.raises(UsageError, match=said):
        Rollout(waves=["100%"], at_most={"regoin": 1}).refuse_unknown(tenants)


@pytest.mark.parametrize(
    ("tolerance", "tenants", "most"),
    [("0%", 100, 0), ("5%", 3, 0), ("5%", 20, 1), ("5%", 39, 1), ("2", 1000, 2), ("100%", 10, 10)],
)
def test_a_roll_out_stops_when_more_have_failed_than_is_tolerated(tolerance: str, tenants: int, most: int) -> None:
    rollout = Rollout(waves=["100%"], failure_tolerance=tolerance)
    assert rollout.tolerates(failed=most, tenants=tenants)
    assert not rollout.tolerates(failed=most + 1, tenants=tenants)
    in_a_wave = Rollout(waves=["100%"], wave_tolerance=tolerance)
    assert in_a_wave.tolerates_in_wave(failed=most, tenants=tenants)
    assert not in_a_wave.tolerates_in_wave(failed=most + 1, tenants=tenants)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"waves": []}, "the last wave has to be '100%'"),
        ({"waves": ["1", "10%"]}, "the last wave has to be '100%'"),
        ({"waves": ["some tenants", "100%"]}, "selector 'some tenants', at 'some tenants'"),
        ({"waves": ["-1", "100%"]}, "Rollout(waves=...): '-1' is neither a number of tenants"),
        ({"waves": ["100%"], "wave_tolerance": "few"}, "Rollout(wave_tolerance=...): 'few' is neither"),
        ({"waves": ["100%"], "at_most": {"plan": 0}}, "Rollout(at_most={'plan': 0}): at least 1 tenant"),
        ({"waves": ["100%"], "on_failure": "panic"}, "Rollout(on_failure='panic'): it is one of stop, continue"),
        ({"waves": ["101%", "100%"]}, "'101%' is neither"),
        ({"waves": ["100%"], "failure_tolerance": "-1"}, "Rollout(failure_tolerance=...): '-1' is neither"),
        ({"waves": ["100%"], "max_concurrency": 0}, "at least 1 tenant"),
    ],
)
def test_amounts_that_are_none_are_refused(options: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError) as refused:
        Rollout(**options)
    assert said in str(refused.value)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (
            {"check": "Drift"},
            "(check='Drift'): it is one of none, drift; what else has to be so is for define_check().",
        ),
        ({"check": "Drift"}, "define_check(). Did you mean 'drift'?"),
        (
            {"check": "alarms"},
            "(check='alarms'): it is one of none, drift; what else has to be so is for define_check()",
        ),
        ({"check": True}, "(check=True): it is one of none, drift"),
        (
            {"promote": "by hands"},
            "(promote='by hands'): it is one of by itself, by hand, or a policy such as ByPolicy().",
        ),
        ({"promote": "by hands"}, "Did you mean 'by hand'?"),
        ({"bake": 5}, "(bake=5): give a timedelta, as in timedelta(minutes=5)"),
        ({"bake": "2h"}, "(bake='2h'): give a timedelta, as in timedelta(minutes=5)"),
        ({"bake": timedelta(seconds=-5)}, "(bake=-5 s): a time is not negative"),
    ],
)
def test_what_cannot_be_between_waves_is_refused_of_a_wave_and_of_a_roll_out(given: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError) as refused:
        Rollout(waves=["1", "100%"], **given)
    assert str(refused.value).startswith("Rollout(")
    assert said in str(refused.value)
    with pytest.raises(UsageError) as refused:
        Wave("1", **given)
    assert str(refused.value).startswith("Wave(")
    assert said in str(refused.value)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"waves": [1, "100%"]}, "Rollout(waves=...): 1 is no wave: give a text, as in '1' or '10%', or a Wave"),
        ({"waves": "100%"}, "Rollout(waves='100%'): give a list, as in ['1', '100%']"),
        ({"failure_tolerance": 1}, "Rollout(failure_tolerance=...): 1 is no text: give one, as in '3' or '10%'"),
        ({"wave_tolerance": 0.1}, "Rollout(wave_tolerance=...): 0.1 is no text: give one, as in '3' or '10%'"),
        ({"on_failure": "rollback"}, "rollback-all. Did you mean 'rollback-all'?"),
        ({"max_concurrency": "3"}, "Rollout(max_concurrency='3'): give a whole number, as in 3"),
        ({"max_concurrency": 2.5}, "Rollout(max_concurrency=2.5): give a whole number, as in 3"),
        ({"at_most": {"region": "2"}}, "Rollout(at_most={'region': '2'}): give a whole number, as in 3"),
        ({"at_most": 3}, "Rollout(at_most=3): give what is limited and to how many, as in {'region': 3}"),
        ({"tenant_timeout": 30}, "Rollout(tenant_timeout=30): give a timedelta, as in timedelta(minutes=5)"),
        ({"tenant_timeout": timedelta(minutes=-1)}, "Rollout(tenant_timeout=-60 s): a time is not negative"),
        ({"tenant_timeout": timedelta()}, "Rollout(tenant_timeout=0 s): nothing is done in no time; leave it out"),
    ],
)
def test_a_setting_of_another_type_is_refused_with_what_is_to_be_given(given: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError) as refused:
        Rollout(**{"waves": ["1", "100%"], **given})
    assert said in str(refused.value)


def test_what_is_no_text_is_refused_of_a_wave_and_of_a_listing() -> None:
    number: Any = 3
    with pytest.raises(UsageError, match=r"Wave\(reaches=3\): give a text, as in '1', '10%' or 'ring=canary'"):
        Wave(number)
    with pytest.raises(
        UsageError, match=r"Listing\(most_removals=\.\.\.\): 3 is no text: give one, as in '3' or '10%'"
    ):
        Listing(most_removals=number)
    with pytest.raises(UsageError, match=r"Listing\(may_shrink=\.\.\.\): 3 is no text: give one, as in '3' or '10%'"):
        Listing(may_shrink=number)


def test_no_time_to_bake_is_a_time() -> None:
    assert Rollout(waves=["100%"], bake=timedelta()).waves == (Wave("100%", "by itself", timedelta(), "none"),)
