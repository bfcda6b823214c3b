"""A client's shop from its first preview to its uninstallation, each command as it is typed, each answer whole.

The tests of this module are one story: they use one project, in the order in which they stand.
"""

import json

from .conftest import Project, plain

OUTPUTS = """\
  queue  acme-queue
  site   acme-site
  token  ********"""


def test_preview_shows_what_is_known_before_anything_is_there(shared: Project) -> None:
    assert plain(shared.run("preview", "shop", "client=acme", "release=8", code=3)) == plain("""\
Shop acme                       + create  then what depends on backend
└─ backend        Backend acme  + create  then what depends on repository, queue
   ├─ repository  Box           + create
   └─ queue       Box           + create

To do: 2 to create, and what depends on them.""")
    assert not (shared.folder / ".orbits").exists()
    assert shared.calls() == []


def test_up_shows_each_step_and_the_outputs(shared: Project) -> None:
    said = shared.run("up", "shop", "client=acme", "release=8", "token=@env:TOKEN", TOKEN="s3cret")
    assert plain(said) == plain(f"""\
TIME  ▸ Shop acme
TIME  ▸ backend                       Backend acme
TIME  ▸ backend.repository            Box
TIME  ✔ backend.repository            Box TOOK
TIME  ▸ backend.queue                 Box
TIME  ✔ backend.queue                 Box TOOK
TIME  ▸ backend.migrate               Migrate
TIME  ✔ backend.migrate               Migrate TOOK
TIME  · backend                       Backend acme          2 migrations
TIME  ✔ backend                       Backend acme TOOK
TIME  ▸ site                          Box
TIME  ✔ site                          Box TOOK
TIME  ▸ announce                      announce
TIME  ✔ announce                      announce TOOK
TIME  ✔ Shop acme TOOK
✔ Shop acme is at revision 1 TOOK
{OUTPUTS}""")
    assert shared.calls() == [
        "create acme-git",
        "create acme-queue",
        "migrate 0002",
        "create acme-site",
        "announce release 8 6",
    ]


def test_up_again_changes_nothing_and_says_so(shared: Project) -> None:
    before = shared.calls()
    assert plain(shared.run("up", "shop", "client=acme", "release=8", "token=s3cret")) == plain(f"""\
TIME  ▸ Shop acme
TIME  ▸ backend                       Backend acme
TIME  ▸ backend.queue                 Box
TIME  = backend.queue                 Box                   unchanged
TIME  ▸ backend.migrate               Migrate
TIME  = backend.migrate               Migrate               done once already
TIME  · backend                       Backend acme          2 migrations
TIME  = backend                       Backend acme          unchanged
TIME  ▸ site                          Box
TIME  = site                          Box                   unchanged
TIME  ▸ announce                      announce
TIME  = announce                      announce              done once already
TIME  = Shop acme                                           unchanged
= Shop acme: nothing changed, revision 1 stands TOOK
{OUTPUTS}""")
    assert shared.calls() == before


def test_preview_of_what_stands_has_nothing_to_do(shared: Project) -> None:
    assert plain(shared.run("preview", "shop", "client=acme", "release=8", "token=s3cret")) == plain("""\
Shop acme  = unchanged

Nothing to do.""")
    assert plain(shared.run("preview", "shop", "client=acme", "release=8", "token=s3cret", "--all")) == plain("""\
Shop acme                    = unchanged
├─ backend     Backend acme  = unchanged
│  ├─ queue    Box           = unchanged
│  └─ migrate  Migrate       = done once already
├─ site        Box           = unchanged
└─ announce    announce      = done once already

Nothing to do.""")


def test_up_as_json_is_one_document_with_secrets_masked(shared: Project) -> None:
    document = json.loads(shared.run("up", "shop", "client=acme", "release=8", "token=s3cret", "--json"))
    assert document.pop("execution")
    assert document.pop("seconds") < 60
    assert document == {
        "kind": "Shop",
        "identity": "acme",
        "command": "update",
        "state": "SUCCESS",
        "changed": False,
        "revision": 1,
        "outputs": {"queue": "acme-queue", "site": "acme-site", "token": "********"},
        "failure": None,
        "exit_code": 0,
        "plan": None,
        "no_longer_done": [],
    }


