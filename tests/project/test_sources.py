"""How the sources are laid out: modules that can be read at one go, packages that say what belongs in them."""

import ast
from pathlib import Path

import pytest

FOLDERS = ["orbits_iac", "providers", "stacks", "tenants"]
LONGEST = 500


@pytest.fixture(scope="module")
def modules(root: Path) -> list[Path]:
    found = [path for folder in FOLDERS for path in sorted((root / folder).rglob("*.py"))]
    assert found
    return found


def test_no_module_is_longer_than_can_be_read_at_one_go(modules: list[Path], root: Path) -> None:
    lengths = {path.relative_to(root).as_posix(): len(path.read_text().splitlines()) for path in modules}
    assert {name: lines for name, lines in lengths.items() if lines > LONGEST} == {}


def test_each_package_says_what_belongs_in_it(modules: list[Path], root: Path) -> None:
    silent = [
        path.parent.relative_to(root).as_posix()
        for path in modules
        if path.name == "__init__.py" and not ast.get_docstring(ast.parse(path.read_text()))
    ]
    assert silent == []


def test_each_folder_of_modules_is_a_package(modules: list[Path], root: Path) -> None:
    """One without an __init__ can be imported all the same, so nothing else would say that its docstring is missing."""
    folders = {path.parent for path in modules}
    assert {folder.relative_to(root).as_posix() for folder in folders if not (folder / "__init__.py").exists()} == set()


def test_no_module_is_a_drawer_for_leftovers(modules: list[Path], root: Path) -> None:
    drawers = {"base", "common", "helpers", "manager", "misc", "util", "utils"}
    assert [path.relative_to(root).as_posix() for path in modules if path.stem.strip("_") in drawers] == []
