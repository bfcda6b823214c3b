"""Workflow: a step whose definition chains others; and `do`, which Workflows and Resources share."""

from collections.abc import Callable, Coroutine, Sequence
from datetime import timedelta
from typing import Any, cast

from typing_extensions import TypeVar, Unpack

from orbits_iac.model.target import Target
from orbits_iac.steps.execution import Flow
from orbits_iac.steps.options import StepOptions
from orbits_iac.steps.step import Step

R = TypeVar("R", default=None)
T = TypeVar("T")


class Composite(Step[R]):
    """A step with definitions: `async def` hooks that chain other steps with `do`.

    A definition may use everything of asyncio that does no real I/O: gather, TaskGroup, wait, time limits, sleep. It is
    run again after a crash, and gets the recorded outcomes in the order in which they first came.
    """

    @property
    def execution(self) -> Flow:
        """The execution that this belongs to; there only while the engine runs one of its hooks."""
        return cast("Flow", super().execution)

    def do(
        self,
        ref: str,
        step: Step[T],
        *,
        key: str | None = None,
        once: bool = False,
        undo: Step[Any] | Callable[[T], Step[Any]] | None = None,
        target: Target | Sequence[Target] | None = None,
        was: str | None = None,
        **options: Unpack[StepOptions],
    ) -> Coroutine[Any, Any, T]:
        """Do `step` durably and return its result: after a crash, a step that ended is not done again.

        Args:
            ref: what this step is called here; with the step's kind, and `key`, it is its key.
            step: an Action, a Workflow, a Resource, or a command of one (`backend.rollback()`).
            key: tells apart several steps with one ref, in a loop.
            once: skip it while kind and argument equal its last success at this place.
            undo: the step that takes it back if something after it fails, or a function of the result that makes it.
            target: replaces the target of the same type for this step and all below it; or several, of one type each.
            was: the ref that this step had before it was renamed.
            options: for this step, over its class's.

        Raises:
            ExecutionFailed: the step ended badly.
            Refused: it is not allowed here; nothing was done.

        """
        step = self.transform(ref, step)
        return self.execution.do(ref, step, key=key, once=once, undo=undo, target=target, was=was, options=options)

    def repeat(
        self, ref: str, step: Step[T], *, every: timedelta, until: Callable[[T], bool], **options: Unpack[StepOptions]
    ) -> Coroutine[Any, Any, T]:
        """Do `step` again and again, until `until(result)` is true; return that result.

        It may go on for months: only the last time and the one under way are kept, with how often it was done.

        Args:
            ref: what it is called here; each time is a step below it, with its number from 0 as its ref.
            step: what `do` takes.
            every: how long to wait after one time has ended, before the next begins.
            until: whether it is done, from the result alone.
            options: for each time, over the class's.

        Raises:
            ExecutionFailed: a time ended badly, after its attempts; or `until` raised.
            Refused: it is not allowed here; nothing was done.

        """
        step = self.transform(ref, step)
        return self.execution.repeat(ref, step, every=every, until=until, options=options)

    def transform(self, ref: str, step: Step[T]) -> Step[T]:
        """Change a step before it is done: the place for what all steps of a stack have in common."""
        return step


class Workflow(Composite[R]):
    """A step whose `define()` chains others with `do`; it is done when that returns."""

    async def define(self) -> R:
        """Chain the steps."""
        raise NotImplementedError(f"{type(self).__name__} has no define()")
