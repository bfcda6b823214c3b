"""What `drift` and `cycle` say of a fleet: counts by tenant and stack, then the details of what is new.

A fleet is a record with children that belong to tenants. Pure. Called by `looking`.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from orbits_iac.cli import exits

if TYPE_CHECKING:
    from rich.console import Console

    from orbits_iac.model.rows import Difference, LookRow, RecordRow
    from orbits_iac.queries import Found

COUNTS = ("new", "standing", "healed", "ignored", "unchecked")


@dataclass(frozen=True, kw_only=True)
class Narrow:
    """Which tenants of a fleet are meant, and how many of them may be brought back without asking."""

    tenants: tuple[str, ...] = ()
    selector: str | None = None
    most: int | None = None

    def __bool__(self) -> bool:
        return bool(self.tenants) or self.selector is not None

    def options(self) -> dict[str, Any]:
        """What a cycle is asked with."""
        return {
            **({"tenants": list(self.tenants)} if self.tenants else {}),
            **({"selector": self.selector} if self.selector is not None else {}),
            **({"most": self.most} if self.most is not None else {}),
        }


@dataclass(kw_only=True)
class Line:
    """One tenant's stack, or what all of them share (`tenant` is None)."""

    tenant: str | None
    stack: str
    new: int = 0  # properties that the last look has found otherwise than recorded, for the first time
    standing: int = 0  # that differed before, and still do
    healed: int = 0  # that differed at the look before, and do not any more
    ignored: int = 0
    unchecked: int = 0  # that were not compared
    looked_at: float | None = None  # the look that was longest ago
    why: str = ""  # it could not be looked at by the fleet's last cycle
    since: bool = False  # it came after the fleet's last cycle, if there was any
    found: "list[Found]" = field(default_factory=list)

    @property
    def drifted(self) -> bool:
        """Whether anything of it differs."""
        return bool(self.new or self.standing)

    @property
    def unseen(self) -> bool:
        """Whether the fleet's last cycle could not look at it, or none ever did: nobody knows how it is."""
        return bool(self.why) or (self.since and self.looked_at is None and self.tenant is not None)

    @property
    def empty(self) -> bool:
        """Whether it was looked at, and has nothing that could be compared."""
        return self.looked_at is None and not self.unseen


def narrowed(found: "Sequence[Found]", narrow: Narrow) -> "list[Found]":
    """The fleet's own look, and those at the tenants that are meant.

    UsageError if the record is no fleet, or one of them is not there.
    """
    from orbits_iac.model.errors import UsageError
    from orbits_iac.model.selector import Selector

    if not is_fleet(found):
        raise UsageError("this is no fleet: --tenant, --selector and --most are for those")
    fleet = found[0].record
    there: dict[str, RecordRow] = {}
    for one in found:  # a tenant's stack comes before what it is made of
        if one.record.tenant is not None:
            there.setdefault(one.record.tenant, one.record)
    for name in narrow.tenants:
        if name not in there:
            raise UsageError(f"no tenant {name!r} stands in {fleet.kind} {fleet.identity}")
    meant = there.values() if narrow.selector is None else Selector(narrow.selector).chosen(there.values())
    names = {row.tenant for row in meant} & {*(narrow.tenants or there)}
    return [one for one in found if not one.path or one.record.tenant in names]


def is_fleet(found: "Sequence[Found]") -> bool:
    """Whether the record that was looked at has children of tenants, and is not one tenant's itself."""
    return bool(found) and found[0].record.tenant is None and any(one.record.tenant is not None for one in found)


def lines(found: "Sequence[Found]") -> list[Line]:
    """A line for each tenant's stack, by the tenants' ids, and one for what they share."""
    fleet, *others = found
    whys = dict(_whys(fleet.look))
    made: dict[str | None, Line] = {}
    for one in others:
        tenant = one.record.tenant
        if tenant not in made:
            name = tenant if tenant is not None else f"{one.record.kind} {one.record.identity}"
            stack = one.record.kind if tenant else "shared"
            made[tenant] = Line(tenant=tenant, stack=stack, why=whys.get(name, ""), since=_is_since(one, fleet.look))
        elif not made[tenant].why:  # of what a tenant had before, its kind is said beside
            made[tenant].why = whys.get(f"{tenant} {one.record.kind}", "")
        _take(made[tenant], one)
    for line in made.values():
        if fleet.look is not None and line.looked_at is not None and line.looked_at > fleet.look.at:
            line.why = ""  # it was looked at by itself since
    return sorted(made.values(), key=lambda line: line.tenant or "")


def exit_code(made: Sequence[Line]) -> int:
    """3 if anything differs, else 4 if something could not be looked at."""
    if any(line.drifted for line in made):
        return exits.FOUND
    return exits.PARTLY if any(line.unseen for line in made) else exits.DONE


