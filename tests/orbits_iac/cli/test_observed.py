"""`orbits worker --serve --json`: what it shows and logs, with OpenTelemetry and without."""

import asyncio
import json
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest

from orbits_iac import Orbits, Settings
from orbits_iac.registry import import_source
from orbits_iac.store.sqlite import SqliteStore

from .conftest import Project, environment

WITHOUT = "import sys; sys.modules['opentelemetry'] = None; from orbits_iac.cli import main; main()"


def page(url: str) -> tuple[int, str]:
    """The status and text of a page."""
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def events(worker: "subprocess.Popen[str]") -> Iterator[dict[str, Any]]:
    """What a worker writes, a document a line."""
    assert worker.stdout is not None
    yield from map(json.loads, worker.stdout)


def until(lines: Iterator[dict[str, Any]], event: str) -> list[dict[str, Any]]:
    """All documents to the first of this event."""
    found: list[dict[str, Any]] = []
    for document in lines:
        found.append(document)
        if document["event"] == event:
            return found
    raise AssertionError(f"it ended without {event}: {found}")


async def made(project: Project) -> None:
    """Make the store of the project."""
    async with SqliteStore(project.folder / ".orbits" / "state.db"):
        pass


async def test_a_worker_shows_and_logs_what_it_does(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(project.folder)
    talking = import_source("talking.py")
    async with Orbits(Settings(), work=False, modules=("talking.py",)) as orbits:
        execution = await orbits.start(talking.Talking(secret="hunter2-hunter2"))
    worker = project.start("worker", "--serve", "0", "--json", ORBITS_LOG_LEVEL="info", OTEL_TRACES_EXPORTER="nowhere")
    lines = events(worker)
    said = until(lines, "finished")
    if not any(document["event"] == "serves" for document in said):
        said += until(lines, "serves")
    [url] = [document["url"] for document in said if document["event"] == "serves"]
    assert page(f"{url}/readyz") == (200, '{"ready": true}\n')
    status, metrics = page(f"{url}/metrics")
    assert status == 200
    assert 'orbits_steps_total{kind="talking_step",outcome="success"} 1.0\n' in metrics
    assert 'service_name="orbits"' in metrics
    assert "hunter2" not in metrics
    worker.send_signal(signal.SIGTERM)
    out, err = worker.communicate(timeout=30)
    assert worker.returncode == 0, out + err
    unknown, *others = [json.loads(line) for line in err.splitlines()]
    [opened, closed] = [document for document in others if document["logger"] == "talking"]
    about = {"event": "log", "logger": "talking", "execution": execution.id, "tenant": None}
    assert unknown["message"].startswith("no traces are exported to nowhere: it is not installed")
    assert opened.pop("at") < closed.pop("at")
    assert opened == {**about, "level": "info", "message": "opened with **********"}
    assert closed.pop("error").endswith("ValueError: no such door")
    assert closed == {**about, "level": "error", "message": "closed again"}


def test_without_opentelemetry_it_works_and_says_what_to_install(project: Project) -> None:
    asyncio.run(made(project))
    worker = subprocess.Popen(
        [sys.executable, "-c", WITHOUT, "worker", "--serve", "0", "--json"],
        cwd=project.folder,
        env=environment({"OTEL_TRACES_EXPORTER": "console"}),
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    try:
        how, url = "OpenTelemetry is not installed", until(events(worker), "serves")[-1]["url"]
        assert page(f"{url}/metrics") == (501, f"There are no metrics: {how}. pip install 'orbits-iac[metrics]'\n")
        assert page(f"{url}/healthz") == (200, '{"alive": true}\n')
        assert page(f"{url}/readyz") == (200, '{"ready": true}\n')
    finally:
        worker.terminate()
        _, err = worker.communicate(timeout=30)
    assert worker.returncode == 0, err
    assert (
        json.loads(err.splitlines()[0])["message"]
        == f"no traces are exported: {how} (pip install 'orbits-iac[metrics]')"
    )
