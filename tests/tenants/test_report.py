"""What a report of a roll-out says of itself, and what of it counts as a change of the fleet."""

import json
from datetime import UTC, datetime, timedelta
from io import StringIO

import pytest
from cryptography.fernet import Fernet
from rich.console import Console

from orbits_iac import ExecutionFailed
from orbits_iac.codec import Codec
from orbits_iac.codec.codec import LARGEST
from orbits_iac.model.errors import Failure
from orbits_tenants import Report, Tenant, TenantReport, TenantState
from orbits_tenants.outcome import said_of, told_shortly

CODEC = Codec(Fernet.generate_key())
NOON = datetime(2026, 3, 6, 12, tzinfo=UTC)


@pytest.mark.parametrize("state", TenantState)
def test_when_a_tenant_was_done_is_no_change_of_the_fleet(state: TenantState) -> None:
    def report(minutes: int) -> Report:
        began = NOON + timedelta(minutes=minutes)
        one = TenantReport(state=state, wave="1", began=began, ended=began + timedelta(seconds=minutes))
        return Report(tenants={"acme": one})

    assert report(1) != report(2)
    assert report(1).compared() == report(2).compared()


def test_of_who_was_passed_over_it_says_since_when_nobody_has_looked() -> None:
    looked_at = (NOON - timedelta(minutes=20)).timestamp()
    one = TenantReport(state=TenantState.UNCHANGED, wave="1", checked_at=looked_at, began=NOON, ended=NOON)
    assert one.unseen_for == 20 * 60
    assert one.happened == "nothing to change; looked at 20 min ago"
    assert one.model_copy(update={"checked_at": None}).happened == "nothing to change"


