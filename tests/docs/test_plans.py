"""The commands of docs/plans.md are run as they stand there, with the stacks that stand there."""

import os
import re
import shlex
from pathlib import Path

from tests.servers.commands import Commands

PAGE = (Path(__file__).parents[2] / "docs" / "plans.md").read_text()
COMMAND = re.compile(r"^\$ orbits (.*?)(?:  # exits with (\d))?$", re.MULTILINE)
NOTES, DESKS, _ = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
[CLIENTS] = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)


def without_columns(text: str) -> str:
    """Lines with one space between words, and without what differs from run to run."""
    text = re.sub(r"([Pp])lan \w+…? ", r"\1lan ID ", text)
    text = re.sub(r"by \w+@[\w.-]+", "by WHO", text)
    return "\n".join(re.sub(r"(?<=\S) {2,}(\d+m?s$)?", " ", line).rstrip() for line in text.splitlines()).strip()


def test_each_command_says_what_the_page_says(tmp_path: Path, commands: Commands) -> None:
    for name, text in (("notes.py", NOTES), ("desks.py", DESKS), ("desks.yaml", CLIENTS)):
        (tmp_path / name).write_text(text)
    ran = 0
    for block in re.findall(r"```console\n(.*?)```", PAGE, re.DOTALL):
        parts = COMMAND.split(block)
        for command, code, shown in zip(parts[1::3], parts[2::3], parts[3::3], strict=True):
            words = shlex.split(command)
            done = commands.run(words, cwd=tmp_path, env={**os.environ, "COLUMNS": "160", "NO_COLOR": "1"})
            wanted = int(code or (3 if words[0] == "preview" else 0))
            assert done.returncode == wanted, (command, done.stdout, done.stderr)
            said = without_columns(done.stderr if wanted in {1, 2} else done.stdout)
            assert said.endswith(without_columns(shown)), (command, said)
            ran += 1
    assert ran == 13
    assert (tmp_path / "diary.txt").read_text() == "hello"
    assert {"one.txt", "two.txt", "three.txt"} < {file.name for file in tmp_path.glob("*.txt")}
