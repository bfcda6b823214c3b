"""docs/clients.md: its commands are run as they stand there, and say what they say there."""

import json
import re
import shlex
import subprocess
from datetime import timedelta
from pathlib import Path

from orbits_tenants import Rollout, Wave
from tests.servers.commands import Commands

PAGE = re.sub(r"^   (?=\S| )", "", (Path(__file__).parents[2] / "docs" / "clients.md").read_text(), flags=re.MULTILINE)
COMMAND = re.compile(r"^\$ (.*?)(?:  # exits with (\d))?$", re.MULTILINE)


def _lines(text: str) -> list[str]:
    return [" ".join(line.split()) for line in text.splitlines() if line.strip()]


def test_each_command_says_what_the_page_says(tmp_path: Path, commands: Commands) -> None:
    (tmp_path / "menus.py").write_text(
        next(code for code in re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL) if code.startswith('"""menus.py'))
    )
    [listed] = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    (tmp_path / "restaurants.yaml").write_text(listed)
    said = ""
    for block in re.findall(r"```console\n(.*?)```", PAGE, re.DOTALL):
        parts = COMMAND.split(block)
        for command, code, shown in zip(parts[1::3], parts[2::3], parts[3::3], strict=True):
            if not command.startswith("orbits "):
                subprocess.run(["sh", "-c", command], cwd=tmp_path, check=True)
                continue
            env = {"NO_COLOR": "1", "COLUMNS": "100"}
            done = commands.run(shlex.split(command)[1:], cwd=tmp_path, env=env)
            assert done.returncode == int(code or 0), (command, done.stdout, done.stderr)
            wanted = _lines(shown)
            assert "\n".join(wanted) in "\n".join(_lines(done.stdout)), (command, done.stdout)
            said = " ".join(done.stderr.replace("│", " ").split())
    [quoted] = re.findall(r"`(3 of 4 tenants are .*?)`", PAGE)
    assert quoted in said
    assert (tmp_path / "bolt.txt").read_text() == "salad"
    assert json.loads((tmp_path / "eden.json").read_text())["removed"] == {
        "Restaurant eden": 1,
        "Menu Restaurant eden/menu": 1,
    }


def test_its_careful_roll_out_can_be_made() -> None:
    [code] = re.findall(r"```python\n(rollout = .*?)```", PAGE, re.DOTALL)
    made: dict[str, Rollout] = {}
    exec(code, {"Rollout": Rollout, "Wave": Wave, "timedelta": timedelta}, made)
    assert made["rollout"].on_failure == "rollback-wave"
