"""The stores that a benchmark of MongoDB fills: databases of one server, or files of SQLite to try a script with."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from orbits_iac.model.rows import EventRow, Row
from orbits_iac.store.contract import Store, Transaction

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
def stores(folder: Path, given: Sequence[str]) -> Iterator[Stores]:
    """A server of their own, with its data below `folder`; or what is `given`: an address with `{name}` in it."""
    if given == ["sqlite"]:
        yield Stores(f"sqlite:{folder}/{{name}}.db", measured=False)
        return
    raise SystemExit("not yet")


async def fill(store: Store, rows: Iterable[Row]) -> None:
    """Write many rows through the store's own contract, in large transactions."""
    left = iter(rows)
    while batch := list(islice(left, LARGE)):
        events = [row for row in batch if isinstance(row, EventRow)]
        await store.commit(Transaction(put=[row for row in batch if not isinstance(row, EventRow)], events=events))
