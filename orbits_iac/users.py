"""Who uses a record: read from rows alone, for the engine and for whoever shows it."""

from orbits_iac.model.rows import ReaderRow, RecordRow
from orbits_iac.store.contract import Store


async def users_of(store: Store, record: RecordRow) -> tuple[str, ...]:
    """Who uses a record: those who do it, the first of whom leads, then those who read its outputs."""
    if not record.has_readers:
        return record.users
    rows = await store.find(ReaderRow, kind=record.kind, identity=record.identity)
    return tuple(dict.fromkeys([*record.users, *(row.reader for row in rows)]))
