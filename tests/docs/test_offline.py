"""docs/offline.md: its test runs, its faults and settings are asked for, its commands say what stands there."""

import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from orbits_aws.offline import OfflineAws

PAGE = (Path(__file__).parents[2] / "docs" / "offline.md").read_text()
SHOP, FAULTS, ACCESS = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
START, ASK = re.findall(r"```console\n(.*?)```", PAGE, re.DOTALL)
MANAGEMENT = "123456789012"


@pytest.mark.slow
def test_the_test_passes(tmp_path: Path) -> None:
    (tmp_path / "test_shop.py").write_text(SHOP)
    (tmp_path / "pytest.ini").write_text("[pytest]\nasyncio_mode = auto\n")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--basetemp=made", "test_shop.py"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    assert "1 passed" in done.stdout


def test_the_faults_and_the_settings_are_taken(aws: OfflineAws) -> None:
    organizations = aws.client("organizations", account=MANAGEMENT)
    organizations.create_account(AccountName="acme", Email="aws+acme@agency.example")
    exec(FAULTS, {"aws": aws})
    kinds = ["error", "throttle", "cut", "lose_answer", "delay", "stale", "error"]
    assert [fault["kind"] for fault in aws.faults()] == kinds
    exec(ACCESS, {"aws": aws})
    settings = aws._server.cloud.settings
    assert set(settings.model_dump(exclude_defaults=True)) == set(type(settings).model_fields)
    aws.ready("acme")


@pytest.fixture
def state(tmp_path: Path) -> Iterator[Path]:
    """The program of the page, on a port that is free, with its state in a file."""
    command = START.splitlines()[0].removeprefix("$ orbits offline ").replace("4566", "0")
    program = [sys.executable, "-m", "orbits_aws.offline", *shlex.split(command)]
    with subprocess.Popen(program, cwd=tmp_path, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            url = process.stdout.readline().strip()
            assert re.fullmatch(r"http://localhost:\d+", url)
            (tmp_path / "url").write_text(url)
            yield tmp_path
        finally:
            process.kill()


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("curl") is None, reason="the page's requests are made with curl, which is not here")
def test_the_requests_are_answered(state: Path) -> None:
    url = (state / "url").read_text()
    said = []
    for line in re.findall(r"^\$ (curl .*)$", ASK, re.MULTILINE):
        words = shlex.split(line.replace("localhost:4566", url.removeprefix("http://")))
        done = subprocess.run([*words, "--fail"], cwd=state, capture_output=True, text=True, check=False)
        assert done.returncode == 0, (line, done.stdout, done.stderr)
        said.append(done.stdout.replace(url, "http://localhost:4566"))
    assert said[0] == ASK.splitlines()[1]
    assert len(said) == 6
    assert (state / "aws.state").exists()
