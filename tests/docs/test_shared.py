"""docs/shared.md: what its commands do comes to what it says; the commands themselves are run by other tests."""

import re
import shlex
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from rich.console import Console

from orbits_iac import Orbits
from orbits_tenants.removal import remove
from orbits_tenants.reporting.sheet import Sheet
from orbits_tenants.reporting.terminal import Drawing
from orbits_tenants.standing import read

from .pages import loading, programs

PAGE = (Path(__file__).parents[2] / "docs" / "shared.md").read_text()
COMMAND = re.compile(r"^\$ (.*?)(?:  # exits with (\d))?$", re.MULTILINE)


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], ModuleType]]:
    """Imports a program of the page by its name; its files are in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    yield from loading(tmp_path, programs(PAGE))


async def came_of(orbits: Orbits, shops: type[Any], arguments: list[str]) -> tuple[Any, int]:
    """What a command prints, and its exit code."""
    match arguments:
        case ["up", "shops.py:Shops", *fields]:
            given = dict(field.split("=") for field in fields)
            report = await orbits.run(shops(**{**given, "only_failed": "only_failed" in given}))
            return report, report.exit_code()
        case ["tenants", "remove", "shops.py:Shops", tenant, "--yes", *losses]:
            return await remove(orbits, shops, tenant, accept_loss=losses[1:]), 0
        case ["tenants", "show", "Shops", tenant]:
            found = await read(orbits.store, "Shops", now=time.time())
            member = next(one for one in found.members if one.id == tenant)
            return Sheet(member, found.at, found.shared), 0
        case ["tenants", "report", "Shops"]:
            return Drawing(await read(orbits.store, "Shops", now=time.time())), 0
        case _:
            raise AssertionError(arguments)


def typed(command: str, file: Path) -> None:
    assert command in {"touch", "rm"}
    if command == "touch":
        file.touch()
    else:
        file.unlink()


def databases(folder: Path) -> list[str]:
    return sorted(file.name for file in folder.glob("*.db"))


def _lines(text: str) -> list[str]:
    return [" ".join(line.split()) for line in text.splitlines() if line.strip()]


async def test_what_is_typed_comes_to_what_the_page_says(
    orbits: Orbits, program: Callable[[str], ModuleType], tmp_path: Path
) -> None:
    shops, console = program("shops").Shops, Console(width=100, color_system=None)
    for block in re.findall(r"```console\n(.*?)```", PAGE, re.DOTALL):
        parts = COMMAND.split(block)
        for text, code, shown in zip(parts[1::3], parts[2::3], parts[3::3], strict=True):
            command, *arguments = shlex.split(text)
            if command != "orbits":
                typed(command, tmp_path / arguments[0])
                continue
            printed, ended = await came_of(orbits, shops, arguments)
            with console.capture() as capture:
                console.print(printed)
            assert ended == int(code or 0), text
            assert [line for line in _lines(shown) if line not in _lines(capture.get())] == [], (text, capture.get())
    assert databases(tmp_path) == ["eu.db"]
