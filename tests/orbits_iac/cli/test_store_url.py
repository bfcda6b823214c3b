"""A store's URL may hold a password: no command shows it, whatever goes wrong."""

import gc
import traceback
import warnings
from pathlib import Path
from urllib.parse import quote

import pytest
from typer.testing import CliRunner

pytest.importorskip("pymongo", reason="needs MongoDB's driver: pip install 'orbits-iac[mongodb]'")

from orbits_iac.cli.app import app

SECRET = "c@n/ary:s3cret"
LIMITS = "serverSelectionTimeoutMS=20&connectTimeoutMS=20"
UNREACHABLE = f"mongodb://me:{quote(SECRET, '')}@127.0.0.1:1/team?{LIMITS}"
COMMANDS = [
    ["get"],
    ["get", "--debug"],  # with a traceback
    ["workers"],
    ["state", "export", "out.jsonl"],
]


def _said(arguments: list[str]) -> str:
    done = CliRunner().invoke(app, arguments, prog_name="orbits")
    assert done.exit_code != 0
    said = done.stdout + done.stderr
    if done.exception is not None:
        said += "".join(traceback.format_exception(done.exception))
    del done
    with warnings.catch_warnings():  # the driver forgets the socket of a connection that it was making when closed
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()
    return said.replace("\n", "")


@pytest.mark.parametrize("given", ["flag", "environment", "orbits.toml"])
def test_a_store_that_cannot_be_reached_is_named_without_its_password(
    given: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("ORBITS_STORE", raising=False)
    if given == "environment":
        monkeypatch.setenv("ORBITS_STORE", UNREACHABLE)
    if given == "orbits.toml":
        Path("orbits.toml").write_text(f'store = "{UNREACHABLE}"\n')
    for command in COMMANDS if given == "flag" else COMMANDS[:1]:
        said = _said([*command, "--store", UNREACHABLE] if given == "flag" else command)
        assert "mongodb://127.0.0.1:1/team" in said, command
        assert "s3cret" not in said, command


@pytest.mark.parametrize(
    "url",
    [
        f"mongodb://me:{SECRET}@db/team",
        f"mongo://me:{SECRET}@db/team",
        f"mongodb://me:{quote(SECRET, '')}@db/team?wise=1",
        f"sqlite://me:{SECRET}@db",
    ],
)
def test_a_url_that_is_wrong_is_named_without_its_password(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert "s3cret" not in _said(["get", "--store", url])
