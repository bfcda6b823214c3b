"""The command line over a fleet: bad input writes nothing, `tenants list` shows what the source and the store say."""

import json
import re
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from tests.servers.commands import Commands

pytestmark = pytest.mark.usefixtures("commands")  # it is begun before what a test leaves behind is looked for

FLEET = """
from orbits_iac import Permanent, Resource, action
from orbits_tenants import Rollout, Tenant, Tenants, YamlSource


@action
async def paint(client: str) -> None:
    if client == "bolt":
        raise Permanent("no paint")


class House(Resource):
    client: str

    def identity(self) -> str:
        return self.client

    async def define_update(self) -> None:
        await self.do("paint", paint(self.client), once=True)


class Street(Tenants[House]):
    source = YamlSource("clients.yaml")
    rollout = Rollout(waves=["100%"])

    def stack(self, tenant: Tenant) -> House:
        return House(client=tenant.id)
"""


@pytest.fixture
def street(tmp_path: Path) -> Path:
    (tmp_path / "street.py").write_text(FLEET)
    (tmp_path / "clients.yaml").write_text("- acme\n- id: bolt\n  labels: {plan: large}\n")
    return tmp_path


def orbits(folder: Path, *arguments: str) -> tuple[int, str, str]:
    """Exit code and what was printed."""
    command = [str(Path(sysconfig.get_path("scripts")) / "orbits"), *arguments]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout, done.stderr


def test_a_fleet_is_listed_before_and_after_its_roll_out(street: Path) -> None:
    code, out, _ = orbits(street, "tenants", "list", "street.py:Street")
    assert [line.split() for line in out.splitlines()] == [
        ["tenant", "labels", "account", "state", "revision"],
        ["acme", "-", "new", "-"],
        ["bolt", "plan=large", "-", "new", "-"],
    ]
    assert (code, (street / ".orbits").exists()) == (0, False)
    code, out, _ = orbits(street, "up", "street.py:Street")
    assert code == 4
    table, following = out.splitlines()[-7:-2], out.splitlines()[-2:]
    assert [line.rstrip() for line in table] == [
        "tenant  account  state     revision  what happened",
        "acme    -        updated   1         went forward",
        "bolt    -        reverted  -         paint: Permanent: no paint",
        "                                     → nothing of it stands",
        "2 tenants: 1 updated, 1 reverted",
    ]
    execution = re.search("orbits get (\\w+)", following[0])
    assert execution is not None
    assert "paint  Permanent" in orbits(street, "get", execution[1])[1]
    assert [" ".join(line.split()) for line in following] == [
        f"next: orbits get {execution[1]} # what happened to bolt",
        "orbits up street.py:Street ... only_failed=true # goes to those that failed or were not reached",
    ]
    again = orbits(street, "up", "street.py:Street", "--force")[1].splitlines()
    assert "only_failed=true" in again[-1]  # nobody went forward, so nobody would go back
    (street / ".orbits" / "secret.key").unlink()  # to look at a fleet takes no key
    listed = json.loads(orbits(street, "tenants", "list", "street.py:Street", "--json")[1])
    assert listed == [
        {"id": "acme", "labels": {}, "account": None, "state": "unchanged", "revision": 1, "why": ""},
        {
            "id": "bolt",
            "labels": {"plan": "large"},
            "account": None,
            "state": "reverted",
            "revision": None,
            "why": "",
        },
    ]


def test_a_selector_narrows_the_list(street: Path) -> None:
    code, out, _ = orbits(street, "tenants", "list", "street.py:Street", "-l", "plan in (large,huge)", "--json")
    assert (code, [row["id"] for row in json.loads(out)]) == (0, ["bolt"])
    code, out, err = orbits(street, "tenants", "list", "street.py:Street", "--selector", "plam=large")
    assert (code, out) == (2, "")
    assert err == "Error: selector 'plam=large': no tenant has a label 'plam'; there are: plan. Did you mean 'plan'?\n"
    code, out, err = orbits(street, "tenants", "list", "street.py:Street", "--selector", "plan=larger")
    assert (code, out) == (2, "")
    assert err == "Error: selector 'plan=larger': no tenant has plan=larger; there are: large. Did you mean 'large'?\n"


