"""What is recorded of a fleet, read by few queries, however many tenants there are.

The fleet's record, its last roll-outs, what people have decided since, and everything below, a kind at a time. No code
of the user's is needed, and nothing live is asked. Called by `standing`.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from orbits_iac.provider import (
    ExecutionRow,
    LookRow,
    RecordId,
    RecordRow,
    RevisionRow,
    Subtree,
    UsageError,
    in_words,
    kind_of,
    made_at,
    masked,
    record_of,
    subtree,
)
from orbits_tenants import attempts
from orbits_tenants.attempts import Attempts
from orbits_tenants.decisions import Decided, TenantDecisions
from orbits_tenants.report import Report
from orbits_tenants.tenant import REF

if TYPE_CHECKING:
    from orbits_iac.provider import Store

DECISIONS = kind_of(TenantDecisions)


@dataclass(frozen=True, kw_only=True)
class Recorded:
    """What the store has of a fleet."""

    record: RecordRow
    subtree: Subtree
    report: Report
    tenants: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)  # as they were listed then, by id
    decided: Decided = field(default_factory=Decided)  # since then, too
    added: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)  # those whom people have added, by id
    last: ExecutionRow | None = None  # the last roll-out that came to its end
    attempts: Attempts = field(default_factory=Attempts)  # those after it

    @cached_property
    def listed(self) -> Mapping[str, Mapping[str, Any]]:
        """The tenants as the roll-out has them that is told of; whom its source did not have, as they were known."""
        told = self.attempts.told
        if told is None or not told.listed:
            return self.tenants
        there = {**self.tenants, **{id_: one for id_, one in self.added.items() if id_ not in told.listed}}
        return {**there, **{id_: one for id_, one in told.listed.items() if id_ not in self.decided.removed}}

    @property
    def look(self) -> LookRow | None:
        """The fleet's own look: whom its last cycle could not look at."""
        return self.subtree.looks.get(RecordId(self.record.kind, self.record.identity))

    @property
    def stacks(self) -> Mapping[str, Sequence[RecordId]]:
        """The records of each tenant's stacks, by its id: the one that it has, then what it had and nobody removed."""
        tops = [record_of(child) for child in self.record.children if child.ref == REF]
        found = {id_: [*map(_id_of, rows)] for id_, rows in _by_tenant(self.subtree.records, tops).items()}
        for row in self.attempts.changes:
            if row.tenant is not None and row.identity is not None:
                found.setdefault(row.tenant, [RecordId(row.kind, row.identity)])
        return found


async def read(store: "Store", kind: str) -> Recorded:
    """What there is of the fleet of this kind; UsageError if none was ever rolled out."""
    record = await store.get(RecordRow, kind, kind)
    if record is None:
        raise UsageError(f"there is no record of a fleet {kind}: nothing of it was ever rolled out into {store.url}")
    last = await _last(store, record)
    later = await attempts.read(store, record, last)
    tops = [RecordId(row.kind, row.identity) for row in later.changes if row.identity is not None]
    report, tenants = await _report(store, record, last)
    said = await _decisions(store, kind)
    return Recorded(
        record=record,
        subtree=await subtree(store, RecordId(kind, kind), *tops),
        report=report,
        tenants=tenants,
        decided=_decided(said),
        added=said.get("added", {}),
        last=last,
        attempts=later,
    )


async def stacks_of(store: "Store", kind: str) -> dict[str, RecordRow]:
    """The records of the tenants' stacks of a fleet, by the tenants' ids."""
    return {id_: rows[0] for id_, rows in (await all_stacks_of(store, kind)).items()}


async def all_stacks_of(store: "Store", kind: str) -> dict[str, list[RecordRow]]:
    """The same, of those too that a tenant had before its stack became another: the one that it has comes first."""
    fleet = await store.get(RecordRow, kind, kind)
    tops = [record_of(child) for child in (fleet.children if fleet is not None else ()) if child.ref == REF]
    found = {
        RecordId(row.kind, row.identity): row
        for name in {top.kind for top in tops}
        for row in await store.find(RecordRow, kind=name)
    }
    return _by_tenant(found, tops)


