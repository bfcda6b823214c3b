"""A minute of it; `make soak` goes on for ten."""

import subprocess
import sys

import pytest

from tests.servers.mongod import executable

SECONDS = 60


@pytest.mark.slow
def test_a_minute_in_which_everything_is_broken_at_random() -> None:
    executable()
    done = subprocess.run(
        [sys.executable, "-m", "tests.soak", "--seconds", str(SECONDS)],
        capture_output=True,
        text=True,
        timeout=3 * SECONDS,
        check=False,
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
