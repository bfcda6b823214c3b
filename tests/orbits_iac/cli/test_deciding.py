"""What was left is shown with its reason, and decided from the command line."""

import json

from .conftest import Project, plain

LEFT = """\
╭─ ✘ Buys ─────────────────────────────────────────────────────────────────────────────────────────╮
│ pay  ValueError                                                                                  │
│   no money                                                                                       │
│                                                                                                  │
│ → it could not all be brought back, and needs a decision                                         │
│   left: order: its undo failed: OSError: the shop is closed                                      │
│   orbits answer ID accept why=...    lets it stand as it is                       │
│   orbits answer ID retry    tries again to bring it back                          │
│ execution ID; all of it: orbits get ID                              │
╰──────────────────────────────────────────────────────────────────────────────────────────────────╯"""


def quarantined(project: Project) -> str:
    project.run("up", "leaves.py:Buys", code=1)
    [row] = json.loads(project.run("get", "--json"))
    assert row["state"] == "QUARANTINED"
    return str(row["id"])


def test_what_is_left_is_shown_with_what_decides_it(project: Project) -> None:
    execution = quarantined(project)
    assert plain(LEFT) in plain(project.run("get", execution))
    assert plain(project.run("answer", execution, code=2)) == plain(
        "Error: execution ID is QUARANTINED, and say which; it needs a decision:\n"
        "  orbits answer ID accept why=...    lets it stand as it is\n"
        "  orbits answer ID retry    tries again to bring it back"
    )
    assert "'perhaps' is none" in project.run("answer", execution, "perhaps", code=2)
    assert "a decision takes why=..., and nothing else" in project.run("answer", execution, "accept", "x=1", code=2)


def test_it_is_brought_back_with_another_try(project: Project) -> None:
    execution = quarantined(project)
    (project.folder / "open").touch()
    said = plain(project.run("answer", execution, "retry"))
    assert said == "Buys tries again to bring back what was left; orbits watch ID shows how it ends."
    project.run("resume", execution, code=1)
    assert json.loads(project.run("get", execution, "--json"))["state"] == "REVERTED"


def test_it_is_accepted_and_who_said_so_is_recorded(project: Project) -> None:
    execution = quarantined(project)
    project.run("answer", execution, "accept", "why=the book is good")
    document = json.loads(project.run("get", execution, "--json"))
    assert document["state"] == "ERROR"
    assert (document["events"][-1]["why"], document["events"][-1]["who"][:4]) == (
        "what was left is accepted: the book is good",
        "ada@",
    )
