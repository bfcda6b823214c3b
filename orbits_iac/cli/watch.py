"""`orbits watch`: the live tree of an execution that goes on elsewhere."""

import sys
import time

from orbits_iac.cli.options import AsJson, Debug, Id, Store


def command(execution: Id, store: Store = None, as_json: AsJson = False, debug: Debug = False) -> None:
    """Show an execution from another process until it has ended; --json prints its events, a line each."""
    from orbits_iac.cli.running import finish

    finish(_watch(execution, store, as_json=as_json))


async def _watch(id: str, given: str | None, *, as_json: bool) -> int:  # noqa: A002 - the name in every table
    import json

    from orbits_iac import queries
    from orbits_iac.cli import exits, follow, outputs, report, session
    from orbits_iac.roster import why_nobody_goes_on
    from orbits_iac.terminal import console

    out = console()
    async with session.reading(given) as store, follow.Interrupt() as interrupt:
        row = await queries.execution(store, id)
        for one in await why_nobody_goes_on(store, [row, *await queries.below(store, row, limit=50)], now=time.time()):
            sys.stderr.write(f"nobody goes on with {report.name_of(row)}: {one.why}\n")
            break
        if as_json:
            async for event in follow.events_of(store, id, interrupt):
                sys.stdout.write(json.dumps(queries.document(event), ensure_ascii=False) + "\n")
                sys.stdout.flush()
            row = await queries.execution(store, id)
        else:
            shown = await follow.follow(store, id, out, interrupt)
            if shown is None:
                return exits.INTERRUPTED
            row = shown
        value = outputs.kept(row)
        if not as_json:
            report.print_end(row, value, out, console(stderr=True))
    if interrupt.asked.is_set():
        return exits.INTERRUPTED
    return report.exit_code(row, value)
