"""docs/state.md: its stack and its commands, in the order of the page."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from orbits_aws import OfflineAws

PAGE = (Path(__file__).parents[2] / "docs" / "state.md").read_text()
[STACK] = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
COMMANDS = re.findall(r"^\$ (.*)$", PAGE, re.MULTILINE)
ORBITS = [sys.executable, "-c", "from orbits_iac.cli import main; main()"]


def test_what_is_lost_is_recorded_again_and_what_is_anothers_is_taken_over(aws: OfflineAws, tmp_path: Path) -> None:
    (tmp_path / "orders.py").write_text(STACK)

    def ran(line: str) -> str:
        given, _, rest = line.partition("orbits ")
        arguments = rest.partition("#")[0].split()
        environment = {**os.environ, "NO_COLOR": "1", "COLUMNS": "120", **dict(one.split("=") for one in given.split())}
        done = subprocess.run(
            [*ORBITS, *arguments], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, (line, done.stdout, done.stderr)
        return done.stdout

    up, export, import_, check, remove, rebuild, preview, again, take_over = COMMANDS
    assert remove == "rm -r .orbits"
    assert "Welcome, acme!" in ran(up)
    assert "state.db is in state.jsonl: " in ran(export)
    assert re.search(r"copy/state.db: \d+ rows written\nIts secrets stay encrypted", ran(import_))
    assert ran(check).endswith(" rows fit together\n")
    shutil.rmtree(tmp_path / ".orbits")
    before = len(aws.calls(writes=True))
    said = ran(rebuild)
    assert re.search(r"AwsAccount +acme@agency.example", said), said
    assert "Taken as done, not run: Orders acme: welcome" in said
    ran(preview)
    assert "Welcome" not in ran(again)
    assert len(aws.calls(writes=True)) == before
    shutil.rmtree(tmp_path / ".orbits")
    ran(take_over)
    sqs = aws.client("sqs", account="acme")
    [url] = sqs.list_queues()["QueueUrls"]
    assert sqs.list_queue_tags(QueueUrl=url)["Tags"]["orbits:project"] == "shop"
