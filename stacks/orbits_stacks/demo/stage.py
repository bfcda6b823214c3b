"""Stage: the folder that the demo plays in, its offline AWS, and the processes that it starts.

Everything is the demo's own: a temporary folder with an orbits.toml, a list of clients and a store; an AWS on a
loopback port; an environment without the person's own AWS or Orbits settings. What is started here is ended here.
"""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from orbits_aws import OfflineAws
from orbits_stacks.demo.narrator import Narrator
from orbits_stacks.demo.picture import IN_COLOUR, Pictures

CLIENTS = ("acme", "bolt", "cafe")
MANAGEMENT = "123456789012"
PATIENCE = 60.0
"""Seconds after which something that was waited for is said not to come."""

TOML = """\
project = "agency"
modules = ["orbits_stacks.agency"]

[stacks]
clients = "orbits_stacks.agency:Clients"
"""
YAML = "# Who we work for. The first one gets each release first.\ntenants:\n  - acme\n  - bolt\n  - cafe\n"
START = '''\
"""Asks for a release and leaves: whichever worker is there rolls it out."""

import asyncio
import sys

from orbits_iac import Orbits
from orbits_stacks.agency import Clients


async def main() -> None:
    async with Orbits(work=False) as orbits:
        print((await orbits.start(Clients(release=sys.argv[1]))).id)


asyncio.run(main())
'''
_EVENT = re.compile(r"^\d\d:\d\d:\d\d  .*\n?", re.MULTILINE)


@dataclass(frozen=True, kw_only=True)
class Ran:
    """A command that was run, and what it printed where nobody saw it."""

    code: int
    out: str
    seconds: float


class Stage:
    """Where the demo plays."""

    def __init__(self, folder: Path, aws: OfflineAws, narrator: Narrator, pictures: Pictures) -> None:
        self.folder = folder
        self.aws = aws
        self.narrator = narrator
        self.pictures = pictures
        self.seen = narrator.console.is_terminal
        self.environment = _environment(folder, aws.endpoint_url)

    def orbits(self, *arguments: str) -> Ran:
        """Run `orbits` before the person's eyes: on a terminal as it is, else without its log of events."""
        self.narrator.command(f"orbits {' '.join(arguments)}")
        if self.seen:
            return self._run(arguments, self.environment, None)
        ran = self.quietly(*arguments)
        self.narrator.output(_EVENT.sub("", ran.out))
        return ran

    def quietly(self, *arguments: str, **environment: str) -> Ran:
        """Run `orbits` unseen; what it printed, errors included."""
        return self._run(arguments, {**self.environment, **environment}, subprocess.PIPE)

    def _run(self, arguments: tuple[str, ...], environment: dict[str, str], out: int | None) -> Ran:
        began = time.monotonic()
        with subprocess.Popen(
            [_orbits(), *arguments],
            cwd=self.folder,
            env=environment,
            stdout=out,
            stderr=None if out is None else subprocess.STDOUT,
            text=True,
        ) as process:
            try:
                printed, _ = process.communicate(timeout=PATIENCE)
            except subprocess.TimeoutExpired:
                process.kill()
                printed, _ = process.communicate()
                self.narrator.say(f"[red]It did not end within {PATIENCE:.0f} s, and was killed.[/red]")
            except KeyboardInterrupt:  # it was interrupted too: it gives the terminal back, and says how to resume
                with suppress(subprocess.TimeoutExpired):
                    process.wait(timeout=3)
                process.kill()
                raise
        return Ran(code=process.returncode, out=printed or "", seconds=time.monotonic() - began)

    def json(self, *arguments: str) -> Any:
        """What a reading command says, as data."""
        return json.loads(self.quietly(*arguments, "--json").out)

    def latest(self) -> str:
        """The id of the execution of the fleet that was asked for last."""
        return next(str(row["id"]) for row in self.json("get") if row["kind"] == "Clients")

    def picture(self, name: str, title: str) -> None:
        """Draw the last roll-out, if pictures were asked for."""
        if self.pictures.wanted:
            latest = self.latest()
            printed = self.quietly("get", latest, **IN_COLOUR).out
            self.pictures.draw(name, title, printed, self.json("get", latest)["result"])

    def script(self, text: str, *arguments: str) -> str:
        """Run a Python program of the folder; the first line that it prints."""
        self.narrator.command(f"python {' '.join(arguments)}")
        (self.folder / arguments[0]).write_text(text, encoding="utf-8")
        done = subprocess.run(
            [sys.executable, *arguments],
            cwd=self.folder,
            env=self.environment,
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
        return done.stdout.partition("\n")[0]

    @contextmanager
    def background(self, *arguments: str) -> Generator["subprocess.Popen[str]"]:
        """A process of `orbits` beside; killed at the end if it still runs."""
        self.narrator.command(f"orbits {' '.join(arguments)} &")
        log = (self.folder / "worker.log").open("a", encoding="utf-8")
        with (
            log,
            _ended(
                subprocess.Popen(
                    [_orbits(), *arguments], cwd=self.folder, env=self.environment, stdout=log, stderr=log, text=True
                )
            ) as process,
        ):
            yield process

    def effects(self) -> list[dict[str, Any]]:
        """The lines that steps have written outside the store, each when it had its effect."""
        file = self.folder / "agency" / "effects.jsonl"
        return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()] if file.is_file() else []

    def writes(self, account: str | None = None) -> int:
        """How many calls that change something have reached the offline AWS, CloudFormation's own included."""
        return len(self.aws.calls(writes=True, account=account))


