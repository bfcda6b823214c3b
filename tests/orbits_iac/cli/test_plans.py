"""A plan from its preview to its execution, by another or at once; and what is no longer done, from first to last.

The tests of this module are one story: they use one project, in the order in which they stand.
"""

import json

import pytest

from .conftest import Project, plain

STOCK = ("stock.py:Stock", "name=s")
AB, B = 'boxes=["a", "b"]', 'boxes=["b"]'


def there(project: Project) -> dict[str, int]:
    """The boxes that there are."""
    found: dict[str, int] = json.loads((project.folder / "stock.json").read_text())
    return found


def ids(project: Project) -> list[str]:
    """The executions that were asked for, the newest first."""
    return [row["id"] for row in json.loads(project.run("get", "--json"))]


def test_a_preview_is_kept_as_a_plan_without_its_secrets(shared: Project) -> None:
    asked = (*STOCK, B, "counted=true", "token=canary-77")
    said = plain(shared.run("preview", *asked, "--out", "plan.json", code=3))
    assert said == plain("""\
Stock s   + create  then what depends on count
└─ count  count  ▸ runs

To do: 1 to run, and what depends on them.
Plan BUILD is kept in plan.json. To do it: orbits up --plan plan.json""")
    assert "canary" not in (shared.folder / "plan.json").read_text()
    assert not (shared.folder / "stock.log").exists()


def test_what_the_plan_could_not_show_waits_for_approval(shared: Project) -> None:
    said = plain(shared.run("up", "--plan", "plan.json", code=3))
    assert said == plain("""\
TIME  ▸ Stock s
TIME  ▸ count    count
TIME  ✔ count    count TOOK
TIME  ‖ Stock s  paused  plan BUILD does not show counter (Box), which follows from what was done: it waits for approval

It has come to what the plan could not show:
Stock s     + create  then what depends on counter
├─ count    count  = done
└─ counter  Box    + create

To do: 1 to create, and what depends on them.
It waits for approval. To approve what it shows: orbits resume ID, on a terminal
To approve all that follows too, unseen: orbits resume ID --approve-deferred""")
    assert (shared.folder / "stock.log").read_text() == "count 1 9\n"


def test_resume_on_a_terminal_shows_it_and_asks(shared: Project) -> None:
    (waiting, *_) = ids(shared)
    said = plain(shared.talk("resume", waiting, says="yes\nall\n"))
    assert said.count("It has come to what the plan could not show:") == 2
    assert said.splitlines()[-1] == "✔ Stock s is at revision 1 TOOK"
    assert there(shared) == {"counter": 2, "b": 1}


def test_a_plan_is_done_once(shared: Project) -> None:
    assert plain(shared.run("up", "--plan", "plan.json", code=2)) == (
        "Error: plan BUILD no longer holds: of Stock s stood nothing, and revision 1 stands now (by ada). Make a new "
        "one with `orbits preview`."
    )


def test_what_is_no_longer_done_stays_and_is_named(shared: Project) -> None:
    said = plain(shared.run("up", *STOCK, AB))
    assert said.splitlines()[-2:] == [
        "✔ Stock s is at revision 2 TOOK",
        "No longer done: counter (Box). It stays; to remove it: orbits up ... --prune",
    ]
    document = json.loads(shared.run("up", *STOCK, AB, "--json"))
    assert document["no_longer_done"] == ["counter (Box)"]
    assert there(shared) == {"counter": 2, "b": 1, "a": 1}
    made_of = plain(shared.run("get", "Stock", "s")).split("made of\n")[1].split("\n\n")[0]
    assert made_of == plain("""\
  counter  Box  Stock s/counter  revision 1  no longer done: remove it with orbits up ... --prune
  a        Box  Stock s/a        revision 1
  b        Box  Stock s/b        revision 1""")


def test_a_preview_shows_what_would_be_removed_and_as_json_the_whole_tree(shared: Project) -> None:
    assert plain(shared.run("preview", *STOCK, AB, code=3)) == plain("""\
Stock s     ~ update  revision 2 → 3
├─ a        Box  = unchanged
├─ b        Box  = unchanged
└─ counter  Box  - remove

To do: 1 to remove.""")
    document = json.loads(shared.run("preview", *STOCK, AB, "--json", code=3))
    below = [(change["ref"], change["verb"], change["revision"]) for change in document["changes"]["below"]]
    assert below == [("a", "unchanged", 1), ("b", "unchanged", 1), ("counter", "remove", 1)]
    assert (document["deferred"], document["losses"], document["pending"]) == ([], [], True)
    assert document["stack"] == "stock:Stock"


