"""The code and the commands of docs/events.md are run as they stand there."""

import os
import re
import subprocess
import sys
from pathlib import Path

PAGE = (Path(__file__).parents[2] / "docs" / "events.md").read_text()
ORBITS = [sys.executable, "-c", "from orbits_iac.cli import main; main()"]


def test_the_program_and_the_commands_work(tmp_path: Path) -> None:
    program = "\n\n".join(re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL))
    (tmp_path / "release.py").write_text(program)
    environment = {**os.environ, "COLUMNS": "120", "NO_COLOR": "1"}
    done = subprocess.run(
        [sys.executable, "release.py"], cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout == "8f3a is on production, approved by ada\n"
    also = "import asyncio, release; asyncio.run(release.push()); print(release.Settled(wanted=1).wanted)"
    subprocess.run([sys.executable, "-c", also], cwd=tmp_path, env=environment, check=True)
    up, get, answer = (line.split() for line in re.findall(r"^\$ orbits (.*)$", PAGE, re.MULTILINE))
    with subprocess.Popen([*ORBITS, *up], cwd=tmp_path, env=environment, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            line = next(line for line in process.stdout if "◇" in line)
            execution = re.findall(r"orbits answer (\w+) Approved environment=... by=...", line)[0]
            shown = _run([execution if word == "ID" else word for word in get], tmp_path, environment)
            assert f"orbits answer {execution} Approved environment=... by=..." in shown
            said = _run([execution if word == "ID" else word for word in answer], tmp_path, environment)
            assert said.startswith("Sent Approved to Release")
            assert "8f3a is on production, approved by ada" in process.stdout.read()
            assert process.wait(30) == 0
        finally:
            process.kill()


def _run(words: list[str], folder: Path, environment: dict[str, str]) -> str:
    done = subprocess.run([*ORBITS, *words], cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout
