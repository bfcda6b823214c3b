"""Real processes, stopped in the middle: what was under way goes on elsewhere, and nothing is done twice."""

import json
import re
import signal
import subprocess

from .conftest import Project, plain, read_until

UP = ("up", "shop", "client=acme", "release=8")
ONCE = ["create acme-git", "create acme-queue", "migrate 0002", "create acme-site", "announce release 8 4"]


def interrupted(project: Project) -> str:
    """Start an update, interrupt it while the migration is under way; the execution's id."""
    up = project.start(*UP)
    assert up.stderr is not None
    read_until(up.stderr, "looking")
    up.send_signal(signal.SIGINT)
    out, err = up.communicate(timeout=30)
    assert up.returncode == 130, out + err
    found = re.search(r"To go on: orbits resume (\w+)\n", err)
    assert found is not None, err
    return found[1]


def test_one_ctrl_c_says_how_to_resume_and_resume_goes_on_at_the_step_it_was_at(project: Project) -> None:
    execution = interrupted(project)
    assert project.calls() == ONCE[:3]
    assert "state      EXECUTING" in project.run("get", execution)
    project.open_gate()
    assert "✔ Shop acme is at revision 1" in plain(project.run("resume", execution))
    assert project.calls() == ONCE
    assert project.run("resume", execution, code=2) == (
        f"Error: execution {execution} has ended (SUCCESS): there is nothing to resume. See: orbits get {execution}\n"
    )


def test_whoever_waits_for_another_execution_is_told_for_which_and_what_to_do_if_nobody_goes_on_with_that(
    project: Project,
) -> None:
    up = project.start(*UP)
    assert up.stderr is not None
    read_until(up.stderr, "looking")
    [first] = [row["id"] for row in json.loads(project.run("get", "--json")) if row["kind"] == "Shop"]
    waits = f"waits for execution {first}: update of Shop acme by ada@"
    second = project.start("up", "shop", "client=acme", "release=9")
    assert second.stdout is not None
    read_until(second.stdout, waits)
    for process in (second, up):
        process.send_signal(signal.SIGINT)
        assert ended(process) == 130
    nobody = "; nobody goes on with that: no worker runs that would have the kind"
    [*_, waiting] = [row["id"] for row in reversed(json.loads(project.run("get", "--json"))) if row["kind"] == "Shop"]
    assert waiting != first
    watch = project.start("watch", waiting)
    assert watch.stdout is not None
    said = read_until(watch.stdout, nobody)
    assert waits in said
    assert said.endswith(f"; to drop it: orbits cancel {first}, then orbits resume {first} --here, which ends it\n")
    watch.send_signal(signal.SIGINT)
    assert ended(watch) == 130


def test_a_second_ctrl_c_leaves_at_once(project: Project) -> None:
    up = project.start("up", "stuck.py:Stuck")
    assert up.stderr is not None
    read_until(up.stderr, "stuck")
    up.send_signal(signal.SIGINT)
    read_until(up.stderr, "Ctrl-C again leaves at once")
    up.send_signal(signal.SIGINT)
    up.communicate(timeout=30)
    assert up.returncode == 130


def test_a_worker_that_is_killed_is_replaced_by_another(project: Project) -> None:
    execution = interrupted(project)
    killed = project.start("worker", "--once")
    assert killed.stderr is not None
    read_until(killed.stderr, "looking")
    killed.kill()
    killed.communicate(timeout=30)
    project.open_gate()
    said = project.run("worker", "--once", "--json")
    events = [json.loads(line) for line in said.splitlines()]
    assert [(e["event"], e.get("kind"), e.get("state")) for e in events] == [
        ("started", None, None),
        ("finished", "Backend", "SUCCESS"),
        ("finished", "Box", "SUCCESS"),
        ("finished", "Shop", "SUCCESS"),
        ("stopped", None, None),
    ]
    assert project.calls() == ONCE
    assert "state      SUCCESS" in project.run("get", execution)


def test_watch_follows_from_another_process_and_cancel_ends_it(project: Project) -> None:
    up = project.start(*UP)
    assert up.stderr is not None
    read_until(up.stderr, "looking")
    (running, *_) = json.loads(project.run("get", "--json"))
    tree = project.start("watch", running["id"])
    assert tree.stdout is not None
    read_until(tree.stdout, "▸ backend.migrate")
    events = project.start("watch", running["id"], "--json")
    assert events.stdout is not None
    read_until(events.stdout, '"update/migrate:Migrate:main"')
    assert project.run("cancel", running["id"]) == (
        f"Asked Shop acme to cancel; orbits watch {running['id']} shows how it ends.\n"
    )
    project.open_gate()
    assert [ended(process) for process in (up, tree, events)] == [1, 1, 1]
    assert "state      CANCELLED" in project.run("get", running["id"])
    assert json.loads((project.folder / "cloud.json").read_text()) == {"acme-git": 1}


def ended(process: "subprocess.Popen[str]") -> int:
    process.communicate(timeout=30)
    return process.returncode
