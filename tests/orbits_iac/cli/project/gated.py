"""A step that may not be done twice and lasts until the gate is there, and one that comes after it."""

import sys
import time
from pathlib import Path

from orbits_iac import Workflow, action


def called(what: str) -> None:
    with Path("calls.log").open("a", encoding="utf-8") as file:
        file.write(f"{what}\n")


@action
def gated_payment() -> None:
    sys.stderr.write("paying\n")
    while not Path("gate").exists():
        time.sleep(0.01)
    called("paid")


@action
def gated_thanks() -> None:
    called("thanked")


class GatedOrder(Workflow):
    async def define(self) -> None:
        await self.do("pay", gated_payment())
        await self.do("thank", gated_thanks())
