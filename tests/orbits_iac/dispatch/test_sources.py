"""What a build is made of: the same for a program that was started and for who imports it."""

import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """
from orbits_iac import Workflow
from orbits_iac.registry import Registry, build_of, sources_of

class Here(Workflow):
    async def define(self) -> None:
        pass

sources = sources_of(Registry().modules())
print(build_of(sources), *sources)
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "deploy.py").write_text(PROGRAM)
    return tmp_path


def said(folder: Path, *arguments: str) -> str:
    command = [sys.executable, *arguments]
    return subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True).stdout


def test_a_program_is_the_same_build_however_it_is_come_by(folder: Path) -> None:
    builds = {said(folder, "deploy.py"), said(folder, "-m", "deploy"), said(folder, "-c", "import deploy")}
    [only] = builds
    assert only.split()[1:] == ["deploy"]


def test_what_lies_beside_it_belongs_to_it(folder: Path) -> None:
    before = said(folder, "deploy.py")
    (folder / "beside.py").write_text("")
    assert said(folder, "deploy.py") != before
