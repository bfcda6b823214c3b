"""Code that was reverted with an execution under way: it is shown, left alone, and gone on with when that is told."""

import json

from .conftest import Project, plain
from .test_interrupted import ONCE, interrupted


def test_a_build_that_was_reverted_leaves_the_execution_until_it_is_told_to_go_on(project: Project) -> None:
    project.open_gate()
    project.run("up", "shop", "client=before", "release=1")
    (project.folder / "gate").unlink()
    before = len(project.calls())
    code = project.folder / "shop.py"
    older = code.read_text()
    code.write_text(older + "\n# A change that is reverted again.\n")
    execution = interrupted(project)
    code.write_text(older)
    project.open_gate()

    refused = project.run("resume", execution, code=2)
    assert plain(refused) == (
        "Error: it is of build BUILD, and the workers that run are of earlier ones (BUILD): start a worker of that "
        "code that imports shop.py, or go on with the older code: orbits resume ID --here"
    )
    project.run("worker", "--once", ORBITS_LEASE="PT0.5S")
    shown = project.run("get", execution).splitlines()
    assert f"Backend acme is paused: {refused.removeprefix('Error: ').rstrip()}" in shown
    assert "Backend acme, now: no worker runs that would have the kind Backend: start one that imports shop.py" in shown
    assert project.calls()[before:] == ONCE[:3]

    assert "✔ Shop acme is at revision 1" in plain(project.run("resume", execution, "--here"))
    assert project.calls()[before:] == ONCE
    events = json.loads(project.run("get", execution, "--json"))["events"]
    assert {event["execution"] for event in events if "instead of its own" in event["why"]} >= {execution}
