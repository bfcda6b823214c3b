"""docs/fleet-report.md: its fleet is rolled out and reported by its commands, in each form."""

import json
import re
from pathlib import Path

from orbits_tenants.fleet import Mood
from orbits_tenants.reporting.words import DRIFT_MARKS, MARKS
from tests.servers.commands import Commands

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "fleet-report.md").read_text()
[FLEET] = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
SAID = re.search(r"^\$ orbits tenants report Shops\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
ENVIRONMENT = {"NO_COLOR": "1", "COLUMNS": "130"}


def plain(text: str) -> list[str]:
    """What was printed, without what differs from one run to the next."""
    text = re.sub(r"by \S+@[\w.-]+", "by USER", text + "\n")
    text = re.sub(r"roll-out \w+ of", "roll-out ID of", text)
    text = re.sub(r"took [\d.]+ s", "took TIME", text)
    return [re.sub("  +", "  ", line).strip() for line in text.splitlines()]


def test_its_fleet_is_reported_in_each_form(tmp_path: Path, commands: Commands) -> None:
    (tmp_path / "signs.py").write_text(FLEET)
    said, codes = [], []
    for line in re.findall(r"^\$ (.*)$", PAGE, re.MULTILINE):
        if not line.startswith("orbits "):
            (tmp_path / "cafe-door.txt").write_text("closed")
            continue
        arguments = re.split(r" [|>] ", line)[0].split()[1:]
        done = commands.run(arguments, cwd=tmp_path, env=ENVIRONMENT)
        said.append(done.stdout)
        codes.append(done.returncode)
        if "drift" in arguments:  # what follows reads alone
            (tmp_path / ".orbits" / "secret.key").unlink()
    assert codes == [0, 4, 3, 0, 0, 0, 0, 0]
    assert SAID is not None
    assert plain(said[3]) == plain(SAID[1])
    assert "<title>Shops: the fleet</title>" in (tmp_path / "shops.html").read_text()
    assert said[5].startswith("### Shops\n\n**3 tenants: 1 reverted, 2 updated**")
    assert [one["id"] for one in json.loads(said[6])["tenants"]] == ["acme", "cafe"]
    assert [one["id"] for one in json.loads(said[7])["tenants"] if one["mood"] == "failed"] == ["bolt"]


def test_its_signs_and_moods_are_those_of_the_code() -> None:
    assert set(re.findall(r"^\| `(.)` \|", PAGE, re.MULTILINE)) == set(MARKS.values())
    legend = PAGE.partition("unless it is in sync\n(")[2].partition(").")[0]
    named = dict(re.findall(r"`(.)` ([a-z ]+)", legend))
    assert named == {mark: state.value for state, mark in DRIFT_MARKS.items() if state.value != "in sync"}
    moods = PAGE.partition("whatever they are called: ")[2].partition(".\n")[0]
    assert [text.replace("\n", " ") for text in re.findall(r"`([^`]+)`", moods)] == [mood.value for mood in Mood]
    assert (DOCS / "pictures" / "fleet-report.png").is_file()
