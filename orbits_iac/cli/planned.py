"""How a plan looks: the tree of what would be done, each thing with the properties that would change."""

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from orbits_iac.model.errors import UsageError
from orbits_iac.model.plans import Change, Plan, Verb
from orbits_iac.model.rows import Json

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

GLYPHS: dict[Verb, tuple[str, str]] = {
    Verb.UNCHANGED: ("=", "dim"),
    Verb.CREATE: ("+", "green"),
    Verb.UPDATE: ("~", "yellow"),
    Verb.REPLACE: ("±", "bold red"),
    Verb.REMOVE: ("-", "red"),
    Verb.RELEASE: ("◦", "yellow"),
    Verb.RUN: ("▸", "cyan"),
    Verb.SKIP: ("=", "dim"),
    Verb.UNKNOWN: ("?", "magenta"),
}
_WORDS = {Verb.RUN: "runs", Verb.UNKNOWN: "not known yet"}
_SHOWN = 6  # properties of one thing; the rest is counted


def print_plan(plan: Plan, out: "Console", *, everything: bool = False) -> None:
    """The tree of a plan, and what it comes to; where nothing would happen, what is below only if `everything` is."""
    from rich.table import Table
    from rich.text import Text

    grid = Table.grid(padding=(0, 2))
    for _ in range(3):
        grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    for guides, change in _lines(plan.root, "", "", everything=everything):
        grid.add_row(*_cells(guides, change, everything=everything))
    out.print(grid)
    out.print()
    out.print(Text(_sum(plan), style="bold" if plan else "green"))


class Answer(StrEnum):
    """What a person says to a plan."""

    NO = "no"
    YES = "yes"
    ALL = "all"  # what follows from it too, unseen


def approve(plan: Plan, out: "Console") -> Answer:
    """Ask a person whether a plan that was shown is to be done."""
    import typer

    choice = "yes, all that follows too, no, details" if plan.deferred else "yes, no, details"
    while True:
        match typer.prompt(f"Do this? ({choice})", err=True).strip().lower():
            case "y" | "yes":
                return Answer.YES
            case "a" | "all" if plan.deferred:
                return Answer.ALL
            case "n" | "no":
                return Answer.NO
            case "d" | "details":
                print_plan(plan, out, everything=True)
            case _:
                continue


def read_plan(file: str) -> Plan:
    """The plan that is kept in a file; UsageError if there is none."""
    try:
        return Plan.from_json(Path(file).read_bytes())
    except OSError as error:
        raise UsageError(f"the plan {file} cannot be read: {error.strerror}") from error
    except UsageError as error:
        raise UsageError(f"{file}: {error}") from error


def write_plan(plan: Plan, file: str) -> None:
    """Keep a plan in a file; UsageError if that cannot be written."""
    try:
        Path(file).write_text(plan.to_json() + "\n", encoding="utf-8")
    except OSError as error:
        raise UsageError(f"the plan cannot be written to {file}: {error.strerror}") from error


def as_document(plan: Plan) -> dict[str, Any]:
    """A plan as JSON's own types, with all that it shows."""
    return {
        "plan": plan.digest,
        "stack": plan.stack,
        "changes": asdict(plan.root),
        "deferred": plan.deferred,
        "losses": [str(loss) for loss in plan.losses],
        "pending": bool(plan),
    }


def _lines(change: Change, guides: str, inner: str, *, everything: bool) -> Iterator[tuple[str, Change]]:
    yield guides, change
    shown = change.below if change or everything else ()
    for at, below in enumerate(shown):
        last = at == len(shown) - 1
        here, further = ("└─ ", "   ") if last else ("├─ ", "│  ")
        yield from _lines(below, f"{inner}{here}", f"{inner}{further}", everything=everything)


def _cells(guides: str, change: Change, *, everything: bool) -> "list[Text]":
    from rich.text import Text

    sign, colour = GLYPHS[change.verb]
    quiet = "" if change else "dim"
    owned = "/" in change.identity
    named = change.identity if not owned else ""
    if not change.ref:
        name = Text(" ".join(part for part in (change.kind, named) if part), style="bold")
        kind = Text()
    else:
        name = Text.assemble((guides, "dim"), (change.ref, quiet))
        kind = Text(" ".join(part for part in (change.kind, named) if part), style="dim")
    verb = Text.assemble((sign, colour), " ", (_word(change), quiet))
    shown = len(change.properties) if everything else _SHOWN
    said = Text("\n").join([_detail(change), *_properties(change, shown)] if change.properties else [_detail(change)])
    return [name, kind, verb, said]


def _word(change: Change) -> str:
    """What would happen to it, in a word; of what is skipped, why."""
    return change.detail if change.verb is Verb.SKIP else _WORDS.get(change.verb, change.verb.value)


def _detail(change: Change) -> "Text":
    from rich.text import Text

    parts = [(change.detail, "dim" if not change else "")] if change.detail and change.verb is not Verb.SKIP else []
    parts += _marks(change)
    if change.properties and not parts:
        return _property(change, 0)
    return Text("  ").join(Text(text, style=colour) for text, colour in parts)


def _marks(change: Change) -> list[tuple[str, str]]:
    """What has to be seen before a plan is approved."""
    gone = change.verb in {Verb.REMOVE, Verb.REPLACE}
    marks = [("no return", "magenta")] if change.no_return else []
    marks += [("loses data", "bold red")] if change.stateful_loss else []
    marks += [("protected", "bold red")] if change.protected and gone else []
    if change.users and change.verb is not Verb.RELEASE:
        marks += [(f"{', '.join(change.users)} use{'s' if len(change.users) == 1 else ''} it too", "yellow")]
    return marks


def _properties(change: Change, shown: int) -> "list[Text]":
    from rich.text import Text

    first = 1 if _is_bare(change) else 0
    found = [_property(change, at) for at in range(first, min(len(change.properties), shown))]
    more = len(change.properties) - shown
    return [*found, Text(f"and {more} more", style="dim")] if more > 0 else found


def _is_bare(change: Change) -> bool:
    """Whether nothing is said of it but its properties, so that the first stands on its own line."""
    return not (change.detail or _marks(change))


def _property(change: Change, at: int) -> "Text":
    from rich.text import Text

    one = change.properties[at]
    said = Text.assemble(f"{one.path}: ", (_value(one.before), "red"), " → ", (_value(one.after), "green"))
    if one.live is not None:
        said.append(f"  over {_value(one.live)} (changed by hand)", style="yellow")
    return said


def _value(text: Json | None) -> str:
    if text is None:
        return "none"
    value: Any = json.loads(text)
    shown = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return shown if len(shown) <= 60 else f"{shown[:59]}…"


def _sum(plan: Plan) -> str:
    if not plan:
        return "Nothing to do."
    leaves = [change for change in plan.root.walk() if change and not change.below and not change.aside]
    things = {(one.kind, one.identity) if one.identity else id(one): one.verb for one in leaves}
    counts = Counter(things.values())
    words = {
        Verb.CREATE: "to create",
        Verb.UPDATE: "to update",
        Verb.REPLACE: "to replace",
        Verb.REMOVE: "to remove",
        Verb.RELEASE: "to let go of",
        Verb.RUN: "to run",
        Verb.UNKNOWN: "not known yet",
    }
    said = ", ".join(f"{count} {words[verb]}" for verb, count in counts.items())
    more = ", and what depends on them" if plan.deferred else ""
    return f"To do: {said or 'the argument changes, and nothing else'}{more}."
