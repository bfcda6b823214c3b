"""What `drift` and `cycle` share: a cycle, and what it found as a table or as JSON."""

import json
import time
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from orbits_iac.cli import exits

if TYPE_CHECKING:
    from rich.console import Console

    from orbits_iac.model.ids import ExecutionId
    from orbits_iac.model.rows import Difference, ExecutionRow
    from orbits_iac.orbits import Orbits
    from orbits_iac.queries import Found
    from orbits_iac.settings import Settings


async def look(subject: str, rest: Sequence[str], settings: "Settings", *, on_drift: str, as_json: bool) -> int:
    """Cycle a record and say what was found; the exit code."""
    from orbits_iac.cli import follow, report
    from orbits_iac.cli.running import run_to_end, subject_of
    from orbits_iac.orbits import Record
    from orbits_iac.queries import looks

    named = await subject_of(subject, rest, settings)

    async def start(orbits: "Orbits") -> "ExecutionId":
        record: Record[None] = Record(orbits, named.kind, named.identity)
        return (await record.start("cycle", {"on_drift": on_drift})).id

    async def after(orbits: "Orbits", row: "ExecutionRow", value: Any) -> int:
        found = await looks(orbits.store, named.kind, named.identity)
        code = exits.FAILED if row.failure is not None else exit_code(found)
        if as_json:
            report.print_json({**as_document(found), "execution": row.id, "exit_code": code})
        else:
            out = follow.console()
            print_found(found, out, now=time.time())
            if row.failure is not None:
                follow.console(stderr=True).print(report.panel(row))
        return code

    return await run_to_end(settings, named.modules, start, as_json=as_json, quiet=True, after=after)


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

    grid = Table.grid(padding=(0, 2))
    for _ in range(4):
        grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    for one in found:
        for difference in one.look.differences if one.look is not None else ():
            grid.add_row(*_cells(one, difference))
    if grid.row_count:
        out.print(grid)
    out.print(Text(said(found, now)))
    for line in unchecked(found):
        out.print(Text(f"unchecked: {line}", style="dim"))


def _cells(found: "Found", difference: "Difference") -> list[Any]:
    from rich.text import Text

    if difference.path:
        change = Text.assemble("recorded ", (_short(difference.recorded), "green"), " → live ", (_short(difference.live), "red"))
    else:
        change = Text("is gone" if difference.live == "null" else "is there, and should not be", style="red")
    if difference.remediated:
        change.append("  brought back", style="green")
    resource = difference.resource or ".".join(found.path) or found.record.identity
    kind = difference.type or found.record.kind
    return [found.record.tenant or found.record.identity.split("/")[0], resource, Text(kind, style="dim"), difference.path, change]


def _short(text: str, most: int = 60) -> str:
    value = json.loads(text) if text else None
    shown = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return shown if len(shown) <= most else f"{shown[: most - 1]}…"


def said(found: "Sequence[Found]", now: float) -> str:
    """How many are in sync, and when that was seen."""
    from orbits_iac.cli.render import ago

    looked = [one for one in found if one.look is not None and (one.look.checked or one.look.differences or one.look.error)]
    drifted = sum(1 for one in looked if left(one))
    healed = sum(1 for one in looked if one.look and any(d.remediated for d in one.look.differences))
    failed = sum(1 for one in looked if one.look and one.look.error)
    parts = [f"{len(looked) - drifted - failed} in sync"]
    parts += [f"{drifted} drifted"] if drifted else []
    parts += [f"{healed} brought back"] if healed else []
    parts += [f"{failed} could not be looked at"] if failed else []
    properties = sum(one.look.checked for one in looked if one.look)
    oldest = min((one.look.at for one in looked if one.look), default=None)
    seen = "" if oldest is None else f"; looked {ago(now - oldest)}"
    return f"{', '.join(parts)}; {properties} properties compared{seen}"


def unchecked(found: "Sequence[Found]") -> list[str]:
    """What was not compared, counted by resource and reason."""
    counts: Counter[tuple[str, str]] = Counter()
    for one in found:
        for line in one.look.unchecked if one.look is not None else ():
            what, _, why = line.partition(": ")
            resource = ".".join(one.path) or str(one.record.kind)
            counts[f"{resource} {what.rpartition(' ')[0]}".strip(), why or "no reader"] += 1
    return [
        f"{count} {'property' if count == 1 else 'properties'} of {resource} ({why})"
        for (resource, why), count in counts.items()
    ]
