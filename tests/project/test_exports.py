"""What is imported from orbits_iac is a promise to users: a name is added or taken away knowingly."""

from types import ModuleType

import pytest

import orbits_aws
import orbits_iac
import orbits_tenants
from orbits_iac import provider

EXPORTED = [
    "Action",
    "Clock",
    "Docker",
    "DriftNews",
    "DriftReport",
    "Error",
    "Event",
    "Every",
    "Execution",
    "ExecutionFailed",
    "Executor",
    "InProgress",
    "Managed",
    "NothingDone",
    "Options",
    "Orbits",
    "Outputs",
    "Permanent",
    "Plan",
    "Record",
    "Resource",
    "Retry",
    "Revision",
    "Settings",
    "Shell",
    "Ssh",
    "Step",
    "Target",
    "Workflow",
    "action",
    "command",
    "on",
    "run",
]


def test_exactly_these_names_are_exported() -> None:
    assert orbits_iac.__all__ == EXPORTED


@pytest.mark.parametrize("name", EXPORTED)
def test_each_name_can_be_had(name: str) -> None:
    assert getattr(orbits_iac, name).__name__ == name


def test_a_name_that_is_not_there_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="Resuorce"):
        _ = orbits_iac.Resuorce  # type: ignore[attr-defined,unused-ignore]


def test_what_providers_rely_on_is_listed_in_order_and_there() -> None:
    assert provider.__all__ == sorted(provider.__all__)
    assert [name for name in provider.__all__ if not hasattr(provider, name)] == []


@pytest.mark.parametrize("package", [orbits_aws, orbits_tenants])
def test_what_is_exported_is_listed_in_order_and_there(package: ModuleType) -> None:
    assert package.__all__ == sorted(package.__all__)
    assert [name for name in package.__all__ if not hasattr(package, name)] == []