def test_up_on_a_terminal_shows_the_plan_and_asks(shared: Project) -> None:
    plan = plain("""\
Stock s     ~ update  revision 2 → 3
├─ a        Box  = unchanged
├─ b        Box  = unchanged
└─ counter  Box  - remove

To do: 1 to remove.""")
    said = plain(shared.talk("up", *STOCK, AB, says="details\nwhat\nno\n", code=1))
    lines = [line.lstrip() for line in said.splitlines()]  # the prompt leaves a space where it stood
    assert "\n".join(lines) == f"{plan}\n{plan}\nNothing was done."
    assert "counter" in there(shared)
    said = plain(shared.talk("up", *STOCK, AB, says="yes\n"))
    assert said.startswith(plan)
    assert said.splitlines()[-1] == "✔ Stock s is at revision 2 TOOK"
    assert there(shared) == {"b": 1, "a": 1}
    (last, *_) = ids(shared)
    assert "approved by ada" in plain(shared.run("get", last))


def test_yes_approves_no_removal_and_prune_does(shared: Project) -> None:
    assert "No longer done: a (Box). It stays" in shared.talk("up", *STOCK, B, "--yes", says="")
    assert there(shared) == {"b": 1, "a": 1}
    assert "No longer done" not in shared.run("up", *STOCK, B, "--prune")
    assert there(shared) == {"b": 1}


def test_what_would_be_lost_has_to_be_named(shared: Project) -> None:
    shared.run("up", *STOCK, "safe=1")
    said = plain(shared.run("preview", *STOCK, "safe=2", "--out", "plan.json", code=3))
    assert said.splitlines()[1] == "├─ safe  Safe  ± replace  loses data"
    refused = (
        "Error: this would lose what has to be accepted by name: Safe Stock s/safe loses data. To accept: "
        "--accept-loss 'Safe Stock s/safe'"
    )
    assert plain(shared.run("up", "--plan", "plan.json", "--yes", code=2)) == refused
    failed = plain(shared.run("up", *STOCK, "safe=2", "--yes", "--prune", code=1))
    assert "it holds data" in failed
    assert there(shared)["safe"] == 1
    shared.run("up", "--plan", "plan.json", "--accept-loss", "Safe Stock s/safe")
    assert there(shared) == {"safe": 2}
    assert plain(shared.run("uninstall", *STOCK, "--yes", code=2)) == refused


def test_commands_are_previewed(shared: Project) -> None:
    assert plain(shared.run("preview", *STOCK, "--command", "uninstall", code=3)) == plain("""\
Stock s  - remove
└─ safe  Safe  - remove  loses data

To do: 1 to remove.""")
    assert (
        plain(shared.run("preview", *STOCK, "--command", "cycle", code=3)).splitlines()[0] == "Stock s  ▸ runs  cycle"
    )
    said = shared.run("preview", *STOCK, "--command", "rollback", "--to", "4", code=2)
    assert said == "Error: revision 4 of Stock s cannot be brought back: what Safe Stock s/safe held is lost\n"


def test_uninstall_on_a_terminal_shows_what_would_go(shared: Project) -> None:
    shared.talk("uninstall", *STOCK, "--accept-loss", "Stock s/safe", says="s\n")
    assert there(shared) == {}


CASES = {
    "no stack": (["up"], "name a stack, or give a plan with --plan FILE"),
    "a stack and a plan": (
        ["up", "stock.py:Stock", "--plan", "x"],
        "the stack and its fields come from the plan: leave out stock.py:Stock, or --plan",
    ),
    "nothing to approve": (
        ["up", "stock.py:Stock", "--approve-deferred"],
        "--approve-deferred is about a plan: give it with --plan FILE",
    ),
    "two ways": (["preview", *STOCK, "--json", "--markdown"], "--json and --markdown are two ways to say the same"),
    "no plan": (["up", "--plan", "none.json"], "the plan none.json cannot be read: No such file or directory"),
    "another file": (["up", "--plan", "orbits.toml"], "orbits.toml: this is no plan that `orbits preview --out` has"),
    "no rollback": (["preview", *STOCK, "--to", "1"], "--to is about going back: give it with --command rollback"),
    "no such command": (
        ["preview", *STOCK, "--command", "fly"],
        "'fly' is not previewed: it is one of update, rollback, uninstall, cycle",
    ),
    "no folder": (
        ["preview", *STOCK, "--out", "no/x.json"],
        "the plan cannot be written to no/x.json: No such file or directory",
    ),
    "nothing to lose": (
        ["resume", "x", "--accept-loss", "y"],
        "--accept-loss is about what is approved: give it with --approve-deferred",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_what_cannot_be_is_said(shared: Project, case: str) -> None:
    arguments, said = CASES[case]
    assert shared.run(*arguments, code=2).startswith(f"Error: {said}")
