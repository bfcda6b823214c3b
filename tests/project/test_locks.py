"""The lock files: each version pinned by hash, to be had from whichever index a machine uses."""

import json
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

LOCKS = ["demo", "dev", "outside", "rivals"]
NAME = re.compile(r"[A-Za-z0-9._-]+")


def requirements(root: Path, lock: str) -> dict[str, set[str]]:
    """The requirements of a lock, each by name, version and marker, with its hashes."""
    found: dict[str, set[str]] = {}
    requirement = ""
    for line in (root / "requirements" / f"{lock}.lock").read_text().splitlines():
        text = line.removesuffix("\\").strip()
        if line[:1].isalnum():
            requirement = text
            found[requirement] = set()
        elif text and not text.startswith("#"):
            found[requirement].add(text)
    return found


def names(wanted: list[str]) -> set[str]:
    return {NAME.match(entry).group().lower().replace("_", "-") for entry in wanted}  # type: ignore[union-attr]


@pytest.fixture(scope="module")
def pyproject(root: Path) -> dict[str, Any]:
    return tomllib.loads((root / "pyproject.toml").read_text())


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_names_no_address(root: Path, lock: str) -> None:
    text = (root / "requirements" / f"{lock}.lock").read_text()
    assert "://" not in text
    assert [line for line in text.splitlines() if line.startswith("-") or " @ " in line] == []


@pytest.mark.parametrize("lock", LOCKS)
def test_each_requirement_is_one_version_with_hashes(root: Path, lock: str) -> None:
    locked = requirements(root, lock)
    assert locked
    assert [entry for entry in locked if not re.match(r"[a-z0-9-]+==[\w.]+( ;|$)", entry)] == []
    unhashed = [
        entry for entry, hashes in locked.items() if not hashes or any("--hash=sha256:" not in text for text in hashes)
    ]
    assert unhashed == []


def test_dev_holds_all_that_the_demo_needs_at_the_same_versions(root: Path) -> None:
    demo, dev = (
        {entry.partition(" ;")[0]: hashes for entry, hashes in requirements(root, lock).items()}
        for lock in ("demo", "dev")
    )
    assert [entry for entry, hashes in demo.items() if dev.get(entry) != hashes] == []


def test_the_locks_hold_all_that_pyproject_asks_for(root: Path, pyproject: dict[str, Any]) -> None:
    """Red when a dependency was added and `make lock` forgotten."""
    extras = pyproject["project"]["optional-dependencies"]
    groups = pyproject["dependency-groups"]
    core = pyproject["project"]["dependencies"]
    demo = [entry for extra in ("aws", "cdk", "offline", "tenants", "stacks") for entry in extras[extra]]
    dev = [entry for group in ("build", "dev") for entry in groups[group] if isinstance(entry, str)]
    wanted = {
        "demo": core + demo + groups["build"],
        "dev": core + extras["mongodb"] + dev,
        "outside": groups["outside"],
        "rivals": groups["rivals"],
    }
    missing = {lock: names(wanted[lock]) - {"orbits-iac"} - names(list(requirements(root, lock))) for lock in LOCKS}
    assert [lock for lock in LOCKS if missing[lock]] == []


def test_the_lock_of_npm_names_no_address_and_has_a_hash_for_each_package(root: Path) -> None:
    folder = root / "requirements" / "cdk"
    text = (folder / "package-lock.json").read_text()
    assert "://" not in text
    root_package, *packages = json.loads(text)["packages"].values()
    assert packages
    assert [one for one in packages if not one["integrity"].startswith("sha512-") or "resolved" in one] == []
    assert root_package["devDependencies"] == json.loads((folder / "package.json").read_text())["devDependencies"]
