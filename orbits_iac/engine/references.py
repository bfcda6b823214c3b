"""Where values came from: an argument that equals an output is recorded with it, and follows it when it is restored.

A thing that is made anew has another name. What was asked for with the old name has to be restored with the new one, so
each value of a child's argument that its definition was given as an output before is recorded as a `Reference`. What
counts is the value: text of at least `SHORTEST` characters, and secrets, which are compared here and never written. A
value that has several origins has none: two outputs, or an output and the definition's own argument. An output that
repeats a value of what it was asked for is no origin: the value came from where that came from. What a definition hands
on of its own argument keeps the reference that it came with.

Called where a definition asks for a child (`flow`), when a revision is made, and by whatever restores one.
"""

import asyncio
import heapq
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from graphlib import CycleError, TopologicalSorter
from typing import TYPE_CHECKING, Any

from pydantic import SecretStr

from orbits_iac.codec import Codec
from orbits_iac.model.ids import RecordId
from orbits_iac.model.rows import Json, RecordRow, Reference, RevisionRow

if TYPE_CHECKING:
    from orbits_iac.engine.engine import Engine

SHORTEST = 8
"""Characters: shorter text is equal by chance."""

_TURN = 50  # revisions that are read before others get their turn


class Given:
    """The outputs that a definition was given so far, beside its own argument."""

    def __init__(self, codec: Codec, argument: Json, references: Mapping[str, Reference]) -> None:
        self._codec = codec
        self._argument = argument
        self._own = references
        self._unread: list[tuple[RecordId, Json, Json]] = []
        self._origins: dict[str, Reference | None] = {}  # None: several, or the definition's own argument
        self._began = False
        self._some = False  # whether anything came from an output

    def take(self, kind: str, identity: str, outputs: Json, *, argument: Json = "null") -> None:
        """The definition is given the outputs of a record, which it has asked for with `argument`."""
        self._unread.append((RecordId(kind, identity), outputs, argument))

    def references(self, text: Json, *, of: RecordId) -> dict[str, Reference]:
        """The values in `text` that came from outputs of others than the record that it belongs to."""
        if not (self._own or self._unread or self._began):
            return {}
        self._read()
        found: dict[str, Reference] = {}
        if not self._some:
            return found
        for at, value in _texts(self._codec.decode(text, Any)):
            origin = self._origins.get(value)
            if origin is not None and (origin.kind, origin.identity) != of:
                found[at] = origin
        return found

    def _read(self) -> None:
        if not self._began:
            self._began = True
            for at, value in _texts(self._codec.decode(self._argument, Any)):
                self._came_from(self._own.get(at), value)
        unread, self._unread = self._unread, []
        for record, outputs, argument in unread:
            repeated = {value for _, value in _texts(self._codec.decode(argument, Any))}
            for path, value in _texts(self._codec.decode(outputs, Any)):
                if value not in repeated:
                    self._came_from(Reference(kind=record.kind, identity=record.identity, path=path), value)

    def _came_from(self, origin: Reference | None, value: str) -> None:
        self._some = self._some or origin is not None
        self._origins[value] = origin if self._origins.get(value, origin) == origin else None


async def resolved(engine: "Engine", text: Json, references: Mapping[str, Reference]) -> Json:
    """`text` with every referenced value as it stands now; one whose origin is gone stays as it is."""
    changed, value = False, engine.codec.decode(text, Any) if references else None
    for at, reference in references.items():
        now, then = await _now(engine, reference), _at(value, at)
        if now is not None and then is not None and _text(now) != _text(then):
            value, changed = _replaced(value, _parts(at), _text(now)), True
    return engine.codec.encode(value, Any) if changed else text


