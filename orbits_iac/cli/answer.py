"""`orbits answer`: send an event to an execution that waits for it, or decide what one has left."""

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from orbits_iac.cli.options import AsJson, Debug, Id, Store

if TYPE_CHECKING:
    from orbits_iac.handles import Execution
    from orbits_iac.model.rows import EntryRow

What = Annotated[
    str | None, typer.Argument(metavar="[EVENT]", help="The event's name, or a decision; without it, all are listed.")
]
Values = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="NAME=VALUE",
        help="The event's fields; lists and dictionaries as JSON; @env:VAR takes the value from the environment.",
    ),
]


def command(
    execution: Id,
    event: What = None,
    values: Values = None,
    store: Store = None,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Send an event to an execution that waits for it; or, of a QUARANTINED one, accept what is left or retry."""
    from orbits_iac.cli import session
    from orbits_iac.cli.deciding import SAID
    from orbits_iac.cli.running import finish
    from orbits_iac.cli.telling import tell

    finish(
        tell(
            execution,
            session.settings_with(store),
            lambda it: _answer(it, event, values or ()),
            SAID.get(event or "", f"Sent {event} to NAME; orbits watch ID shows how it goes on."),
            as_json=as_json,
        )
    )


async def _answer(execution: "Execution[Any]", event: str | None, values: Sequence[str]) -> None:
    from orbits_iac.cli import fields
    from orbits_iac.cli.deciding import decide
    from orbits_iac.cli.schema import model_of
    from orbits_iac.model.states import State

    if (await execution.row()).state is State.QUARANTINED:
        await decide(execution, event, values)
        return
    entry = await _waiting(execution, event)
    model = fields.fill(entry.kind, model_of(json.loads(entry.argument or "{}")), values)
    given = {name: getattr(model, name) for name in model.model_fields_set}
    await execution.answer_by_name(entry.kind, given)


async def _waiting(execution: "Execution[Any]", event: str | None) -> "EntryRow":
    """The step of the execution that waits for this event; UsageError says what it waits for instead."""
    from orbits_iac.model.errors import UsageError
    from orbits_iac.model.states import ENDED
    from orbits_iac.queries import how_to_answer

    state = (await execution.row()).state
    if state in ENDED:
        raise UsageError(f"execution {execution.id} has ended ({state.value}): it waits for nothing")
    entries = [wait.entry for wait in await execution.waits()]
    for entry in entries:
        if (entry.execution, entry.kind) == (execution.id, event):
            return entry
    asked = "say which event" if event is None else f"execution {execution.id} does not wait for {event!r}"
    there = "\n  ".join(("it, or what it does, waits for:", *map(how_to_answer, entries)))
    raise UsageError(f"{asked}; {there if entries else 'nor does anything that it does wait for an event'}")
