"""Which workers may go on with which executions, by their code and their labels. Pure.

Builds have the order in which they first came to a store; two that came at the same moment, that of their digests. Code
goes on with executions of its own build and of earlier ones, never with those of a later one, whose journal it may
not understand. Two builds that differ only in which modules were imported are the same code: `orbits up` with one
stack, and a worker that has them all.
"""

from collections.abc import Iterable, Mapping

from orbits_iac.model.ids import NOTIFICATION
from orbits_iac.model.rows import BuildRow, TaskRow, WorkerRow

REGISTERED_AGAIN = 86_400.0
"""Seconds after which whoever uses a build registers it again."""

STAYS_REGISTERED = 2 * REGISTERED_AGAIN
"""Seconds for which a build that was registered stays, though nothing refers to it: somebody may be about to."""


def is_same_code(one: BuildRow, other: BuildRow) -> bool:
    """Whether there are modules that both builds have, and they are the same in both."""
    common = one.sources.keys() & other.sources.keys()
    same = bool(common) and all(one.sources[module] == other.sources[module] for module in common)
    return same or one.digest == other.digest


def may_run(worker: BuildRow, execution: BuildRow) -> bool:
    """Whether code of the build `worker` may go on with an execution of the build `execution`."""
    return (worker.order, worker.digest) >= (execution.order, execution.digest) or is_same_code(worker, execution)


def has_code(worker: WorkerRow, builds: Mapping[str, BuildRow], *, kind: str, build: str, own: bool = False) -> bool:
    """Whether a worker may go on with executions of this kind and build; `own`: of its own build alone.

    `builds` are those that are known, by digest; one that is not is no hindrance.
    """
    if kind not in worker.kinds:
        return False
    theirs, its = builds.get(worker.build), builds.get(build)
    return theirs is None or its is None or (is_same_code if own else may_run)(theirs, its)


def why_nobody(
    task: TaskRow, workers: Iterable[WorkerRow], builds: Mapping[str, BuildRow], *, root: str = ""
) -> str | None:
    """Why none of these workers may go on with an execution, and what to do; None if one may.

    `root`: the one that it is part of, by which a person goes on with both.
    """
    living = list(workers)
    row = builds.get(task.build)
    code = f" that imports {', '.join(row.modules)}" if row is not None and row.modules else ""
    having = [worker for worker in living if task.kind in worker.kinds]
    if task.kind == NOTIFICATION and not having:
        return "no worker runs that tells people of problems: start one with [notify] in its orbits.toml"
    if not having:
        there = "no worker that runs has" if living else "no worker runs that would have"
        return f"{there} the kind {task.kind}: start one{code}"
    fit = [worker for worker in having if task.needs is None or task.needs in worker.labels]
    if not fit:
        return (
            f"it needs a worker with the label {task.needs}, and none that runs and has the kind {task.kind} has it: "
            f"start one{code} with --labels {task.needs}"
        )
    if any(has_code(one, builds, kind=task.kind, build=task.build, own=task.own_build) for one in fit):
        return None
    theirs = ", ".join(sorted({worker.build for worker in fit}))
    others, go_on = ("others", "the code that is here") if task.own_build else ("earlier ones", "the older code")
    return (
        f"it is of build {task.build}, and the workers that run are of {others} ({theirs}): start a worker of "
        f"that code{code}, or go on with {go_on}: orbits resume {root or task.id} --here"
    )


def also_called(kind: str, builds: Iterable[BuildRow]) -> tuple[str, ...]:
    """The other names of a kind, by the latest build that knows of them."""
    for build in sorted(builds, key=lambda row: (row.order, row.digest), reverse=True):
        for now, before in build.renamed.items():
            if kind in (now, *before):
                return tuple(name for name in (now, *before) if name != kind)
    return ()
