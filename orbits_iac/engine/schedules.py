"""A record's schedule: set when an update has succeeded, and moved from slot to slot by whoever asks for its cycles.

Rows in, rows out: they are written by compare-and-set, so that of several who move a schedule one does.
"""

from typing import Any

from orbits_iac.model.rows import ScheduleRow, amended
from orbits_iac.steps.options import Every
from orbits_iac.steps.step import Step, options_of


def schedule_of(cls: type[Step[Any]]) -> Every | None:
    """The schedule that a class's options ask for."""
    return options_of(cls).get("schedule")


def policy_of(cls: type[Step[Any]]) -> str:
    """What a class with a policy of its own, such as a fleet's `drift`, says of it for people; "" without one."""
    said = getattr(getattr(cls, "drift", None), "in_words", "")
    return said if isinstance(said, str) else ""


def first(
    kind: str, identity: str, every: Every, *, build: str, now: float, chance: float, policy: str = ""
) -> ScheduleRow:
    """The schedule of a record that has none yet."""
    timing = every.timing
    slot = timing.next_slot(now, now)
    return ScheduleRow(
        kind=kind,
        identity=identity,
        due=timing.due(slot, now, chance),
        slot=slot,
        since=now,
        timing=timing,
        on_drift=every.on_drift,
        policy=policy,
        build=build,
    )


def changed(
    row: ScheduleRow, every: Every, *, build: str, now: float, chance: float, policy: str = ""
) -> ScheduleRow | None:
    """The row as the code wants it, from its next slot on if the times are others; None if it is so already."""
    if row.timing != every.timing:
        anew = first(row.kind, row.identity, every, build=build, now=now, chance=chance, policy=policy)
        return amended(anew, version=row.version + 1, paused=row.paused, by=row.by, at=row.at, why=row.why)
    if (row.on_drift, row.policy, row.build) != (every.on_drift, policy, build):
        return amended(row, version=row.version + 1, on_drift=every.on_drift, policy=policy, build=build)
    return None


def following(row: ScheduleRow, *, now: float, chance: float, from_now: bool = False) -> ScheduleRow:
    """The row after a cycle was asked for, or skipped; `from_now`: the slot that it was for counts for nothing."""
    assert row.timing is not None  # noqa: S101 - for the checkers: a schedule without one is not asked for
    slot = row.timing.next_slot(now if from_now else row.slot, now)
    due = row.timing.due(slot, now if from_now else max(now, row.slot), chance)
    return amended(row, version=row.version + 1, slot=slot, due=max(now, due), since=now)


def paused(row: ScheduleRow, *, now: float, by: str, why: str) -> ScheduleRow:
    """The row while no cycle is to come by itself."""
    return amended(row, version=row.version + 1, paused=True, by=by, at=now, why=why)


def resumed(row: ScheduleRow, *, now: float, by: str, why: str, chance: float) -> ScheduleRow:
    """The row once cycles are to come again: from the next slot on, what was left out stays so."""
    next_ = following(row, now=now, chance=chance) if row.due <= now and row.timing is not None else row
    return amended(next_, version=row.version + 1, paused=False, by=by, at=now, why=why)


def after_set_back(row: ScheduleRow, *, now: float) -> ScheduleRow | None:
    """The row as it stands if the clock was set back since its slot was chosen; None if it stands as it is."""
    if row.timing is None:
        return None
    slot = row.timing.slot_after_set_back(row.slot, row.since, now)
    if slot == row.slot:
        return None
    return amended(row, version=row.version + 1, slot=slot, due=slot, since=now)
