"""docs/aws-resources.md: its stack is deployed, and its tables name the resources' fields, each once."""

import importlib
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import orbits_aws
from orbits_aws import AwsTarget, OfflineAws
from orbits_iac import Managed, Orbits

PAGE = (Path(__file__).parents[2] / "docs" / "aws-resources.md").read_text(encoding="utf-8")
BLOCKS = dict(re.findall(r"```python\n# (\w+)\.py\n(.*?)```", PAGE, re.DOTALL))
RESOURCES = re.findall(r"^### (\w+)\n(.*?)(?=^##)", PAGE, re.DOTALL | re.MULTILINE)


@pytest.fixture
def acme(aws: OfflineAws) -> AwsTarget:
    made = aws.client("organizations", account="123456789012").create_account(AccountName="acme", Email="a@b.example")
    return AwsTarget(account=str(made["CreateAccountStatus"]["AccountId"]))


@pytest.fixture
def page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], Any]]:
    """Imports the page's modules."""
    monkeypatch.syspath_prepend(tmp_path)
    for name, text in BLOCKS.items():
        (tmp_path / f"{name}.py").write_text(text)
    yield importlib.import_module
    for name in BLOCKS:
        sys.modules.pop(name, None)


async def test_the_stack_is_deployed_changed_and_removed(
    orbits: Orbits, aws: OfflineAws, acme: AwsTarget, page: Callable[[str], Any]
) -> None:
    shop = page("shop").Shop
    made = await orbits.run(shop(), target=acme)
    functions = aws.client("lambda", account="acme")
    before = functions.get_function(FunctionName="shop-api")["Configuration"]
    assert (before["FunctionArn"], before["Environment"]["Variables"]["RELEASE"]) == (made.api, "1")
    await orbits.run(shop(release="2"), target=acme)
    after = functions.get_function(FunctionName="shop-api")["Configuration"]
    assert after["Environment"]["Variables"]["RELEASE"] == "2"
    lost = ["Table Shop shop/orders", "LogGroup Shop shop/log"]
    await orbits.record(shop, "shop").uninstall(accept_loss=lost)
    assert functions.list_functions()["Functions"] == []
    assert aws.client("dynamodb", account="acme").list_tables()["TableNames"] == []


def test_the_actions_are_as_they_are_shown(page: Callable[[str], Any]) -> None:
    release = page("release").Release
    assert set(release.model_fields) == {"distribution", "cluster", "secret"}


def test_all_resources_are_there() -> None:
    of_the_package = [getattr(orbits_aws, name) for name in orbits_aws.__all__]
    managed = {each.__name__ for each in of_the_package if isinstance(each, type) and issubclass(each, Managed)}
    assert {name for name, _ in RESOURCES} == managed


@pytest.mark.parametrize(("name", "text"), RESOURCES, ids=[name for name, _ in RESOURCES])
def test_a_table_names_each_field_once(name: str, text: str) -> None:
    rows = re.findall(r"^\| (`.*?) \| (.*?) \|$", text, re.MULTILINE)
    fields = [field for row, _ in rows for field in re.findall(r"`(\w+)`", row)]
    assert sorted(fields) == sorted(getattr(orbits_aws, name).model_fields)
