"""Schedules: the cycle of each record that is due, asked for once by whichever worker gets there first."""

import json
from datetime import timedelta

from orbits_iac.engine.engine import Engine
from orbits_iac.engine.requests import Asked, ask_root
from orbits_iac.model.errors import Conflict, Refused
from orbits_iac.model.rows import RecordRow, RevisionRow, ScheduleRow, amended
from orbits_iac.steps.options import Every
from orbits_iac.steps.step import options_of
from orbits_iac.store.contract import Transaction


async def fire_due(engine: Engine) -> bool:
    """Ask for the cycles that are due; whether there were any. One that is busy is skipped, none piles up."""
    fired = False
    now = engine.clock.now()
    for row in await engine.store.find(ScheduleRow):
        if row.paused or row.due > now:
            continue
        cls = engine.registry.find(row.kind)
        if cls is None:  # for a worker that has its code
            continue
        every: Every | None = options_of(cls).get("schedule")
        if every is None or not isinstance(every.every, timedelta):
            continue
        seconds = every.every.total_seconds()
        after = row.due + ((now - row.due) // seconds + 1) * seconds  # what was missed is not made up for
        due = max(now, after - seconds * every.jitter * engine.chance())
        try:
            await engine.store.commit(Transaction(put=[amended(row, version=row.version + 1, due=due)]))
        except Conflict:
            continue
        await _cycle(engine, row, every)
        fired = True
    return fired


async def _cycle(engine: Engine, row: ScheduleRow, every: Every) -> None:
    record = await engine.store.get(RecordRow, row.kind, row.identity)
    if record is None or record.revision is None:
        return
    revision = await engine.store.get(RevisionRow, row.kind, row.identity, record.revision)
    if revision is None:
        return
    options = json.dumps({"on_drift": every.on_drift})
    asked = Asked(
        kind=row.kind,
        command="cycle",
        argument=revision.argument,
        identity=row.identity,
        options=options,
        digest=engine.codec.digest(row.kind, "cycle", revision.argument, options),
        targets=record.targets,
        places=record.places,
        tenant=record.tenant,
        who="schedule",
    )
    try:
        await ask_root(engine, asked)
    except Refused:
        return
