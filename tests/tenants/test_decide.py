"""`orbits tenants add | pause | resume | pin | unpin | promote | rollback`, as people type them."""

import json
from pathlib import Path

import pytest

from tests.servers.commands import Commands

LANE = """
from pathlib import Path

from orbits_iac import Resource, action
from orbits_tenants import ListSource, Rollout, Tenant, Tenants


@action
def hang(house: str, sign: str) -> None:
    Path(house).write_text(sign)


class Lodge(Resource):
    name: str
    sign: str

    def identity(self) -> str:
        return self.name

    async def define_update(self) -> None:
        await self.do("hang", hang(self.name, self.sign))

    async def define_rollback(self, to: object) -> None:
        await self.do("hang", hang(self.name, to.argument["sign"]))


class Lodges(Tenants[Lodge]):
    source = ListSource(["acme", "bolt", "cafe"])
    rollout = Rollout(waves=["1", "100%"])
    sign: str

    def stack(self, tenant: Tenant) -> Lodge:
        return Lodge(name=tenant.id, sign=self.sign)
"""


class Shell:
    def __init__(self, folder: Path, commands: Commands) -> None:
        self._folder, self._commands = folder, commands
        (folder / "lane.py").write_text(LANE)

    def __call__(self, *words: str, code: int = 0) -> str:
        """What it says, after it has ended so."""
        done = self._commands.run(list(words), cwd=self._folder, env={"NO_COLOR": "1", "COLUMNS": "120"})
        assert done.returncode == code, (done.stdout, done.stderr)
        return f"{done.stdout}{done.stderr}"

    def states(self, text: str) -> dict[str, str]:
        return {id_: one["state"] for id_, one in json.loads(text)["tenants"].items()}


@pytest.fixture
def orbits(tmp_path: Path, commands: Commands) -> Shell:
    return Shell(tmp_path, commands)


FLEET = "lane.py:Lodges"


def test_decisions_are_kept_and_the_next_roll_out_goes_by_them(orbits: Shell, tmp_path: Path) -> None:
    orbits("up", FLEET, "sign=1")
    assert "acme is paused: away" in orbits("tenants", "pause", FLEET, "acme", "--why", "away")
    assert "bolt keeps sign='1'" in orbits("tenants", "pin", FLEET, "bolt", 'sign="1"')
    added = orbits("tenants", "add", FLEET, "duke", "--label", "plan=large", "--set", "sign=own", "--json")
    assert json.loads(added)["added"]["duke"]["overrides"] == {"sign": "own"}
    assert [line.split() for line in orbits("tenants", "list", FLEET).splitlines()] == [
        ["tenant", "labels", "account", "state", "revision"],
        ["acme", "-", "paused", "1", "away"],
        ["bolt", "-", "updated", "1", "pinned:", "sign"],
        ["cafe", "-", "updated", "1"],
        ["duke", "plan=large", "-", "new", "-"],
    ]
    orbits("up", FLEET, "sign=2", "--on-conflict", "supersede")
    assert {one: (tmp_path / one).read_text() for one in ("acme", "bolt", "cafe", "duke")} == {
        "acme": "1",
        "bolt": "1",
        "cafe": "2",
        "duke": "own",
    }
    orbits("tenants", "resume", FLEET, "acme")
    orbits("tenants", "unpin", FLEET, "bolt")
    orbits("up", FLEET, "sign=2")
    assert ((tmp_path / "acme").read_text(), (tmp_path / "bolt").read_text()) == ("2", "2")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("add", FLEET, "no tenant"), "tenant no tenant: tenant: is 1 to 63 letters"),
        (("add", FLEET, "duke", "--window", "at night"), "tenant duke: added.window: 'at night' is no"),
        (
            ("add", FLEET, "duke", "--expires", "2020-01-31T00:00:00+00:00"),
            "--expires 2020-01-31 00:00:00+00:00 is",
        ),
        (("add", FLEET, "duke", "--label", "plan"), "--label 'plan': write NAME=VALUE"),
        (("add", FLEET, "duke", "--target", "{"), "--target '{' is no JSON"),
        (("pause", FLEET, "acme"), "Missing option '--why'"),
        (("pause", FLEET, "acme", "--why", " "), "tenant acme: --why is empty, and a pause says why"),
        (("promote", FLEET), "there is no record of Lodges"),
        (("promote", "Lodges"), "there is no record of Lodges"),
        (("rollback", FLEET), "there is no record of Lodges"),
    ],
)
def test_what_is_wrong_is_said_and_nothing_is_written(orbits: Shell, words: tuple[str, ...], said: str) -> None:
    assert said in " ".join(orbits("tenants", *words, code=2).replace("│", " ").split())


