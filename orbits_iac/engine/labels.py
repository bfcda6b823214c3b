"""The labels of an execution: which workers may claim it, and which limits it counts for.

A step's labels are those of its class, and of its `do` over them; both are handed down to all below, where the nearest
counts. What is asked of a record beside a `do` (from outside, by a schedule) has the labels that its last `do` left
there over those of the class. Called where an execution is created and where its task is made.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

from orbits_iac.model.rows import ExecutionRow
from orbits_iac.steps.options import Options
from orbits_iac.steps.step import Step, options_of

if TYPE_CHECKING:
    from orbits_iac.engine.engine import Engine

TENANT = "tenant"
"""The label that names the client; it is kept as the tenant."""
WORKER = "worker"
"""The label that names the label of the workers that go on with it."""


def merged(cls: type[Step[Any]], given: Mapping[str, Any]) -> Options:
    """The options of a step: the class's, with those of the `do` over them; labels each by itself."""
    options = options_of(cls)
    if not given:
        return options
    both = {**options, **given}
    if "labels" in options and "labels" in given:
        both["labels"] = {**options["labels"], **given["labels"]}
    return cast("Options", both)


def labels_of(options: Options) -> dict[str, str]:
    """The labels of a step, but for its tenant."""
    return {name: value for name, value in options.get("labels", {}).items() if name != TENANT}


def handed_down(
    engine: "Engine", kind: str, above: ExecutionRow | None, given: Mapping[str, str] | None, kept: Mapping[str, str]
) -> dict[str, str]:
    """The labels of a new execution: `given` are those of its `do`, None if there was none; `kept` its record's."""
    labels = {} if above is None else above.labels
    if given is not None:
        return {**labels, **given}
    cls = engine.registry.find(kind)
    return {**labels, **({} if cls is None else labels_of(options_of(cls))), **kept}


def said(row: ExecutionRow) -> tuple[str, ...]:
    """All labels of an execution, as its task has them."""
    labels = row.labels if row.tenant is None else {**row.labels, TENANT: row.tenant}
    return tuple(sorted(f"{name}={value}" for name, value in labels.items()))
