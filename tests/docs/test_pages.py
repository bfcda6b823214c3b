"""docs/schedules.md and docs/limits.md: their classes and commands are run, their figures are those of the code.

And what the examples of all pages keep to.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from orbits_iac import Settings
from orbits_iac.engine.loop import LONGEST_DRAIN
from orbits_iac.engine.naming import LONGEST
from orbits_iac.model.schedule import LONGEST_REPEAT

DOCS = Path(__file__).parents[2] / "docs"
SCHEDULES, LIMITS = ((DOCS / f"{name}.md").read_text() for name in ("schedules", "limits"))
ORBITS = [sys.executable, "-c", "from orbits_iac.cli import main; main()"]


@pytest.mark.slow
def test_the_classes_and_the_commands_work(tmp_path: Path) -> None:
    (tmp_path / "pages.py").write_text("\n".join(re.findall(r"```python\n(.*?)```", SCHEDULES, re.DOTALL)))
    said = []
    for line in re.findall(r"^\$ orbits (.*)$", SCHEDULES + LIMITS, re.MULTILINE):
        done = subprocess.run(
            [*ORBITS, *line.split()],
            cwd=tmp_path,
            env={**os.environ, "COLUMNS": "120", "NO_COLOR": "1"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, (line, done.stdout, done.stderr)
        said.append(done.stdout)
    assert "https://shop.example" in said[1]
    assert "6h 00m ~10%" in said[2]
    assert [text.split(":")[0] for text in said[3:6]] == ["Paused", "Triggered", "Resumed"]
    assert len(said) == 8


def test_the_figures_are_those_of_the_code() -> None:
    settings = Settings()
    assert settings.largest_value // 1_000_000 == 10
    assert "10 million characters of JSON (`largest_value`)" in LIMITS
    assert f"{LONGEST:,} characters of any Unicode text" in LIMITS
    assert f"{settings.suspended:,} of a process (`suspended`)" in LIMITS
    assert LONGEST_DRAIN == 1_000_000
    assert "a million turns" in LIMITS
    assert f"over {settings.keep_executions.days} days ago go (`keep_executions`)" in LIMITS
    assert f"all but {settings.keep_revisions} revisions of\neach record (`keep_revisions`)" in LIMITS
    assert LONGEST_REPEAT == 3 * 3600
    assert "up to three\n  hours" in SCHEDULES


@pytest.mark.parametrize("page", [path.name for path in sorted(DOCS.glob("*.md")) if "def delete" in path.read_text()])
def test_what_is_gone_already_fails_no_delete_of_an_example(page: str) -> None:
    """As docs/own-resource.md asks of a `delete`."""
    bodies = re.findall(r"def delete\(.*?\n((?: {8}.*\n)+)", (DOCS / page).read_text())
    assert bodies
    assert not [body for body in bodies if re.search(r"\.unlink\(\)|\bdel \w|\.pop\(\w+\)", body)]
