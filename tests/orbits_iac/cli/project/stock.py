"""A stock of boxes, one of which holds what must not be lost: what the tests of plans run."""

import json
from collections.abc import Sequence
from pathlib import Path

from pydantic import SecretStr

from orbits_iac import Managed, Options, Outputs, Resource, action

FILE = Path("stock.json")  # what there is
DONE = Path("stock.log")  # a line for each call that changes something


def there() -> dict[str, int]:
    found: dict[str, int] = json.loads(FILE.read_text()) if FILE.exists() else {}
    return found


def done(what: str, boxes: dict[str, int]) -> None:
    FILE.write_text(json.dumps(boxes))
    with DONE.open("a", encoding="utf-8") as file:
        file.write(f"{what}\n")


class BoxState(Outputs):
    size: int


class Box(Managed[BoxState]):
    name: str
    size: int = 1

    def read(self, recorded: BoxState | None, /) -> BoxState | None:
        return BoxState(size=there()[self.name]) if self.name in there() else None

    def create(self) -> BoxState:
        done(f"create {self.name}", {**there(), self.name: self.size})
        return BoxState(size=self.size)

    def change(self, live: BoxState, /) -> BoxState:
        done(f"change {self.name}", {**there(), self.name: self.size})
        return BoxState(size=self.size)

    def delete(self, live: BoxState, /) -> None:
        done(f"delete {self.name}", {name: size for name, size in there().items() if name != self.name})


class Safe(Box):
    """A box whose size cannot be changed, and which holds data."""

    options = Options(stateful=True)

    def replaces(self, live: BoxState, /) -> Sequence[str]:
        return ("size",) if live.size != self.size else ()


@action
def count(boxes: int, token: SecretStr) -> int:
    done(f"count {boxes} {len(token.get_secret_value())}", there())
    return boxes + 1


class Stock(Resource):
    name: str
    boxes: list[str] = []
    safe: int = 0
    counted: bool = False
    token: SecretStr = SecretStr("none")

    def identity(self) -> str:
        return self.name

    async def define_update(self) -> None:
        if self.counted:
            boxes = await self.do("count", count(len(self.boxes), self.token))
            await self.do("counter", Box(name="counter", size=boxes))
        if self.safe:
            await self.do("safe", Safe(name="safe", size=self.safe))
        for box in self.boxes:
            await self.do(box, Box(name=box))
