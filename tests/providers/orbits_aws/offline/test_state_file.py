"""The state of the offline AWS in a file: saved at the end and by request, loaded at the start, refused if wrong."""

import json
import signal
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import urllib3

from orbits_aws.offline import OfflineAws
from orbits_aws.offline.state_file import StateRefused, read_state, versions, write_state

MANAGEMENT = "123456789012"


@contextmanager
def running(state: Path) -> Generator[tuple[subprocess.Popen[str], OfflineAws]]:
    """The program with a state file, from start to whatever end its user gives it."""
    command = [sys.executable, "-m", "orbits_aws.offline", "--state", str(state)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            with OfflineAws.attach(process.stdout.readline().strip()) as aws:
                yield process, aws
        finally:
            process.kill()


def end(process: subprocess.Popen[str], number: signal.Signals) -> None:
    process.send_signal(number)
    out, err = process.communicate(timeout=30)
    assert (out, err) == ("", "")
    assert process.returncode == (-number if number == signal.SIGKILL else 0)


def topics(aws: OfflineAws) -> list[str]:
    found = aws.client("sns", account=MANAGEMENT).list_topics()["Topics"]
    return sorted(topic["TopicArn"].rpartition(":")[2] for topic in found)


@pytest.mark.slow
def test_what_was_saved_is_there_after_any_end(tmp_path: Path) -> None:
    state = tmp_path / "deep" / "offline.state"
    with running(state) as (process, aws):
        aws.client("sns", account=MANAGEMENT).create_topic(Name="one")
        end(process, signal.SIGTERM)
    with running(state) as (process, aws):
        assert topics(aws) == ["one"]
        sns = aws.client("sns", account=MANAGEMENT)
        sns.create_topic(Name="two")
        answer = urllib3.request("POST", f"{aws.endpoint_url}/_offline/state/save", retries=False)
        assert answer.json() == {"path": str(state)}
        sns.create_topic(Name="lost")
        end(process, signal.SIGKILL)
    with running(state) as (process, aws):
        assert topics(aws) == ["one", "two"]
        end(process, signal.SIGINT)
    assert [file.name for file in state.parent.iterdir()] == [state.name]


def test_a_file_that_cannot_be_loaded_ends_the_program_and_is_left_alone(tmp_path: Path) -> None:
    state = tmp_path / "offline.state"
    state.write_text("no state")
    command = [sys.executable, "-m", "orbits_aws.offline", "--state", str(state)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
    said = f"{state} is no state of an offline AWS. Name another file.\n"
    assert (done.returncode, done.stdout, done.stderr) == (1, "", said)
    assert state.read_text() == "no state"


def changed(path: Path, **head: str) -> None:
    """Write another first line."""
    line, _, content = path.read_bytes().partition(b"\n")
    path.write_bytes(json.dumps({**json.loads(line), **head}).encode() + b"\n" + content)


@pytest.mark.parametrize(
    ("head", "content", "said"),
    [
        ({"moto": "4.0.0"}, b"", "was saved with moto 4.0.0, and this is moto"),
        ({"python": "2.7"}, b"", "was saved with python 2.7"),
        ({"orbits-iac": "0.0.1"}, b"", "remove the file to begin anew"),
        ({"kind": "something"}, b"", "is no state of an offline AWS"),
        ({}, b"more", "is damaged: its digest is another"),
    ],
)
def test_another_versions_and_damaged_files_are_refused(
    tmp_path: Path, head: dict[str, str], content: bytes, said: str
) -> None:
    path = tmp_path / "state"
    write_state(path, b"bytes")
    assert read_state(path) == b"bytes"
    assert set(versions()) == {"moto", "orbits-iac", "python"}
    changed(path, **head)
    path.write_bytes(path.read_bytes() + content)
    with pytest.raises(StateRefused, match=said):
        read_state(path)


def test_a_missing_file_is_refused_and_an_unwritable_place_said(aws: OfflineAws, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="cannot be read: No such file"):
        aws.load(tmp_path / "none")
    (tmp_path / "file").write_text("")
    with pytest.raises(ValueError, match="the state cannot be saved into"):
        aws.save(tmp_path / "file" / "state")
    answer = urllib3.request("POST", f"{aws.endpoint_url}/_offline/state/save", retries=False)
    assert answer.json() == {"error": 'which file? Give {"path": FILE}, or start with --state FILE'}


TRUST = json.dumps({"Statement": [{"Effect": "Allow", "Principal": {"AWS": MANAGEMENT}, "Action": "sts:AssumeRole"}]})
SERVICES: list[tuple[str, str, dict[str, Any], str]] = [
    ("apigateway", "create_rest_api", {"name": "one"}, "get_rest_apis"),
    ("cognito-idp", "create_user_pool", {"PoolName": "one"}, "list_user_pools(MaxResults=9)"),
    ("ecr", "create_repository", {"repositoryName": "one"}, "describe_repositories"),
    ("iam", "create_role", {"RoleName": "one", "AssumeRolePolicyDocument": TRUST}, "list_roles"),
    ("kms", "create_key", {"KeySpec": "RSA_2048", "KeyUsage": "SIGN_VERIFY"}, "list_keys"),
    ("organizations", "create_account", {"AccountName": "acme", "Email": "a@b.example"}, "list_accounts"),
    ("sns", "create_topic", {"Name": "one"}, "list_topics"),
]
"""What moto holds in ways of its own, beside what test_state.py goes through: a call that makes one, one that reads."""


def test_each_service_is_saved_and_loaded(aws: OfflineAws, tmp_path: Path) -> None:
    aws.settings(strict_keys=True, account_polls=1)

    def seen() -> dict[str, Any]:
        found = {}
        for service, _, _, read in SERVICES:
            name, _, rest = read.partition("(")
            arguments = {"MaxResults": 9} if rest else {}
            answer = getattr(aws.client(service, account=MANAGEMENT), name)(**arguments)
            found[service] = {key: value for key, value in answer.items() if key != "ResponseMetadata"}
        return found

    for service, make, arguments, _ in SERVICES:
        getattr(aws.client(service, account=MANAGEMENT), make)(**arguments)
    sts = aws.client("sts", account=MANAGEMENT)
    keys = sts.assume_role(RoleArn=f"arn:aws:iam::{MANAGEMENT}:role/one", RoleSessionName="one")["Credentials"]
    for _ in range(2):
        seen()  # the account has come up
    before = seen()
    aws.save(tmp_path / "state")
    aws.reset()
    assert seen() != before
    aws.load(tmp_path / "state")
    assert seen() == before
    settings = aws._server.cloud.settings
    assert (settings.strict_keys, settings.account_polls) == (True, 1)
    assert sts.get_access_key_info(AccessKeyId=keys["AccessKeyId"])["Account"] == MANAGEMENT
    caller = aws._server.cloud.gateway.callers.of(keys["AccessKeyId"])
    assert caller.session is not None
    assert caller.session.token == keys["SessionToken"]
