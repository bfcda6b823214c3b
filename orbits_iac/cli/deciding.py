"""Deciding what a QUARANTINED execution has left: `orbits answer ID accept` or `orbits answer ID retry`."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from orbits_iac.handles import Execution
    from orbits_iac.model.rows import ExecutionRow

SAID = {
    "accept": "What NAME has left is accepted: orbits get ID shows who said so.",
    "retry": "NAME tries again to bring back what was left; orbits watch ID shows how it ends.",
}
"""The decisions, and what is said of each."""


def how_to_decide(row: "ExecutionRow") -> list[str]:
    """The command lines that decide what was left."""
    lines = [f"orbits answer {row.id} accept why=...    lets it stand as it is"]
    if row.failure is None or not row.failure.no_return:
        lines.append(f"orbits answer {row.id} retry    tries again to bring it back")
    return lines


async def decide(execution: "Execution[Any]", decision: str | None, values: Sequence[str]) -> None:
    """Carry out a decision; UsageError if it is none."""
    from orbits_iac.model.errors import UsageError

    if decision not in SAID:
        said = "say which" if decision is None else f"{decision!r} is none"
        lines = "\n  ".join(("it needs a decision:", *how_to_decide(await execution.row())))
        raise UsageError(f"execution {execution.id} is QUARANTINED, and {said}; {lines}")
    why = _why(values)
    if decision == "accept":
        await execution.accept(why)
    else:
        await execution.bring_back_again()


def _why(values: Sequence[str]) -> str:
    from orbits_iac.model.errors import UsageError

    given: dict[str, str] = {}
    for value in values:
        name, _, text = value.partition("=")
        given[name] = text
    if set(given) - {"why"}:
        raise UsageError(f"a decision takes why=..., and nothing else; got {', '.join(values)}")
    return given.get("why", "")
