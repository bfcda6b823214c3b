"""docs/secrets.md: its stack and its commands are run as they stand there."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

PAGE = (Path(__file__).parents[2] / "docs" / "secrets.md").read_text(encoding="utf-8")
ROTATED = "orbits state rotate-key"


@pytest.mark.slow
def test_the_stack_and_its_commands_work(tmp_path: Path) -> None:
    (stack,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    (tmp_path / "database.py").write_text(stack)
    commands = re.findall(r"^\$ (.*)$", PAGE, re.MULTILINE)
    assert [command.split("orbits ")[-1].split()[0] for command in commands if "orbits " in command] == [
        "up",
        "get",
        "state",
        "state",
        "up",
    ]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("ORBITS_")} | {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "NEW_KEY": Fernet.generate_key().decode(),
        "PASSWORD": "hunter22",
    }
    said = {}
    for command in commands:
        done = subprocess.run(
            ["/bin/sh", "-c", command], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, (command, done.stdout, done.stderr)
        assert "hunter22" not in done.stdout + done.stderr
        said[command] = done.stdout
    assert "nothing changed" in said[commands[-1]]
    assert not (tmp_path / ".orbits" / "secret.key").exists()
    assert b"hunter22" not in b"".join(file.read_bytes() for file in (tmp_path / ".orbits").iterdir())
