"""`orbits state rebuild`: make the records of a stack again, for a store that is gone."""

from typing import TYPE_CHECKING, Any

from orbits_iac.cli.options import Arguments, AsJson, Debug, Stack, Store

if TYPE_CHECKING:
    from orbits_iac.cli.stacks import Named
    from orbits_iac.model.ids import ExecutionId
    from orbits_iac.model.rows import ExecutionRow
    from orbits_iac.orbits import Orbits
    from orbits_iac.settings import Settings
    from orbits_iac.steps.step import Step


def command(
    stack: Stack, arguments: Arguments = None, store: Store = None, as_json: AsJson = False, debug: Debug = False
) -> None:
    """Record again what is there of a stack and marked as its own; nothing is changed, and no step is run.

    For a store that is gone. What the stack does beside its Resources is taken as done: what is done once is not
    done again.
    """
    from orbits_iac.cli import session, stacks
    from orbits_iac.cli.running import finish

    settings = session.settings_with(store)
    step, named = stacks.step_of(stack, arguments or (), settings)
    finish(_rebuild(step, named, settings, as_json=as_json))


async def _rebuild(step: "Step[Any]", named: "Named", settings: "Settings", *, as_json: bool) -> int:
    from orbits_iac.cli.running import run_to_end

    async def start(orbits: "Orbits") -> "ExecutionId":
        return (await orbits.start(step, rebuild=True)).id

    async def tell(orbits: "Orbits", row: "ExecutionRow", value: Any) -> int:
        return await _tell(orbits, row, value, as_json=as_json)

    return await run_to_end(settings, (named.source,), start, as_json=as_json, after=tell)


async def _tell(orbits: "Orbits", row: "ExecutionRow", value: Any, *, as_json: bool) -> int:
    """Say what was recorded, and what was taken as done."""
    from rich.table import Table

    from orbits_iac.cli import report
    from orbits_iac.engine.rebuilding import is_unknown
    from orbits_iac.model.ids import refs
    from orbits_iac.model.rows import EntryRow, ExecutionRow, RecordRow
    from orbits_iac.terminal import console

    code, out, err = report.exit_code(row, value), console(), console(stderr=True)
    records = [one for one in await orbits.store.find(RecordRow) if one.revision is not None]
    executions = await orbits.store.find(ExecutionRow, root=row.root)
    taken = [
        f"{one.kind} {one.identity}: {'.'.join(refs(entry.key))}"
        for one in executions
        for entry in await orbits.store.find(EntryRow, execution=one.id)
        if is_unknown(entry, entry.result)
    ]
    if as_json:
        recorded = [{"kind": one.kind, "identity": one.identity, "revision": one.revision} for one in records]
        report.print_json({**report.as_document(row, code), "records": recorded, "taken_as_done": taken})
        return code
    table = Table("Recorded", "Identity", "Where", box=None, pad_edge=False)
    for one in sorted(records, key=lambda record: (record.kind, record.identity)):
        table.add_row(one.kind, one.identity, ", ".join(sorted(one.places.values())))
    out.print(table)
    for one_taken in taken:
        out.print(f"Taken as done, not run: {one_taken}")
    if row.failure is not None:
        report.print_end(row, value, out, err)
    return code
