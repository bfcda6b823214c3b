"""Executions that run, wait, have failed and have finished: what the tests of operations are about."""

import asyncio
from datetime import timedelta
from pathlib import Path

from orbits_iac import Action, InProgress, Options, Orbits, Settings, Workflow

MENDED = Path("mended")  # the last step fails until it is there, where it may fail


class Job(Action[str, str]):
    """Runs until it is cancelled, is looked at once an hour, or is done at once."""

    options = Options(idempotent=True, grace=timedelta(milliseconds=10))
    how: str

    async def main(self) -> str | InProgress[str]:
        if self.how == "waits":
            return InProgress("first", poll=timedelta(hours=1))
        if self.how == "runs":
            self.execution.progress("at it")
            await asyncio.Event().wait()
        return "done"

    async def watch(self, handle: str, /) -> str | InProgress[str]:
        return InProgress(handle, poll=timedelta(hours=1)) if handle == "first" else handle


class Last(Action):
    """Fails where it may, until that is mended."""

    options = Options(idempotent=True)
    how: str

    def main(self) -> None:
        if self.how == "failed" and not MENDED.exists():
            raise OSError("no answer")


class Release(Workflow[str]):
    """A job, and then a step that may fail."""

    how: str
    number: int

    async def define(self) -> str:
        found = await self.do("job", Job(how=self.how))
        await self.do("last", Last(how=self.how))
        return found


async def ask(hows: list[str], number: int) -> list[str]:
    """Ask for so many of each; their ids."""
    async with Orbits(Settings(), work=False, modules=["stages"]) as orbits:
        return [(await orbits.start(Release(how=how, number=at))).id for how in hows for at in range(number)]
