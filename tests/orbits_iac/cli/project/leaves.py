"""What leaves something behind: an order that cannot be taken back while the shop is closed."""

from pathlib import Path

from orbits_iac import Workflow, action


@action
def order(what: str) -> str:
    return what


@action
def take_back(what: str) -> None:
    if not Path("open").exists():
        raise OSError("the shop is closed")


@action
def pay() -> None:
    raise ValueError("no money")


class Buys(Workflow):
    async def define(self) -> None:
        await self.do("order", order("a book"), undo=take_back)
        await self.do("pay", pay())
