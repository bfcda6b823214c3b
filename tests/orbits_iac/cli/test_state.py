"""`orbits state prune`: shows what would go, and deletes it only when it is told to.

The tests of this module are one story: they use one project, in the order in which they stand.
"""

import json
import re

from .conftest import Project

PRUNED = """\
executions  command  asked for  with all below  row kept  first  last
Shop  update  6  25  7  DATE  DATE
revisions of  identity  numbers
Shop  acme  1-3"""
ALL = ("state", "prune", "--keep-executions", "0", "--keep-revisions", "2")


def dated(text: str) -> str:
    lines = re.sub(r"\d{4}-\d\d-\d\d", "DATE", text).splitlines()
    return "\n".join(re.sub(r"(?<=\S) {2,}", "  ", line.rstrip()) for line in lines)


def test_nothing_that_ended_lately_goes(shared: Project) -> None:
    for release in range(1, 6):
        shared.run("up", "shop", "client=acme", f"release={release}")
    shared.run("up", "shop", "client=acme", "release=5")
    assert shared.run("state", "prune") == "nothing is old enough to go\n"


def test_what_would_go_is_shown_and_stays(shared: Project) -> None:
    shown = dated(shared.run(*ALL))
    assert shown == PRUNED + "\nNothing was deleted: --yes does it."
    assert dated(shared.run(*ALL)) == shown
    document = json.loads(shared.run(*ALL, "--json"))
    assert document["done"] is False
    assert document["freed"] is None
    assert {"kind": "Shop", "identity": "acme", "numbers": [1, 2, 3]} in document["revisions"]


def test_yes_deletes_it_and_gives_the_room_back(shared: Project) -> None:
    said = dated(shared.run(*ALL, "--yes", "--compact"))
    assert re.fullmatch(re.escape(PRUNED) + r"\n[\d.]+ MB were given back", said)
    assert shared.run(*ALL) == "nothing is old enough to go\n"
    history = json.loads(shared.run("history", "Shop", "acme", "--json"))
    assert [row["number"] for row in history["revisions"]] == [4, 5]


def test_the_stack_goes_on_as_before(shared: Project) -> None:
    shared.run("rollback", "shop", "client=acme", "--yes")
    assert json.loads(shared.run("get", "Shop", "acme", "--json"))["revision"] == 4
