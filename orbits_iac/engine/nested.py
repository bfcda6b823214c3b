"""Definitions within a definition: a Workflow that is a step, and a repeat.

Each runs as a task of the same loop, with the keys of its steps below its own. It comes to its end, settled and, if it
failed, undone, before its outcome reaches the one above.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

from orbits_iac.engine.above import enter
from orbits_iac.engine.attempts import Done, End, Failed
from orbits_iac.engine.request import Request
from orbits_iac.engine.returned import recorded
from orbits_iac.engine.settling import lost, settle, settled
from orbits_iac.engine.undo import undo
from orbits_iac.steps.step import bind
from orbits_iac.steps.workflow import Workflow

if TYPE_CHECKING:
    from orbits_iac.engine.flow import RunFlow
    from orbits_iac.engine.run import Run


def begin_nested(run: "Run", flow: "RunFlow", request: Request) -> "asyncio.Task[None]":
    """Start the definition of a Workflow that is a step."""
    workflow = cast("Workflow[Any]", request.step)
    bind(workflow, flow)
    return begin(run, flow, request, workflow.define)


def begin(
    run: "Run", flow: "RunFlow", request: Request, definition: Callable[[], Awaitable[Any]]
) -> "asyncio.Task[None]":
    """Start the definition of a step."""

    async def define() -> None:
        enter(request.key, flow)
        end = await outcome_of(run, request, definition)
        run.settling.discard(cast("asyncio.Task[Any]", asyncio.current_task()))
        run.finish(request.key, end)

    return run.loop.create_task(define())


async def outcome_of(run: "Run", request: Request, definition: Callable[[], Awaitable[Any]]) -> End:
    """Run a nested definition to its end, and whatever it began."""
    try:
        value = await definition()
        if (error := lost(run, request.key)) is not None:
            raise error
        end: End = Done(result=recorded(run.engine.codec, value, request.returns, definition))
    except BaseException as error:
        if run.abandoned:
            raise
        failure = run.failure(error, request)
        left = (*failure.left, *await settled(run, request.key), *await undo(run, request.key))
        return Failed(error=error, failure=replace(failure, left=left))
    await settle(run, request.key)
    return end
