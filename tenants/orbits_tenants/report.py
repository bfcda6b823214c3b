"""Report: what came of a roll-out, tenant by tenant; the outputs of a `Tenants`."""

from collections import Counter
from collections.abc import Mapping
from enum import StrEnum
from typing import TYPE_CHECKING, assert_never

from orbits_iac import ExecutionFailed, Outputs
from orbits_iac.provider import Standing

if TYPE_CHECKING:
    from rich.console import RenderableType


class TenantState(StrEnum):
    """What a roll-out did to one tenant."""

    UPDATED = "updated"  # something was changed
    UNCHANGED = "unchanged"  # all stood as it should
    REVERTED = "reverted"  # failed, and is back at its last good revision, or gone if it had none
    HELD = "forward only"  # failed after a step of no return: nothing was rolled back over it
    LEFT = "needs a decision"  # failed, and could not be brought back
    FAILED = "failed"  # failed before anything was done
    NOT_STARTED = "not started"  # its wave was not reached


OK = frozenset({TenantState.UPDATED, TenantState.UNCHANGED})
_STYLES = {
    TenantState.UPDATED: "green",
    TenantState.UNCHANGED: "dim",
    TenantState.REVERTED: "red",
    TenantState.HELD: "bold yellow",
    TenantState.LEFT: "bold red",
    TenantState.FAILED: "red",
    TenantState.NOT_STARTED: "dim",
}


class TenantReport(Outputs):
    """What came of one tenant.

    Attributes:
        state: what the roll-out did to it.
        wave: the wave that it belongs to.
        changed: whether anything of it is otherwise than before.
        revision: its stack's revision that stands now; None if none does.
        account: the places it is in, such as "448811223344/eu-west-1"; None if it has none yet.
        path: of a failure: the refs that lead from its stack to the step that failed first.
        error: of a failure: the first error's type and message.
        no_return: of one held forward only: the steps of no return that were passed.
        left: what could not be brought back and needs a decision.
        execution: the id of the execution that failed first; it has the events and attempts.

    """

    state: TenantState
    wave: str
    changed: bool = False
    revision: int | None = None
    account: str | None = None
    path: tuple[str, ...] = ()
    error: str | None = None
    no_return: tuple[str, ...] = ()
    left: tuple[str, ...] = ()
    execution: str = ""

    @property
    def happened(self) -> str:
        """What happened, in a line for people."""
        why = f"{'.'.join(self.path)}: {self.error}" if self.path else self.error or ""
        match self.state:
            case TenantState.UPDATED:
                return "went forward"
            case TenantState.UNCHANGED:
                return "nothing to change"
            case TenantState.REVERTED:
                back = f"back at revision {self.revision}" if self.revision is not None else "what it made was removed"
                return f"{why} → {back}"
            case TenantState.HELD:
                return f"{why} → forward only: {', '.join(self.no_return)} cannot be taken back"
            case TenantState.LEFT:
                return f"{why} → left for a decision: {'; '.join(self.left) or 'see its execution'}"
            case TenantState.FAILED:
                return why
            case TenantState.NOT_STARTED:
                return f"wave {self.wave} was not begun: more had failed than is tolerated"
            case _ as never:
                assert_never(never)


class Report(Outputs):
    """What came of a roll-out: each tenant's report by its id, in the order of the source.

    `finish_error` is set when `define_finish` failed: that fails no roll-out, and is said.
    """

    tenants: Mapping[str, TenantReport]
    finish_error: str | None = None

    @property
    def failed(self) -> Mapping[str, str]:
        """The tenants that failed, each with what happened."""
        begun = {id_: one for id_, one in self.tenants.items() if one.state is not TenantState.NOT_STARTED}
        return {id_: one.happened for id_, one in begun.items() if one.state not in OK}

    @property
    def not_started(self) -> tuple[str, ...]:
        """The tenants that the roll-out did not reach."""
        return tuple(id_ for id_, one in self.tenants.items() if one.state is TenantState.NOT_STARTED)

    @property
    def changed(self) -> bool:
        """Whether anything of any tenant is otherwise than before."""
        return any(one.changed for one in self.tenants.values())

    @property
    def summary(self) -> str:
        """The roll-out in a line for people."""
        counts = Counter(one.state for one in self.tenants.values())
        said = ", ".join(f"{counts[state]} {state.value}" for state in TenantState if counts[state])
        return f"{len(self.tenants)} tenants: {said}"

    def exit_code(self) -> int:
        """0 if none failed, 1 if all did, 4 if some did."""
        if not self.failed:
            return 0
        return 1 if len(self.failed) == len(self.tenants) else 4

    def compared(self) -> object:
        """How the tenants stand; that this roll-out had nothing to do with it is no change."""
        done = {"state": TenantState.UPDATED, "changed": False, "wave": ""}
        return {id_: one.model_copy(update=done) if one.state in OK else one for id_, one in self.tenants.items()}

    def __rich__(self) -> "RenderableType":
        """The table: tenant, account, state, revision, what happened."""
        from rich.console import Group
        from rich.table import Table
        from rich.text import Text

        table = Table(box=None, header_style="bold", pad_edge=False, padding=(0, 2, 0, 0))
        for name in ("tenant", "account", "state", "revision"):
            table.add_column(name, no_wrap=True)
        table.add_column("what happened", overflow="fold")
        for id_, one in self.tenants.items():
            table.add_row(
                Text(id_),
                Text(one.account or "-"),
                Text(one.state.value, style=_STYLES[one.state]),
                Text("-" if one.revision is None else str(one.revision)),
                Text(one.happened.replace(" → ", "\n→ ")),
            )
        lines = [Text(self.summary, style="bold")]
        if self.finish_error:
            lines.append(Text(f"define_finish failed: {self.finish_error}", style="yellow"))
        return Group(table, *lines)


def succeeded(wave: str, standing: Standing) -> TenantReport:
    """The report of a tenant whose stack was done."""
    return TenantReport(
        state=TenantState.UPDATED if standing.changed else TenantState.UNCHANGED,
        wave=wave,
        changed=standing.changed,
        revision=standing.revision,
        account=_where(standing),
    )


def failed(wave: str, standing: Standing, error: ExecutionFailed) -> TenantReport:
    """The report of a tenant whose stack ended badly; `error.path` begins at the roll-out's own step for it."""
    failure = error.failure
    return TenantReport(
        state=_state(error),
        wave=wave,
        changed=standing.changed,
        revision=standing.revision,
        account=failure.account or _where(standing),
        path=failure.path[1:],
        error=f"{failure.error_type}: {failure.message}",
        no_return=failure.no_return,
        left=failure.left,
        execution=failure.execution_id,
    )


def not_begun(wave: str, error: Exception) -> TenantReport:
    """The report of a tenant whose stack could not even be asked for."""
    return TenantReport(state=TenantState.FAILED, wave=wave, error=f"{type(error).__name__}: {error}")


def _state(error: ExecutionFailed) -> TenantState:
    failure = error.failure
    if failure.no_return:
        return TenantState.HELD
    match failure.state.value:
        case "REVERTED" | "CANCELLED":
            return TenantState.REVERTED
        case "QUARANTINED":
            return TenantState.LEFT
        case _:
            return TenantState.FAILED


def _where(standing: Standing) -> str | None:
    return ", ".join(standing.places) or None