@pytest.mark.parametrize("command", [("up",), ("preview",), ("tenants", "list")])
@pytest.mark.parametrize(
    ("text", "said"),
    [
        (None, "there is no file clients.yaml in "),
        ("- acme\n- acme\n", "clients.yaml, line 2: tenant 'acme' is there twice, first in line 1"),
        ("- {id: acme, plan: large}\n", "clients.yaml, line 1: tenant 'acme': unknown field 'plan'"),
        ("- acme: [\n", "clients.yaml, line 2: is not valid YAML"),
    ],
)
def test_a_list_that_is_wrong_is_a_matter_of_usage_and_nothing_is_written(
    street: Path, command: tuple[str, ...], text: str | None, said: str
) -> None:
    (street / "clients.yaml").unlink()
    if text is not None:
        (street / "clients.yaml").write_text(text)
    code, out, err = orbits(street, *command, "street.py:Street")
    assert (code, out) == (2, "")
    assert said in err
    assert "Traceback" not in err
    if (street / ".orbits" / "state.db").exists():
        assert orbits(street, "get", "--json")[1].strip() == "[]"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["Street"], "there is no store sqlite:.orbits/state.db"),
        (["Street", "--json", "--markdown"], "a report has one form"),
        (["street.py:House"], "street.py:House is no Tenants"),
        (["Street", "-l", "plan="], "there is no store"),
    ],
)
def test_a_report_of_nothing_makes_nothing(street: Path, commands: Commands, arguments: list[str], said: str) -> None:
    done = commands.run(["tenants", "report", *arguments], cwd=street, env={"COLUMNS": "80"})
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr
    assert not (street / ".orbits").exists()


def test_a_field_that_is_wrong_is_named_with_its_plain_type(street: Path, commands: Commands) -> None:
    done = commands.run(["up", "street.py:Street", "only=acme"], cwd=street, env={})
    assert "(only is Optional[tuple[str, ...]], and is 'acme'); give JSON, as in only='[\"a\", \"b\"]'" in done.stderr


def test_what_is_piped_is_as_wide_as_that_of_other_commands(street: Path, commands: Commands) -> None:
    labels = {f"label-{number}": "of-many" for number in range(6)}
    (street / "clients.yaml").write_text(json.dumps([{"id": "acme", "labels": labels}]))
    narrow, wide = (
        commands.run(["tenants", "list", "street.py:Street"], cwd=street, env=env).stdout
        for env in ({"COLUMNS": "80"}, {})
    )
    assert ", ".join(f"{name}=of-many" for name in labels) in wide
    assert len(wide.splitlines()) == 2 < len(narrow.splitlines())


def test_what_is_no_fleet_is_refused(street: Path) -> None:
    code, _, err = orbits(street, "tenants", "list", "street.py:House")
    assert code == 2
    assert "street.py:House is no Tenants" in err


def test_the_help_names_the_command() -> None:
    assert "list" in orbits(Path(sys.prefix), "tenants", "--help")[1]


def test_the_help_is_as_that_of_other_commands(tmp_path: Path, commands: Commands) -> None:
    said = commands.run(["tenants", "list", "-h"], cwd=tmp_path, env={"COLUMNS": "80"}).stdout
    assert said.startswith("Usage: orbits tenants list [OPTIONS] {FLEET}\n")
    assert "or a name from\n               [stacks] in orbits.toml" in said


