"""Orbits IaC: the same stack of services for many clients, provisioned, looked after and rolled back durably.

A user writes Resources, Workflows and Actions from the names below, and runs them with `run`, `Orbits` or the command
line. Providers import this package and `orbits_iac.provider`; tests `orbits_iac.testing`; nothing else is public.

Names are imported when they are first used, so that the command line starts fast.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from orbits_iac.handles import DriftReport, Execution, Record
    from orbits_iac.model.errors import Error, ExecutionFailed, NothingDone, Permanent
    from orbits_iac.model.news import DriftNews
    from orbits_iac.model.outputs import Event, Outputs
    from orbits_iac.model.plans import Plan
    from orbits_iac.model.retry import Retry
    from orbits_iac.model.target import Target
    from orbits_iac.orbits import Orbits, run
    from orbits_iac.settings import Settings
    from orbits_iac.steps.action import Action, InProgress, action
    from orbits_iac.steps.managed import Managed
    from orbits_iac.steps.options import Docker, Every, Executor, Options, Ssh
    from orbits_iac.steps.resource import Resource, Revision, command
    from orbits_iac.steps.shell import Shell
    from orbits_iac.steps.step import Step
    from orbits_iac.steps.trigger import on
    from orbits_iac.steps.workflow import Workflow
    from orbits_iac.testing.clock import Clock

_HOME = {
    "Action": "steps.action",
    "Clock": "testing.clock",
    "Docker": "steps.options",
    "DriftNews": "model.news",
    "DriftReport": "handles",
    "Error": "model.errors",
    "Event": "model.outputs",
    "Every": "steps.options",
    "Execution": "handles",
    "ExecutionFailed": "model.errors",
    "Executor": "steps.options",
    "InProgress": "steps.action",
    "Managed": "steps.managed",
    "NothingDone": "model.errors",
    "Options": "steps.options",
    "Orbits": "orbits",
    "Outputs": "model.outputs",
    "Permanent": "model.errors",
    "Plan": "model.plans",
    "Record": "handles",
    "Resource": "steps.resource",
    "Retry": "model.retry",
    "Revision": "steps.resource",
    "Settings": "settings",
    "Shell": "steps.shell",
    "Ssh": "steps.options",
    "Step": "steps.step",
    "Target": "model.target",
    "Workflow": "steps.workflow",
    "action": "steps.action",
    "command": "steps.resource",
    "on": "steps.trigger",
    "run": "orbits",
}

__all__ = [
    "Action",
    "Clock",
    "Docker",
    "DriftNews",
    "DriftReport",
    "Error",
    "Event",
    "Every",
    "Execution",
    "ExecutionFailed",
    "Executor",
    "InProgress",
    "Managed",
    "NothingDone",
    "Options",
    "Orbits",
    "Outputs",
    "Permanent",
    "Plan",
    "Record",
    "Resource",
    "Retry",
    "Revision",
    "Settings",
    "Shell",
    "Ssh",
    "Step",
    "Target",
    "Workflow",
    "action",
    "command",
    "on",
    "run",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    globals()[name] = value
    return value
