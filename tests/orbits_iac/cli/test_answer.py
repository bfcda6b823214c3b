"""`orbits answer`: what an execution waits for is shown with the command that sends it, checked, and sent."""

import json
import re

from .conftest import Project, plain, read_until


def waiting(project: Project, stack: str) -> str:
    """Start something that waits for an event, and leave it; the execution's id."""
    up = project.start("up", stack)
    assert up.stdout is not None
    said = read_until(up.stdout, "◇")
    up.terminate()
    _, err = up.communicate(timeout=30)
    found = re.search(r"orbits resume (\w+)", err)
    assert found is not None, said + err
    return found[1]


def test_a_waiting_step_is_shown_with_the_command_that_answers_it(project: Project) -> None:
    execution = waiting(project, "release.py:Release")
    said = plain(project.run("get", execution))
    assert "◇ approval  Approved TOOK  orbits answer ID Approved by=..." in said
    assert "approval waits for Approved: orbits answer ID Approved by=..." in said
    (step,) = json.loads(project.run("get", execution, "--json"))["steps"]
    assert (step["command"], step["kind"], step["state"]) == ("event", "Approved", "IN_PROGRESS")
    assert step["argument"]["required"] == ["by"]


def test_an_answer_goes_on_with_it_and_says_who_it_was(project: Project) -> None:
    execution = waiting(project, "release.py:Release")
    (project.folder / "release.py").rename(project.folder / "away.py")  # the class of the event is not needed
    said = project.run("answer", execution, "Approved", "by=ada", "hours=12", "code=@env:CODE", CODE="s3cret")
    assert plain(said) == "Sent Approved to Release; orbits watch ID shows how it goes on."
    (project.folder / "away.py").rename(project.folder / "release.py")
    assert "✔ Release is done" in project.run("resume", execution)
    document = json.loads(project.run("get", execution, "--json"))
    assert document["result"] == "deployed for ada, within 12 h, 6"
    (sent,) = [event for event in document["events"] if "was sent" in event["why"]]
    assert sent["who"].startswith("ada@")
    assert plain(sent["why"]) == "Approved was sent to it by ada"
    assert "s3cret" not in json.dumps(document)


def test_what_does_not_fit_is_not_sent_here_either(project: Project) -> None:
    execution = waiting(project, "release.py:Release")
    project.run("answer", execution, "Approved", "by=bob", "environment=staging")
    project.run("answer", execution, "Approved", "by=ada")
    project.run("resume", execution)
    assert json.loads(project.run("get", execution, "--json"))["result"] == "deployed for ada, within 1 h, 4"
    assert project.run("get", execution).rstrip().endswith("deployed for ada, within 1 h, 4")


def test_json_says_where_it_stands_now(project: Project) -> None:
    execution = waiting(project, "release.py:Release")
    said = json.loads(project.run("answer", execution, "Approved", "by=ada", "--json"))
    assert said == {"execution": execution, "state": "EXECUTING", "worker": False}


UNABLE = "unable to parse string as an integer"
IS_X = "(environment is Literal['staging', 'production'], and is 'x')"
WRONG = {
    "nothing": ((), "say which event; it, or what it does, waits for:\n  orbits answer ID Approved by=..."),
    "unknown": (
        ("Aproved",),
        "execution ID does not wait for 'Aproved'; it, or what it does, waits for:\n  orbits answer ID Approved by=...",
    ),
    "missing": (("Approved",), "Approved needs by (str): add by=..."),
    "no field": (
        ("Approved", "by=ada", "huors=1"),
        "Approved has no field 'huors'; it has: by, environment, hours, code. Did you mean 'hours'?",
    ),
    "type": (
        ("Approved", "by=ada", "hours=s"),
        f"Approved: hours: Input should be a valid integer, {UNABLE} (hours is int, and is 's')",
    ),
    "enum": (
        ("Approved", "by=ada", "environment=x"),
        f"Approved: environment: Input should be 'staging' or 'production' {IS_X}",
    ),
    "twice": (("Approved", "by=ada", "by=bob"), "by is given twice"),
}


def test_a_wrong_answer_says_what_is_wrong_and_sends_nothing(project: Project) -> None:
    execution = waiting(project, "release.py:Release")
    for arguments, said in WRONG.values():
        assert plain(project.run("answer", execution, *arguments, code=2)) == f"Error: {said}"
    assert "was sent" not in project.run("get", execution, "--all")


def test_what_something_below_waits_for_is_listed_with_its_own_id(project: Project) -> None:
    execution = waiting(project, "release.py:Sites")
    said = project.run("answer", execution, "Postponed", code=2)
    found = re.search(r"\n  orbits answer (\w+) Postponed\n", said)
    assert found is not None, said
    assert found[1] != execution
    project.run("answer", found[1], "Postponed")
    assert "✔ Sites is done" in project.run("resume", execution)
    assert plain(project.run("answer", execution, "Postponed", code=2)) == (
        "Error: execution ID has ended (SUCCESS): it waits for nothing"
    )


def test_an_unknown_execution(project: Project) -> None:
    waiting(project, "release.py:Release")
    for arguments in (("nope", "Approved"), ("nope",)):
        said = project.run("answer", *arguments, code=2)
        assert said == "Error: there is no execution 'nope': `orbits get` lists the recent ones\n"
