"""How a plan looks: the tree of what would be done, each thing with the properties that would change."""

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from orbits_iac.model.alike import Group, grouped
from orbits_iac.model.errors import UsageError
from orbits_iac.model.plans import Change, Plan, PropertyChange, Verb
from orbits_iac.model.rows import Json

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table
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
_NAMED = 5  # of a group
_NAMED_REMOVED = 50  # of a group of which something is removed


def print_plan(plan: Plan, out: "Console", *, everything: bool = False) -> None:
    """The tree of a plan, and what it comes to; where nothing would happen, what is below only if `everything` is."""
    from rich.text import Text

    out.print(tree_of(Group(members=(plan.root,)), everything=everything))
    out.print()
    out.print(Text(summary(plan), style="bold" if plan else "green"))


def tree_of(group: Group, *, everything: bool = False) -> "Table":
    """Changes that are alike, and what is below the first of them; of many side by side, those that differ alone."""
    from rich.table import Table

    grid = Table.grid(padding=(0, 2))
    for _ in range(3):
        grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    for guides, one in _lines(group, "", "", everything=everything):
        grid.add_row(*_cells(guides, one, everything=everything))
    return grid


class Answer(StrEnum):
    """What a person says to a plan."""

    NO = "no"
    YES = "yes"
    ALL = "all"  # what follows from it too, unseen


def approve(plan: Plan, out: "Console") -> Answer:
    """Ask a person whether a plan that was shown is to be done."""
    from orbits_iac.terminal import answered

    choice = "yes, all that follows too, no, details" if plan.deferred else "yes, no, details"
    while True:
        match answered(f"Do this? ({choice})").strip().lower():
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
        "groups": list(_groups(plan.root, ())),
        "deferred": plan.deferred,
        "losses": [str(loss) for loss in plan.losses],
        "pending": bool(plan),
    }


def _lines(group: Group, guides: str, inner: str, *, everything: bool) -> Iterator[tuple[str, Group]]:
    yield guides, group
    change = group.first
    shown = change.below if change or everything else ()
    groups = [Group(members=(one,)) for one in shown] if everything else grouped(shown)
    for at, below in enumerate(groups):
        last = at == len(groups) - 1
        here, further = ("└─ ", "   ") if last else ("├─ ", "│  ")
        yield from _lines(below, f"{inner}{here}", f"{inner}{further}", everything=everything)


def _cells(guides: str, group: Group, *, everything: bool) -> "list[Text]":
    from rich.text import Text

    change = group.first
    sign, colour = GLYPHS[change.verb]
    quiet = "" if change else "dim"
    owned = "/" in change.identity
    named = change.identity if not owned else ""
    if len(group.members) > 1:
        name = Text.assemble((guides, "dim"), (counted(group), quiet or "bold"))
        kind = Text(change.kind, style="dim")
    elif not change.ref:
        name = Text(" ".join(part for part in (change.kind, named) if part), style="bold")
        kind = Text()
    else:
        name = Text.assemble((guides, "dim"), (change.ref, quiet))
        kind = Text(" ".join(part for part in (change.kind, named) if part), style="dim")
    verb = Text.assemble((sign, colour), " ", (_word(change), quiet))
    shown = len(change.properties) if everything else _SHOWN
    said = [_detail(change), *_properties(change, shown)] if change.properties else [_detail(change)]
    if len(group.members) > 1:
        said = [Text(named_of(group)), *(line for line in said if not line.plain.startswith("revision "))]
    alone = change.verb is Verb.UPDATE and not any(change.below) and not change.properties
    told = [_property(field) for field in (group.fields or (change.fields if alone else ()))]
    own = [Text(f"each with its own {', '.join(group.own)}", style="dim")] if group.own else []
    return [name, kind, verb, Text("\n").join([*(line for line in said if line.plain), *told, *own])]


def counted(group: Group) -> str:
    """How many of what: "297 tenants"."""
    ref = group.first.ref.partition("[")[0]
    return f"{len(group.members):,} {ref if len(group.members) == 1 else f'{ref}s'}"


def named_of(group: Group, most: int = _NAMED) -> str:
    """Who is in a group: a few by name, and how many more; those of whom something is removed, all up to many."""
    most = max(most, _NAMED_REMOVED) if group.removes else most
    names, more = group.names, len(group.names) - most
    return f"{', '.join(names[:most])} and {more:,} more" if more > 1 else ", ".join(names)


def _groups(change: Change, path: tuple[str, ...]) -> Iterator[dict[str, Any]]:
    """The groups of what there are many of side by side, wherever they stand."""
    here = (*path, change.ref) if change.ref else path
    for group in grouped(change.below):
        if group.crowd > 1:
            yield {
                "path": list(here),
                "ref": group.first.ref.partition("[")[0],
                "kind": group.first.kind,
                "verb": group.first.verb.value,
                "count": len(group.members),
                "names": list(group.names),
                "removes": group.removes,
                "fields": [asdict(field) for field in group.fields],
                "own": list(group.own),
            }
        yield from _groups(group.first, here)


def _word(change: Change) -> str:
    """What would happen to it, in a word; of what is skipped, why."""
    return change.detail if change.verb is Verb.SKIP else _WORDS.get(change.verb, change.verb.value)


def _detail(change: Change) -> "Text":
    from rich.text import Text

    parts = [(change.detail, "dim" if not change else "")] if change.detail and change.verb is not Verb.SKIP else []
    parts += _marks(change)
    if change.properties and not parts:
        return _property(change.properties[0])
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
    found = [_property(one) for one in change.properties[first:shown]]
    more = len(change.properties) - shown
    return [*found, Text(f"and {more} more", style="dim")] if more > 0 else found


def _is_bare(change: Change) -> bool:
    """Whether nothing is said of it but its properties, so that the first stands on its own line."""
    return not (change.detail or _marks(change))


def _property(one: PropertyChange) -> "Text":
    from rich.text import Text

    said = Text.assemble(f"{one.path}: ", (value(one.before), "red"), " → ", (value(one.after), "green"))
    if one.live is not None:
        said.append(f"  over {value(one.live)} (changed by hand)", style="yellow")
    return said


def value(text: Json | None) -> str:
    """A value for people, on one line that is not too long."""
    if text is None:
        return "none"
    value: Any = json.loads(text)
    shown = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return shown if len(shown) <= 60 else f"{shown[:59]}…"


def summary(plan: Plan) -> str:
    """What a plan comes to, in a sentence."""
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
