"""`orbits watch`, from another process than the one that goes on with it: a live tree, or events as lines."""

import json
import re

from .conftest import Project, Screen, read_until
from .test_interrupted import ONCE, UP

ESCAPES = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]")
WIPED = re.compile(r"(?:\r|\x1b\[2K|\x1b\[1A)+")  # the lines of the frame before
SPINNER = re.compile(r"[⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏] migrate")


def under_way(project: Project) -> str:
    """An update in a process of its own, as far as its migration; its id."""
    up = project.start(*UP)
    assert up.stderr is not None
    read_until(up.stderr, "looking")
    [row] = [one for one in json.loads(project.run("get", "--json")) if one["kind"] == "Shop"]
    return str(row["id"])


def lines(screen: str) -> list[str]:
    return [re.sub(r" {2,}", "  ", line.rstrip()) for line in ESCAPES.sub("", screen).splitlines()]


def test_on_a_terminal_the_tree_is_drawn_over_itself_until_the_end(project: Project) -> None:
    execution = under_way(project)
    with Screen(project, "watch", execution) as screen:
        drawn = screen.until(lambda text: len(set(SPINNER.findall(text))) > 2)  # it moves
        frame = next(frame for frame in WIPED.split(drawn.replace("\r\n", "\n")) if "50%" in frame)
        assert [re.sub(r"[\d.]+m?s\b|[⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏]", "·", line) for line in lines(frame)] == [
            "· Shop acme  ·",
            "└─ · backend  Backend acme  ·",
            "  ├─ ✔ repository  Box  ·  install",
            "  ├─ ✔ queue  Box  ·",
            "  └─ · migrate  Migrate  ·  ▰▰▰▰▰▱▱▱▱▱ 50%  1 of 2",
        ]
        project.open_gate()
        end = lines(screen.rest())
        assert screen.code == 0
    assert "✔ Shop acme is at revision 1" in re.sub(r" +", " ", "\n".join(end))
    assert any(line.startswith("├─ ✔ backend") for line in end)
    assert any(line.startswith("└─ ✔ announce") for line in end)


def test_ctrl_c_ends_the_watching_and_not_the_execution(project: Project) -> None:
    execution = under_way(project)
    with Screen(project, "watch", execution) as screen:
        screen.until(lambda text: "migrate" in text)
        screen.interrupt()
        screen.rest()
        assert screen.code == 130
    assert json.loads(project.run("get", execution, "--json"))["state"] == "EXECUTING"
    project.open_gate()
    project.run("watch", execution)
    assert json.loads(project.run("get", execution, "--json"))["state"] == "SUCCESS"


def test_json_has_each_event_as_a_line_until_the_end(project: Project) -> None:
    execution = under_way(project)
    watch = project.start("watch", execution, "--json")
    assert watch.stdout is not None
    first = read_until(watch.stdout, '"update/migrate:Migrate:main"')
    project.open_gate()
    out, err = watch.communicate(timeout=30)
    assert watch.returncode == 0, err
    events = [json.loads(line) for line in (first + out).splitlines()]
    assert [event["seq"] for event in events] == sorted({event["seq"] for event in events})
    root = [
        (event["before"], event["after"]) for event in events if event["execution"] == execution and not event["key"]
    ]
    assert [after for _, after in root if after] == ["SLEEPING", "EXECUTING", "SUCCESS"]
    assert {event["kind"] for event in events} >= {"Shop", "Backend", "Box"}
    assert all({"at", "who", "why", "root"} <= set(event) for event in events)


def test_ctrl_c_at_a_question_ends_it_and_nothing_is_done(project: Project) -> None:
    def interrupted(question: str, *words: str) -> None:
        with Screen(project, *words) as screen:
            screen.until(lambda text: question in text and text.endswith(": "))
            screen.waits()
            screen.interrupt()
            assert "Nothing was done." in screen.rest()
            assert screen.code == 130

    project.open_gate()
    interrupted("Do this?", *UP)
    assert project.calls() == []
    project.run(*UP)
    interrupted("Type acme to go on", "uninstall", "shop", "client=acme")
    assert project.calls() == ONCE
