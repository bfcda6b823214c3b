"""docs/pipeline.md: its workflow's commands run in their order, against an offline AWS that looks at tokens and trust
policies, and a real MongoDB; the steps that need GitHub or the network are left out by name."""

import base64
import json
import os
import re
import subprocess
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from botocore.exceptions import ClientError

from orbits_aws import OfflineAws, testing
from orbits_iac.cli.comment import LONGEST
from tests.servers.commands import Commands
from tests.servers.shell import Shell, shell

PAGE = (Path(__file__).parents[2] / "docs" / "pipeline.md").read_text()
ISSUER = "token.actions.githubusercontent.com"
ELSEWHERE = {"Install", "Sign in to AWS", "Comment", "Get the plan that was shown"}
"""The steps that need GitHub or the network; so does each with `uses`."""


[FLEET], [CLIENTS, WORKFLOW_FILE], [POLICY] = (
    re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL) for language in ("python", "yaml", "json")
)
WORKFLOW: dict[str, Any] = yaml.safe_load(WORKFLOW_FILE)
TRUST = json.loads(POLICY)


class Runner:
    """Runs the jobs of the workflow in a folder, as GitHub's runner does what we have of it."""

    def __init__(self, folder: Path, shell: Shell, known: Mapping[str, str], outside: Mapping[str, str]) -> None:
        self.folder = folder
        self._shell = shell
        self._known = known  # the expressions that the workflow uses
        self._outside = dict(outside)

    def job(self, name: str) -> "subprocess.CompletedProcess[str]":
        """Run the commands of a job one after the other; the last of them."""
        job = WORKFLOW["jobs"][name]
        (self.folder / "token").write_text(token(job["environment"]))
        signed_in = {"AWS_WEB_IDENTITY_TOKEN_FILE": str(self.folder / "token")}
        done: list[subprocess.CompletedProcess[str]] = []
        for step in job["steps"]:
            if "run" not in step or step["name"] in ELSEWHERE:
                continue
            env = {**WORKFLOW["env"], **job["env"], **step.get("env", {})}
            given = {key: self._read(str(value)) for key, value in env.items()}
            done.append(self._shell.run(step["run"], cwd=self.folder, env={**self._outside, **signed_in, **given}))
            if done[-1].returncode:
                break
        return done[-1]

    def _read(self, value: str) -> str:
        return re.sub(r"\$\{\{ *(.*?) *\}\}", lambda found: self._known[found[1]], value)


def token(environment: str) -> str:
    """What GitHub would sign for a job in this environment."""
    claims = {"iss": f"https://{ISSUER}", "aud": "sts.amazonaws.com", "exp": time.time() + 300}
    claims["sub"] = f"repo:agency/fleet:environment:{environment}"
    return f"e30.{base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip('=')}.none"


@pytest.fixture
def accounts(aws: OfflineAws) -> dict[str, str]:
    """Two clients' accounts, and the roles of the page."""
    iam = aws.client("iam", account=testing.MANAGEMENT)
    iam.create_open_id_connect_provider(Url=f"https://{ISSUER}", ClientIDList=["sts.amazonaws.com"])
    for name, environment in (("fleet-preview", "preview"), ("fleet-deploy", "production")):
        trust = json.dumps(TRUST).replace("environment:production", f"environment:{environment}")
        iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust)
    organizations = aws.client("organizations", account=testing.MANAGEMENT)
    for name in ("acme", "bolt"):
        organizations.create_account(AccountName=name, Email=f"aws+{name}@agency.example")
    return {name: aws.account(name) for name in ("acme", "bolt")}


@pytest.fixture
def runner(
    tmp_path: Path, aws: OfflineAws, accounts: dict[str, str], mongodb: str, commands: Commands
) -> Iterator[Runner]:
    (tmp_path / "fleet.py").write_text(FLEET)
    own = CLIENTS.replace("111122223333", accounts["acme"]).replace("444455556666", accounts["bolt"])
    (tmp_path / "clients.yaml").write_text(own)
    known = {
        "github.actor": "ada",
        "secrets.ORBITS_STORE": mongodb,
        "secrets.ORBITS_SECRET_KEY": base64.urlsafe_b64encode(bytes(32)).decode(),
    }
    outside = {
        "PATH": os.environ["PATH"],
        "AWS_ENDPOINT_URL": aws.endpoint_url,
        "AWS_EC2_METADATA_DISABLED": "true",
        "COLUMNS": "200",
    }
    (tmp_path / "programs").mkdir()
    with shell(commands, tmp_path / "programs") as bash:
        yield Runner(tmp_path, bash, known, outside)


def test_what_a_pull_request_showed_is_done_when_it_is_merged_or_nothing(
    runner: Runner, aws: OfflineAws, accounts: dict[str, str]
) -> None:
    shown = runner.job("preview")
    assert (shown.returncode, shown.stderr) == (0, "")
    comment = (runner.folder / "comment.md").read_text()
    assert comment.startswith("<!-- orbits preview default Shops Shops update -->\n")
    assert "To do: 2 to create" in comment
    assert len(comment) <= LONGEST

    clients = runner.folder / "clients.yaml"
    clients.write_text(clients.read_text() + "  overrides: {days: 1}\n")
    refused = runner.job("up")
    assert refused.returncode == 2
    assert "tenant[bolt] (Shop bolt): days: 4 → 1." in refused.stderr
    assert not aws.calls("sqs", writes=True)

    assert runner.job("preview").returncode == 0
    done = runner.job("up")
    assert done.returncode == 0, done.stdout
    assert {name: retention(aws, account) for name, account in accounts.items()} == {"acme": 4, "bolt": 1}
    assert runner.job("preview").returncode == 0
    assert "**Nothing to do.**" in (runner.folder / "comment.md").read_text()


def test_a_job_of_another_environment_cannot_deploy(aws: OfflineAws, accounts: dict[str, str]) -> None:
    sts = aws.client("sts", account=testing.MANAGEMENT)
    role = WORKFLOW["jobs"]["up"]["env"]["AWS_ROLE_ARN"]
    asked = {"RoleArn": role, "RoleSessionName": "ci"}
    assert sts.assume_role_with_web_identity(WebIdentityToken=token("production"), **asked)
    with pytest.raises(ClientError, match="Not authorized to perform sts:AssumeRoleWithWebIdentity"):
        sts.assume_role_with_web_identity(WebIdentityToken=token("preview"), **asked)


def retention(aws: OfflineAws, account: str) -> int:
    """For how many days an account's queue keeps an order."""
    sqs = aws.client("sqs", account=account, region="eu-central-1")
    url = sqs.get_queue_url(QueueName="orders")["QueueUrl"]
    found = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["MessageRetentionPeriod"])["Attributes"]
    return int(found["MessageRetentionPeriod"]) // 86400


def test_the_steps_that_are_left_out_are_told() -> None:
    said = PAGE.partition("## What is not tried")[2]
    left = set(re.findall(r"`([A-Z][^`]*)`", said)) - {"Preview", "Up"}
    assert left == ELSEWHERE
    there = {step["name"] for job in WORKFLOW["jobs"].values() for step in job["steps"] if "run" in step}
    assert there == ELSEWHERE | {"Preview", "Up"}
