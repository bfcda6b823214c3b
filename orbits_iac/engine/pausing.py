"""Pausing: an execution begins no more steps until somebody lets it go on.

Attempts under way come to their outcome, which the definition gets; what it then asks for is not begun, and its timers
do not fire. The time for which it was paused counts for no time limit of an Action.

What always holds: that somebody has paused it is written with the deletion of the message that says so. If the process
dies before all has come to its outcome, the execution is paused as it is found.
"""

from typing import TYPE_CHECKING

from orbits_iac.engine.limits import moved
from orbits_iac.model.rows import amended
from orbits_iac.model.states import State

if TYPE_CHECKING:
    from orbits_iac.engine.run import Run

_WAKES = frozenset({"resume", "cancel", "end", "supersede"})  # one that is superseded may be where it can end


def stays_paused(run: "Run") -> bool:
    """Whether it is paused, and its inbox says nothing else."""
    return run.pages.execution.paused_at is not None and not any(m.what in _WAKES for m in run.pages.inbox)


def pause(run: "Run", who: str) -> None:
    """Begin no more steps."""
    if run.main is None or run.main.done() or run.closed:
        run.pages.note(at=run.now(), key="", why="asked to pause, while it was ending already", who=who)
        return
    if not run.told.pausing:
        run.told.pausing = True
        run.pages.change(at=run.now(), paused_at=run.now())
        run.pages.note(at=run.now(), key="", why="asked to pause", who=who)


def go_on(run: "Run", who: str) -> None:
    """Go on where it was paused; nothing if it was not."""
    run.told.pausing = False
    since = run.pages.execution.paused_at
    if since is None:
        return
    now = run.now()
    if run.pages.execution.state is not State.PAUSED:
        run.pages.note(at=now, key="", why="resumed", who=who)
    for entry in list(run.pages.entries.values()):
        if entry.seq is None and entry.child is None:
            run.pages.put(amended(entry, **moved(entry, now - since)), at=now)
    run.pages.change(at=now, state=State.EXECUTING, paused_at=None, why="resumed", who=who)


def paused(run: "Run") -> None:
    """Nothing is under way any more: from now on it is paused."""
    if run.pages.execution.state is not State.PAUSED:
        run.pages.change(at=run.now(), state=State.PAUSED, paused_at=run.now(), why="paused")
