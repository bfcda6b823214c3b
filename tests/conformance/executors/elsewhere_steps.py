"""Steps that run in processes of their own: what a test wants to know of them goes through files and pipes."""

import asyncio
import os
import signal
from datetime import timedelta
from pathlib import Path

from pydantic import SecretStr

from orbits_iac import Action, InProgress, NothingDone, Options, Permanent, Retry, Target, action


class Outage(Exception):
    """The world does not answer."""


class Place(Target):
    """Somewhere, with a secret."""

    name: str
    password: SecretStr

    def place(self) -> str:
        return self.name


@action
def double(number: int) -> int:
    return 2 * number


@action
async def double_async(number: int) -> int:
    await asyncio.sleep(0)
    return 2 * number


@action
def where() -> int:
    return os.getpid()


class Told(Action[list[str]]):
    """What `self.execution` says."""

    def main(self) -> list[str]:
        it = self.execution
        return [it.id, it.token, str(it.attempt), it.project, str(it.tenant), str(it.record), str(it.now().tzinfo)]


class Looked(Action[list[int], list[int]]):
    """Each look is in a process of its own."""

    def main(self) -> InProgress[list[int]]:
        return InProgress([os.getpid()], poll=timedelta(0))

    def watch(self, handle: list[int], /) -> list[int] | InProgress[list[int]]:
        seen = [*handle, os.getpid()]
        return seen if len(seen) == 3 else InProgress(seen, poll=timedelta(0))


class SecretHandle(Action[SecretStr, SecretStr]):
    """Hands a secret to its watch."""

    def main(self) -> InProgress[SecretStr]:
        return InProgress(SecretStr("hunter2"), poll=timedelta(0))

    def watch(self, handle: SecretStr, /) -> SecretStr:
        return SecretStr(handle.get_secret_value() * 2)


class FailsFirst(Action[str]):
    """Raises what it is told; an attempt later it does not."""

    options = Options(retry=Retry(attempts=2, delay=timedelta(milliseconds=1), on=(Outage,)))
    error: str

    def main(self) -> str:
        if self.execution.attempt == 1:
            errors = {"outage": Outage, "permanent": Permanent, "nothing": NothingDone, "value": ValueError}
            raise errors[self.error]("no answer") from KeyError("below")
        return self.execution.token


class Dies(Action[str]):
    """Takes its process with it."""

    code: int

    def main(self) -> str:
        os.write(2, b"last words\n")
        os._exit(self.code)


class DiesLooking(Action[str, str]):
    """Takes the process of its look with it."""

    def main(self) -> InProgress[str]:
        return InProgress("handle", poll=timedelta(0))

    def watch(self, handle: str, /) -> str:
        os.write(2, b"last look\n")
        os._exit(4)


class DiesAndKnows(Dies):
    """Can find out what came of it."""

    def on_interrupted(self) -> str:
        return f"found out by {self.execution.attempt}"


class Reveals(Action[SecretStr]):
    """Works with a secret; says so at one pipe, if it is told to, and waits at another."""

    secret: SecretStr
    fails: bool = False
    here: str = ""
    gate: str = ""

    def main(self) -> SecretStr:
        password = self.execution.target(Place).password.get_secret_value()
        self.execution.progress(f"with {self.secret.get_secret_value()}", 0.5)
        if self.here:
            Path(self.here).write_text(f"{os.getpid()}\n")
            Path(self.gate).read_text()
        if self.fails:
            raise ValueError(f"{self.secret.get_secret_value()} and {password}")
        return SecretStr(self.secret.get_secret_value() + password)


class Stays(Action[str]):
    """Adds a line to its log, says at one pipe that it is there, and goes on when another is opened.

    Asked to end, it notes that; if it is `deaf`, it does not hear.
    """

    log: str
    here: str
    gate: str
    deaf: bool = False

    def note(self, what: str) -> None:
        with Path(self.log).open("a") as log:
            log.write(f"{what} {self.execution.attempt} {os.getpid()}\n")

    def main(self) -> str:
        if self.deaf:
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
        self.note("begun")
        try:
            Path(self.here).write_text("here\n")
            return Path(self.gate).read_text().strip()
        finally:
            self.note("over")


def hidden() -> Action[None]:
    """A step that is not there when the module is imported."""

    class Hidden(Action):
        def main(self) -> None:
            """Nothing."""

    return Hidden()


class StaysAgain(Stays):
    """The same; may be begun again."""

    options = Options(idempotent=True)


class StaysAsync(Stays):
    """The same, on a loop, for ever."""

    async def main(self) -> str:  # type: ignore[override]
        self.note("begun")
        try:
            await asyncio.to_thread(Path(self.here).write_text, "here\n")
            await asyncio.Event().wait()
        finally:
            self.note("over")
        return "never"
