"""docs/team.md: its commands move a store into a real MongoDB; its unit, image and deployment start what there is."""

import configparser
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from orbits_iac import Settings
from orbits_iac.store.mongodb_url import parse

PAGE = (Path(__file__).parents[2] / "docs" / "team.md").read_text()
ONE_NODE = "mongodb://127.0.0.1/orbits?replicaSet=rs0"


def block(language: str) -> str:
    """The one block of the page in this language."""
    [found] = re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)
    return str(found)


@pytest.mark.slow
def test_a_project_moves_into_a_mongodb_and_goes_on_there(tmp_path: Path, mongodb: str) -> None:
    (tmp_path / "shop.py").write_text(block("python"))
    lines = "\n".join(re.findall(r"^\$ (.*)$", PAGE, re.MULTILINE))
    assert lines.count(ONE_NODE) == 1
    script = "\n".join(f"{line} || exit 1; echo '---'" for line in lines.replace(ONE_NODE, mongodb).splitlines())
    environment = {name: value for name, value in os.environ.items() if not name.startswith("ORBITS_")} | {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "NO_COLOR": "1",
        "COLUMNS": "160",
    }
    done = subprocess.run(
        ["/bin/sh", "-c", script], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, (done.stdout, done.stderr)
    up, export, key, store, moved, history, again, worker, workers = done.stdout.split("---\n")[:-1]
    assert "https://acme.shop.example" in up
    assert "is in moved.jsonl" in export
    assert (key, store, worker) == ("", "", "")
    assert parse(mongodb).shown in moved
    assert re.search(r"▸ +1 .*client=acme", history), history
    assert "https://globex.shop.example" in again
    assert "no worker runs" in workers


def test_the_addresses_are_ones_that_a_store_takes() -> None:
    addresses = re.findall(r"`(mongodb(?:\+srv)?://[^`]*)`", PAGE)
    assert len(addresses) == 3
    for address in addresses:
        assert parse(address).database == "orbits"
        assert "PASSWORD" not in parse(address).shown


def test_services_start_a_worker_with_options_that_it_has_and_wait_for_it_to_drain() -> None:
    unit = configparser.ConfigParser(interpolation=None)
    unit.optionxform = str  # type: ignore[assignment,method-assign]  # names of systemd's have capitals
    unit.read_string(block("ini"))
    [entry] = re.findall(r"^ENTRYPOINT (.*)$", block("dockerfile"), re.MULTILINE)
    deployment: dict[str, Any] = yaml.safe_load(block("yaml"))
    pod = deployment["spec"]["template"]["spec"]
    [container] = pod["containers"]
    image = json.loads(entry)
    command = unit["Service"]["ExecStart"].split()
    assert command[1] == image[1] == "worker"
    orbits = str(Path(sys.executable).with_name("orbits"))
    said = subprocess.run([orbits, "worker", "--help"], check=True, stdout=subprocess.PIPE)
    used = {word for word in (*command, *image, *container["args"]) if word.startswith("--")}
    assert used == {"--json", "--serve", "--concurrency"}
    assert all(option in said.stdout.decode() for option in used)
    drain = Settings().drain.total_seconds()
    assert float(unit["Service"]["TimeoutStopSec"]) > drain
    assert pod["terminationGracePeriodSeconds"] > drain
    assert [port["containerPort"] for port in container["ports"]] == [int(image[-1].rpartition(":")[2])]
    assert container["livenessProbe"]["httpGet"] == {"path": "/healthz", "port": "http"}
    assert container["readinessProbe"]["httpGet"] == {"path": "/readyz", "port": "http"}
    assert Settings().lease.total_seconds() == 10
    assert "its lease has to run out first:\nten seconds" in PAGE
