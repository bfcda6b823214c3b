"""docs/roll-outs.md: its commands are run as they stand there, and say what they say there."""

import json
import re
import shlex
from pathlib import Path

from tests.servers.commands import Commands

PAGE = (Path(__file__).parents[2] / "docs" / "roll-outs.md").read_text()
COMMAND = re.compile(r"^\$ orbits (.*?)(?:  # exits with (\d))?$", re.MULTILINE)


def _lines(text: str) -> list[str]:
    return [" ".join(line.split()) for line in text.splitlines() if line.strip()]


def test_each_command_says_what_the_page_says(tmp_path: Path, commands: Commands) -> None:
    [program] = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    [listed] = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    (tmp_path / "menus.py").write_text(program)
    (tmp_path / "restaurants.yaml").write_text(listed)
    said = ""
    for block in re.findall(r"```console\n(.*?)```", PAGE, re.DOTALL):
        for text, file in re.findall(r'^\$ echo "(.*)" > (\S+)$', block, re.MULTILINE):
            (tmp_path / file).write_text(f"{text}\n")
        parts = COMMAND.split(block)
        for command, code, shown in zip(parts[1::3], parts[2::3], parts[3::3], strict=True):
            done = commands.run(shlex.split(command), cwd=tmp_path, env={"NO_COLOR": "1", "COLUMNS": "100"})
            assert done.returncode == int(code or 0), (command, done.stdout, done.stderr)
            wanted = _lines(shown)
            assert _lines(done.stdout)[-len(wanted) :] == wanted or not wanted, (command, done.stdout)
            said = " ".join(done.stderr.replace("│", " ").split())
    [quoted] = re.findall(r"`(2 of 3 tenants are .*?)`", PAGE)
    assert quoted in said
    assert (tmp_path / "bolt.txt").read_text() == "salad"
    assert json.loads((tmp_path / "cafe.json").read_text())["removed"] == {
        "Restaurant cafe": 3,
        "Menu Restaurant cafe/menu": 3,
    }
