"""Repeating a step until its result is as it should be, for months: neither the journal nor memory grows by that.

The repeat has an entry of its own, with how often it was done and when it is due again. Below that stand the entries of
two times at the most, the last one and the one under way: once a time is over, those of the one before it go, with all
below them, in the transaction that writes the count. So a re-run begins with the time that is under way.

What always holds: what undoes a step stays until it is run, and of what is gone the repeat's own entry keeps whether it
changed anything, and which steps of no return it has passed; nothing of a time is said in events unless it fails.
"""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Any, cast

from orbits_iac.engine.above import ABOVE
from orbits_iac.engine.calls import Call, asked_at
from orbits_iac.engine.naming import refuse_secrets, returns_of, subject_of
from orbits_iac.engine.request import Request
from orbits_iac.engine.run import passed_in
from orbits_iac.model.errors import UsageError
from orbits_iac.model.ids import TIMER, StepKey, refs, step_key
from orbits_iac.model.rows import EntryRow, amended
from orbits_iac.steps.options import Options, StepOptions
from orbits_iac.steps.step import Step, kind_of

if TYPE_CHECKING:
    from orbits_iac.engine.run import Run

REPEAT = "repeat"
"""The command of a repeat, in its key and its entry."""


def repeating(run: "Run", call: Call, step: Step[Any], options: StepOptions) -> Request:
    """The request of a definition that repeats a step; UsageError if it repeats one under this ref already."""
    subject, _ = subject_of(step)
    cls = type(subject)
    refuse_secrets(run.engine.codec, call.where, subject, call.ref)
    key = step_key(ABOVE.get(), call.ref, kind_of(cls), REPEAT, "")
    if key in run.asked:
        raise UsageError(
            f"{'.'.join(refs(key))}: {kind_of(cls)} is repeated twice under the ref {call.ref!r} in one run "
            f"({call.where()}, after {asked_at(run.asked[key])}); give each a ref of its own"
        )
    return Request(
        key=key,
        ref=call.ref,
        kind=kind_of(cls),
        command=REPEAT,
        step=None,
        argument="null",
        digest="",
        returns=returns_of(step),
        options=cast("Options", {name: value for name, value in options.items() if name == "grace"}),
        targets={},
        future=run.loop.create_future(),
        call=call,
    )


class Repeat:
    """The definition of one repeat."""

    def __init__(
        self,
        run: "Run",
        key: StepKey,
        do: Callable[[int], Awaitable[Any]],
        every: timedelta,
        until: Callable[[Any], bool],
    ) -> None:
        self._run = run
        self._key = key
        self._do = do
        self._every = every.total_seconds()
        self._until = until

    async def define(self) -> Any:
        """Do the step again and again; its last result."""
        while True:
            entry = self._run.pages.entries[self._key]
            if entry.due is not None:
                await self._sleep(entry.due)
            result = await self._do(entry.count)
            if self._until(result):
                return result
            self._over(entry.count)

    async def _sleep(self, until: float) -> None:
        """Wait for a timer, over already or not: so that a re-run waits for the same one."""
        loop = self._run.loop
        due = loop.create_future()
        timer = loop.call_at(until, due.set_result, None)
        try:
            await due
        finally:
            timer.cancel()

    def _over(self, time: int) -> None:
        """Count, and let go of what is not needed any more."""
        run, entry = self._run, self._run.pages.entries[self._key]
        before = f"{self._key}/{time - 1}:"
        worn = [one for one in run.pages.entries.values() if one.key.startswith(before) or self._is_timer(one)]
        gone = [one for one in worn if one.undo is None or one.undone]
        path = f"{'.'.join(refs(self._key))}."
        passed = (step.removeprefix(path) for step in passed_in(gone))
        for one in gone:
            run.forget(one)
        at = run.loop.time()
        run.pages.put(
            amended(
                entry,
                count=time + 1,
                due=at + self._every if self._every > 0 else None,
                changed=entry.changed or any(one.changed for one in gone),
                passed=tuple(dict.fromkeys((*entry.passed, *passed))),
            ),
            at=at,
        )

    def _is_timer(self, entry: EntryRow) -> bool:
        """Whether it is a timer that fired in what is over now."""
        return entry.kind == TIMER and entry.key.startswith(f"{self._key}/")
