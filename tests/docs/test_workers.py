"""docs/workers.md: its class, commands and limits are taken as they stand there, and its defaults are the code's."""

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from orbits_iac import Settings

PAGE = (Path(__file__).parents[2] / "docs" / "workers.md").read_text()
[STACK] = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
[LIMITS] = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)


@pytest.mark.slow
def test_one_without_the_label_says_what_is_missing_and_one_with_it_does_it(tmp_path: Path) -> None:
    (tmp_path / "printer.py").write_text(STACK)
    (tmp_path / "orbits.toml").write_text(f'modules = ["printer.py"]\n{LIMITS}')
    environment = {name: value for name, value in os.environ.items() if not name.startswith("ORBITS_")} | {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "NO_COLOR": "1",
        "COLUMNS": "200",
        "ORBITS_LEASE": "PT0.5S",
    }

    def said(command: str, status: int = 0) -> str:
        done = subprocess.run(
            command.split(), cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == status, (command, done.stdout, done.stderr)
        return done.stdout + done.stderr

    worker, up, workers = re.findall(r"^\$ (.*)$", PAGE, re.MULTILINE)
    assert re.search("Printer hall +paused +it needs a worker with the label vpn", said(up, 1))
    assert re.search(r"nobody goes on with \w+ \(Printer\)", said(workers))
    assert re.search(r"Printer hall update +SUCCESS", said(worker))


def test_its_limits_and_defaults_are_those_of_the_code() -> None:
    settings = Settings(limits=tomllib.loads(LIMITS)["limits"])
    assert settings.limits["label:plan=large"] == 2
    assert f"`concurrency` ({settings.concurrency})" in PAGE
    assert f"`drain` ({settings.drain.total_seconds() / 60:.0f} min)" in PAGE
    assert f"`threads` ({settings.threads})" in PAGE
    assert f"`suspended` ({settings.suspended:,})" in PAGE
    assert f"`lease` ({settings.lease.total_seconds():.0f} s)" in PAGE
