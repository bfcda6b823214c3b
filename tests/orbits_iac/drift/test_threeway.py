"""Desired, recorded and live: who changed what."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orbits_iac.drift.rules import Rules, Unknown
from orbits_iac.drift.threeway import Status, three_way

WHOLE = Rules(whole=True)
CASES: list[tuple[str, dict[str, Any], dict[str, Any], dict[str, Any], Status]] = [
    ("nobody changed anything", {"a": 1}, {"a": 1}, {"a": 1}, Status.IN_SYNC),
    ("the same in another form", {"a": 1}, {"a": "1"}, {"a": 1}, Status.IN_SYNC),
    ("the code asks for something else", {"a": 2}, {"a": 1}, {"a": 1}, Status.PENDING),
    ("the code asks for something new", {"a": 2}, {}, {}, Status.PENDING),
    ("the code no longer asks for it", {}, {"a": 1}, {"a": 1}, Status.PENDING),
    ("somebody changed it", {"a": 1}, {"a": 1}, {"a": 2}, Status.DRIFTED),
    ("both changed it", {"a": 2}, {"a": 1}, {"a": 3}, Status.BOTH),
    ("both changed it to the same", {"a": 2}, {"a": 1}, {"a": 2}, Status.BOTH),
    ("somebody removed it", {"a": 1}, {"a": 1}, {}, Status.MISSING),
    ("somebody added it", {}, {}, {"a": 1}, Status.EXTRA),
    ("it could not be read", {"a": 1}, {"a": 1}, {"a": Unknown("denied")}, Status.UNCHECKED),
]


@pytest.mark.parametrize(
    ("desired", "recorded", "live", "status"), [case[1:] for case in CASES], ids=[case[0] for case in CASES]
)
def test_how_a_property_stands(
    desired: dict[str, Any], recorded: dict[str, Any], live: dict[str, Any], status: Status
) -> None:
    [finding] = three_way(desired, recorded, live, WHOLE)
    assert (finding.path, finding.status) == ("a", status)


def test_what_was_not_read_is_unchecked() -> None:
    [finding] = three_way({"a": 1}, {"a": 1}, {}, Rules())
    assert (finding.status, finding.why) == (Status.UNCHECKED, "not read")


def test_drift_and_pending_changes_of_one_property_are_told_apart_below_it() -> None:
    desired = {"Env": {"A": "new", "B": "1", "C": "1"}}
    recorded = {"Env": {"A": "old", "B": "1", "C": "1"}}
    live = {"Env": {"A": "old", "B": "2", "C": "1"}}
    found = {finding.path: finding.status for finding in three_way(desired, recorded, live, WHOLE)}
    assert found == {"Env.A": Status.PENDING, "Env.B": Status.DRIFTED}


def test_a_finding_carries_all_three_values() -> None:
    [finding] = three_way({"a": 2}, {"a": 1}, {"a": 3}, WHOLE)
    assert (finding.desired, finding.recorded, finding.live) == ("2", "1", "3")


def test_what_is_ignored_is_not_found_at_all() -> None:
    assert three_way({"a": 1}, {"a": 1}, {"a": 2}, Rules(whole=True, ignore={"a": "it scales by itself"})) == ()


VALUES = st.dictionaries(st.sampled_from("abcd"), st.integers(0, 2))


@given(VALUES, VALUES, VALUES)
def test_a_property_is_in_sync_only_if_all_three_agree(
    desired: dict[str, Any], recorded: dict[str, Any], live: dict[str, Any]
) -> None:
    for finding in three_way(desired, recorded, live, WHOLE):
        values = [side.get(finding.path) for side in (desired, recorded, live)]
        assert (finding.status is Status.IN_SYNC) == (values[0] == values[1] == values[2])


@given(VALUES, VALUES)
def test_without_drift_nothing_is_restored(desired: dict[str, Any], recorded: dict[str, Any]) -> None:
    statuses = {finding.status for finding in three_way(desired, recorded, recorded, WHOLE)}
    assert statuses <= {Status.IN_SYNC, Status.PENDING}


@given(VALUES, VALUES)
def test_without_new_code_nothing_is_pending(recorded: dict[str, Any], live: dict[str, Any]) -> None:
    statuses = {finding.status for finding in three_way(recorded, recorded, live, WHOLE)}
    assert statuses <= {Status.IN_SYNC, Status.DRIFTED, Status.MISSING, Status.EXTRA}
