"""The commands of docs/fleet-drift.md are run as they stand there, with the fleet that stands there."""

import re
import shlex
import subprocess
from pathlib import Path

from orbits_tenants.drift_policy import SPREAD, DriftPolicy
from tests.docs.pages import programs
from tests.servers.commands import Commands

PAGE = (Path(__file__).parents[2] / "docs" / "fleet-drift.md").read_text()
COMMAND = re.compile(r"^\$ (.*?)(?:  # exits with (\d))?$", re.MULTILINE)


def without_columns(text: str) -> str:
    """Lines with one space between words, and without what differs from run to run."""
    text = re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", "TIME", text)
    lines = (re.sub(r"(?<=\S) {2,}(\d+m?s$)?", " ", line).rstrip() for line in text.splitlines())
    return "\n".join(re.sub(r"^(TIME .* brought back) \S+$", r"\1 WHO", line) for line in lines).strip()


def test_each_command_says_what_the_page_says(tmp_path: Path, commands: Commands) -> None:
    (tmp_path / "shops.py").write_text(programs(PAGE)["shops"])
    ran = 0
    for block in re.findall(r"```console\n(.*?)```", PAGE, re.DOTALL):
        parts = COMMAND.split(block)
        for command, code, shown in zip(parts[1::3], parts[2::3], parts[3::3], strict=True):
            if not command.startswith("orbits "):
                subprocess.run(["sh", "-c", command], cwd=tmp_path, check=True)
                continue
            done = commands.run(shlex.split(command)[1:], cwd=tmp_path, env={"NO_COLOR": "1", "COLUMNS": "200"})
            assert done.returncode == int(code or 0), (command, done.stdout, done.stderr)
            assert without_columns(done.stdout).endswith(without_columns(shown)), (command, done.stdout)
            ran += 1
    assert ran == 7


def test_the_numbers_are_those_of_the_code() -> None:
    policy = DriftPolicy()
    assert (SPREAD, policy.at_once, policy.longest.total_seconds()) == (4 / 5, 10, 1800)
    assert (policy.share, policy.at_least, policy.things) == (0.05, 3, 10)
