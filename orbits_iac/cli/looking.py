"""What `drift` and `cycle` share: a cycle, and what it found as a table or as JSON."""

import json
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from orbits_iac.cli import exits

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

    from orbits_iac.cli.fleets import Narrow
    from orbits_iac.model.ids import ExecutionId
    from orbits_iac.model.rows import Difference, ExecutionRow
    from orbits_iac.orbits import Orbits
    from orbits_iac.queries import Found
    from orbits_iac.settings import Settings
    from orbits_iac.store.contract import Store


async def look(
    subject: str, rest: Sequence[str], settings: "Settings", *, on_drift: str, narrow: "Narrow", as_json: bool
) -> int:
    """Cycle a record, or some tenants of a fleet, and say what was found; the exit code."""
    from orbits_iac.cli import report, session
    from orbits_iac.cli.running import run_to_end, subject_of
    from orbits_iac.handles import Record
    from orbits_iac.terminal import console

    named = await subject_of(subject, rest, settings)
    if narrow or narrow.most is not None:
        async with session.reading(settings.store) as store:
            await _seen(store, named.kind, named.identity, narrow)  # whoever is named is there

    async def start(orbits: "Orbits") -> "ExecutionId":
        record: Record[None] = Record(orbits, named.kind, named.identity)
        return (await record.start("cycle", {"on_drift": on_drift, **narrow.options()})).id

    async def after(orbits: "Orbits", row: "ExecutionRow", value: Any) -> int:
        found = await _seen(orbits.store, named.kind, named.identity, narrow)
        failed = exits.FAILED if row.failure is not None else None
        code = _show(found, narrow, as_json=as_json, failed=failed, also={"execution": row.id})
        if row.failure is not None and not as_json:
            console(stderr=True).print(report.panel(row))
        return code

    return await run_to_end(settings, named.modules, start, as_json=as_json, quiet=True, alone=True, after=after)


async def show_last(subject: str, rest: Sequence[str], given: str | None, *, narrow: "Narrow", as_json: bool) -> int:
    """Say what the last looks have found, and look at nothing; the exit code."""
    from orbits_iac.cli import session
    from orbits_iac.cli.stacks import name_record
    from orbits_iac.queries import record

    (kind, *former), identity = name_record(subject, rest, given)
    async with session.reading(given) as store:
        row = await record(store, kind, identity, former=former)
        found = await _seen(store, row.kind, identity, narrow)
    return _show(found, narrow, as_json=as_json)


async def _seen(store: "Store", kind: str, identity: str, narrow: "Narrow") -> "Sequence[Found]":
    """The last looks at a record, or at the tenants of it that are meant."""
    from orbits_iac.cli.fleets import narrowed
    from orbits_iac.queries import looks

    found = await looks(store, kind, identity)
    return narrowed(found, narrow) if narrow or narrow.most is not None else found


def _show(
    found: "Sequence[Found]",
    narrow: "Narrow",
    *,
    as_json: bool,
    failed: int | None = None,
    also: dict[str, Any] | None = None,
) -> int:
    """Print what was found; the exit code, which is `failed` if the look itself has."""
    from orbits_iac.cli import fleets, report
    from orbits_iac.terminal import console

    made = fleets.lines(found) if fleets.is_fleet(found) else None
    code = failed or (exit_code(found) if made is None else fleets.exit_code(made))
    if as_json:
        fleet = fleets.as_document(found, made) if made is not None else {}
        report.print_json({**as_document(found), **fleet, **(also or {}), "exit_code": code})
    else:
        print_looks(found, console(), now=time.time(), narrow=narrow)
    return code


def print_looks(found: "Sequence[Found]", out: "Console", *, now: float, narrow: "Narrow | None" = None) -> None:
    """What the last looks have found, of a fleet by tenant; `narrow`: which of its tenants these are."""
    from orbits_iac.cli import fleets

    if fleets.is_fleet(found):
        made = fleets.lines(found)
        everything = narrow is not None and bool(narrow.tenants)
        fleets.print_fleet(found, made, out, now=now, narrowed=bool(narrow), everything=everything)
    else:
        print_found(found, out, now=now)


def exit_code(found: "Sequence[Found]") -> int:
    """3 if anything that was compared differs and was not brought back."""
    return exits.FOUND if any(left(one) for one in found) else exits.DONE


def left(found: "Found") -> "list[Difference]":
    """What differs still."""
    return [d for d in found.look.differences if not d.remediated] if found.look is not None else []


def as_document(found: "Sequence[Found]") -> dict[str, Any]:
    """What was found, as JSON's own types."""
    from orbits_iac.queries import document

    return {
        "in_sync": exit_code(found) == exits.DONE,
        "looks": [
            {"path": list(one.path), "tenant": one.record.tenant, **document(one.look)}
            for one in found
            if one.look is not None
        ],
    }