@pytest.mark.parametrize("most", [LARGEST // 10, LARGEST // 2])
@pytest.mark.parametrize("said", ["E", "\x1b", '"'])
@pytest.mark.parametrize("left", [0, 3, 500])
def test_a_report_of_many_who_failed_with_pages_of_text_can_be_kept(left: int, said: str, most: int) -> None:
    bad = TenantReport(state=TenantState.LEFT, wave="1", error=said * 10_000, left=("L" * 10_000,) * left)
    fine = TenantReport(state=TenantState.UPDATED, wave="1")
    reports = {f"t{number}": fine if number % 10 else bad for number in range(2_000)}
    report = told_shortly(Report(tenants=reports, shared={f"VPC {number}": bad for number in range(100)}), most)
    assert len(Codec(Fernet.generate_key(), largest=most).encode(report, Report)) < most
    told = report.tenants
    assert list(told) == list(reports)
    assert told_shortly(report, most) == report, "what is short enough stays as it is"
    assert told["t1"] is fine
    cut = told["t0"]
    assert cut.error is not None
    assert cut.error.startswith(said * 5)
    assert len(cut.error) < 9_000
    assert len(cut.left) == min(left, 11)
    assert left <= 10 or cut.left[-1] == f"and {left - 10} more"


def test_what_few_have_to_say_is_kept_whole() -> None:
    bad = TenantReport(state=TenantState.FAILED, wave="1", error="E" * 10_000)
    assert told_shortly(Report(tenants={"acme": bad}), LARGEST).tenants["acme"] is bad


class Client(Tenant):
    """Has not signed, unless it is said."""

    paused: str = "not signed"


def test_what_a_tenant_of_a_users_own_class_does_not_say_is_kept_too() -> None:
    for client in (Client(id="acme"), Client(id="acme", paused="")):
        (back,) = CODEC.decode(CODEC.encode((client,), tuple[Tenant, ...]), tuple[Tenant, ...])
        assert back.paused == client.paused
        assert CODEC.decode(CODEC.encode(client, Client), Client) == client


def test_what_is_kept_of_a_tenant_that_says_nothing_more_is_short() -> None:
    acme = TenantReport(state=TenantState.UPDATED, wave="1", tenant=Tenant(id="acme", labels={"plan": "large"}))
    report = Report(tenants={"acme": acme, "bolt": TenantReport(state=TenantState.PAUSED, wave="", error="on holiday")})
    kept = CODEC.encode(report, Report)
    assert json.loads(kept)["tenants"] == {
        "acme": {"state": "updated", "wave": "1", "tenant": {"id": "acme", "labels": {"plan": "large"}}},
        "bolt": {"state": "paused", "wave": "", "error": "on holiday"},
    }
    assert CODEC.decode(kept, Report) == report
    assert report.model_dump()["tenants"]["acme"]["error"] is None  # whoever asks for all gets all


def test_a_report_of_a_release_that_said_more_of_a_tenant_is_read() -> None:
    text = Report(tenants={"acme": TenantReport(state=TenantState.UPDATED, wave="1")}).model_dump_json()
    assert Report.model_validate_json(text.replace('"wave":"1"', '"wave":"1","unseen_for":3.5')).tenants["acme"].wave


def test_a_check_that_does_several_things_at_once_says_what_failed_first() -> None:
    failure = Failure(error_type="AlarmRang", message="shop-1 rings", path=("alarms",))
    group = ExceptionGroup("unhandled errors in a TaskGroup", [ExecutionFailed(failure)])
    assert said_of(group) == "alarms: AlarmRang: shop-1 rings"
    assert said_of(ExceptionGroup("", [ValueError("no")])) == "ValueError: no"


def test_whoever_is_told_of_a_roll_out_reads_what_others_have_said_as_code() -> None:
    doubts = tuple(f"the source could not be read: @channel `{number}`\n<http://e.vil>" for number in range(12))
    told = Report(tenants={}, doubts=doubts, stopped="stopped: @here").problem().splitlines()
    assert told[1:3] == ["`stopped: @here`", "`the source could not be read: @channel '0' <http://e.vil>`"]
    assert told[-1] == "and 2 more"


def shown(report: Report) -> list[list[str]]:
    console = Console(file=StringIO(), width=100)
    console.print(report)
    return [line.split() for line in console.file.getvalue().splitlines()]  # type: ignore[attr-defined]


def test_of_a_large_fleet_who_failed_is_shown_and_the_others_are_counted() -> None:
    states = [TenantState.UPDATED] * 300
    states[7:9] = [TenantState.REVERTED] * 2
    states[250:] = [TenantState.NOT_STARTED] * 50
    tenants = {f"t{number}": TenantReport(state=state, wave="1") for number, state in enumerate(states)}
    tenants |= {f"t{number}": tenants[f"t{number}"].model_copy(update={"earlier": True}) for number in range(20, 40)}
    _, *rows, left, summary = shown(Report(tenants=tenants))
    assert [row[0] for row in rows if row[0].startswith("t")] == ["t0", "t1", "t2", "t7", "t8", "t250", "t251", "t252"]
    assert " ".join(left) == (
        "... 225 more updated, 20 not gone to, 47 more not started: `orbits tenants list` shows all"
    )
    assert summary[0] == "300"


def test_of_a_fleet_that_can_be_read_all_are_shown() -> None:
    tenants = {f"t{number}": TenantReport(state=TenantState.UPDATED, wave="1") for number in range(40)}
    assert len(shown(Report(tenants=tenants))) == 40 + 2


def test_several_accounts_stand_one_below_the_other() -> None:
    places = "448811223344/eu-west-1, 099044776269/us-east-1"
    one = TenantReport(state=TenantState.UPDATED, wave="1", account=places, revision=1)
    console = Console(file=StringIO(), width=80)
    console.print(Report(tenants={"acme": one}))
    _, first, second, _ = console.file.getvalue().splitlines()  # type: ignore[attr-defined]
    assert first.split() == ["acme", "448811223344/eu-west-1", "updated", "1", "went", "forward"]
    assert second.split() == ["099044776269/us-east-1"]


def test_rows_of_those_who_were_not_gone_to_are_dim() -> None:
    one = TenantReport(state=TenantState.UPDATED, wave="1")
    console = Console(file=StringIO(), force_terminal=True, color_system="standard", width=80, no_color=False)
    console.print(Report(tenants={"acme": one, "bolt": one.model_copy(update={"earlier": True})}))
    acme, bolt = console.file.getvalue().splitlines()[1:3]  # type: ignore[attr-defined]
    assert [row.startswith("\x1b[2m") for row in (acme, bolt)] == [False, True]


FORWARD = TenantReport(state=TenantState.UPDATED, wave="1", revision=2)
NEXT = {
    "one went forward": ([FORWARD], True),
    "one was made, and another stood": (
        [FORWARD.model_copy(update={"made": True}), FORWARD.model_copy(update={"state": TenantState.UNCHANGED})],
        True,
    ),
    "all were made": ([FORWARD.model_copy(update={"made": True})], False),
    "all were brought back": ([FORWARD.model_copy(update={"state": TenantState.BROUGHT_BACK})], False),
    "all are forward only": (
        [
            FORWARD.model_copy(update={"state": TenantState.HELD, "no_return": ("engrave",)}),
            FORWARD.model_copy(update={"no_return": ("engrave",)}),
        ],
        False,
    ),
    "nothing was to change": ([FORWARD.model_copy(update={"state": TenantState.UNCHANGED})], False),
    "others went forward before": ([FORWARD.model_copy(update={"earlier": True})], False),
}


@pytest.mark.parametrize("case", NEXT)
def test_the_way_back_is_offered_where_somebody_would_go_it(case: str) -> None:
    reports, offered = NEXT[case]
    failed = TenantReport(state=TenantState.REVERTED, wave="1", error="Permanent: no", execution="x")
    report = Report(tenants={"bad": failed, **{f"t{number}": one for number, one in enumerate(reports)}})
    said = [line for line, _ in report.next_steps("lane.py:Lane")]
    assert said[:2] == ["orbits get x", "orbits up lane.py:Lane ... only_failed=true"]
    assert said[2:] == (["orbits tenants rollback lane.py:Lane"] if offered else [])


def test_what_an_error_holds_steers_no_terminal() -> None:
    acme = TenantReport(state=TenantState.FAILED, wave="1", error="npm: \x1b[31mERR\x1b[0m")
    console = Console(width=100, color_system=None)
    with console.capture() as shown:
        console.print(Report(tenants={"acme": acme}, doubts=("\x1b[2Jgone",), stopped="\x1b[1mstopped"))
    assert "npm: ERR" in shown.get()
    assert "\x1b" not in shown.get()
