"""Steps that are done where something above them says; each tells in which process it was."""

import os
from typing import Any

from orbits_iac import Action, Managed, Options, Outputs, Resource, Workflow
from orbits_iac.executors import Local, Subprocess

LIMITED = Subprocess(memory=1_000_000_000, nice=3, without=("HIDDEN_*",))


class Process(Action[int]):
    def main(self) -> int:
        return os.getpid()


class ProcessHere(Process):
    options = Options(executor=Local())


class Seen(Action[list[str]]):
    """What of the environment is there, and how nice it is."""

    def main(self) -> list[str]:
        return [*(name for name in os.environ if "HIDDEN" in name), str(os.nice(0))]


class Hoard(Action[int]):
    """Takes more memory than it has."""

    def main(self) -> int:
        return len(bytearray(2_000_000_000))


class LedgerState(Outputs):
    pid: int


class Ledger(Managed[LedgerState]):
    """Made in some process, and says in which."""

    def desired(self) -> dict[str, Any]:
        return {}

    def read(self, recorded: LedgerState | None, /) -> LedgerState | None:
        return recorded

    def create(self) -> LedgerState:
        return LedgerState(pid=os.getpid())


class Pids(Workflow[list[int]]):
    async def define(self) -> list[int]:
        return [await self.do("there", Process()), await self.do("here", ProcessHere())]


class Office(Resource[None]):
    """Says nothing itself of where."""

    async def define_update(self) -> None:
        pids = await self.do("pids", Pids())
        TOLD.extend(pids)
        TOLD.append((await self.do("ledger", Ledger())).pid)

    async def define_cycle(self) -> None:
        TOLD.append(await self.do("cycled", Process()))


class Building(Resource[None]):
    """Says it for all that is in it."""

    options = Options(executor=LIMITED)

    def identity(self) -> str:
        return "building"

    async def define_update(self) -> None:
        await self.do("office", Office())


class Limited(Workflow[list[str]]):
    options = Options(executor=LIMITED)
    hoards: bool = False

    async def define(self) -> list[str]:
        if self.hoards:
            await self.do("hoard", Hoard())
        return await self.do("seen", Seen())


TOLD: list[int] = []
