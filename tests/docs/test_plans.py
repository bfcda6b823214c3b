"""The commands of docs/plans.md are run as they stand there, with the stack that stands there."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

PAGE = (Path(__file__).parents[2] / "docs" / "plans.md").read_text()
COMMAND = re.compile(r"^\$ orbits (.*?)(?:  # exits with (\d))?$", re.MULTILINE)


def without_columns(text: str) -> str:
    """Lines with one space between words, and without what differs from run to run."""
    text = re.sub(r"plan \w+…? ", "plan ID ", text)
    text = re.sub(r"by \w+@[\w.-]+", "by WHO", text)
    return "\n".join(re.sub(r"(?<=\S) {2,}(\d+m?s$)?", " ", line).rstrip() for line in text.splitlines()).strip()


def test_each_command_says_what_the_page_says(tmp_path: Path) -> None:
    (tmp_path / "notes.py").write_text(re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)[0])
    ran = 0
    for block in re.findall(r"```console\n(.*?)```", PAGE, re.DOTALL):
        parts = COMMAND.split(block)
        for command, code, shown in zip(parts[1::3], parts[2::3], parts[3::3], strict=True):
            words = shlex.split(command)
            done = subprocess.run(
                [sys.executable, "-c", "from orbits_iac.cli import main; main()", *words],
                cwd=tmp_path,
                env={**os.environ, "COLUMNS": "160", "NO_COLOR": "1"},
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                check=False,
            )
            wanted = int(code or (3 if words[0] == "preview" else 0))
            assert done.returncode == wanted, (command, done.stdout, done.stderr)
            said = without_columns(done.stderr if wanted in {1, 2} else done.stdout)
            assert said.endswith(without_columns(shown)), (command, said)
            ran += 1
    assert ran == 9
    assert sorted(file.name for file in tmp_path.glob("*.txt")) == ["diary.txt", "one.txt", "three.txt", "two.txt"]
    assert (tmp_path / "diary.txt").read_text() == "hello"
