"""What providers import beside `orbits_iac`: hooks as Actions, plans, drift findings, and what the engine asks of them.

Nothing is defined here; this is the one list of names that a package outside may rely on.
"""

from orbits_iac.drift.compare import Comparison, compare, json_text
from orbits_iac.drift.rules import Rules, Unknown
from orbits_iac.imported import imported_by, is_project_file, package_of, source_file, stamp_of
from orbits_iac.model.below import Below, LookedAt
from orbits_iac.model.errors import Interrupted, NotHeld, OutOfReach, Refused, UsageError
from orbits_iac.model.plans import Change, PropertyChange, Verb
from orbits_iac.model.rows import Difference
from orbits_iac.model.selector import Selector
from orbits_iac.model.standing import Rest, Standing
from orbits_iac.queries import payloads
from orbits_iac.registry import load
from orbits_iac.steps.execution import Current, Flow, Left, Shared, current
from orbits_iac.steps.hook import hook
from orbits_iac.steps.options import OnDrift, StepOptions
from orbits_iac.steps.step import kind_of, options_of, result_type

__all__ = [
    "Below",
    "Change",
    "Comparison",
    "Current",
    "Difference",
    "Flow",
    "Interrupted",
    "Left",
    "LookedAt",
    "NotHeld",
    "OnDrift",
    "OutOfReach",
    "PropertyChange",
    "Refused",
    "Rest",
    "Rules",
    "Selector",
    "Shared",
    "Standing",
    "StepOptions",
    "Unknown",
    "UsageError",
    "Verb",
    "compare",
    "current",
    "hook",
    "imported_by",
    "is_project_file",
    "json_text",
    "kind_of",
    "load",
    "options_of",
    "package_of",
    "payloads",
    "result_type",
    "source_file",
    "stamp_of",
]
