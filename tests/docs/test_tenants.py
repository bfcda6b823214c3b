"""docs/tenants.md: its fleet is listed by its commands, and each source in its table is one."""

import json
import re
from pathlib import Path

import orbits_tenants
from orbits_tenants.sources.source import Source
from tests.servers.commands import Commands

PAGE = (Path(__file__).parents[2] / "docs" / "tenants.md").read_text()
[FLEET] = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


def test_the_fleet_is_listed_whole_and_as_it_is_chosen(tmp_path: Path, commands: Commands) -> None:
    (tmp_path / "sites.py").write_text(FLEET)
    (tmp_path / "trials.txt").write_text("tryout\n")
    (tmp_path / "clients").mkdir()
    (tmp_path / "clients" / "acme.yaml").write_text("id: acme\nlabels: {plan: large, region: eu}\n")
    (tmp_path / "clients" / "bolt.json").write_text('{"id": "bolt", "labels": {"plan": "large", "region": "us"}}')
    said = []
    for line in re.findall(r"^\$ orbits (.*)$", PAGE, re.MULTILINE):
        done = commands.run(line.split(), cwd=tmp_path, env={"NO_COLOR": "1", "COLUMNS": "100"})
        assert (done.returncode, done.stderr) == (0, "")
        said.append(done.stdout)
    *rolled_out, listed, chosen = said
    assert [line.split()[0] for line in listed.splitlines()] == ["tenant", "tryout", "acme", "bolt"]
    assert [row["id"] for row in json.loads(chosen)] == ["acme"]
    assert ["looked at just now" in each for each in rolled_out] == [False, True, False]


def test_the_table_names_all_sources() -> None:
    named = set(re.findall(r"^\| `(\w+)\(", PAGE, re.MULTILINE))
    values = (getattr(orbits_tenants, name) for name in orbits_tenants.__all__)
    assert named == {value.__name__ for value in values if issubclass(value, Source)} - {"Source"}