def test_whoever_watches_a_roll_out_that_failed_in_part_exits_as_it_did(street: Path, commands: Commands) -> None:
    def said(*words: str) -> tuple[int, str]:
        done = commands.run(list(words), cwd=street, env={"NO_COLOR": "1", "COLUMNS": "120"})
        return done.returncode, done.stdout

    code, _ = said("up", "street.py:Street")
    assert code == 4
    execution = json.loads(said("get", "--json")[1])[0]["id"]
    code, out = said("watch", execution)
    assert code == 4
    assert "bolt    -        reverted  -         paint: Permanent: no paint" in out, "the table that `up` shows"
    assert said("watch", execution, "--json")[0] == 4
    (street / "street.py").unlink()
    assert said("watch", execution) == (4, out), "no code of the user's is needed to read"
    code, shown = said("get", execution)
    assert (code, shown.endswith(out[out.index("tenant  account") :])) == (0, True)


def test_a_fleet_is_named_by_its_kind_too(street: Path) -> None:
    orbits(street, "up", "street.py:Street")
    by_kind, by_file = (orbits(street, "history", name) for name in ("Street", "street.py:Street"))
    assert by_kind == by_file
    assert by_kind[0] == 0
    code, _, err = orbits(street, "drift", "Stret")
    assert code == 2
    assert "there is no record of Stret 'Stret'; there is none of this kind (a stack is named as module:Class or" in err


def test_the_log_of_a_roll_out_names_each_tenant_and_not_who_stays_as_it_is(street: Path) -> None:
    (street / "street.py").write_text(FLEET.replace('"bolt"', '"nobody"'))
    first = orbits(street, "up", "street.py:Street")[1]
    assert re.search(r"✔ tenant\[bolt\]\.paint +paint", first)
    second = orbits(street, "up", "street.py:Street", 'only=["acme"]')[1]
    assert ("House acme" in second, "House bolt" in second) == (True, False)


def test_ids_are_whole_where_there_is_little_room(street: Path, commands: Commands) -> None:
    orbits(street, "up", "street.py:Street")
    [one, *_] = json.loads(orbits(street, "get", "--json")[1])
    done = commands.run(["get"], cwd=street, env={"NO_COLOR": "1", "COLUMNS": "60"})
    assert done.stdout.splitlines()[1].startswith(f"{one['id']} ")
    orbits(street, "tenants", "pause", "street.py:Street", "acme", "--why", "a lawsuit")
    done = commands.run(["get"], cwd=street, env={"NO_COLOR": "1", "COLUMNS": "80", "LOGNAME": "somebody-with-a-name"})
    head, *lines = done.stdout.splitlines()
    assert head.split() == ["id", "what", "command", "state", "took", "when", "who"]
    assert all("update   ✔ SUCCESS " in line for line in lines)
    assert all(len(line) <= 80 for line in lines)
    assert " TenantDec" in lines[0]


@pytest.mark.parametrize("field", ['leaving=["acme"]', 'back={"acme": 1}', 'importing={"acme": {}}'])
def test_what_commands_ask_a_fleet_for_nobody_types(street: Path, commands: Commands, field: str) -> None:
    done = commands.run(["up", "street.py:Street", field], cwd=street, env={"NO_COLOR": "1"})
    assert done.returncode == 2
    assert f"has no field {field.partition('=')[0]!r}; it has: only, only_failed, from_wave" in done.stderr


def test_a_stack_that_cannot_be_made_of_who_is_added_is_the_stacks_own_error(street: Path, commands: Commands) -> None:
    (street / "street.py").write_text(FLEET.replace("client=tenant.id", "client=tenant.labels['door']"))
    (street / "clients.yaml").write_text("- {id: acme, labels: {door: red}}\n")
    done = commands.run(["tenants", "add", "street.py:Street", "duke"], cwd=street, env={"NO_COLOR": "1"})
    assert done.returncode == 2
    assert "tenant duke: stack() of Street raised KeyError: 'door'" in done.stderr


def test_a_certificate_that_cannot_be_written_is_said_before_anybody_is_removed(
    street: Path, commands: Commands
) -> None:
    words = ["tenants", "remove", "street.py:Street", "acme", "--yes", "--out", "nowhere/x.json"]
    done = commands.run(words, cwd=street, env={"NO_COLOR": "1"})
    assert done.returncode == 2
    assert "--out nowhere/x.json: there is no such folder" in done.stderr
