"""How a run ended, for people and as JSON: its outputs or its failure, and the exit code that says so."""

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from orbits_iac.cli import exits
from orbits_iac.cli.render import duration
from orbits_iac.model.errors import Failure
from orbits_iac.model.rows import ExecutionRow
from orbits_iac.model.states import State

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

    from orbits_iac.orbits import Orbits

LONGEST = 300
"""Characters of a value that are shown in a table."""


def name_of(row: ExecutionRow) -> str:
    """What an execution is about: `WebApp acme`."""
    return f"{row.kind} {row.identity}" if row.identity is not None else row.kind


def print_json(document: Any) -> None:
    """One JSON document on stdout."""
    print(json.dumps(document, ensure_ascii=False, indent=2, default=str))  # noqa: T201 - data goes to stdout


def as_document(row: ExecutionRow, code: int) -> dict[str, Any]:
    """How a run ended, as JSON's own types with secrets masked."""
    from orbits_iac.model.approvals import read_approval
    from orbits_iac.model.marks import masked
    from orbits_iac.queries import document

    return {
        "execution": row.id,
        "kind": row.kind,
        "identity": row.identity,
        "command": row.command,
        "state": row.state.value,
        "changed": row.changed,
        "revision": row.revision,
        "seconds": None if row.ended_at is None else round(row.ended_at - row.created_at, 3),
        "plan": read_approval(row.approval).plan or None,
        "outputs": masked(row.result),
        "failure": document(row)["failure"],
        "exit_code": code,
    }


def value_of(orbits: "Orbits", row: ExecutionRow) -> Any:
    """What a run returned, as the class that returned it declares; None if it failed, or is not known here."""
    from pydantic import ValidationError

    if row.state is not State.SUCCESS or row.result is None:
        return None
    try:
        return orbits.engine.codec.decode(row.result, orbits.returns(row))
    except ValidationError:
        return None


def exit_code(row: ExecutionRow, value: Any) -> int:
    """What the command line exits with after a run that ended so and returned `value`."""
    from orbits_iac.model.outputs import Outputs

    if row.state is not State.SUCCESS:
        return exits.FAILED
    return value.exit_code() if isinstance(value, Outputs) else exits.DONE


def print_end(row: ExecutionRow, value: Any, out: "Console", err: "Console") -> None:
    """Say how a run ended: outputs on `out`, a failure on `err`."""
    if row.state is State.SUCCESS:
        out.print(summary(row, partly=exit_code(row, value) != exits.DONE))
        print_outputs(row, value, out)
    elif row.state is State.PAUSED:
        err.print(f"{name_of(row)} is paused. `orbits get {row.id}` says why; `orbits resume {row.id}` goes on.")
    else:
        err.print(panel(row))


def summary(row: ExecutionRow, *, partly: bool = False) -> "Text":
    """One line on a run that ended well, or, for a fleet, `partly` so."""
    from rich.text import Text

    took = duration((row.ended_at or row.created_at) - row.created_at)
    name = name_of(row)
    if row.command == "uninstall":
        said = (f"{name} is uninstalled", "green")
    elif row.command == "cycle":
        said = (f"{name} was looked at", "green")
    elif row.identity is None:
        said = (f"{name} is done", "green")
    elif not row.changed:
        said = (f"{name}: nothing changed, revision {row.revision} stands", "")
    else:
        verb = "is back at" if row.command == "rollback" else "is at"
        said = (f"{name} {verb} revision {row.revision}", "green")
    if partly:
        return Text.assemble(("! ", "bold yellow"), (said[0], "yellow"), (f"  {took}", "dim"))
    return Text.assemble(("✔ " if row.changed or row.identity is None else "= ", said[1]), said, (f"  {took}", "dim"))


def print_outputs(row: ExecutionRow, value: Any, out: "Console") -> None:
    """The outputs as a table, or as they show themselves; of an uninstall, what stays."""
    from rich.text import Text

    from orbits_iac.model.marks import masked

    if value is not None and hasattr(type(value), "__rich__"):
        out.print(value)
        return
    shown = masked(row.result)
    if shown is None:
        return
    if row.command == "uninstall":
        for thing in shown:
            out.print(Text(f"It stays: {thing}"))
        return
    if not isinstance(shown, Mapping):
        out.print(as_text(shown))
        return
    if shown:
        out.print(table(shown))


