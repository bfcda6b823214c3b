"""Half a minute of it; `make soak` goes on for ten minutes."""

import os
import signal
import subprocess
import sys

import pytest

from tests.servers.mongod import executable

SECONDS = 30


@pytest.mark.slow
def test_half_a_minute_in_which_everything_is_broken_at_random() -> None:
    executable()
    with subprocess.Popen(
        [sys.executable, "-m", "tests.soak", "--seconds", str(SECONDS)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            said, _ = process.communicate(timeout=6 * SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)  # its servers, too
            said, _ = process.communicate()
    assert process.returncode == 0, said
