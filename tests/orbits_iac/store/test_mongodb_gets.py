"""Rows that are asked for at a time, and read together: over a table of this process."""

import asyncio
from collections.abc import Awaitable, Sequence
from typing import Any

import pytest

pytest.importorskip("pymongo", reason="needs MongoDB's driver: pip install 'orbits-iac[mongodb]'")

from orbits_iac.model.errors import Unreachable
from orbits_iac.model.rows import RecordRow, Row, TaskRow
from orbits_iac.store.mongodb_gets import MOST, Gets, Key


class Server:
    """Answers once it may; what is asked for as `bad` is an error, of all that are asked for with it."""

    def __init__(self) -> None:
        self.asked: list[list[Key]] = []
        self.may = asyncio.Event()
        self.gone = False
        self.tasks: list[asyncio.Future[None]] = []
        self.gets = Gets(self.read, self.begin)

    def begin(self, doing: Awaitable[None]) -> None:
        self.tasks.append(asyncio.ensure_future(doing))

    async def read(self, table: type[Row], keys: Sequence[Key]) -> dict[Key, Any]:
        self.asked.append([*keys])
        await self.may.wait()
        if self.gone:
            raise Unreachable("gone")
        if ("bad",) in keys:
            raise ValueError("bad")
        return {key: {"_id": key, "of": table.__name__} for key in keys if key != ("none",)}

    def get(self, *names: str, table: type[Row] = RecordRow) -> "list[asyncio.Task[Any]]":
        return [asyncio.ensure_future(self.gets.get(table, (name,))) for name in names]


async def _turns() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_what_is_asked_for_in_one_turn_or_while_others_are_read_comes_together() -> None:
    server = Server()
    asking = server.get("a", "b", "none")
    await _turns()
    asking += server.get("c")
    await _turns()
    for name in ("d", "e", "a", "d"):
        asking += server.get(name)
        await _turns()
    asking += server.get("t", table=TaskRow)
    await _turns()
    assert server.asked == [[("a",), ("b",), ("none",)], [("c",)], [("t",)]]
    server.may.set()
    found = await asyncio.gather(*asking)
    assert server.asked[3:] == [[("d",), ("e",), ("a",)]]  # again: what was read before may be otherwise by now
    assert [one and one["_id"][0] for one in found] == ["a", "b", None, "c", "d", "e", "a", "d", "t"]
    assert [one["of"] for one in found if one] == ["RecordRow"] * 7 + ["TaskRow"]
    await asyncio.gather(*server.tasks)


async def test_no_command_asks_for_more_than_so_many() -> None:
    server = Server()
    server.may.set()
    names = [str(number) for number in range(3 * MOST + 1)]
    found = await asyncio.gather(*server.get(*names))
    assert [one["_id"][0] for one in found] == names
    assert [len(keys) for keys in server.asked] == [MOST, MOST, MOST, 1]


async def test_what_is_wrong_with_one_is_told_to_who_asked_for_that_one() -> None:
    server = Server()
    server.may.set()
    found: list[Any] = await asyncio.gather(*server.get("a", "bad", "b", "bad"), return_exceptions=True)
    assert [one if isinstance(one, dict) else str(one) for one in found] == [
        {"_id": ("a",), "of": "RecordRow"},
        "bad",
        {"_id": ("b",), "of": "RecordRow"},
        "bad",
    ]
    assert server.asked == [[("a",), ("bad",), ("b",)], [("a",)], [("bad",)], [("b",)]]


async def test_a_server_that_cannot_be_reached_is_asked_once() -> None:
    server = Server()
    server.may.set()
    server.gone = True
    errors = await asyncio.gather(*server.get("a", "b"), return_exceptions=True)
    assert [type(error) for error in errors] == [Unreachable, Unreachable]
    assert len(server.asked) == 1
    server.gone = False
    assert await asyncio.gather(*server.get("a"))
