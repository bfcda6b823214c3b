"""What a report of a roll-out says of itself, and what of it counts as a change of the fleet."""

from datetime import UTC, datetime, timedelta

import pytest

from orbits_tenants import Report, TenantReport, TenantState

NOON = datetime(2026, 3, 6, 12, tzinfo=UTC)


@pytest.mark.parametrize("state", TenantState)
def test_when_a_tenant_was_done_is_no_change_of_the_fleet(state: TenantState) -> None:
    def report(minutes: int) -> Report:
        began = NOON + timedelta(minutes=minutes)
        one = TenantReport(state=state, wave="1", began=began, ended=began + timedelta(seconds=minutes))
        return Report(tenants={"acme": one})

    assert report(1) != report(2)
    assert report(1).compared() == report(2).compared()


def test_whoever_is_told_of_a_roll_out_reads_what_others_have_said_as_code() -> None:
    doubts = tuple(f"the source could not be read: @channel `{number}`\n<http://e.vil>" for number in range(12))
    told = Report(tenants={}, doubts=doubts, stopped="stopped: @here").problem().splitlines()
    assert told[1:3] == ["`stopped: @here`", "`the source could not be read: @channel '0' <http://e.vil>`"]
    assert told[-1] == "and 2 more"
