"""What a step was called before it was renamed: by `was=`, by `former_kinds`, and by the children of its record.

What always holds:
- a step that was renamed is the one that it was: its journal, what it remembers of being done `once`, and its record go
  on. Only its key and its place follow the code; kind and identity stay what they were first;
- an owned Resource is found by the place at which it stands now, whatever place its identity tells of;
- what was renamed and what has its old name now are never both done in one run: nobody could tell which is which.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from orbits_iac.engine.calls import asked_at
from orbits_iac.engine.naming import identity_of, key_of
from orbits_iac.model.errors import UsageError
from orbits_iac.model.ids import RecordId, StepKey, place_of, refs
from orbits_iac.model.records import of_one_thing
from orbits_iac.model.rows import Child, EntryRow, OnceRow, RecordRow, amended
from orbits_iac.registry import Registry
from orbits_iac.steps.resource import Resource
from orbits_iac.steps.step import Step, kinds_of
from orbits_iac.store.contract import Store

if TYPE_CHECKING:
    from orbits_iac.engine.run import Run


@dataclass(frozen=True, kw_only=True, slots=True)
class Name:
    """What a step is known by."""

    kind: str
    identity: str | None = None  # of a Resource
    owned: bool = False
    sure: bool = True  # otherwise only the store knows which of its kinds its record has


async def record_kind(store: Store, kinds: Sequence[str], identity: str) -> str:
    """The kind under which a record is kept: that of what stands, of what has a record, else the one of today."""
    rows = [await store.get(RecordRow, kind, identity) for kind in kinds] if len(kinds) > 1 else []
    found = of_one_thing(rows)
    return kinds[0] if found is None else found.kind


def known_as(registry: Registry, records: Iterable[tuple[str, str]]) -> set[RecordId]:
    """These records by all kinds that their classes have had."""
    found: set[RecordId] = set()
    for kind, identity in records:
        cls = registry.find(kind)
        found |= {RecordId(one, identity) for one in ((kind,) if cls is None else kinds_of(cls))}
    return found


class Names:
    """What the steps of one definition are known by."""

    def __init__(
        self, record: tuple[str, str] | None, children: Iterable[Child], entries: Mapping[StepKey, EntryRow]
    ) -> None:
        self._record = record
        self._owned = {(child.kind, _place(record, child)): child for child in children if child.owned}
        self._used = {(child.kind, child.identity) for child in children if not child.owned}
        self._entries = entries
        self._former: dict[str, str] = {}  # places, and what they were before

    def find(self, step: Step[Any], command: str, above: StepKey, ref: str, key: str | None, was: str | None) -> Name:
        """What a `do` is known by; UsageError where a Resource has neither identity nor place."""
        kinds = kinds_of(type(step))
        identity, owned = None, False
        if not isinstance(step, Resource) and was is None and len(kinds) == 1:
            return Name(kind=kinds[0])
        if isinstance(step, Resource):
            identity, owned = identity_of(step, self._record, above, ref, key)
        for one in (ref,) if was is None else (ref, was):
            for kind in kinds:
                entry = self._entries.get(key_of(above, one, kind, command, key, None if owned else identity))
                if entry is not None:
                    return Name(kind=kind, identity=entry.link.identity if entry.link else identity, owned=owned)
        if identity is None:
            return Name(kind=kinds[0])
        if not owned:
            known = [kind for kind in kinds if (kind, identity) in self._used]
            return Name(kind=(known or kinds)[0], identity=identity, sure=bool(known) or len(kinds) == 1)
        before = [] if was is None else [place_of(key_of(above, was, kinds[0], command, key, None))]
        return self._at(place_of(key_of(above, ref, kinds[0], command, key, None)), before, kinds, identity)

    def _at(self, place: str, before: list[str], kinds: tuple[str, ...], identity: str) -> Name:
        """The owned Resource that stands at a place, or stood at one of those `before`; else a new one."""
        for one in (
            place,
            *self._formers(place),
            *before,
            *(former for each in before for former in self._formers(each)),
        ):
            for kind in kinds:
                child = self._owned.get((kind, one))
                if child is not None:
                    return Name(kind=kind, identity=child.identity, owned=True)
        taken, number, free = {child.identity for child in self._owned.values() if child.kind in kinds}, 1, identity
        while free in taken:  # by one that was renamed since
            number += 1
            free = f"{identity}~{number}"
        return Name(kind=kinds[0], identity=free, owned=True)

    def place_beside(self, key: StepKey, identity: str) -> str:
        """Where an owned Resource stands, if its identity tells of another place; else nothing."""
        place = place_of(key)
        return "" if self._record is None or identity == f"{RecordId(*self._record)}/{place}" else place

    def rename(self, key: StepKey, was: StepKey) -> None:
        """What `was` is called `key` now."""
        self._former[place_of(key)] = place_of(was)

    def remembered(self, once: Mapping[str, OnceRow], key: StepKey, kinds: Iterable[str]) -> OnceRow | None:
        """The last success of what is done once under a key, or was before that, or its kind, was renamed."""
        places = [place_of(key)]
        places += self._formers(places[0])
        found = (once.get(f"{place}:{kind}") for place in places for kind in kinds)
        return next((row for row in found if row is not None), None)

    def moved(self, once: Mapping[str, OnceRow]) -> tuple[list[OnceRow], list[OnceRow]]:
        """What is remembered of steps done once under new places, and what is to be forgotten of the old."""
        new: list[OnceRow] = []
        gone: list[OnceRow] = []
        for row in once.values():
            place, _, kind = row.place.rpartition(":")
            now = f"{self._now(place)}:{kind}"
            if now != row.place:
                gone.append(row)
                new += [amended(row, place=now)] if now not in once else []
        return new, gone

    def _formers(self, place: str) -> Iterator[str]:
        """What a place was called before, by itself or by what it is below."""
        waiting, seen = [place], {place}
        for one in waiting:
            for now, before in self._former.items():
                if (found := _below(one, now, before)) is not None and found not in seen:
                    seen.add(found)
                    waiting.append(found)
                    yield found

    def _now(self, place: str) -> str:
        seen = {place}
        while True:
            found = (_below(place, before, now) for now, before in self._former.items())
            following = next((one for one in found if one is not None and one not in seen), None)
            if following is None:
                return place
            seen.add(following)
            place = following


def rename(run: "Run", key: StepKey, was: StepKey) -> None:
    """A step is called `key` and was called `was`: its journal, with all below it, goes on under the new name.

    Raises UsageError if the old name is in use in this run.
    """
    if was in run.asked:
        raise _both(key, was, asked_at(run.asked[was]))
    run.names.rename(key, was)
    run.renamed[was] = key
    if key not in run.pages.entries:
        run.pages.move(was, key)


def refuse_old_name(run: "Run", key: StepKey, where: Callable[[], str]) -> None:
    """Raise UsageError if the step that had this name is done under a new one in this run."""
    if key in run.renamed:
        raise _both(run.renamed[key], key, where())


def _both(key: StepKey, was: StepKey, where: str) -> UsageError:
    new, old = refs(key)[-1], refs(was)[-1]
    return UsageError(
        f"{'.'.join(refs(key))}: it was {old!r} before, and {old!r} is done in the same run ({where}): give that "
        f"another ref, or take was={old!r} away once {new!r} has been done"
    )


def _place(record: tuple[str, str] | None, child: Child) -> str:
    prefix = "" if record is None else f"{RecordId(*record)}/"
    return child.place or child.identity.removeprefix(prefix)


def _below(place: str, now: str, before: str) -> str | None:
    """`place` with `before` for its beginning `now`; None if it does not begin so."""
    return before + place[len(now) :] if place == now or place.startswith(f"{now}/") else None