def print_found(found: "Sequence[Found]", out: "Console", *, now: float) -> None:
    """A line for each property that differs, then what was compared and what was not."""
    from rich.table import Table
    from rich.text import Text

    fleet = any(one.record.tenant for one in found)
    grid = Table.grid(padding=(0, 2))
    for _ in range(4 if fleet else 3):
        grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    for one in found:
        for cells in _rows(one):
            grid.add_row(*([Text(one.record.tenant or "")] if fleet else []), *cells)
    if grid.row_count:
        out.print(grid)
    out.print(Text(said(found, now)))
    for one in found:
        if one.look is not None and one.look.stopped:
            out.print(Text(f"not brought back: {'.'.join(one.path) or one.record.identity}: {one.look.stopped}"))
    for line in unchecked(found):
        out.print(Text(f"unchecked: {line}", style="dim"))
    for one in found:
        for line in one.look.ignored if one.look is not None else ():
            out.print(Text(f"ignored: {'.'.join(one.path) or one.record.kind} {line}", style="dim"))


def _rows(found: "Found") -> "Iterator[list[Any]]":
    """Resource, type, property and what of it, for each that differs; one for a look that failed."""
    from rich.text import Text

    if found.look is None:
        return
    where = ".".join(found.path) or found.record.identity
    if found.look.error:
        yield [
            Text(where),
            Text(found.record.kind, style="dim"),
            "",
            Text(f"could not be looked at: {found.look.error}", style="red"),
        ]
    yield from rows_of(found, where, found.look.differences)


def rows_of(found: "Found", where: str, differences: "Sequence[Difference]") -> "Iterator[list[Any]]":
    """Resource, type, property and what of it, for each of these differences; `where` says what the record is."""
    from rich.text import Text

    for difference in differences:
        resource = f"{where}.{difference.resource}" if difference.resource else where
        kind = Text(difference.type or found.record.kind, style="dim")
        yield [Text(resource), kind, Text(difference.path), _change(difference)]  # brackets in them are no markup


def _change(difference: "Difference") -> "Text":
    from rich.text import Text

    if difference.path:
        recorded, live = (_short(difference.recorded), "green"), (_short(difference.live), "red")
        said = Text.assemble("recorded ", recorded, " → live ", live)
    else:
        said = Text("is gone" if difference.live == "null" else "is there, and should not be", style="red")
    return said.append("  brought back", style="green") if difference.remediated else said


def _short(text: str, most: int = 60) -> str:
    value = json.loads(text) if text else None
    shown = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return shown if len(shown) <= most else f"{shown[: most - 1]}…"


def said(found: "Sequence[Found]", now: float) -> str:
    """How many are in sync, tenants in a fleet and else resources, and when that was seen."""
    from orbits_iac.model.spans import ago

    looked = [one for one in found if one.look is not None and is_leaf(one)]
    if not looked:
        return "nothing was looked at yet"
    fleet = any(one.record.tenant for one in found)
    worst: dict[str, int] = {}
    for one in looked:
        name = one.record.tenant or "" if fleet else str((one.record.kind, one.record.identity))
        worst[name] = max(worst.get(name, 0), _standing(one))
    parts = [
        f"{count} {word}"
        for level, word in enumerate(("in sync", "brought back", "drifted", "could not be looked at"))
        if (count := sum(1 for at in worst.values() if at == level)) or level == 0
    ]
    properties = sum(one.look.checked for one in looked if one.look)
    oldest = min(one.look.at for one in looked if one.look)
    return f"{', '.join(parts)}; {_number(properties, 'property')} compared, looked at {ago(now - oldest)}"


def is_leaf(found: "Found") -> bool:
    """Whether something of it itself is compared; of a composite, only its children are."""
    look = found.look
    return look is not None and bool(look.checked or look.differences or look.unchecked or look.error)


def _standing(found: "Found") -> int:
    """0 in sync, 1 brought back, 2 drifted, 3 not known."""
    if found.look is None or found.look.error:
        return 3
    return 2 if left(found) else 1 if found.look.differences else 0


def _number(count: int, what: str) -> str:
    return f"{count} {what if count == 1 else what.replace('property', 'properties')}"


def unchecked(found: "Sequence[Found]") -> list[str]:
    """What was not compared, counted by resource and reason."""
    counts: Counter[tuple[str, str]] = Counter()
    for one in found:
        for line in one.look.unchecked if one.look is not None else ():
            what, _, why = line.partition(": ")
            resource = ".".join(one.path) or str(one.record.kind)
            counts[f"{resource} {what.rpartition(' ')[0]}".strip(), why or "no reader"] += 1
    return [f"{_number(count, 'property')} of {resource} ({why})" for (resource, why), count in counts.items()]