def _by_tenant(records: Mapping[RecordId, RecordRow], tops: Iterable[RecordId]) -> dict[str, list[RecordRow]]:
    """Those of these records that there are, by their tenants: of one whose stack became another, the latest first."""
    found: dict[str, list[RecordRow]] = {}
    for top in tops:
        if top in records:
            found.setdefault(records[top].tenant or top.identity, []).append(records[top])
    for rows in found.values():
        rows.sort(key=_latest_of, reverse=True)  # those of one second stay in order: what is kept as it is comes last
    return found


def _latest_of(row: RecordRow) -> tuple[bool, float]:
    return row.revision is not None, made_at(row.brought_by) if row.brought_by is not None else 0.0


def _id_of(row: RecordRow) -> RecordId:
    return RecordId(row.kind, row.identity)


@dataclass(frozen=True, kw_only=True)
class Known:
    """Who is known of a fleet, without what stands of them."""

    report: Report = field(default_factory=lambda: Report(tenants={}))  # of the last roll-out that came to its end
    tenants: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)  # as they were listed then, by id
    decided: Decided = field(default_factory=Decided)  # since then, too
    added: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)  # those whom people have added, by id


async def known(store: "Store", kind: str) -> Known:
    """Who is known of the fleet of this kind; nobody if it was never rolled out, and nothing decided."""
    record = await store.get(RecordRow, kind, kind)
    said = await _decisions(store, kind)
    decided, added = _decided(said), said.get("added", {})
    if record is None:
        return Known(decided=decided, added=added)
    report, tenants = await _report(store, record, await _last(store, record))
    return Known(report=report, tenants=tenants, decided=decided, added=added)


async def _last(store: "Store", record: RecordRow) -> ExecutionRow | None:
    """The last roll-out that came to its end, though it has changed nothing; None if nothing stands of the fleet."""
    if record.revision is None or record.brought_by is None:
        return None
    return await store.get(ExecutionRow, record.brought_by)


async def _report(
    store: "Store", record: RecordRow, last: ExecutionRow | None
) -> tuple[Report, Mapping[str, Mapping[str, Any]]]:
    """The report of the last roll-out that came to its end, and who its tenants are."""
    said = masked(last.result) if last is not None else None
    if said is None:  # the execution is gone: its revision has what it said
        said = await _outputs(store, record)
    if said is None:
        return Report(tenants={}), {}
    try:
        return _read(said)
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, each['loc']))}: {in_words(each)}" for each in error.errors()[:3])
        raise UsageError(
            f"the report of {record.kind} was written by another version of Orbits, and is not understood: {wrong}"
        ) from error


def _read(said: Mapping[str, Any]) -> tuple[Report, Mapping[str, Mapping[str, Any]]]:
    """A report that is kept so; and its tenants as they were listed: the types of their targets may not be here."""
    listed = {id_: one.pop("tenant", None) or {} for id_, one in said["tenants"].items()}
    return Report.model_validate(said), listed


def kept(said: Mapping[str, Any]) -> Report | None:
    """The report that is kept so, without who its tenants are; None for what is none, or another version's.

    The entry point by which `orbits get` and `orbits watch` show what a roll-out has returned.
    """
    try:
        return _read(said)[0]
    except (ValidationError, AttributeError, TypeError):
        return None


async def _decisions(store: "Store", kind: str) -> Mapping[str, Any]:
    """What people have decided about the fleet's tenants, as it is kept."""
    record = await store.get(RecordRow, DECISIONS, kind)
    return (await _outputs(store, record) if record is not None else None) or {}


async def decided_about(store: "Store", kind: str) -> Decided:
    """What people have decided about the fleet of this kind, without those that they have added."""
    return _decided(await _decisions(store, kind))


def _decided(said: Mapping[str, Any]) -> Decided:
    """The same, without those that they have added: the types of their targets may not be imported here."""
    return Decided.model_validate({**said, "added": {}})


async def _outputs(store: "Store", record: RecordRow) -> Any:
    """The outputs of what stands of a record, any secret in them masked; None if nothing does."""
    if record.revision is None:
        return None
    revision = await store.get(RevisionRow, record.kind, record.identity, record.revision)
    return masked(revision.outputs) if revision is not None else None
