"""Steps that an approved plan does not show: they are held, and somebody is asked.

What a plan could not show follows from results that were not known when it was made. Such a step is not begun; whatever
else was approved goes on; then the execution is PAUSED, and says what it waits for. An approval comes by its inbox: of
a new plan, or of all that follows. Nothing of this is in the journal: a re-run holds the same steps until then.
"""

from typing import TYPE_CHECKING

from orbits_iac.engine.events import WAITS
from orbits_iac.model.approvals import Approval, Approved
from orbits_iac.model.errors import Refused
from orbits_iac.model.ids import first_attempt, refs
from orbits_iac.model.plans import Verb
from orbits_iac.model.states import State
from orbits_iac.steps.hook import only_reads

if TYPE_CHECKING:
    from orbits_iac.engine.request import Request
    from orbits_iac.engine.run import Run

_SCOPES = ("install/", "update/", "run/")  # of the steps that a plan shows: those that bring back are not in it


def refuse_repeated(run: "Run", request: "Request") -> None:
    """Raise `Refused` if a step was to be skipped by the plan, as done once already, and would be done again now."""
    change = run.approval.change
    approved = change.below.get(first_attempt(request.key)) if change is not None else None
    if approved is None or approved.verb is not Verb.SKIP or request.once is None or request.key in run.pages.entries:
        return
    standing = run.once.get(request.once)
    if standing is None or standing.digest != request.digest:
        raise Refused(
            f"{'.'.join(refs(request.key))}: by plan {run.approval.plan} it was done once already, and now it would be "
            f"done again. Preview again."
        )


def is_held(run: "Run", request: "Request") -> bool:
    """Hold a step that was just asked for, if the plan does not show it with this argument; whether it is held."""
    change = run.approval.change
    if change is None or change.essence or run.approval.deferred or run.reverting or request.step is None:
        return False
    if request.command == WAITS or not request.key.startswith(_SCOPES) or only_reads(type(request.step)):
        return False
    if request.admitted or _brings_back(request, change):
        return False
    approved = change.below.get(first_attempt(request.key))
    if approved is not None and approved.digest == request.digest:
        return False
    run.unapproved[request.key] = request
    return True


def _brings_back(request: "Request", change: Approved) -> bool:
    """Whether a step does no more than take back what the plan does: to what stood, or to nothing where nothing did."""
    if request.command != "uninstall":
        return request.command == "rollback"
    made = (key for key, one in change.below.items() if one.verb is Verb.CREATE)
    return any(_thing(key) == _thing(request.key) for key in made)


def _thing(key: str) -> tuple[str, str]:
    """The kind, and the `key=` or identity, in a step's key."""
    _, kind, _, name = (*key.rpartition("/")[2].split(":"), "", "", "")[:4]
    return kind, name


def waiting(run: "Run") -> "list[Request]":
    """The steps that wait for somebody's approval."""
    return [request for request in run.unapproved.values() if not request.given_up]


def rest(run: "Run") -> None:
    """Nothing else is under way: the execution is paused, if it waits for approval, and says for what."""
    held = waiting(run)
    if not held or run.pages.execution.state in {State.PAUSED, State.REVERTING}:
        return
    steps = ", ".join(f"{'.'.join(refs(one.key))} ({one.kind})" for one in held)
    why = f"plan {run.approval.plan} does not show {steps}, which follows from what was done: it waits for approval"
    run.pages.change(at=run.now(), state=State.PAUSED, why=why)


def approve(run: "Run", approval: Approval, who: str) -> "list[Request]":
    """Somebody has approved more: the steps that were held, to be asked for again."""
    run.approval = approval
    what = "what follows, unseen" if approval.deferred else f"plan {approval.plan}"
    run.pages.change(at=run.now(), approval=approval.text())
    run.pages.note(at=run.now(), key="", why=f"approved: {what}", who=who)
    if run.pages.execution.state is State.PAUSED and not run.told.pausing:
        run.pages.change(at=run.now(), state=State.EXECUTING, why="approved", who=who)
    held = waiting(run)
    run.unapproved.clear()
    return held
