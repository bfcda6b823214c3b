"""`orbits notify test`: what came of each target, and nothing of it that is secret."""

import json
import os
from pathlib import Path

from tests.servers.commands import Commands

TO = ("file:told.jsonl", "${NO_SUCH_URL}", "file:gone/told.jsonl", "xoxb-1234567890-token")


def test_each_target_is_tried_and_what_came_of_it_is_said_without_its_url(tmp_path: Path, commands: Commands) -> None:
    nobody = commands.run(["notify", "test"], cwd=tmp_path, env={**os.environ})
    assert nobody.returncode == 2
    assert "nobody is told of problems: name targets in orbits.toml" in nobody.stderr
    environment = {**os.environ, "ORBITS_NOTIFY": json.dumps({"to": TO})}
    done = commands.run(["notify", "test", "--json"], cwd=tmp_path, env=environment)
    assert done.returncode == 1
    assert json.loads(done.stdout) == [
        {"place": place, "scheme": scheme, "sent": why is None, "why": why}
        for place, scheme, why in (
            (1, "file", None),
            (2, "${NO_SUCH_URL}", "NO_SUCH_URL is not set in the environment"),
            (3, "file", "FileNotFoundError: [Errno 2] No such file or directory: 'gone/told.jsonl'"),
            (4, "?", "it is no URL: write one as in json://host/path, or file:PATH"),
        )
    ]
    assert len((tmp_path / "told.jsonl").read_text().splitlines()) == 1
