"""A client's shop on a cloud that is one JSON file: what the tests of the command line run."""

import fcntl
import json
import sys
from collections.abc import Generator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

from pydantic import SecretStr
from rich.text import Text

from orbits_iac import Action, InProgress, Managed, Options, Outputs, Resource, action

GATE = Path("gate")  # a migration goes on until it is there
CALLS = Path("calls.log")  # a line for each call that changes something


@contextmanager
def cloud() -> Generator[dict[str, Any]]:
    with Path("cloud.json").open("a+", encoding="utf-8") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.seek(0)
        things = json.loads(file.read() or "{}")
        yield things
        file.truncate(0)
        file.write(json.dumps(things))


def called(what: str) -> None:
    with CALLS.open("a", encoding="utf-8") as file:
        file.write(f"{what}\n")


class BoxOutputs(Outputs):
    name: str
    size: int


class Box(Managed[BoxOutputs]):
    name: str
    size: int = 1

    def read(self, recorded: BoxOutputs | None, /) -> BoxOutputs | None:
        with cloud() as things:
            return BoxOutputs(name=self.name, size=things[self.name]) if self.name in things else None

    def create(self) -> BoxOutputs:
        return self._put("create")

    def change(self, live: BoxOutputs, /) -> BoxOutputs:
        return self._put("change")

    def delete(self, live: BoxOutputs, /) -> None:
        called(f"delete {self.name}")
        with cloud() as things:
            things.pop(self.name, None)

    def _put(self, how: str) -> BoxOutputs:
        if self.size == 13:
            raise ValueError("13 is an unlucky size")
        called(f"{how} {self.name}")
        with cloud() as things:
            things[self.name] = self.size
        return BoxOutputs(name=self.name, size=self.size)


class Migrate(Action[int, str]):
    options = Options(idempotent=True)
    to: str

    def main(self) -> InProgress[str]:
        called(f"migrate {self.to}")
        return InProgress(self.to, poll=timedelta(seconds=0.02))

    def watch(self, job: str, /) -> int | InProgress[str]:
        sys.stderr.write("looking\n")
        if GATE.exists():
            return 2
        self.execution.progress("1 of 2", 0.5)
        return InProgress(job, poll=timedelta(seconds=0.02))


@action
def announce(text: str, token: SecretStr) -> None:
    called(f"announce {text} {len(token.get_secret_value())}")


class Backend(Resource[BoxOutputs]):
    client: str
    size: int

    def identity(self) -> str:
        return self.client

    async def define_install(self) -> None:
        await self.do("repository", Box(name=f"{self.client}-git"), retain=True)

    async def define_update(self) -> BoxOutputs:
        queue = await self.do("queue", Box(name=f"{self.client}-queue", size=self.size))
        count = await self.do("migrate", Migrate(to="0002"), once=True)
        self.execution.progress(f"{count} migrations")
        return queue


class ShopOutputs(Outputs):
    queue: str
    site: str
    token: SecretStr


class Shop(Resource[ShopOutputs]):
    """One client's shop."""

    client: str
    release: int
    size: int = 1
    site: int = 1
    labels: dict[str, str] = {}
    token: SecretStr = SecretStr("none")

    def identity(self) -> str:
        return self.client

    async def define_update(self) -> ShopOutputs:
        back = await self.do("backend", Backend(client=self.client, size=self.size))
        site = await self.do("site", Box(name=f"{self.client}-site", size=self.site))
        await self.do("announce", announce(f"release {self.release}", self.token), once=True)
        return ShopOutputs(queue=back.name, site=site.name, token=self.token)


class FleetReport(Outputs):
    failed: list[str]

    def exit_code(self) -> int:
        return 4 if self.failed else 0

    def __rich__(self) -> Text:
        return Text(f"failed: {', '.join(self.failed) or 'none'}")


class Fleet(Resource[FleetReport]):
    failing: list[str] = []

    def identity(self) -> str:
        return "fleet"

    async def define_update(self) -> FleetReport:
        return FleetReport(failed=self.failing)


class Placeless(Resource):
    pass
