"""The README's stack and commands are run as they stand there, against the offline AWS."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from orbits_aws import OfflineAws

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
EXITS = {"preview": 3}  # there is something to do


def test_links_lead_to_files() -> None:
    links = re.findall(r"\]\(([^)#]+)\)", README)
    assert [link for link in links if not link.startswith("http") and not (ROOT / link).exists()] == []


@pytest.mark.slow
def test_the_stack_and_its_commands_work(tmp_path: Path) -> None:
    (stack,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    (tmp_path / "shop.py").write_text(stack)
    (tmp_path / "clients.yaml").write_text("- acme\n- bolt\n")
    commands = re.findall(r"^\$ orbits ((?!offline).*?)\s*(?:#.*)?$", README, re.MULTILINE)
    assert len(commands) == 6
    with OfflineAws() as aws:
        environment = {
            **os.environ,
            "AWS_ENDPOINT_URL": aws.endpoint_url,
            "AWS_ACCESS_KEY_ID": "me",
            "AWS_SECRET_ACCESS_KEY": "me",
            "AWS_DEFAULT_REGION": "eu-west-1",
            "COLUMNS": "120",
        }
        for command in commands:
            words = [*command.split(), *(["--yes"] if command.startswith(("rollback", "uninstall")) else [])]
            done = subprocess.run(
                [Path(sys.executable).with_name("orbits"), *words],
                cwd=tmp_path,
                env=environment,
                capture_output=True,
                text=True,
                check=False,
            )
            assert done.returncode == EXITS.get(words[0], 0), (command, done.stdout, done.stderr)
            assert done.stderr.count("Traceback") == 0
        left = aws.client("sqs", account="acme").list_queues()
        assert "QueueUrls" not in left
