"""docs/import-tenants.md: its commands are run against an offline AWS with stacks that somebody has made, and say what
stands there."""

import json
import os
import re
import shlex
from pathlib import Path
from typing import Any

from orbits_aws import OfflineAws, testing
from tests.servers.commands import Commands

PAGE = (Path(__file__).parents[2] / "docs" / "import-tenants.md").read_text()
COMMAND = re.compile(r"^\$ orbits (.*?)(?:  # exits with (\d))?$", re.MULTILINE)
NUMBERS = {"acme": "111122223333", "bolt": "444455556666", "cafe": "777788889999"}
MANIFEST = {
    "version": "48.0.0",
    "artifacts": {
        "Web": {
            "type": "aws:cloudformation:stack",
            "environment": "aws://unknown-account/unknown-region",
            "properties": {"templateFile": "Web.template.json"},
        }
    },
}


def template(wait: int, **more: Any) -> str:
    queue = {"QueueName": "jobs", "ReceiveMessageWaitTimeSeconds": wait, **more}
    resources = {"Jobs": {"Type": "AWS::SQS::Queue", "Properties": queue}}
    return json.dumps({"Resources": resources, "Outputs": {"JobsUrl": {"Value": {"Ref": "Jobs"}}}})


def _lines(text: str) -> list[str]:
    return [" ".join(line.split()) for line in text.splitlines() if line.strip()]


def test_each_command_says_what_the_page_says(tmp_path: Path, aws: OfflineAws, commands: Commands) -> None:
    accounts = {}
    for name, number in NUMBERS.items():
        organizations = aws.client("organizations", account=testing.MANAGEMENT)
        organizations.create_account(AccountName=name, Email=f"{name}@agency.example")
        accounts[number] = aws.account(name)
    for client, name, body in (
        ("acme", "client-acme-web", template(20)),
        ("bolt", "client-bolt-web", template(5)),
        ("bolt", "client-zeta-web", template(5, QueueName="zeta")),
    ):
        aws.client("cloudformation", account=client).create_stack(StackName=name, TemplateBody=body)
    page = PAGE
    for number, account in accounts.items():
        page = page.replace(number, account)
    [program] = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    [listed] = re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)
    (tmp_path / "sites.py").write_text(program)
    (tmp_path / "clients.yaml").write_text(listed)
    (tmp_path / "cdk.out").mkdir()
    (tmp_path / "cdk.out" / "manifest.json").write_text(json.dumps(MANIFEST))
    (tmp_path / "cdk.out" / "Web.template.json").write_text(template(20))
    env = {name: value for name, value in os.environ.items() if name.startswith("AWS_")}
    for block in re.findall(r"```console\n(.*?)```", page, re.DOTALL):
        parts = COMMAND.split(block)
        for command, code, shown in zip(parts[1::3], parts[2::3], parts[3::3], strict=True):
            done = commands.run(shlex.split(command), cwd=tmp_path, env={**env, "NO_COLOR": "1", "COLUMNS": "120"})
            assert done.returncode == int(code or 0), (command, done.stdout, done.stderr)
            wanted = _lines(shown)
            assert _lines(done.stdout)[-len(wanted) :] == wanted or not wanted, (command, done.stdout)
    [stack] = aws.client("cloudformation", account="acme").describe_stacks()["Stacks"]
    assert (stack["StackName"], stack["StackStatus"]) == ("client-acme-web", "UPDATE_COMPLETE")
