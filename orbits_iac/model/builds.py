"""Whose code may go on with whose executions. Pure.

Builds have the order in which they first came to a store; two that came at the same moment, that of their digests. Code
goes on with executions of its own build and of earlier ones, never with those of a later one, whose journal it may
not understand. Two builds that differ only in which modules were imported are the same code: `orbits up` with one
stack, and a worker that has them all.
"""

from collections.abc import Iterable

from orbits_iac.model.rows import BuildRow

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


def also_called(kind: str, builds: Iterable[BuildRow]) -> tuple[str, ...]:
    """The other names of a kind, by the latest build that knows of them."""
    for build in sorted(builds, key=lambda row: (row.order, row.digest), reverse=True):
        for now, before in build.renamed.items():
            if kind in (now, *before):
                return tuple(name for name in (now, *before) if name != kind)
    return ()
