"""Whose code may go on with whose executions. Pure.

Builds have the order in which they first came to a store; two that came at the same moment, that of their digests. Code
goes on with executions of its own build and of earlier ones, never with those of a later one, whose journal it may
not understand. Two builds that differ only in which modules were imported are the same code: `orbits up` with one
stack, and a worker that has them all.
"""

from orbits_iac.model.rows import BuildRow


def is_same_code(one: BuildRow, other: BuildRow) -> bool:
    """Whether there are modules that both builds have, and they are the same in both."""
    common = one.sources.keys() & other.sources.keys()
    same = bool(common) and all(one.sources[module] == other.sources[module] for module in common)
    return same or one.digest == other.digest


def may_run(worker: BuildRow, execution: BuildRow) -> bool:
    """Whether code of the build `worker` may go on with an execution of the build `execution`."""
    return (worker.order, worker.digest) >= (execution.order, execution.digest) or is_same_code(worker, execution)