def as_document(found: "Sequence[Found]", made: Sequence[Line]) -> dict[str, Any]:
    """The counts, as JSON's own types."""
    look = found[0].look
    return {
        "counts": {name: sum(getattr(line, name) for line in made) for name in COUNTS},
        "tenants": [
            {
                "tenant": line.tenant,
                "stack": line.stack,
                **{name: getattr(line, name) for name in COUNTS},
                "looked_at": line.looked_at,
                "why": line.why or None,
            }
            for line in made
        ],
        "not_brought_back": (look.stopped or None) if look is not None else None,
    }


def print_fleet(
    found: "Sequence[Found]",
    made: Sequence[Line],
    out: "Console",
    *,
    now: float,
    narrowed: bool = False,
    everything: bool = False,
) -> None:
    """Who is not in sync, with counts; what is new, or (`everything`) all that differs; and the sum.

    `narrowed`: not all of the fleet is meant, so what its own look says is not about these alone.
    """
    from rich.table import Table
    from rich.text import Text

    from orbits_iac.model.spans import ago

    shown = [line for line in made if line.drifted or line.unseen or line.healed or (everything and line.tenant)]
    if shown:
        table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
        for name in ("tenant", "stack", *COUNTS, "looked at", ""):
            table.add_column(name, no_wrap=name != "", justify="right" if name in COUNTS else "left", overflow="fold")
        for line in shown:
            looked = "never" if line.looked_at is None else ago(now - line.looked_at)
            counts = (str(getattr(line, name) or "-") for name in COUNTS)
            table.add_row(line.tenant or "-", line.stack, *counts, looked, Text(line.why, style="red"))
        out.print(table)
    details = Table.grid(padding=(0, 2))
    for _ in range(4):
        details.add_column(no_wrap=True)
    details.add_column(overflow="fold")
    for line in made:
        for cells in _details(line, everything=everything):
            details.add_row(*cells)
    if details.row_count:
        out.print()
        out.print(details)
    out.print(Text(said(made)))
    look = found[0].look
    if look is not None and look.stopped and not narrowed:
        out.print(Text(f"not brought back: {look.stopped}", style="yellow"))
    for line in made:
        for one in line.found:
            if one.look is not None and one.look.stopped:
                out.print(Text(f"not brought back: {line.tenant or '-'} {_where(one)}: {one.look.stopped}"))


def said(made: Sequence[Line]) -> str:
    """The tenants in a line, each counted once, and the properties of all.

    Who had drifted when it was looked at last, and could not be now, has drifted: so the exit code has it.
    """
    tenants = [line for line in made if line.tenant is not None]
    drifted = sum(line.drifted for line in tenants)
    unseen = sum(line.unseen and not line.drifted for line in tenants)
    in_sync = sum(not (line.drifted or line.unseen or line.empty) for line in tenants)
    empty = sum(line.empty for line in tenants)
    counts = ", ".join(f"{sum(getattr(line, name) for line in made)} {name}" for name in COUNTS)
    number = f"{len(tenants)} tenant{'s' if len(tenants) != 1 else ''}"
    more = f", {empty} with nothing to compare" if empty else ""
    return (
        f"{number}: {in_sync} in sync, {drifted} drifted, {unseen} could not be looked at{more}; properties: {counts}"
    )


def _whys(look: "LookRow | None") -> Iterator[tuple[str, str]]:
    """Who could not be looked at, and why, as the fleet's own look says."""
    for text in look.unchecked if look is not None else ():
        name, _, why = text.partition(": ")
        yield name, why


def _is_since(one: "Found", look: "LookRow | None") -> bool:
    """Whether it came to stand after the fleet's last cycle had begun: ids have the order in which they were made."""
    by = one.record.brought_by
    return look is None or look.execution is None or by is None or by > look.execution


def _take(line: Line, one: "Found") -> None:
    """Count one record's look in."""
    look = one.look
    if look is None:
        return
    line.found.append(one)
    line.looked_at = look.at if line.looked_at is None else min(line.looked_at, look.at)
    left = [each for each in look.differences if not each.remediated]
    mended = {(each.resource, each.path) for each in (*look.healed, *look.differences)}
    mended -= {(each.resource, each.path) for each in left}
    line.new += sum(_is_new(each, look) for each in left)
    line.standing += sum(not _is_new(each, look) for each in left)
    line.healed += len(mended)
    line.ignored += len(look.ignored)
    line.unchecked += len(look.unchecked) + bool(look.error)


def _is_new(difference: "Difference", look: "LookRow") -> bool:
    return difference.since == look.at


def _details(line: Line, *, everything: bool) -> "Iterator[list[Any]]":
    """Tenant, resource, type, property and what of it, for each that is new or was brought back just now."""
    from orbits_iac.cli.looking import rows_of

    for one in line.found:
        look = one.look
        if look is None:
            continue
        wanted = tuple(d for d in look.differences if everything or d.remediated or _is_new(d, look))
        for cells in rows_of(one, _where(one), wanted):
            yield [line.tenant or "-", *cells]


def _where(one: "Found") -> str:
    """The refs below the tenant's stack."""
    return ".".join(one.path[1:]) or one.record.kind
