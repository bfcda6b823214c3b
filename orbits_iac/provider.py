"""What providers import beside `orbits_iac`: hooks as Actions, plans, drift findings, and what the engine asks of them.

Nothing is defined here; this is the one list of names that a package outside may rely on.
"""

from orbits_iac.codec import is_kept
from orbits_iac.drift.compare import Comparison, compare, json_text
from orbits_iac.drift.rules import Rules, Unknown
from orbits_iac.engine.adopting import was_there
from orbits_iac.engine.naming import check_identity
from orbits_iac.engine.passed import changed_by, passed_since
from orbits_iac.imported import imported_by, is_project_file, package_of, source_file, stamp_of
from orbits_iac.inventory import Inventoried, Tagged, Thing, look_for, standing, things
from orbits_iac.model.below import Below
from orbits_iac.model.errors import (
    Interrupted,
    NotHeld,
    OutOfReach,
    Refused,
    UsageError,
    explain,
    first_of,
    in_words,
    message_of,
    shortened,
)
from orbits_iac.model.existing import Existing
from orbits_iac.model.ids import RecordId, keeps, made_at, refs
from orbits_iac.model.likeness import like
from orbits_iac.model.marks import masked
from orbits_iac.model.news import Stop
from orbits_iac.model.plans import Change, PropertyChange, Verb
from orbits_iac.model.rows import Difference, EntryRow, ExecutionRow, LookRow, RecordRow, RevisionRow
from orbits_iac.model.schedule import zone_of
from orbits_iac.model.selector import Selector
from orbits_iac.model.spans import ago
from orbits_iac.model.standing import Rest, Standing
from orbits_iac.model.states import State
from orbits_iac.model.target import target_types
from orbits_iac.persons import is_paused, waits_for
from orbits_iac.queries import payloads
from orbits_iac.reading import exists, reading
from orbits_iac.registry import load
from orbits_iac.roster import behind, why_nobody_goes_on
from orbits_iac.steps.execution import Current, Flow, Left, Shared, current
from orbits_iac.steps.hook import hook
from orbits_iac.steps.options import OnDrift, StepOptions, check_labels
from orbits_iac.steps.step import OutputsOf, kind_of, kinds_of, options_of, result_type
from orbits_iac.store.contract import Store
from orbits_iac.store.mongodb_documents import mongodb_documents, mongodb_shown
from orbits_iac.subtree import Subtree, record_of, subtree
from orbits_iac.terminal import agreed, console, make_sure
from orbits_iac.users import users_of

__all__ = [
    "Below",
    "Change",
    "Comparison",
    "Current",
    "Difference",
    "EntryRow",
    "ExecutionRow",
    "Existing",
    "Flow",
    "Interrupted",
    "Inventoried",
    "Left",
    "LookRow",
    "NotHeld",
    "OnDrift",
    "OutOfReach",
    "OutputsOf",
    "PropertyChange",
    "RecordId",
    "RecordRow",
    "Refused",
    "Rest",
    "RevisionRow",
    "Rules",
    "Selector",
    "Shared",
    "Standing",
    "State",
    "StepOptions",
    "Stop",
    "Store",
    "Subtree",
    "Tagged",
    "Thing",
    "Unknown",
    "UsageError",
    "Verb",
    "ago",
    "agreed",
    "behind",
    "changed_by",
    "check_identity",
    "check_labels",
    "compare",
    "console",
    "current",
    "exists",
    "explain",
    "first_of",
    "hook",
    "imported_by",
    "in_words",
    "is_kept",
    "is_paused",
    "is_project_file",
    "json_text",
    "keeps",
    "kind_of",
    "kinds_of",
    "like",
    "load",
    "look_for",
    "made_at",
    "make_sure",
    "masked",
    "message_of",
    "mongodb_documents",
    "mongodb_shown",
    "options_of",
    "package_of",
    "passed_since",
    "payloads",
    "reading",
    "record_of",
    "refs",
    "result_type",
    "shortened",
    "source_file",
    "stamp_of",
    "standing",
    "subtree",
    "target_types",
    "things",
    "users_of",
    "waits_for",
    "was_there",
    "why_nobody_goes_on",
    "zone_of",
]
