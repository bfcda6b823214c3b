"""docs/notifications.md: its commands say what stands there, its message is sent, its figures are the code's."""

import json
import os
import re
import tomllib
from pathlib import Path

from orbits_iac.notify.notices import News
from orbits_iac.notify.sending import LONGEST
from orbits_iac.notify.settings import NotifySettings
from orbits_iac.notify.steps import RETRY
from tests.servers.commands import Commands

PAGE = (Path(__file__).parents[2] / "docs" / "notifications.md").read_text()
FIRST, TRIED, WHOLE = (tomllib.loads(text)["notify"] for text in re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL))


def test_a_failure_is_told_of_as_the_page_says(tmp_path: Path, commands: Commands) -> None:
    (tmp_path / "orbits.toml").write_text(re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)[1])
    (tmp_path / "shop.py").write_text(re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)[0])
    block = re.findall(r"```console\n(.*?)```", PAGE, re.DOTALL)[0]
    commanded = re.findall(r"^\$ orbits (.*?)(?:  # exits with (\d))?$", block, re.MULTILINE)
    assert len(commanded) == 3
    said = []
    for command, code in commanded:
        done = commands.run(command.split(), cwd=tmp_path, env={**os.environ, "NO_COLOR": "1", "COLUMNS": "60"})
        assert done.returncode == int(code or 0), (command, done.stdout, done.stderr)
        said.append(done.stdout or done.stderr)
    shown = re.findall(r"^(?!\$).+$", block, re.MULTILINE)
    assert [line.split() for line in said[0].splitlines()] == [line.split() for line in shown]
    assert "tells target 1 (file) of problems" in said[-1]
    _, message = map(json.loads, (tmp_path / "told.jsonl").read_text().splitlines())
    message["body"] = re.sub(r"[\d-]{10} [\d:]{8}", "DATE", re.sub(r"orbits get \w+", "orbits get ID", message["body"]))
    assert message == json.loads(re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)[0])


def test_its_settings_are_read_and_its_numbers_are_those_of_the_code() -> None:
    rules = NotifySettings.model_validate(WHOLE)
    defaults = NotifySettings(to=rules.to, tenants=rules.tenants, labels=rules.labels)
    assert rules == defaults
    assert len(NotifySettings.model_validate(FIRST).to) == 3
    assert set(re.findall(r"^\| `(\w+)` \|", PAGE, re.MULTILINE)) == set(News) - {News.HEALED}
    waits = [RETRY.wait(attempt, 0) for attempt in range(1, RETRY.attempts)]
    assert (RETRY.attempts, waits[:2]) == (7, [10, 30])
    assert 3600 < sum(waits) < 3700
    assert f"longer than {LONGEST:g} s" in PAGE