def test_some_a_wave_or_all_are_brought_back(orbits: Shell, tmp_path: Path) -> None:
    for sign in ("1", "2", "3"):
        orbits("up", FLEET, f"sign={sign}")
    said = orbits("tenants", "rollback", FLEET, code=2)
    assert ["acme", "3", "2", "goes", "back"] in [line.split() for line in said.splitlines()]
    assert "UTC: 3 go back" in said
    assert "say --yes" in said
    shown, end = json.JSONDecoder().raw_decode(said := orbits("tenants", "rollback", FLEET, "--json", code=2))
    assert shown["tenants"][0] == {"tenant": "acme", "from": 3, "to": 2, "moves": True, "happens": "goes back"}
    assert "say --yes" in said[end:]
    orbits("tenants", "rollback", FLEET, "--wave", "1", "--yes")
    assert [(tmp_path / one).read_text() for one in ("acme", "bolt", "cafe")] == ["2", "3", "3"]
    orbits("tenants", "rollback", FLEET, "--only", "cafe", "--to", "1", "--yes")
    assert [(tmp_path / one).read_text() for one in ("acme", "bolt", "cafe")] == ["2", "3", "1"]
    said = orbits("tenants", "rollback", FLEET, "--to", "1", "--yes")
    assert "3 tenants: 1 brought back" not in said
    assert [(tmp_path / one).read_text() for one in ("acme", "bolt", "cafe")] == ["1", "1", "1"]
    assert "there were 1, 100%" in orbits("tenants", "rollback", FLEET, "--wave", "7", "--yes", code=2)
    assert "the fleet has no acne. Did you mean 'acme'" in orbits(
        "tenants", "rollback", FLEET, "--only", "acne", "--yes", code=2
    )
    assert "the fleet has no echo" in orbits("tenants", "rollback", FLEET, "--only", "echo", "--yes", code=2)


def test_a_tenant_is_removed_and_no_list_brings_it_back(orbits: Shell, tmp_path: Path) -> None:
    orbits("up", FLEET, "sign=1")
    assert "say --yes" in orbits("tenants", "remove", FLEET, "bolt", code=2)
    said = orbits("tenants", "remove", FLEET, "bolt", "--why", "they left", "--yes", "--out", "bolt.json", "--json")
    certificate = json.loads((tmp_path / "bolt.json").read_text())
    assert (certificate["tenant"], certificate["why"], certificate["removed"]) == (
        "bolt",
        "they left",
        {"Lodge bolt": 1},
    )
    assert certificate["checked"] == [
        "records: of 1 things that stood, 0 stand",
        "by the record alone: 1, with nothing of their own to look for",
    ]
    assert json.loads(said[: said.rindex("}") + 1]) == certificate
    assert "2 tenants: 2 unchanged" in orbits("up", FLEET, "sign=1")
    assert json.loads(orbits("tenants", "show", "Lodges", "bolt", "--json"))["certificate"] == certificate
    assert "they left" in orbits("tenants", "show", FLEET, "bolt")
    assert "tenant acme has not ended" in orbits("tenants", "certify", FLEET, "acme", code=2)
    orbits("tenants", "add", FLEET, "bolt", "--why", "they are back")
    assert "3 tenants: 1 updated, 2 unchanged" in orbits("up", FLEET, "sign=1")
    assert json.loads(orbits("tenants", "show", "Lodges", "bolt", "--json"))["certificate"] is None
    assert "knows no tenant 'echo'" in orbits("tenants", "remove", FLEET, "echo", "--yes", code=2)


def test_all_that_is_recorded_of_a_tenant_is_shown(orbits: Shell) -> None:
    orbits("up", FLEET, "sign=1")
    orbits("tenants", "pause", FLEET, "bolt", "--why", "away")
    shown = json.loads(orbits("tenants", "show", "Lodges", "bolt", "--json"))
    assert (shown["id"], shown["state"], shown["revision"]) == ("bolt", "paused", 1)
    said = " ".join(orbits("tenants", "show", FLEET, "bolt").split())
    assert said.startswith("tenant bolt state")
    assert "away" in said
    assert "recorded of a tenant 'echo'" in orbits("tenants", "show", FLEET, "echo", code=2)
