"""Whatever a test leaves behind is found, and is an error of that test."""

import re
import shutil
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

LAST = "test_temporary_file"  # at which the module ends, and the run

CASES = {
    "test_task": r"pending when its loop was closed: <Task .* coro=<sleep\(\)",
    "test_task_of_another_loop": r"pending when its loop was closed: <Task .* coro=<sleep\(\)",
    "test_task_that_nobody_holds": r"Task was destroyed but it is pending!",
    "test_task_of_a_definition": r"in a definition: Task was destroyed but it is pending! <Task .*waits\(\)",
    "test_error_that_nobody_took": r"Task exception was never retrieved.*Traceback.*ValueError: nobody takes this",
    "test_coroutine": r"coroutine 'test_task' was never awaited",
    "test_thread": r"a thread: the thread that is left, at .*in wait",
    "test_process": r"a process: \d+, cat\n *open: pipe:",
    "test_process_of_a_process": r"a process: \d+, cat\n",
    "test_process_that_was_not_waited_for": r"a child that nobody waited for when it ended: \d+",
    "test_open_file": r"open: .*leaving\.py \(\d+\)",
    "test_connection": r"open: socket:",
    "test_temporary_file": r"a file: .*that-is-left",
}


@pytest.fixture(scope="module")
def found(root: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    """What the tests of `leaving`, run as all others are, are reported for."""
    folder = tmp_path_factory.mktemp("leaving")
    (folder / "tests").mkdir()
    for name in ("conftest.py", "leaks.py", "project/leaving.py"):
        shutil.copy(root / "tests" / name, folder / "tests")
    shutil.copytree(root / "tests/servers", folder / "tests/servers")
    where = ["-c", root / "pyproject.toml", "--rootdir", folder, "--basetemp", folder / "base"]
    options = [*map(str, where), "--junitxml", "found.xml", "-p", "no:cacheprovider"]
    command = [sys.executable, "-m", "pytest", *options, "tests/leaving.py"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1, done.stdout + done.stderr
    found: dict[str, list[str]] = {}
    for case in ET.parse(folder / "found.xml").iter("testcase"):
        found.setdefault(case.attrib["name"], []).extend(text for error in case for text in error.itertext())
    return found


@pytest.mark.parametrize("name", CASES)
def test_it_is_found_and_named(name: str, found: dict[str, list[str]]) -> None:
    assert re.search(CASES[name], "\n".join(found[name]), re.DOTALL), found[name]


def test_nothing_else_is(found: dict[str, list[str]]) -> None:
    assert {name for name, errors in found.items() if errors} == set(CASES)


def test_module_and_run_are_looked_at_when_they_end(found: dict[str, list[str]]) -> None:
    text = "\n".join(found[LAST])
    assert re.search(r"_nothing_is_left_by_a_module.*open: .*leaving\.py", text, re.DOTALL), text
    assert re.search(r"_nothing_is_left_by_the_run.*a thread: the thread that is left", text, re.DOTALL), text
