"""docs/tutorial-fleet.md: its files are written and its commands run in their order, and they say what stands there.

So many accounts as the page has take a minute: here thirty clients are five and three hundred are six, and numbers are
not compared. `ORBITS_TUTORIAL=whole` goes the whole way, and compares them.
"""

import os
import re
import runpy
import shlex
import sys
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path

import pytest

from orbits_aws import OfflineAws
from tests.servers.commands import Commands

PAGE = (Path(__file__).parents[2] / "docs" / "tutorial-fleet.md").read_text()
WHOLE = os.environ.get("ORBITS_TUTORIAL") == "whole"
FEWER = {} if WHOLE else {"30": "5", "300": "6"}
COMMAND = re.compile(r"^\$ (.*?)(?:  # exits with (\d))?$", re.MULTILINE)
ONCE = ("orbits offline", "export ")  # what the fixture has done


DIFFERS = re.compile(
    r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d|\b[0-9a-f]{8}\b|\b\d{12}\b|\b[\d.]+m?s\b|\b\d+ min ago|just now|[\w.]+@[\w.-]+"
)


def lines(text: str) -> list[str]:
    """Without spaces, times, accounts and people, which differ from run to run; and, of fewer clients, numbers."""
    text = DIFFERS.sub("", text)
    text = text if WHOLE else re.sub(r"\d+", "#", text)
    return [" ".join(line.split()) for line in text.splitlines() if line.strip()]


class Reader:
    """Who does what the page says."""

    def __init__(self, folder: Path, commands: Commands, aws: OfflineAws) -> None:
        self.folder, self.commands = folder, commands
        self.environment = {
            "AWS_ENDPOINT_URL": aws.endpoint_url,
            "AWS_ACCESS_KEY_ID": "me",
            "AWS_SECRET_ACCESS_KEY": "me",
            "AWS_DEFAULT_REGION": "eu-west-1",
            "NO_COLOR": "1",
            "COLUMNS": "140",
        }

    def write(self, code: str) -> None:
        """Keep a file under the name in its first line."""
        named = re.match(r'(?:"""|# )(\w+\.\w+)', code)
        assert named is not None
        (self.folder / named[1]).write_text(code)

    def type(self, command: str) -> tuple[int, str]:
        """What a command ends with, and what it prints."""
        words = shlex.split(command)
        if words[0] == "python":
            return 0, self._program(words[1:])
        done = self.commands.run(words[1:], cwd=self.folder, env=self.environment)
        return done.returncode, done.stdout + done.stderr

    def _program(self, words: list[str]) -> str:
        words = [FEWER.get(word, word) for word in words]
        words, file = (words[:-2], words[-1]) if ">" in words else (words, "")
        with pytest.MonkeyPatch.context() as patch, redirect_stdout(StringIO()) as printed:
            patch.setattr(sys, "argv", words)
            runpy.run_path(str(self.folder / words[0]))
        if file:
            (self.folder / file).write_text(printed.getvalue())
        return printed.getvalue()


@pytest.mark.slow
def test_each_command_says_what_the_page_says(tmp_path: Path, commands: Commands, aws: OfflineAws) -> None:
    reader = Reader(tmp_path, commands, aws)
    for language, block in re.findall(r"^```(\w+)\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE):
        if language != "console":
            reader.write(block)
            continue
        parts = COMMAND.split(block)
        for command, code, shown in zip(parts[1::3], parts[2::3], parts[3::3], strict=True):
            if command.startswith(ONCE):
                continue
            ended, printed = reader.type(command)
            assert ended == int(code or 0), (command, printed)
            said = iter(lines(printed))
            missing = [line for line in lines(shown) if not any(line in one for one in said)]  # in this order
            assert missing == [], (command, printed)
    assert (tmp_path / "fleet.html").read_text().count("client-") > 0
