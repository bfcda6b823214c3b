"""Pausing, ending, setting a handle and replaying, from the command line."""

import json

from .conftest import Project, plain
from .test_interrupted import ONCE, interrupted


def test_a_paused_execution_waits_for_resume(project: Project) -> None:
    execution = interrupted(project)
    assert plain(project.run("pause", execution)) == "Asked Shop acme to pause; orbits resume ID lets it go on."
    project.run("worker", "--once")
    assert json.loads(project.run("get", execution, "--json"))["state"] == "PAUSED"
    assert "asked to pause" in project.run("get", execution, "--all")
    project.open_gate()
    assert "✔ Shop acme is at revision 1" in plain(project.run("resume", execution))
    assert project.calls() == ONCE


def test_a_step_is_ended_by_hand_with_its_result(project: Project) -> None:
    execution = interrupted(project)
    said = project.run("end", execution, "-p", "backend.migrate", "--state", "success", "--result", "5")
    assert plain(said) == "Asked Shop acme to end its step backend.migrate as SUCCESS; orbits get ID shows it."
    assert "✔ Shop acme is at revision 1" in plain(project.run("resume", execution))
    assert "5 migrations" in project.run("get", execution, "--all")


def test_an_execution_is_ended_by_hand_and_replayed(project: Project) -> None:
    execution = interrupted(project)
    project.run("end", execution, "--state", "error", "--why", "the client has left")
    assert "the client has left" in project.run("resume", execution, code=1)
    assert json.loads(project.run("get", execution, "--json"))["state"] == "ERROR"
    project.open_gate()
    said = plain(project.run("replay", execution, "-p", "backend"))
    assert "✔ Shop acme is at revision 1" in said
    assert project.calls()[-2:] == ONCE[-2:]


def test_a_handle_is_set(project: Project) -> None:
    execution = interrupted(project)
    said = project.run("set-handle", execution, "backend.migrate", '"0003"')
    assert plain(said) == "Gave backend.migrate of Shop acme another handle; orbits watch ID shows what comes of it."
    project.open_gate()
    project.run("resume", execution)
    below = json.loads(project.run("get", execution, "--json"))["below"]
    assert [row["state"] for row in below if row["kind"] == "Backend"] == ["SUCCESS"]


def test_what_makes_no_sense_is_said(project: Project) -> None:
    execution = interrupted(project)
    cases = {
        ("end", execution, "--state", "reverted"): (
            "--state reverted is no way to end it: give one of CANCELLED, ERROR, SUCCESS"
        ),
        ("end", execution, "--state", "success"): (
            "Shop acme: a command cannot be declared a success, since its record would say what does not stand; end "
            "it as ERROR or CANCELLED, and run it again"
        ),
        ("end", execution, "-p", "backend", "--state", "error"): "backend is an execution of its own: say it of ID",
        ("end", execution, "-p", "no", "--state", "error"): (
            "execution ID has no step 'no'; it has: backend, backend.migrate, backend.queue, backend.queue.create, "
            "backend.queue.read, backend.repository, backend.repository.create, backend.repository.read"
        ),
        ("set-handle", execution, "backend.migrate", "0003x"): (
            "the handle is not JSON: Extra data: line 1 column 2 (char 1); text stands in quotes of its own: '\"text\"'"
        ),
        ("replay", execution): "execution ID (Shop update) is under way: cancel it first, or wait for its end",
        ("replay", "1nnnnnnnnnnnnnnnn"): "there is no execution 'ID': `orbits get` lists the recent ones",
    }
    for command, message in cases.items():
        assert plain(project.run(*command, code=2)) == f"Error: {message}"
