"""The demo, as `make demo` runs it: every claim holds."""

import os
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.slow
def test_every_claim_of_the_demo_holds(tmp_path: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "AGENCY_HOME"}
    environment["TMPDIR"] = str(tmp_path)  # a worker that is killed leaves the folder of its Node there
    done = subprocess.run(
        [sys.executable, "-m", "orbits_stacks.demo", "--picture", str(tmp_path / "pictures")],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=280,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "✘ " not in done.stdout
    assert done.stdout.count("claims hold") == 6
    for name in ("provision.svg", "release.svg"):
        drawn = (tmp_path / "pictures" / name).read_text(encoding="utf-8")
        assert "bolt" in drawn
        assert "http" not in drawn.replace("http://www.w3.org/", "")
