"""What mypy --strict and pyright must refuse: each line marked so, and no other."""

from orbits_iac import Action, InProgress, Managed, Options, Workflow

from dns_provider import DnsRecord, RecordState
from trading import Invoke, cancel_trade


class WrongHandle(Action[int, str]):
    async def main(self) -> InProgress[int]:  # refused
        return InProgress(3)

    async def watch(self, job: bytes, /) -> int:  # refused
        return 1


class WrongResult(Action[int]):
    async def main(self) -> str:  # refused
        return ""


class NoMain(Action[int]):
    name: str


NoMain(name="x")  # refused


class Fn(Action[None]):
    def main(self) -> None: ...


class Fn2(Action):
    async def main(self) -> None: ...


class W(Workflow):
    async def define(self) -> None:
        await self.do("x", Invoke(function="f", price=1), undo=lambda t: cancel_trade(t.nope))  # refused
        await self.do("y", cancel_trade(3))  # refused
        await self.do("z", cancel_trade)  # refused
        await self.do("w", DnsRecord(zone="a", name="b", value="c"), retries=3)  # refused


class MisspeltOption(Managed[RecordState]):
    options = Options(retires=3)  # refused


class WrongOption(Managed[RecordState]):
    options = Options(retry=3)  # refused
