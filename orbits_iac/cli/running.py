"""What the commands that run something share: start, show until the end, say how it ended."""

import asyncio
import sys
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import typer

from orbits_iac.cli import exits

if TYPE_CHECKING:
    from orbits_iac.model.ids import ExecutionId
    from orbits_iac.model.rows import ExecutionRow
    from orbits_iac.orbits import Orbits
    from orbits_iac.settings import Settings
    from orbits_iac.store.contract import Store

T = TypeVar("T")


def finish(main: Coroutine[Any, Any, int]) -> None:
    """Run a command's coroutine and exit with what it returns."""
    raise typer.Exit(asyncio.run(main))


@dataclass(frozen=True, kw_only=True)
class Subject:
    """A record that a command is about, and what has to be imported for it."""

    kind: str
    identity: str
    modules: tuple[str, ...]


async def subject_of(name: str, rest: Sequence[str], settings: "Settings") -> Subject:
    """The record that was named, by a stack with its fields or by kind and identity; its code is imported.

    UsageError if there is none.
    """
    from orbits_iac import queries
    from orbits_iac.cli import session, stacks

    (kind, *former), identity = stacks.name_record(name, rest, settings.store)
    own = (stacks.find_stack(name, settings).source,) if ":" in name or name in settings.stacks else ()
    async with session.reading(settings.store) as store:
        record = await queries.record(store, kind, identity, former=former)
        builds = [
            row.build
            for row in await queries.revisions(store, record.kind, identity)
            if row.number == record.last_number
        ]
        needed = await queries.modules(store, builds) or await queries.all_modules(store)
    modules = tuple(dict.fromkeys((*own, *settings.modules, *needed)))
    session.import_all(modules)
    return Subject(kind=record.kind, identity=identity, modules=modules)


async def go_on_with(
    id: str,  # noqa: A002 - the name in every table
    settings: "Settings",
    start: "Callable[[Orbits], Awaitable[ExecutionId]]",
    *,
    as_json: bool,
    ask: bool = False,
) -> int:
    """Let an execution that is there go on here, with the code that it was started with, and show it until its end."""
    from orbits_iac import queries
    from orbits_iac.cli import session

    async with session.reading(settings.store) as store:
        row = await queries.execution(store, id)
        needed = await queries.modules(store, [row.build])
    modules = tuple(dict.fromkeys((*needed, *settings.modules)))
    session.import_all(modules, strict=True)
    return await run_to_end(settings, modules, start, as_json=as_json, ask=ask)


async def run_to_end(  # noqa: PLR0913 - what commands differ in, each by its name
    settings: "Settings",
    modules: Sequence[str],
    start: "Callable[[Orbits], Awaitable[ExecutionId]]",
    *,
    stack: str = "",
    as_json: bool = False,
    quiet: bool = False,
    ask: bool = False,
    alone: bool = False,
    after: "Callable[[Orbits, ExecutionRow, Any], Awaitable[int]] | None" = None,
) -> int:
    """Start an execution, show it until it has ended, say how it ended; the exit code.

    `stack`: what is brought up, as it was named. `ask`: there is somebody to approve what a plan could not show.
    `quiet`: the tree is shown on a terminal alone, and not left there. `alone`: nothing else that is due is begun here,
    and no schedule fired. `after` says in another way how it ended, and what the exit code is.
    """
    from orbits_iac.cli import approving, follow, report, session
    from orbits_iac.terminal import console

    out, err = console(), console(stderr=True)
    opened = session.opened(settings, modules=modules, alone=alone)
    async with follow.Interrupt() as interrupt, opened as orbits:
        execution = await start(orbits)
        screen = err if as_json else out
        hidden = quiet or (as_json and not screen.is_terminal)
        row = await follow.follow(orbits.store, execution, screen, interrupt, quiet=hidden)
        while row is not None and (plan := await approving.waiting_for(orbits, row)) is not None:
            if not await approving.approved(orbits, row, plan, ask=ask, as_json=as_json):
                return exits.FOUND
            row = await follow.follow(orbits.store, execution, screen, interrupt, quiet=hidden)
        if row is None:
            _say_how_to_resume(execution, settings)
            return exits.INTERRUPTED
        value = report.value_of(orbits, row)
        if after is not None and row.ended_at is not None:
            return await after(orbits, row, value)
        code = report.exit_code(row, value)
        left = await _no_longer_done(orbits.store, row)
        if as_json:
            report.print_json({**report.as_document(row, code), "no_longer_done": left})
            return code
        report.print_end(row, value, out, err)
        report.print_next_steps(value, stack, out)
        if left:
            out.print(f"No longer done: {', '.join(left)}. It stays; to remove it: orbits up ... --prune")
        return code


async def _no_longer_done(store: "Store", row: "ExecutionRow") -> list[str]:
    """What an update has left because its removal was not approved."""
    from orbits_iac.model.states import State
    from orbits_iac.queries import no_longer_done

    if row.command != "update" or row.identity is None or row.state is not State.SUCCESS:
        return []
    left = await no_longer_done(store, row.kind, row.identity)
    return [f"{'.'.join(path)} ({child.kind})" for path, child in left]


def _say_how_to_resume(execution: str, settings: "Settings") -> None:
    from orbits_iac.store import DEFAULT_STORE, shown

    where = "" if settings.store == DEFAULT_STORE else f" --store {shown(settings.store)}"
    sys.stderr.write(
        f"\nInterrupted: what was under way is let go of. To go on: orbits resume {execution}{where}\n"
        f"It stays asked for: whoever works on this store next goes on with it. To drop it: orbits cancel {execution}"
        f"{where}\n"
        f"(Ctrl-C again leaves at once.)\n"
    )
    sys.stderr.flush()
