"""Report: what came of a roll-out, tenant by tenant; the outputs of a `Tenants`."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING

from pydantic import ConfigDict

from orbits_iac import Outputs
from orbits_iac.provider import ago
from orbits_tenants.amounts import counted
from orbits_tenants.numerous import Numerous
from orbits_tenants.tenant import Tenant

if TYPE_CHECKING:
    from rich.console import RenderableType


class TenantState(StrEnum):
    """What a roll-out did to one tenant."""

    UPDATED = "updated"  # something was changed
    UNCHANGED = "unchanged"  # all stood as it should
    ADOPTED = "adopted"  # what ran already was recorded as it is; nothing was changed
    REVERTED = "reverted"  # failed, and is back at its last good revision, or gone if it had none
    HELD = "forward only"  # failed after a step of no return: nothing was rolled back over it
    LEFT = "needs a decision"  # failed, and could not be brought back
    FAILED = "failed"  # failed before anything was done, or took too long
    BROUGHT_BACK = "brought back"  # went forward, and back again with its wave, or with all
    HELD_BACK = "held back"  # what it uses together with others has failed: nothing was done to it
    UNREACHABLE = "unreachable"  # its account is closed or suspended, or lets nobody in: outside the tolerance
    PAUSED = "paused"  # somebody said that it is not to be changed
    VANISHED = "not listed"  # the source does not have it any more: it stays as it is
    ENDED = "ended"  # it had expired, and was removed
    NOT_STARTED = "not started"  # its wave was not reached


_GONE = frozenset({TenantState.ENDED})
_WHOLE = 40  # tenants, beyond which a table of all is not for reading
_FAILED, _EXAMPLES = 20, 3  # of such a fleet: rows of each state that failed, and of each other
_TOLD = 10  # failed tenants, and doubts, that whoever is told of a roll-out reads of

OK = frozenset({TenantState.UPDATED, TenantState.UNCHANGED, TenantState.ADOPTED})
APART = frozenset({TenantState.UNREACHABLE, TenantState.PAUSED, TenantState.VANISHED, TenantState.ENDED})
"""Neither good nor bad: what the roll-out could do nothing about, or was not to."""

BAD = frozenset({TenantState.REVERTED, TenantState.HELD, TenantState.LEFT, TenantState.FAILED})
"""What counts against the tolerance."""

SUPERSEDED = "superseded by"
"""How `stopped` begins of a roll-out in whose place another one came."""

UNTRIED = frozenset({TenantState.UNREACHABLE, TenantState.PAUSED, TenantState.HELD_BACK})
"""What says nothing of a release: it was meant for these, and nothing was done."""

_STYLES = {
    TenantState.UPDATED: "green",
    TenantState.UNCHANGED: "dim",
    TenantState.ADOPTED: "green",
    TenantState.REVERTED: "red",
    TenantState.HELD: "bold yellow",
    TenantState.LEFT: "bold red",
    TenantState.FAILED: "red",
    TenantState.BROUGHT_BACK: "yellow",
    TenantState.HELD_BACK: "yellow",
    TenantState.UNREACHABLE: "magenta",
    TenantState.PAUSED: "cyan",
    TenantState.VANISHED: "yellow",
    TenantState.ENDED: "dim",
    TenantState.NOT_STARTED: "dim",
}


_HAPPENED: Mapping[TenantState, str] = {
    TenantState.UPDATED: "went forward",
    TenantState.UNCHANGED: "nothing to change{seen}",
    TenantState.ADOPTED: "recorded as it runs; nothing was changed",
    TenantState.REVERTED: "{why} → {came_back}",
    TenantState.HELD: "{what} → forward only: {passed} cannot be taken back",
    TenantState.LEFT: "{why} → left for a decision: {left}",
    TenantState.FAILED: "{why}{goes_on}",
    TenantState.BROUGHT_BACK: "went forward, and is back {back}{stays}",
    TenantState.HELD_BACK: "{why}",
    TenantState.UNREACHABLE: "{why} → it stands as it did; it does not count as failed",
    TenantState.PAUSED: "is paused: {why}",
    TenantState.VANISHED: "the source does not have it any more: it stays as it is, until it is removed",
    TenantState.ENDED: "was removed{stays}",
    TenantState.NOT_STARTED: "{because}",
}


class TenantReport(Outputs, Numerous):
    """What came of one tenant.

    Attributes:
        state: what the roll-out did to it.
        wave: the wave that it belongs to; "" for one that is in none.
        tenant: as it was listed: who is known, when the source is read next.
        earlier: whether it is of an earlier roll-out: this one was not asked to go there.
        pinned: fields of its stack that stay whatever is released.
        changed: whether anything of it is otherwise than before.
        made: whether nothing of it stood before.
        stack: its stack's kind and identity.
        revision: its stack's revision that stands now; None if none does.
        account: the places it is in, such as "448811223344/eu-west-1"; None if it has none yet.
        path: of a failure: the refs that lead from its stack to the step that failed first.
        error: of a failure: the first error's type and message; of one that is left out: why.
        no_return: the steps of no return that were passed: it cannot be brought back over them.
        passed: all that ever were, each with the revision of its stack in which that was last.
        shared: what it uses together with others, each by its kind and identity.
        left: what could not be brought back and needs a decision; of one that took too long: what is still under way;
            of one that was removed, or has failed before anything of it stood: what stays.
        execution: the id of the execution that failed first; it has the events and attempts.
        digest: of what was asked of it and by which code, where that stands: what has another is done again.
        checked_at: of one that was passed over: when somebody looked at it last, in seconds since the epoch.
        began: when its stack was asked for (UTC); None if it never was.
        ended: when that was over (UTC).

    """

    model_config = ConfigDict(extra="ignore")  # another release may have said more

    state: TenantState
    wave: str
    tenant: Tenant | None = None
    earlier: bool = False
    pinned: tuple[str, ...] = ()
    changed: bool = False
    made: bool = False
    stack: str = ""
    revision: int | None = None
    account: str | None = None
    path: tuple[str, ...] = ()
    error: str | None = None
    no_return: tuple[str, ...] = ()
    passed: Mapping[str, int] = {}
    shared: tuple[str, ...] = ()
    left: tuple[str, ...] = ()
    execution: str = ""
    digest: str = ""
    checked_at: float | None = None
    began: datetime | None = None
    ended: datetime | None = None

    @property
    def happened(self) -> str:
        """What happened, in a line for people."""
        why = f"{'.'.join(self.path)}: {self.error}" if self.path else self.error or ""
        return _HAPPENED[self.state].format(
            why=why,
            what=why or "went forward",
            because=why or "its wave was not reached",
            wave=self.wave,
            back=self._back,
            came_back=self._came_back,
            passed=", ".join(self.no_return),
            goes_on=f" → {'; '.join(self.left)}" if self.left else "",
            stays=f"; it stays: {'; '.join(self.left)}" if self.left else "",
            left="; ".join(self.left) or "see its execution",
            seen="" if self.unseen_for is None else f"; looked at {ago(self.unseen_for)}",
        )

    @property
    def unseen_for(self) -> float | None:
        """Of one that was passed over: the seconds from the last look at it to the roll-out."""
        if self.checked_at is None or self.began is None:
            return None
        return max(0.0, self.began.timestamp() - self.checked_at)

    def has_another_stack_than(self, other: "TenantReport") -> bool:
        """Whether its stack is another one; not if one of the two has none."""
        return bool(self.stack and other.stack) and self.stack != other.stack

    @property
    def _back(self) -> str:
        return f"at revision {self.revision}" if self.revision is not None else "to nothing"

    @property
    def _came_back(self) -> str:
        if self.revision is not None:
            return f"back {self._back}"
        what = "what it made was removed" if self.changed else "nothing of it stands"
        return f"{what}, but for {', '.join(self.left)}" if self.left else what


class Report(Outputs):
    """What came of a roll-out: each tenant's report by its id, in the order in which they joined.

    Attributes:
        tenants: each one that is in the fleet.
        shared: what tenants use together, by its kind and identity: what came of it, in the terms of a tenant.
        doubts: what the source said and was not believed.
        stopped: why the roll-out did not go further; "" if it went to its end.
        finish_error: why `define_finish` failed: that fails no roll-out, and is said.

    """

    tenants: Mapping[str, TenantReport]
    shared: Mapping[str, TenantReport] = {}
    doubts: tuple[str, ...] = ()
    stopped: str = ""
    finish_error: str | None = None

    @property
    def failed(self) -> Mapping[str, str]:
        """The tenants that failed, each with what happened."""
        return {id_: one.happened for id_, one in self.tenants.items() if one.state in BAD and not one.earlier}

    @property
    def causes(self) -> Mapping[str, str]:
        """What several tenants use and has failed, each with what happened and how many wait for it."""
        bad = {name: one for name, one in self.shared.items() if not one.earlier and one.state not in OK | _GONE}
        return {name: f"{one.happened}{self._waits(name)}" for name, one in bad.items()}

    def _waits(self, name: str) -> str:
        held = [one for one in self.tenants.values() if one.state is TenantState.HELD_BACK and not one.earlier]
        number = sum(name in one.shared for one in held)
        return f"; {number:,} tenant{'s wait' if number != 1 else ' waits'} for it" if number else ""

    def users(self, name: str) -> tuple[str, ...]:
        """The tenants that use what is called so together."""
        return tuple(id_ for id_, one in self.tenants.items() if name in one.shared)

    @property
    def not_started(self) -> tuple[str, ...]:
        """The tenants that the roll-out did not reach."""
        return tuple(
            id_ for id_, one in self.tenants.items() if one.state is TenantState.NOT_STARTED and not one.earlier
        )

    @property
    def changed(self) -> bool:
        """Whether anything of any tenant, or of what they share, is otherwise than before."""
        return any(one.changed for one in (*self.tenants.values(), *self.shared.values()))

    @property
    def summary(self) -> str:
        """The roll-out in a line for people."""
        counts = Counter(one.state for one in self.tenants.values() if not one.earlier)
        said = [f"{counts[state]} {state.value}" for state in TenantState if counts[state]]
        earlier = len(self.tenants) - counts.total()
        return f"{counted(len(self.tenants))}: {', '.join([*said, *([f'{earlier} not gone to'] if earlier else [])])}"

    def exit_code(self) -> int:
        """0 if none failed, 1 if all did, 4 if some did; who waits for what has failed counts as failed here."""
        if not self.failed and not self.stopped and not self.causes:
            return 0
        begun = [one for one in self.tenants.values() if one.state not in APART and not one.earlier]
        held = sum(one.state is TenantState.HELD_BACK for one in begun)
        return 1 if len(self.failed) + held == len(begun) else 4

    def problem(self) -> str:
        """Why it was stopped, what of the source was not believed, and the first tenants that failed, as a list."""
        if not (self.failed or self.stopped or self.doubts or self.causes):
            return ""
        lines = [_code(self.stopped)] if self.stopped else []
        lines += _first([_code(doubt) for doubt in self.doubts])
        lines += [f"{id_}: {_code(what)}" for id_, what in self.causes.items()]
        lines += _first([f"{id_}: {_code(what)}" for id_, what in self.failed.items()])
        return "\n".join([self.summary, *lines])

    def next_steps(self, stack: str) -> Sequence[tuple[str, str]]:
        """What to type after a roll-out that did not reach all: look, go on with the others, or go back."""
        if not self.exit_code() or self.stopped.startswith(SUPERSEDED):  # another one goes over all
            return ()
        bad = {id_: one for id_, one in self.tenants.items() if one.state in BAD and not one.earlier and one.execution}
        looks = [(f"orbits get {one.execution}", f"what happened to {id_}") for id_, one in bad.items()]
        if not stack:
            return looks[:1]
        takes_back = (f"orbits tenants rollback {stack}", "takes it back, once shown what that does")
        return [
            *looks[:1],
            (f"orbits up {stack} ... only_failed=true", "goes to those that failed or were not reached"),
            *([takes_back] if self._can_go_back() else []),
        ]

    def _can_go_back(self) -> bool:
        """Whether it has brought somebody forward who may go back, and there is something from before to go back to."""
        all_ = self.tenants.values()
        forward = (one for one in all_ if one.state is TenantState.UPDATED and not one.earlier)
        stood = any(one.revision is not None and not one.made for one in all_)
        return stood and any(not one.no_return for one in forward)

    def compared(self) -> object:
        """How the tenants stand; when they were done, and that there was nothing to do, is no change."""
        timeless: dict[str, object] = {"began": None, "ended": None}
        done = {**timeless, "state": TenantState.UPDATED, "changed": False, "made": False, "wave": "", "earlier": False}
        done |= {"no_return": (), "checked_at": None}
        all_ = (*self.tenants.items(), *self.shared.items())
        return {id_: one.model_copy(update=done if one.state in OK else timeless) for id_, one in all_}

    def _shown(self) -> "tuple[Mapping[str, TenantReport], str]":
        """The tenants that the table has; of a large fleet those that failed, and examples; the others are counted."""
        if len(self.tenants) <= _WHOLE:
            return self.tenants, ""
        shown: dict[str, TenantReport] = {}
        seen: Counter[str] = Counter()
        left: Counter[str] = Counter()
        for id_, one in self.tenants.items():
            state = "not gone to" if one.earlier else one.state.value
            seen[state] += 1
            if not one.earlier and seen[state] <= (_FAILED if one.state in BAD else _EXAMPLES):
                shown[id_] = one
            else:
                left[state] += 1
        return shown, ", ".join(
            f"{count:,} {'more ' if seen[state] > count else ''}{state}" for state, count in left.items()
        )

    def __rich__(self) -> "RenderableType":
        """The table: tenant, account, state, revision, what happened."""
        from rich.console import Group
        from rich.table import Table
        from rich.text import Text

        from orbits_tenants.reporting.words import plain

        table = Table(box=None, header_style="bold", pad_edge=False, padding=(0, 2, 0, 0))
        for name in ("tenant", "account", "state", "revision"):
            table.add_column(name, no_wrap=True)
        table.add_column("what happened", overflow="fold")
        shown, counted = self._shown()
        for id_, one in shown.items():
            table.add_row(
                Text(id_),
                Text((one.account or "-").replace(", ", "\n")),  # several stand one below the other
                Text(one.state.value, style=_STYLES[one.state]),
                Text("-" if one.revision is None else str(one.revision)),
                Text(plain(one.happened).replace(" → ", "\n→ ")),
                style="dim" if one.earlier else "",  # what stands there was done by another roll-out
            )
        lines = [Text(f"... {counted}: `orbits tenants list` shows all", style="dim")] if counted else []
        lines += [Text(self.summary, style="bold")]
        lines += [Text(f"{name}: {why}".replace(" → ", "\n→ "), style="red") for name, why in self.causes.items()]
        lines += [Text(plain(doubt), style="yellow") for doubt in self.doubts]
        if self.stopped:
            lines.append(Text(plain(self.stopped), style="bold red"))
        if self.finish_error:
            lines.append(Text(f"define_finish failed: {self.finish_error}", style="yellow"))
        return Group(table, *lines)


def _code(text: str) -> str:
    """What others have said, in a line: in code nothing is taken for a link, or for a call to a channel."""
    return f"`{' '.join(text.split()).replace('`', chr(39))}`"


def _first(lines: Sequence[str]) -> list[str]:
    more = [f"and {len(lines) - _TOLD:,} more"] if len(lines) > _TOLD else []
    return [*lines[:_TOLD], *more]
