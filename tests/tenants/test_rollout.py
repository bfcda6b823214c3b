"""The pure rules of a roll-out, as tables."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orbits_iac.provider import UsageError
from orbits_tenants import Rollout


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
    cut = Rollout(waves=waves).cut(tenants)
    assert [len(positions) for _, positions in cut] == sizes
    assert [position for _, positions in cut for position in positions] == list(range(tenants))


AMOUNTS = st.integers(0, 100).map(lambda share: f"{share}%") | st.integers(0, 5000).map(str)


@given(st.lists(AMOUNTS, max_size=6), st.integers(0, 3000))
def test_whatever_the_waves_each_tenant_is_in_one_of_them(waves: list[str], tenants: int) -> None:
    cut = Rollout(waves=[*waves, "100%"]).cut(tenants)
    assert [position for _, positions in cut for position in positions] == list(range(tenants))
    assert all(len(positions) for _, positions in cut)


@pytest.mark.parametrize(
    ("tolerance", "tenants", "most"),
    [("0%", 100, 0), ("5%", 3, 0), ("5%", 20, 1), ("5%", 39, 1), ("2", 1000, 2), ("100%", 10, 10)],
)
def test_a_roll_out_stops_when_more_have_failed_than_is_tolerated(tolerance: str, tenants: int, most: int) -> None:
    rollout = Rollout(waves=["100%"], failure_tolerance=tolerance)
    assert rollout.goes_on(failed=most, tenants=tenants)
    assert not rollout.goes_on(failed=most + 1, tenants=tenants)
    assert Rollout(waves=["100%"], failure_tolerance=tolerance, on_failure="continue").goes_on(
        failed=tenants, tenants=tenants
    )


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"waves": []}, "the last wave has to be '100%'"),
        ({"waves": ["1", "10%"]}, "the last wave has to be '100%'"),
        ({"waves": ["some", "100%"]}, "Rollout(waves=...): 'some' is neither a number of tenants"),
        ({"waves": ["101%", "100%"]}, "'101%' is neither"),
        ({"waves": ["100%"], "failure_tolerance": "-1"}, "Rollout(failure_tolerance=...): '-1' is neither"),
        ({"waves": ["100%"], "max_concurrency": 0}, "at least 1 tenant"),
    ],
)
def test_amounts_that_are_none_are_refused(options: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError) as refused:
        Rollout(**options)
    assert said in str(refused.value)


@pytest.mark.parametrize("on_failure", ["rollback-wave", "rollback-all"])
def test_what_is_not_built_yet_is_said(on_failure: Any) -> None:
    with pytest.raises(UsageError, match="not built yet"):
        Rollout(waves=["100%"], on_failure=on_failure).refuse_unbuilt()
