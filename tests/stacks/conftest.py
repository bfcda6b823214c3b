"""An offline AWS, and a folder of the agency's own, for each test."""

from pathlib import Path

import pytest

from orbits_iac import Settings


@pytest.fixture(scope="session", autouse=True)
def _begun(node: None) -> None:
    """Node is begun before any of them, so that it is nothing that one of them leaves."""


@pytest.fixture(autouse=True)
def agency_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the agency's repositories, databases and logs are in this test."""
    monkeypatch.setenv("AGENCY_HOME", str(tmp_path / "agency"))
    return tmp_path / "agency"


@pytest.fixture
def orbits_settings(tmp_path: Path) -> Settings:
    return Settings(project="tests", store=f"sqlite:{tmp_path}/.orbits/state.db")
