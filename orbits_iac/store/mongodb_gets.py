"""Rows by their keys: what is asked for while others are read comes with one command after them.

A command costs more than all else about a row, and a worker that advances many executions asks for many rows at a time.
What always holds: a row is read after it was asked for, and what is wrong with one is told to who asked for that one.
Nobody who asks is cancelled: the store's side, which makes one for its event loop, goes on with a question whose caller
has left.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from itertools import chain

from orbits_iac.model.errors import Unreachable
from orbits_iac.model.rows import Row
from orbits_iac.store.mongodb_client import Document

Key = tuple[str | int, ...]
Asked = Mapping[Key, Sequence[asyncio.Future[Document | None]]]
Read = Callable[[type[Row], Sequence[Key]], Awaitable[Mapping[Key, Document]]]

AT_ONCE = 2
"""Commands for rows of one table that are under way at a time."""
MOST = 100
"""Rows that one command asks for."""


class Gets:
    """What is asked for and not read yet."""

    def __init__(self, read: Read, begin: Callable[[Awaitable[None]], object]) -> None:
        """`read` reads the documents of a table with these keys; `begin` has something done that the side waits for."""
        self._read = read
        self._do = begin
        self._waiting: dict[type[Row], dict[Key, list[asyncio.Future[Document | None]]]] = {}
        self._under_way = Counter[type[Row]]()

    async def get(self, table: type[Row], key: Key) -> Document | None:
        """The document with this key, or None."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Document | None] = loop.create_future()
        waiting = self._waiting.setdefault(table, {})
        if not waiting:
            loop.call_soon(self._begin, table)  # with those of the same turn
        waiting.setdefault(key, []).append(future)
        return await future

    def _begin(self, table: type[Row]) -> None:
        waiting = self._waiting.get(table)
        if not waiting or self._under_way[table] == AT_ONCE:
            return
        batch = {key: waiting.pop(key) for key in list(waiting)[:MOST]}
        self._under_way[table] += 1
        self._do(self._answer(table, batch))

    async def _answer(self, table: type[Row], batch: Asked) -> None:
        try:
            await self._tell(table, batch)
        finally:
            self._under_way[table] -= 1
            self._begin(table)

    async def _tell(self, table: type[Row], batch: Asked) -> None:
        try:
            found = await self._read(table, list(batch))
        except Exception as error:  # noqa: BLE001 - whatever it is, who has asked is told
            if len(batch) > 1 and not isinstance(error, Unreachable):  # one of them is to blame
                for key, asked in batch.items():
                    await self._tell(table, {key: asked})
                return
            for future in chain.from_iterable(batch.values()):
                future.set_exception(error)
        else:
            for key, asked in batch.items():
                for future in asked:
                    future.set_result(found.get(key))
