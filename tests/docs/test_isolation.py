"""docs/isolation.md: its fleet is kept apart as it says, and its settings are there."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest

from orbits_aws import OfflineAws, testing
from orbits_iac import Options, Orbits, Settings
from tests.docs.pages import loading, programs

PAGE = (Path(__file__).parents[2] / "docs" / "isolation.md").read_text()


def made(aws: OfflineAws, name: str) -> str:
    """The id of a new account."""
    organizations = aws.client("organizations", account=testing.MANAGEMENT)
    answer = organizations.create_account(AccountName=name, Email=f"{name}@agency.example")
    return str(answer["CreateAccountStatus"]["AccountId"])


@pytest.fixture
def page(aws: OfflineAws) -> str:
    """The page with accounts that are there."""
    return PAGE.replace("111111111111", made(aws, "acme")).replace("222222222222", made(aws, "bolt"))


@pytest.fixture
def load(page: str, tmp_path: Path) -> Iterator[Callable[[str], ModuleType]]:
    yield from loading(tmp_path, programs(page))


async def test_the_fleet_is_kept_apart(
    page: str, load: Callable[[str], ModuleType], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = load("bakeries")
    fleet = module.Bakeries
    monkeypatch.setattr(fleet, "options", Options(own_build=True))  # in this process: it is the same, and sooner
    async with Orbits(Settings(store=f"sqlite:{tmp_path / 'state.db'}")) as orbits:
        assert (await orbits.run(fleet())).failed == {}
        report = await orbits.run(fleet(elsewhere=module.BOLT.account))
    assert report.tenants["bolt"].state.value in {"updated", "unchanged"}
    [said] = re.findall(r"```text\n(.*?)\n```", page, re.DOTALL)
    assert " ".join(said.split()) in report.failed["acme"]


def test_what_it_says_to_set_is_there() -> None:
    known = {*Settings.model_fields, *Options.__annotations__, "failure_tolerance", "ORBITS_CDK_TIMEOUT"}
    named = {
        name for row in re.findall(r"\| ([^|\n]*) \|$", PAGE, re.MULTILINE)[2:] for name in re.findall(r"`(\w+)`", row)
    }
    assert named - known - {"def"} == set()
    assert {"block_ends", "executor", "threads_per_tenant"} <= named
