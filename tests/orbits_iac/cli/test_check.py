"""`orbits state check`: what it says of a store that fits together, and of one that does not."""

import json
import sqlite3
import subprocess
from contextlib import closing

from .conftest import ORBITS, Project, environment

FOUND = """\
message that nobody reads (1)
What has ended has nothing in its inbox. It is emptied with the task; a message that came later is
withdrawn by whoever has sent it, unless that died in between.
  execution {id}: message cancel (cancel) lies in the inbox of what has ended
    → it is deleted
user that is not there (1)
Who uses a record has a record itself. One that is not there, deleted by hand, keeps it from being
removed for ever.
  record Shop acme: Fleet all uses it, and has no record
    whether it still needs it cannot be told: bring its record back (`orbits state rebuild`)
"""


def ran(project: Project, *arguments: str) -> tuple[int, str]:
    done = subprocess.run(
        [*ORBITS, "state", "check", *arguments],
        cwd=project.folder,
        env=environment({}),
        text=True,
        capture_output=True,
        check=False,
    )
    assert not done.stderr
    return done.returncode, "".join(f"{line.rstrip()}\n" for line in done.stdout.splitlines())


def test_what_does_not_fit_is_shown_then_repaired_and_what_is_left_stays_said(project: Project) -> None:
    project.open_gate()
    project.run("up", "shop", "client=acme", "release=9")
    file = project.folder / ".orbits" / "state.db"
    url = f"sqlite:{file}"
    with closing(sqlite3.connect(file)) as connection, connection:
        ((execution,),) = connection.execute("SELECT id FROM execution WHERE kind = 'Shop'").fetchall()
        body = json.dumps({"execution": execution, "id": "cancel", "what": "cancel"})
        connection.execute("INSERT INTO message VALUES (?, 'cancel', ?)", (execution, body))
        users = json.dumps(["direct", "Fleet all"])
        connection.execute("UPDATE record SET body = json_set(body, '$.users', json(?)) WHERE kind = 'Shop'", (users,))
    found = FOUND.format(id=execution)
    assert ran(project) == (1, f"{found}Nothing was written: --repair does what stands behind the arrows.\n")
    code, said = ran(project, "--json")
    document = json.loads(said)
    assert (code, document["left"], document["store"]) == (1, 2, url)
    assert [(one["check"], one["repair"], one["repaired"]) for one in document["found"]] == [
        ("message that nobody reads", "it is deleted", False),
        ("user that is not there", None, False),
    ]
    repaired = f"Repaired: execution {execution}: message that nobody reads\n"
    assert ran(project, "--repair") == (1, found + repaired)
    assert [one["check"] for one in json.loads(ran(project, "--json")[1])["found"]] == ["user that is not there"]