def print_next_steps(value: Any, stack: str, out: "Console") -> None:
    """What may be typed next where a run did not all go well."""
    from rich.text import Text

    from orbits_iac.model.outputs import Outputs

    steps = value.next_steps(stack) if isinstance(value, Outputs) else ()
    longest = max((len(line) for line, _ in steps), default=0)
    for number, (line, what) in enumerate(steps):
        head = "      " if number else "next: "
        out.print(Text.assemble((head, "dim"), line.ljust(longest), (f"  # {what}", "dim")), soft_wrap=True)


def table(values: Mapping[str, Any]) -> Any:
    """Names and values, a line each."""
    from rich.table import Table
    from rich.text import Text

    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="dim", no_wrap=True)
    grid.add_column(overflow="fold")
    for name, value in values.items():
        if isinstance(value, Mapping) and value and all(isinstance(row, Mapping) for row in value.values()):
            grid.add_row(f"  {name}", _rows(value))
            continue
        text = as_text(value)
        more = f"{text[:LONGEST]}… (--json shows all of it)"
        grid.add_row(f"  {name}", Text(text if len(text) <= LONGEST + len("… (--json shows all of it)") else more))
    return grid


def _rows(values: Mapping[str, Mapping[str, Any]]) -> Any:
    """Mappings below names, such as a fleet's tenants: a line each, with a column for each key that says anything."""
    from rich.table import Table
    from rich.text import Text

    keys = dict.fromkeys(key for row in values.values() for key in row)
    said = [key for key in keys if any(row.get(key) not in (None, "", [], {}) for row in values.values())]
    rows = Table("", *said, box=None, pad_edge=False, header_style="dim")
    for name, row in values.items():
        rows.add_row(name, *(Text(_cell(row.get(key))) for key in said))
    return rows


def _cell(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(as_text(item) for item in value)
    return "" if value is None else as_text(value)


def says(value: Any) -> bool:
    """Whether a field's value says anything: none, an empty text and an empty list do not."""
    return value not in (None, "", [], {})


def as_text(value: Any) -> str:
    """A value on one line: text as it is, all else as JSON."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def panel(row: ExecutionRow) -> Any:
    """What failed, where, why, how it ended and what to do."""
    from rich.console import Group
    from rich.padding import Padding
    from rich.panel import Panel
    from rich.text import Text

    failure = row.failure or Failure(error_type=row.state.value, message="no reason was recorded")
    head = Text.assemble(
        (".".join(failure.path) or name_of(row), "bold"),
        "  ",
        (failure.error_type, "red"),
        (f"  in {failure.account}" if failure.account else "", "dim"),
    )
    foot = Text.assemble(("→ ", "dim"), *how_it_ended(row, failure))
    more = Text(f"execution {row.id}; all of it: orbits get {row.id}", style="dim")
    if row.state is State.CANCELLED:
        return Panel(Group(foot, more), title=f"[yellow]⊘ {name_of(row)}[/]", title_align="left", border_style="yellow")
    inside = Group(head, Padding(Text(failure.message), (0, 0, 1, 2)), foot, more)
    return Panel(inside, title=f"[red]✘ {name_of(row)}[/]", title_align="left", border_style="red")


def how_it_ended(row: ExecutionRow, failure: Failure) -> list[tuple[str, str]]:
    """Where a failed run left things."""
    stands = f"revision {row.revision}" if row.revision is not None else ""
    match row.state:
        case State.REVERTED if stands:
            return [(f"back at {stands}", "yellow")]
        case State.REVERTED:
            return [("what it had made was removed; nothing of it stands", "yellow")]
        case State.QUARANTINED if failure.no_return:
            steps = ", ".join(failure.no_return)
            said = f"forward only: {steps} cannot be brought back; the next successful update clears it"
            return [(said, "bold magenta"), *_left(row, failure)]
        case State.QUARANTINED:
            return [("it could not all be brought back, and needs a decision", "bold red"), *_left(row, failure)]
        case State.CANCELLED:
            return [("cancelled", "yellow"), (f"; {stands} stands" if stands else "", "")]
        case _:
            return [(f"{stands} stands" if stands else "nothing was brought back", "yellow")]


def _left(row: ExecutionRow, failure: Failure) -> list[tuple[str, str]]:
    """What is left, and the command lines that decide about it."""
    from orbits_iac.cli.deciding import how_to_decide

    return [
        *((f"\n  left: {what}", "red") for what in failure.left),
        *((f"\n  {line}", "dim") for line in how_to_decide(row)),
    ]