def wait_until(what: str, holds: Callable[[], object]) -> None:
    """Look again and again until it holds; TimeoutError says what did not come."""
    until = time.monotonic() + PATIENCE
    while not holds():
        if time.monotonic() > until:
            raise TimeoutError(f"{what} did not come within {PATIENCE:.0f} s")
        time.sleep(0.02)


@contextmanager
def offline_aws() -> Generator[OfflineAws]:
    """An AWS of our own, as a process: an organization with nothing in it."""
    command = [sys.executable, "-m", "orbits_aws.offline", "--json"]
    with _ended(subprocess.Popen(command, stdout=subprocess.PIPE, text=True)) as process:
        url = json.loads(_first_line(process.stdout))["endpoint_url"]
        with OfflineAws.attach(url) as aws:
            yield aws


@contextmanager
def folder(*, keep: bool) -> Generator[Path]:
    """A folder with what the agency has: its list of clients, and the name of its stack."""
    made = Path(tempfile.mkdtemp(prefix="orbits-demo-"))
    try:
        (made / "orbits.toml").write_text(TOML, encoding="utf-8")
        (made / "clients.yaml").write_text(YAML, encoding="utf-8")
        yield made
    finally:
        if not keep:
            shutil.rmtree(made, ignore_errors=True)


@contextmanager
def _ended(process: "subprocess.Popen[str]") -> Generator["subprocess.Popen[str]"]:
    with process:
        try:
            yield process
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
                try:
                    process.wait(timeout=5)
                except subprocess.TimeoutExpired:
                    process.kill()


def _first_line(stream: IO[str] | None) -> str:
    line = stream.readline() if stream is not None else ""
    if not line:
        raise RuntimeError("the offline AWS did not start; its message stands above")
    return line


def _orbits() -> str:
    return str(Path(sysconfig.get_path("scripts")) / "orbits")


def _environment(folder: Path, endpoint_url: str) -> dict[str, str]:
    """The person's environment without what would reach the person's own AWS or store."""
    own = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "ORBITS_", "AGENCY_"))}
    if own.pop("PYTHONDONTWRITEBYTECODE", None):  # CDK is large: compiled for each command, it would take seconds
        own["PYTHONPYCACHEPREFIX"] = str(Path(sys.prefix) / "demo-pycache")
    return {
        **own,
        "AGENCY_HOME": str(folder / "agency"),
        "AWS_ENDPOINT_URL": endpoint_url,
        "AWS_ACCESS_KEY_ID": MANAGEMENT,
        "AWS_SECRET_ACCESS_KEY": "offline",
        "AWS_DEFAULT_REGION": "eu-west-1",
        "AWS_CONFIG_FILE": str(folder / "no-config"),
        "AWS_SHARED_CREDENTIALS_FILE": str(folder / "no-credentials"),
    }