async def is_stale(
    engine: "Engine", kind: str, identity: str, of: AbstractSet[RecordId] | None, seen: set[RecordId] | None = None
) -> bool:
    """Whether a record, or one below it, was made with an output that is otherwise now.

    `of`: only outputs of these records count; None: all.
    """
    seen = seen if seen is not None else set()
    record = await engine.store.get(RecordRow, kind, identity)
    if record is None or record.revision is None or RecordId(kind, identity) in seen:
        return False
    seen.add(RecordId(kind, identity))
    row = await engine.store.get(RevisionRow, kind, identity, record.revision)
    if row is None:
        return False
    for text, references in ((row.argument, row.references), (row.outputs, row.origins)):
        looked = {at: one for at, one in references.items() if of is None or (one.kind, one.identity) in of}
        if await resolved(engine, text, looked) is not text:
            return True
    for child in row.children:
        if await is_stale(engine, child.kind, child.identity, of, seen):
            return True
    return False


async def sources_first(engine: "Engine", made: Sequence[tuple[RecordId, int | None]]) -> list[int]:
    """The positions of revisions, what gives outputs before what was made with them, else as they stand in `made`."""
    positions: dict[tuple[str, str], int] = {record: position for position, (record, _) in enumerate(made)}
    needed: dict[int, set[int]] = {}
    for position, (record, number) in enumerate(made):
        if position % _TURN == _TURN - 1:
            await asyncio.sleep(0)
        row = await engine.store.get(RevisionRow, *record, number) if number is not None else None
        sources = [(one.kind, one.identity) for one in row.references.values()] if row is not None else []
        needed[position] = {positions[source] for source in sources if source in positions}
    return _in_order(needed)


def _in_order(needed: Mapping[int, AbstractSet[int]]) -> list[int]:
    """Numbers, those that are needed before those that need them, else the lowest first."""
    sorter: TopologicalSorter[int] = TopologicalSorter(needed)
    try:
        sorter.prepare()
    except CycleError:  # of references that were made in different updates
        return sorted(needed)
    order: list[int] = []
    ready = list(sorter.get_ready())
    heapq.heapify(ready)
    while ready:
        number = heapq.heappop(ready)
        order.append(number)
        sorter.done(number)
        for freed in sorter.get_ready():
            heapq.heappush(ready, freed)
    return order


async def _now(engine: "Engine", reference: Reference) -> str | SecretStr | None:
    record = await engine.store.get(RecordRow, reference.kind, reference.identity)
    if record is None or record.revision is None:
        return None
    row = await engine.store.get(RevisionRow, reference.kind, reference.identity, record.revision)
    return None if row is None else _at(engine.codec.decode(row.outputs, Any), reference.path)


def _texts(value: Any, at: str = "") -> Iterator[tuple[str, str]]:
    """The texts in a value that are long enough to tell where they came from, each with its pointer."""
    if isinstance(value, (str, SecretStr)):
        if len(text := _text(value)) >= SHORTEST:
            yield at, text
        return
    below = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, item in below:
        yield from _texts(item, f"{at}/{str(name).replace('~', '~0').replace('/', '~1')}")


def _parts(pointer: str) -> list[str]:
    return [part.replace("~1", "/").replace("~0", "~") for part in pointer.split("/")[1:]]


def _at(value: Any, pointer: str) -> str | SecretStr | None:
    for part in _parts(pointer):
        try:
            value = value[int(part) if isinstance(value, list) else part]
        except (LookupError, TypeError, ValueError):  # it is of another form now
            return None
    return value if isinstance(value, (str, SecretStr)) else None


def _replaced(value: Any, parts: Sequence[str], text: str) -> Any:
    """`value` with another text at the place of these parts of a pointer; what was a secret there stays one."""
    if not parts:
        return SecretStr(text) if isinstance(value, SecretStr) else text
    made: Any = dict(value) if isinstance(value, dict) else list(value)
    name: Any = parts[0] if isinstance(value, dict) else int(parts[0])
    made[name] = _replaced(value[name], parts[1:], text)
    return made


def _text(value: str | SecretStr) -> str:
    return value.get_secret_value() if isinstance(value, SecretStr) else value