def test_get_shows_a_record(shared: Project) -> None:
    assert plain(shared.run("get", "Shop", "acme")) == plain(f"""\
  record    Shop acme
  revision  1, since just now, by ada
  argument  client=acme release=8 size=1 site=1 token=********
  users     direct

outputs
{OUTPUTS}

made of
  backend  Backend  acme            revision 1  used
  site     Box      Shop acme/site  revision 1

last look
nothing was looked at yet""")


def test_drift_finds_what_somebody_changed(shared: Project) -> None:
    cloud = shared.folder / "cloud.json"
    cloud.write_text(cloud.read_text().replace('"acme-queue": 1', '"acme-queue": 5'))
    assert plain(shared.run("drift", "shop", "client=acme", code=3)) == plain("""\
backend.queue  Box  size  recorded 1 → live 5
2 in sync, 1 drifted; 6 properties compared, looked at just now""")


def test_drift_as_json_has_every_look(shared: Project) -> None:
    document = json.loads(shared.run("drift", "Shop", "acme", "--json", code=3))
    found = {
        ".".join(look["path"]): [(d["path"], d["recorded"], d["live"]) for d in look["differences"]]
        for look in document["looks"]
    }
    assert not document["in_sync"]
    assert found == {"backend.repository": [], "backend.queue": [("size", 1, 5)], "site": []}


def test_cycle_brings_it_back(shared: Project) -> None:
    assert plain(shared.run("cycle", "Shop", "acme", "--remediate")) == plain("""\
backend.queue  Box  size  recorded 1 → live 5  brought back
2 in sync, 1 brought back; 6 properties compared, looked at just now""")
    assert plain(shared.run("drift", "Shop", "acme")) == "3 in sync; 6 properties compared, looked at just now"


def test_a_failed_update_goes_back_and_says_where_and_why(shared: Project) -> None:
    said = plain(shared.run("up", "shop", "client=acme", "release=9", "size=4", "site=13", code=1))
    assert [line.strip("│ ") for line in said.splitlines()[1:-2]] == [
        "site  ValueError",
        "13 is an unlucky size",
        "",
        "→ back at revision 1",
    ]
    assert said.startswith("╭─ ✘ Shop acme ")
    assert json.loads((shared.folder / "cloud.json").read_text())["acme-queue"] == 1


def test_get_shows_what_failed_in_its_tree(shared: Project) -> None:
    (failed, *_) = json.loads(shared.run("get", "--json", "--limit", "1"))
    head, tree, *_ = plain(shared.run("get", failed["id"])).split("\n\n")
    assert head.splitlines()[1:4] == [
        "  state  REVERTED",
        "  what  update of Shop acme",
        "  argument  client=acme release=9 size=4 site=13 token=********",
    ]
    assert tree == plain("""\
↩ Shop acme TOOK  went back
├─ ✔ backend      Backend acme TOOK  2 migrations
│  ├─ ✔ queue     Box TOOK
│  └─ = migrate   Migrate                       done once already
├─ ↩ site         Box TOOK  went back  ValueError: 13 is an unlucky size
└─ ↩ going back                                 went back
   └─ ✔ backend   Backend acme rollback TOOK
      └─ ✔ queue  Box rollback TOOK""")


def test_history_marks_what_stands_and_tells_of_drift(shared: Project) -> None:
    shared.run("up", "shop", "client=acme", "release=9", "size=4", "site=4")
    revisions, _, drift = plain(shared.run("history", "Shop", "acme")).partition("\n\ndrift\n")
    assert [line.split() for line in drift.splitlines()] == [
        ["at", "resource", "property", "what", "who"],
        ["DATE", "backend.queue", "size", "found", "?", "recorded", "1", "→", "live", "5"],
        ["DATE", "backend.queue", "size", "brought", "back", "ada"],
    ]
    assert [line.split() for line in revisions.splitlines()] == [
        ["revision", "at", "who", "argument", "build"],
        ["▸", "2", "DATE", "ada", "release=9", "size=4", "site=4", "BUILD"],
        ["1", "DATE", "ada", "client=acme", "release=8", "size=1", "site=1", "BUILD"],
        ["token=********"],
    ]


