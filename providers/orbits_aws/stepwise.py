"""One change at a time: for things that a service is busy with for a while after each call.

What always holds: each call is made on what was read just before it, so that it is safe to begin again anywhere; a call
that was taken and of which nothing can be seen afterwards is an error, not made for ever. Called by `table` and
`function` from what creates, changes and waits.
"""

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any, TypeVar

from orbits_aws.errors import AwsRefused
from orbits_aws.tagged import poll
from orbits_iac import InProgress, Managed, Outputs

S = TypeVar("S", bound=Outputs)
Change = Callable[[], object]
Later = Callable[[AwsRefused], float | None]
"""After how many seconds to try again what was refused with this; None: it was refused for good."""

CHANGING, NOT_SEEN = "changing", "changed, and not seen to be"


def bring_on(step: Managed[S], begun: S | None, live: S, changes: Iterator[Change], later: Later) -> S | InProgress[S]:
    """Make the first of `changes` of the thing, which is ready for one; the thing itself if there is none to make.

    `begun` is what was handed on by the call before: outputs with the field `status`, which says how far it was.
    """
    change = next(changes, None)
    if change is None:
        return live
    status = None if begun is None else _status(begun)
    if begun is not None and status in {CHANGING, NOT_SEEN} and _as(begun, "") == _as(live, ""):
        if status == NOT_SEEN:
            raise AwsRefused(
                f"A change of {', '.join(sorted(step.differing(live)))} was taken, and nothing of it is to be seen: "
                f"the value is kept in another form than it was given in"
            )
        return InProgress(_as(begun, NOT_SEEN), poll=poll(5))  # what is read may be a moment old
    try:
        change()
    except AwsRefused as error:
        seconds = later(error)
        if seconds is None:
            raise
        step.execution.progress(f"it cannot be changed yet: {error}")
        return InProgress(live, poll=timedelta(seconds=seconds) if seconds > 60 else poll(seconds))
    return InProgress(_as(live, CHANGING), poll=poll(1))


def _as(outputs: S, status: str) -> S:
    return outputs.model_copy(update={"status": status})


def _status(outputs: Any) -> str:
    return str(outputs.status)
