"""The code and the commands of docs/failing.md are run as they stand there."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

PAGE = (Path(__file__).parents[2] / "docs" / "failing.md").read_text()
ORBITS = [sys.executable, "-c", "from orbits_iac.cli import main; main()"]


def run(folder: Path, *words: str, code: int = 0) -> str:
    environment = {**os.environ, "COLUMNS": "120", "NO_COLOR": "1"}
    done = subprocess.run(
        [*ORBITS, *words], cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout


def ended(folder: Path) -> tuple[str, str]:
    """The id and state of the last trade."""
    [row] = json.loads(run(folder, "get", "--json", "--limit", "1"))
    return row["id"], row["state"]


def test_the_program_and_the_commands_do_what_is_said(tmp_path: Path) -> None:
    program = "\n\n".join(re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL))
    (tmp_path / "trade.py").write_text(program)
    run(tmp_path, "up", "trade.py:Trade", "symbol=ACME", code=1)
    execution, state = ended(tmp_path)
    assert state == "REVERTED"
    assert re.search(r"✔ buy +Buy +\S+ +attempt 3 ", run(tmp_path, "get", execution))
    (tmp_path / "trade.py").write_text(program.replace("if trade in REFUSED", "if trade not in REFUSED"))
    retry, accept = (line.split() for line in re.findall(r"^\$ orbits (answer .*)$", PAGE, re.MULTILINE))
    run(tmp_path, "up", "trade.py:Trade", "symbol=BOLT", code=1)
    execution, state = ended(tmp_path)
    assert state == "QUARANTINED"
    assert "buy: its undo failed: OSError: the market is closed" in run(tmp_path, "get", execution)
    run(tmp_path, *(execution if word == "ID" else word for word in retry))
    run(tmp_path, "resume", execution, code=1)
    assert ended(tmp_path) == (execution, "QUARANTINED")
    run(tmp_path, *(execution if word == "ID" else word for word in accept))
    assert ended(tmp_path) == (execution, "ERROR")


def test_every_command_that_is_named_is_there() -> None:
    environment = {**os.environ, "COLUMNS": "120"}
    for name in {words.split()[0] for words in re.findall(r"`orbits ([^`]+)`", PAGE)}:
        subprocess.run([*ORBITS, name, "--help"], env=environment, capture_output=True, check=True)
