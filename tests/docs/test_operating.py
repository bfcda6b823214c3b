"""docs/operating.md: its commands are there and work, its alerts and metrics are real, its indexes are the code's."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from orbits_iac import Settings
from orbits_iac.store.mongodb_client import OLDEST_WIRE_VERSION
from orbits_iac.store.mongodb_schema import INDEXES
from orbits_iac.telemetry.table import METRICS

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "operating.md").read_text()
BEGIN, END = "<!-- the table is that of orbits_iac/store/mongodb_schema.py -->\n\n", "<!-- the end of the table -->"


@pytest.mark.slow
def test_its_commands_work_on_a_store_that_is_there(tmp_path: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("ORBITS_")} | {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "ORBITS_STORE": "sqlite:state.db",
    }
    make = "import asyncio; from orbits_iac.store import open_store; asyncio.run(open_store('sqlite:state.db').open())"
    script = "\n".join([f'python -c "{make}" || exit 1', *(f"{line} || exit 1" for line in COMMANDS)])
    done = subprocess.run(
        ["/bin/sh", "-c", script], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, (done.stdout, done.stderr)
    assert "no worker runs" in done.stdout
    assert "copy.jsonl" in done.stdout


COMMANDS = re.findall(r"^\$ (.*)$", PAGE, re.MULTILINE)


def test_its_alerts_metrics_and_settings_are_real() -> None:
    alerts = (DOCS / "alerts.yml").read_text()
    named = re.findall(r"\*(Orbits\w+)\*", PAGE)
    assert named
    assert all(f"alert: {name}\n" in alerts for name in named)
    metrics = set(re.findall(r"`(orbits_\w+)`", PAGE))
    assert metrics <= {metric.for_prometheus for metric in METRICS}
    assert OLDEST_WIRE_VERSION == 13  # MongoDB 5.0's
    assert f"ended {Settings().keep_executions.days} days ago" in PAGE
    assert f"the last {Settings().keep_revisions} of each record" in PAGE


def test_its_indexes_are_those_that_are_made() -> None:
    rows = [
        f"| {index.collection} | `{index.name}` | {', '.join(name for name, _ in index.keys)} |\n" for index in INDEXES
    ]
    head = "| collection | index | keys |\n|---|---|---|\n"
    assert PAGE.partition(BEGIN)[2].partition(END)[0] == head + "".join(rows) + "\n"
