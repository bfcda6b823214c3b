"""The stores that a benchmark of MongoDB fills: databases of one server, or files of SQLite to try a script with."""

import os
from collections.abc import Generator, Iterable, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from cryptography.fernet import Fernet

from orbits_iac.model.rows import EventRow, Row
from orbits_iac.store.contract import Store, Transaction
from tests.servers.replica_set import ReplicaSet

LARGE = 2_000  # rows a transaction


@dataclass(frozen=True)
class Stores:
    """Where stores are made, each under a name of its own."""

    pattern: str
    measured: bool = True  # it is what the figures are to be of

    def address(self, name: str) -> str:
        """The address of the store with this name."""
        return self.pattern.format(name=name)


@contextmanager
def stores(folder: Path, given: Sequence[str]) -> Generator[Stores]:
    """A server of their own with its data below `folder`, or what is `given`: `sqlite`, or an address with `{name}`."""
    if given:
        pattern = f"sqlite:{folder}/{{name}}.db" if given[0] == "sqlite" else given[0]
        yield Stores(pattern, measured=False)
        return
    os.environ["ORBITS_SECRET_KEY"] = Fernet.generate_key().decode()  # for the processes that are started too
    with ReplicaSet(where=folder) as server:  # journaled, as it comes
        yield Stores(server.url("{name}"))


async def fill(store: Store, rows: Iterable[Row]) -> None:
    """Write many rows through the store's own contract, in large transactions."""
    left = iter(rows)
    while batch := list(islice(left, LARGE)):
        events = [row for row in batch if isinstance(row, EventRow)]
        await store.commit(Transaction(put=[row for row in batch if not isinstance(row, EventRow)], events=events))
