"""How rows stand in MongoDB: a collection a table, a document a row.

`_id` is the row's key: the value of its one `KEY` field, or an embedded document of all of them in order. MongoDB
compares such documents field by field, so that the index of `_id` alone serves a key, the rows that share the leading
fields of one, their order, and the next page. Beside it stand the fields that rows are found by, the whole row as JSON
in `body`, and a long text of an `APART` field in `apart`. What is too long for a document stands in pieces
(`mongodb_pieces`). Tasks, which are changed in place, have a field each and no `body`. `free` is when a task may be
claimed, or a schedule fired: it is there only if that may happen at some time, so that the indexes on it hold nothing
else.
"""

from collections.abc import Callable, Mapping, Sequence
from itertools import takewhile
from typing import Any, Generic, TypeVar, cast

import msgspec

from orbits_iac.model.errors import Unreadable
from orbits_iac.model.rows import TABLES, EventRow, Row, ScheduleRow, TaskRow, amended
from orbits_iac.store.parted import parted
from orbits_iac.store.rules import free_from
from orbits_iac.store.tables import encoded

R = TypeVar("R", bound=Row)
Document = dict[str, Any]
Id = str | int | Document


class Documents(Generic[R]):
    """The codec and the queries of one type of row. Made once."""

    def __init__(self, row_type: type[R]) -> None:
        self.row_type = row_type
        self.name = TABLES[row_type]
        self.fields = (*row_type.INDEXED, *(("version",) if row_type.VERSIONED else ()))
        self.document: Callable[[R], Document] = _encoder(self)
        self.row: Callable[[Document], R] = _decoder(self)
        self.short: Mapping[str, int] | None = {"apart": 0, "pieces.apart": 0} if row_type.APART else None
        """The projection of rows that are not read whole."""
        self.real: Document = {"void": None} if row_type is EventRow else {}
        """The condition that leaves out the numbers of events that will never be (`mongodb_gate`)."""

    def id(self, key: Sequence[str | int]) -> Id:
        """The `_id` of the row with this key."""
        if len(self.row_type.KEY) == 1:
            return key[0]
        return dict(zip(self.row_type.KEY, key, strict=True))

    def id_of(self, row: Row) -> Id:
        """The `_id` of a row."""
        return self.id([getattr(row, name) for name in self.row_type.KEY])

    def key(self, id_: Id) -> tuple[str | int, ...]:
        """The key that an `_id` stands for."""
        return tuple(id_.values()) if isinstance(id_, dict) else (id_,)

    def below(self, leading: Mapping[str, Any]) -> Document:
        """The condition on `_id` for the rows whose leading `KEY` fields are these: some of them, not all."""
        from bson import MaxKey

        following = self.row_type.KEY[len(leading)]
        return {"$gte": dict(leading), "$lt": {**leading, following: MaxKey()}}

    def query(self, where: Mapping[str, Any], after: Sequence[str | int] = (), *, newest: bool = False) -> Document:
        """The documents whose fields equal all of `where`, and (`after`) whose key comes after that one."""
        leading = {name: where[name] for name in takewhile(where.__contains__, self.row_type.KEY)}
        query: Document = {name: value for name, value in where.items() if name not in leading} | self.real
        conditions: Document = {}
        if len(leading) == len(self.row_type.KEY):
            conditions["$eq"] = self.id(list(leading.values()))
        elif leading:
            conditions = self.below(leading)
        if after:
            past, start = "$lt" if newest else "$gt", self.id(after)
            if past in conditions:
                return {"$and": [{"_id": conditions}, {"_id": {past: start}}], **query}
            conditions[past] = start
        if conditions:
            query["_id"] = conditions
        return query


_documents: dict[type[Row], Documents[Any]] = {}


def documents_of(row_type: type[R]) -> Documents[R]:
    """The documents of a type of row."""
    found = _documents.get(row_type)
    if found is None:
        found = _documents[row_type] = Documents(row_type)
    return found


def _encoder(of: Documents[R]) -> Callable[[R], Document]:
    if of.row_type is TaskRow:
        return cast("Callable[[R], Document]", _task_document)

    def document(row: R) -> Document:
        short, apart = parted(row)
        made: Document = {"_id": of.id_of(row)}
        for name in of.fields:
            made[name] = getattr(row, name)
        made["body"] = encoded(short).decode()
        if apart is not None:
            made["apart"] = apart
        if isinstance(row, ScheduleRow) and not row.paused:
            made["free"] = row.due
        return made

    return document


def _task_document(row: TaskRow) -> Document:
    encoded(row)
    made = msgspec.structs.asdict(row)
    made["_id"] = made.pop("id")
    free = free_from(row)
    if free is not None:
        made["free"] = free
    return made


def _decoder(of: Documents[R]) -> Callable[[Document], R]:
    if of.row_type is TaskRow:
        return cast("Callable[[Document], R]", _task)
    decode, apart, name = msgspec.json.Decoder(of.row_type).decode, of.row_type.APART, of.name

    def row(document: Document) -> R:
        try:
            found = decode(document["body"])
        except (msgspec.DecodeError, KeyError) as error:
            raise Unreadable(name, _key(document["_id"]), error) from error
        if apart is not None and "apart" in document:
            return amended(found, **{apart: document["apart"]})
        if of.row_type is EventRow:
            return amended(found, seq=int(document["_id"]))
        return found

    return row


def _task(document: Document) -> TaskRow:
    long: Document = {
        name: int(document[name]) for name in ("priority", "token") if name in document
    }  # bson has a type for it
    try:
        return _converted({**document, **long, "id": document["_id"]})
    except msgspec.ValidationError as error:
        raise Unreadable("task", _key(document["_id"]), error) from error


def _converted(document: Document) -> TaskRow:
    return msgspec.convert(document, TaskRow)


def _key(found: Id) -> tuple[str | int, ...]:
    return tuple(found.values()) if isinstance(found, dict) else (found,)
