"""docs/roll-outs.md: its fleet can be made, its policy decides, and its tables have what the code has."""

import asyncio
import inspect
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import get_args

import pytest

from orbits_iac import Orbits
from orbits_tenants import ByPolicy, Listing, Promoted, Rollout, TenantState, Wave
from orbits_tenants.report import _WHOLE, BAD
from orbits_tenants.rollout import OnFailure
from orbits_tenants.tenants import SCOPE

from .pages import loading, programs

PAGE = (Path(__file__).parents[2] / "docs" / "roll-outs.md").read_text()


@pytest.fixture
def program(tmp_path: Path) -> Iterator[Callable[[str], ModuleType]]:
    """Imports a program of the page by its name."""
    yield from loading(tmp_path, programs(PAGE))


def rows(head: str) -> list[list[str]]:
    """The cells of the table whose head begins so."""
    table = PAGE.partition(f"\n| {head} |")[2].partition("\n\n")[0]
    return [row.split(" | ") for row in re.findall(r"^\| (.*) \|$", table, re.MULTILINE)]


def test_its_fleet_says_all_that_one_may_say(program: Callable[[str], ModuleType]) -> None:
    fleet = program("fleet").Shops
    assert isinstance(fleet.rollout, Rollout)
    for cls in (Rollout, Listing, Wave):
        for name in inspect.signature(cls).parameters:
            assert f"`{name}" in PAGE or name == "reaches", name


def test_its_tables_have_what_the_code_has() -> None:
    states = rows("state")
    assert [state for state, *_ in states] == [state.value for state in TenantState]
    assert {state for state, _, counts in states if counts == "yes"} == {state.value for state in BAD}
    assert [row[0].strip("`") for row in rows("`on_failure`")] == [*get_args(OnFailure)]
    named = "".join(row[0] for row in rows("`orbits up FLEET ...`"))
    not_typed = {"back", "found_at", "importing", "leaving", "letting_go", "stood_as"}
    assert {name for name in SCOPE if f"`{name}=" in named} == SCOPE - not_typed


def test_its_figures_are_those_of_the_code() -> None:
    page = " ".join(PAGE.split())
    rollout, listing = Rollout(waves=["100%"]), Listing()
    assert f"Of more than {_WHOLE} tenants the table" in page
    assert f"`max_concurrency` tenants ({rollout.max_concurrency})" in page
    assert f"`failure_tolerance` (`{rollout.failure_tolerance}`)" in page
    assert f"`wave_tolerance` (`{rollout.wave_tolerance}`)" in page
    assert f"`may_shrink` ({listing.may_shrink.replace('%', ' %')})" in page
    assert f"`most_removals` ({listing.most_removals.replace('%', ' %')}, but one)" in page


async def test_its_policy_lets_a_change_in_place_go_on_and_wants_somebody_to_look_at_a_replacement(
    program: Callable[[str], ModuleType], orbits: Orbits
) -> None:
    sites = program("stages").Sites
    for image in ("v1", "v2"):
        assert (await orbits.run(sites(image=image))).summary == "2 tenants: 2 updated"
    execution = await orbits.start(sites(image="v2", size="large"))
    while not await execution.waits():  # noqa: ASYNC110 - it is in the store that it says so
        await asyncio.sleep(0)
    said = [event.why for event in await orbits.store.tail(0, root=execution.id, limit=1000)]
    [quoted] = re.findall(r"`(somebody has to look at wave .*?)`", PAGE)
    assert any(quoted in why for why in said)
    await execution.answer(Promoted(wave=1))
    assert (await execution).summary == "2 tenants: 2 updated"


def test_its_policies_are_those_of_the_code() -> None:
    table = PAGE.partition("| `ByPolicy(...)` |")[2].partition("\n\n")[0]
    assert {name for name in inspect.signature(ByPolicy).parameters if f"`{name}=" not in table} == set()
