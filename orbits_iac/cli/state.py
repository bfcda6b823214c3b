"""`orbits state`: what concerns the store itself. Letting go of what is old is here; the others have own files."""

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any

import typer

from orbits_iac.cli import check, export, import_, rebuild, rotate_key, take_over
from orbits_iac.cli.lean import Lean
from orbits_iac.cli.options import AsJson, Debug, Store

if TYPE_CHECKING:
    from orbits_iac.model.ids import RecordId
    from orbits_iac.pruning import Tree
    from orbits_iac.store.contract import Store as Opened

DAY = 86_400.0

Yes = Annotated[bool, typer.Option("--yes", "-y", help="Delete it; without this it is only shown.")]
Days = Annotated[
    int | None,
    typer.Option(
        "--keep-executions",
        metavar="DAYS",
        min=0,
        help="Leave executions that ended in the last so many days (keep_executions in orbits.toml; 90).",
    ),
]
Revisions = Annotated[
    int | None,
    typer.Option(
        "--keep-revisions",
        metavar="NUMBER",
        min=2,
        help="Leave so many revisions of each record, and all that are needed (keep_revisions; 20).",
    ),
]
Compact = Annotated[
    bool, typer.Option("--compact", help="Then give the room back to the system; writers wait meanwhile.")
]

app = typer.Typer(
    help="Look after the store itself.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback()
def state() -> None:
    """Look after the store itself."""


@app.command("prune", cls=Lean)
def prune(
    keep_executions: Days = None,
    keep_revisions: Revisions = None,
    yes: Yes = False,
    compact: Compact = False,
    store: Store = None,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Let go of executions and drift of long ago, and of revisions and builds that nothing needs any more."""
    from orbits_iac.cli import session
    from orbits_iac.cli.running import finish

    settings = session.settings_with(store)
    seconds = settings.keep_executions.total_seconds() if keep_executions is None else keep_executions * DAY
    keep = settings.keep_revisions if keep_revisions is None else keep_revisions
    before = time.time() - seconds
    finish(_prune(settings.store, before=before, keep=keep, yes=yes, compact=compact, as_json=as_json))


app.command("check", cls=Lean)(check.command)
app.command("export", cls=Lean)(export.command)
app.command("import", cls=Lean)(import_.command)
app.command("rebuild", cls=Lean)(rebuild.command)
app.command("rotate-key", cls=Lean)(rotate_key.command)
app.command("take-over", cls=Lean)(take_over.command)


@dataclass(kw_only=True)
class Ran:
    """Executions of one command of one kind, with all below them."""

    kind: str
    command: str
    asked: int = 0
    executions: int = 0  # whose journals go
    kept: int = 0  # of these, those whose rows stay
    first: float = 0.0
    last: float = 0.0

    def count(self, tree: "Tree") -> None:
        """Take one more in: they come in the order in which they were asked for."""
        self.first = self.first or tree.root.created_at
        self.last = tree.root.created_at
        self.asked += 1
        kept = sum(not row.pruned for row in tree.stays)
        self.executions += len(tree.goes) + kept
        self.kept += kept


@dataclass(kw_only=True)
class Gone:
    """What goes, or went."""

    done: bool
    executions: "dict[tuple[str, str], Ran]" = field(default_factory=dict)
    revisions: "dict[RecordId, list[int]]" = field(default_factory=dict)
    drift: int = 0  # events of it
    builds: "list[str]" = field(default_factory=list)
    freed: int | None = None  # bytes

    def __bool__(self) -> bool:
        return bool(self.executions or self.revisions or self.drift or self.builds)

    def document(self) -> dict[str, Any]:
        """As JSON's own types."""
        return {
            "done": self.done,
            "executions": [vars(ran) for ran in self.executions.values()],
            "revisions": [
                {"kind": record.kind, "identity": record.identity, "numbers": sorted(numbers)}
                for record, numbers in self.revisions.items()
            ],
            "drift": self.drift,
            "builds": self.builds,
            "freed": self.freed,
        }


async def _prune(url: str, *, before: float, keep: int, yes: bool, compact: bool, as_json: bool) -> int:
    from orbits_iac.cli import exits, report, session
    from orbits_iac.terminal import console

    async with session.reading(url) as store:
        gone = await _let_go(store, before=before, keep=keep, yes=yes)
        if yes and compact:
            gone.freed = await store.compact()
    if as_json:
        report.print_json(gone.document())
    else:
        _show(gone, console())
    return exits.DONE


async def _let_go(store: "Opened", *, before: float, keep: int, yes: bool) -> Gone:
    from orbits_iac import pruning

    gone, known, went = Gone(done=yes), await pruning.survey(store), pruning.Gone()
    async for name, _ in pruning.prune_revisions(store, known, keep=keep, dry=not yes):
        went.revisions.add(name)
        gone.revisions.setdefault(name.record, []).append(name.number)
    async for tree in pruning.old_executions(store, known, before=before):
        if yes and not await pruning.prune_execution(store, tree):
            continue
        went.executions.update(row.id for row in tree.goes)
        key = (tree.root.kind, tree.root.command)
        gone.executions.setdefault(key, Ran(kind=key[0], command=key[1])).count(tree)
    gone.drift = await pruning.prune_drift(store, known, before=before, dry=not yes)
    gone.builds = [row.digest for row in await pruning.prune_builds(store, went, now=time.time(), dry=not yes)]
    return gone


def _show(gone: Gone, out: Any) -> None:
    from datetime import datetime

    from rich.table import Table

    if not gone:
        out.print("nothing is old enough to go")
    if gone.executions:
        made = Table(box=None, pad_edge=False, header_style="dim")
        for name in ("executions", "command", "asked for", "with all below", "row kept", "first", "last"):
            made.add_column(name, justify="left" if name in {"executions", "command", "first", "last"} else "right")
        for ran in sorted(gone.executions.values(), key=lambda ran: (ran.kind, ran.command)):
            first, last = (f"{datetime.fromtimestamp(at).astimezone():%Y-%m-%d}" for at in (ran.first, ran.last))
            made.add_row(ran.kind, ran.command, f"{ran.asked:,}", f"{ran.executions:,}", f"{ran.kept:,}", first, last)
        out.print(made)
    if gone.revisions:
        made = Table(box=None, pad_edge=False, header_style="dim")
        for name in ("revisions of", "identity", "numbers"):
            made.add_column(name)
        for record, numbers in sorted(gone.revisions.items()):
            made.add_row(record.kind, record.identity, _spans(numbers))
        out.print(made)
    if gone.drift:
        out.print(f"{gone.drift:,} events of drift")
    if gone.builds:
        out.print(f"{len(gone.builds):,} builds that nothing is left of")
    if not gone.done and gone:
        out.print("Nothing was deleted: --yes does it.")
    if gone.freed is not None:
        out.print(f"{gone.freed / 1e6:,.1f} MB were given back")


def _spans(numbers: list[int]) -> str:
    """Numbers in short: 1-4, 7."""
    spans: list[list[int]] = []
    for number in sorted(numbers):
        if spans and spans[-1][1] == number - 1:
            spans[-1][1] = number
        else:
            spans.append([number, number])
    return ", ".join(str(first) if first == last else f"{first}-{last}" for first, last in spans)
