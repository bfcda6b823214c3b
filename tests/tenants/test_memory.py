"""What a roll-out keeps of each tenant in memory: what is alive is counted, in fleets of two sizes."""

import gc
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import pytest

from orbits_iac import Orbits, Resource, Settings
from orbits_tenants import FunctionSource, Report, Rollout, Source, Tenant, TenantReport, Tenants, TenantState

FEW, MANY = 10, 60
LANES = 2
OURS = ("orbits_iac.", "orbits_tenants.", "tests.tenants.test_memory.")
PYTHONS = {"_asyncio.Task", "_asyncio.Future", "builtins.coroutine", "builtins.set"}


class Row:
    """So many houses, and what was alive when the last of them were begun, and when all were done with."""

    def __init__(self, houses: int) -> None:
        self.houses = houses
        self.begun = 0
        self.at_begin: Counter[str] = Counter()
        self.at_end: Counter[str] = Counter()


class Street:
    """Which row of houses it is about."""

    row = Row(0)

    @classmethod
    def listed(cls) -> list[Tenant]:
        return [Tenant(id=f"house{number}", labels={"side": "left"}) for number in range(cls.row.houses)]


@pytest.fixture(autouse=True)
def only_what_is_new() -> Iterator[None]:
    """What was there before is not counted, nor missed if it goes meanwhile."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


def alive() -> Counter[str]:
    """How many objects there are of each type that is ours, or that tells of something which is under way.

    Contexts tell nothing: asyncio keeps those of up to a hundred timers that were cancelled.
    """
    gc.collect()
    names = (f"{type(one).__module__}.{type(one).__qualname__}" for one in gc.get_objects())
    return Counter(name for name in names if name.startswith(OURS) or name in PYTHONS)


class House(Resource):
    """Nothing has to be done for it."""

    number: str

    def identity(self) -> str:
        return self.number

    async def define_update(self) -> None:
        row = Street.row
        row.begun += 1
        if row.begun == 2:  # the first one of the wave with all the others
            row.at_begin = alive()


class Houses(Tenants[House]):
    source: ClassVar[Source] = FunctionSource(Street.listed)
    rollout: ClassVar[Rollout] = Rollout(waves=["1", "100%"], max_concurrency=LANES, at_most={"side": LANES})

    def stack(self, tenant: Tenant) -> House:
        return House(number=tenant.id)

    async def define_finish(self, report: Report) -> None:
        assert len(report.tenants) == Street.row.houses
        Street.row.at_end = alive()


async def rolled_out(houses: int, folder: Path) -> Row:
    """The same roll-out to so many, on rows that are in a file."""
    Street.row = Row(houses)
    async with Orbits(Settings(project="tests", store=f"sqlite:{folder}/{houses}.db")) as orbits:
        report = await orbits.run(Houses())
    assert {one.state for one in report.tenants.values()} == {TenantState.UPDATED}
    return Street.row


def each(many: Counter[str], few: Counter[str]) -> dict[str, int]:
    """How many of each type there are for each tenant; what is under way is the same in both, but for a few."""
    found = {name: round((many[name] - few[name]) / (MANY - FEW)) for name in {*many, *few}}
    return {name: number for name, number in found.items() if number}


async def test_of_who_is_done_with_only_the_report_and_the_journal_are_kept(tmp_path: Path) -> None:
    few, many = await rolled_out(FEW, tmp_path), await rolled_out(MANY, tmp_path)
    assert each(many.at_end, few.at_end) == {
        "orbits_tenants.tenant.Tenant": 1,
        "orbits_tenants.report.TenantReport": 1,
        "orbits_iac.model.rows.EntryRow": 2,  # the stack, and how it stands: what a re-run gives to the definition
        "orbits_iac.model.rows.Child": 1,  # of the revision to be
        "orbits_iac.engine.calls.Call": 1,  # the line that has asked for it
    }


async def test_who_waits_for_the_turn_is_no_task(tmp_path: Path) -> None:
    few, many = await rolled_out(FEW, tmp_path), await rolled_out(MANY, tmp_path)
    waiting = each(many.at_begin, few.at_begin)
    assert not PYTHONS & waiting.keys()
    assert not [name for name in waiting if name.startswith("orbits_iac.engine.re")], "no request was made of it yet"
    assert waiting["orbits_tenants.tenant.Tenant"] == 1


@pytest.mark.parametrize("again", [False, True])
def test_reports_that_say_the_same_fields_have_one_set_of_them(again: bool) -> None:
    one, other = (TenantReport(state=TenantState.UPDATED, wave="1", tenant=Tenant(id=id_)) for id_ in ("a", "b"))
    if again:  # as it is read
        one, other = (TenantReport.model_validate_json(report.model_dump_json()) for report in (one, other))
    assert one.model_fields_set is other.model_fields_set
    assert one.tenant is not None
    assert other.tenant is not None
    assert one.tenant.model_fields_set is other.tenant.model_fields_set
    given, more = set(one.model_fields_set), one.model_copy(update={"revision": 1})
    assert one.model_fields_set == given
    assert more.model_fields_set == {*given, "revision"}
    assert more.model_fields_set is other.model_copy(update={"revision": 2}).model_fields_set