def test_a_record_says_who_wants_it_to_stay(shared: Project) -> None:
    lines = [line.split() for line in plain(shared.run("get", "Box", "Backend acme/repository")).splitlines()]
    assert ["retained", "by", "Backend", "acme"] in lines


def test_rollback_asks_and_brings_back_the_revision_before(shared: Project) -> None:
    there = (shared.folder / "cloud.json").read_text()
    refused = plain(shared.run("rollback", "shop", "client=acme", code=2))
    assert refused.splitlines() == [
        "Shop acme  ~ update  revision 2 → 1",
        "├─ backend  Backend acme  ~ update  revision 3 → 1",
        "│  └─ queue  Box  ~ update  revision 3 → 1",
        "└─ site  Box  ~ update  revision 2 → 1",
        "",
        "To do: 2 to update.",
        "Error: this is what would be done: say --yes",
    ]
    assert shared.talk("rollback", "shop", "client=acme", says="n\n", code=1).strip() == ""
    assert (shared.folder / "cloud.json").read_text() == there
    said = shared.talk("rollback", "shop", "client=acme", says="y\n")
    assert "✔ Shop acme is back at revision 1" in plain(said)
    things = json.loads((shared.folder / "cloud.json").read_text())
    assert things == {"acme-git": 1, "acme-queue": 1, "acme-site": 1}
    assert "2  DATE  ada  release=9 size=4 site=4" in plain(shared.run("history", "Shop", "acme"))
    assert "gone back from" in shared.run("history", "Shop", "acme")


def test_rollback_without_an_earlier_revision_is_refused(shared: Project) -> None:
    assert shared.run("rollback", "Shop", "acme", code=2) == (
        "Error: Shop acme is at revision 1, and there is none before it to go back to\n"
    )
    assert (
        shared.run("rollback", "Shop", "acme", "--to", "7", code=2)
        == "Error: Shop acme has no revision 7; it has: 1, 2\n"
    )


def test_a_report_decides_the_exit_code_and_how_it_is_shown(shared: Project) -> None:
    assert plain(shared.run("up", "shop.py:Fleet", 'failing=["zeta"]', code=4)).splitlines()[-2:] == [
        "! Fleet fleet is at revision 1 TOOK",
        "failed: zeta",
    ]


def test_uninstall_asks_for_a_yes_and_leaves_what_is_retained(shared: Project) -> None:
    refused = plain(shared.run("uninstall", "Shop", "acme", code=2))
    assert refused.splitlines() == [
        "Shop acme  - remove",
        "├─ site  Box  - remove",
        "└─ backend  Backend acme  - remove  gone with its last user",
        "   ├─ queue  Box  - remove",
        "   └─ repository  Box  ◦ release  it stays: it is retained",
        "",
        "To do: 2 to remove, 1 to let go of.",
        "Error: this is what would be done: say --yes",
    ]
    said = plain(shared.run("uninstall", "Shop", "acme", "--yes"))
    assert "✔ Shop acme is uninstalled" in said
    assert said.splitlines()[-1].startswith("It stays: ")
    assert said.splitlines()[-1].endswith(": it is retained")
    assert json.loads((shared.folder / "cloud.json").read_text()) == {"acme-git": 1}
    assert shared.run("uninstall", "Shop", "acme", "--yes", code=2) == (
        "Error: nothing of Shop acme stands: there is nothing to uninstall\n"
    )


def test_get_lists_what_ran_lately(shared: Project) -> None:
    lines = [line.split()[1:6] for line in plain(shared.run("get", "-n", "2")).splitlines()]
    assert lines == [
        ["what", "command", "state", "took", "when"],
        ["Shop", "acme", "uninstall", "✔", "SUCCESS"],
        ["Fleet", "fleet", "update", "✔", "SUCCESS"],
    ]


def test_no_secret_is_in_the_store_or_in_what_get_says(shared: Project) -> None:
    said = shared.run("get", "--json")
    assert "s3cret" not in said
    assert all(b"s3cret" not in file.read_bytes() for file in (shared.folder / ".orbits").iterdir())
