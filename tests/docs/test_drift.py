"""docs/drift.md: its commands say what stands there, its rules are read, and its tables are those of the code."""

import os
import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

from orbits_aws.readers import READERS
from orbits_iac import DriftNews
from orbits_iac.drift.policy import Limit
from orbits_iac.drift.project import DriftSettings
from orbits_iac.provider import Difference
from tests.providers.orbits_cdk.drift.test_corpus import SCENES

PAGE = (Path(__file__).parents[2] / "docs" / "drift.md").read_text()
PYTHON = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
COMMAND = re.compile(r"^\$ (.*?)(?:  # exits with (\d))?$", re.MULTILINE)


def without_columns(text: str) -> str:
    """Lines with one space between words, and without what differs from run to run."""
    return "\n".join(re.sub(r"(?<=\S) {2,}(\d+m?s$)?", " ", line).rstrip() for line in text.splitlines()).strip()


def test_each_command_says_what_the_page_says(tmp_path: Path) -> None:
    (tmp_path / "notices.py").write_text(PYTHON[0])
    rule = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)[0]
    ran = 0
    for block in re.findall(r"```console\n(.*?)```", PAGE, re.DOTALL):
        parts = COMMAND.split(block)
        for command, code, shown in zip(parts[1::3], parts[2::3], parts[3::3], strict=True):
            if "ignored:" in shown:
                (tmp_path / "orbits.toml").write_text(rule)
            orbits = f"{shlex.quote(sys.executable)} -c 'from orbits_iac.cli import main; main()'"
            done = subprocess.run(
                re.sub("^orbits", orbits, command),
                shell=True,
                cwd=tmp_path,
                env={**os.environ, "COLUMNS": "160", "NO_COLOR": "1"},
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                check=False,
            )
            wanted = int(code or (3 if "preview" in command else 0))
            assert done.returncode == wanted, (command, done.stdout, done.stderr)
            assert without_columns(done.stdout).endswith(without_columns(shown)), (command, done.stdout)
            ran += 1
    assert ran == 8


def test_the_function_makes_a_step_of_the_news() -> None:
    names: dict[str, Any] = {"__name__": "news"}
    exec(PYTHON[1].replace("@on(DriftNews)", "@on(DriftNews, where=lambda _: False)"), names)
    difference = Difference(path="text", recorded='"a"', live='"b"')
    step = names["told"](DriftNews(kind="Notice", identity="Board main/opening", new=(difference,)))
    assert step.model_dump() == {
        "team": "operations",
        "message": "Board main/opening: text; healed: nothing",
    }


def test_the_rules_are_read_and_the_limit_is_the_one_of_the_code() -> None:
    rule, limit = (
        DriftSettings.model_validate(tomllib.loads(text)["drift"])
        for text in re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
    )
    assert [(one.type, one.path, one.tenant) for one in rule.ignore] == [("Notice", "colour", None)]
    assert limit.limit == Limit()


def test_the_table_has_each_type_that_has_a_reader_and_what_that_never_reads() -> None:
    table = PAGE.partition("## Stacks")[2].partition("## Not tried")[0]
    rows = {row[0]: row[2] for row in re.findall(r"^\| `(\S+)` \| (.*?) \| (.*?) ?\| ", table, re.MULTILINE)}
    assert set(rows) == set(READERS)
    for name, known in READERS.items():
        assert set(re.findall(r"`(\w+)`", rows[name])) == set(known.unread)


def test_what_no_case_of_the_corpus_changes_is_listed() -> None:
    changed: dict[str, set[str]] = {}
    for scene in SCENES:
        for name, _, path in (found.partition(" ") for case in scene.cases for found in case.found):
            kind = scene.template["Resources"][name]["Type"]
            changed.setdefault(kind, set()).add(re.split(r"[.\[]", path)[0])
    rows = re.findall(r"^\| `(\S+)` \| (`.*) \|$", PAGE.partition("## Not tried offline")[2], re.MULTILINE)
    listed = {name: set(re.findall(r"`(\w+)`", said)) for name, said in rows}
    assert listed == {name: set(known.covers - changed[name]) for name, known in READERS.items()}
