"""What an update would do."""

from orbits_iac.engine.engine import Engine
from orbits_iac.model.plans import Change, Plan, Verb
from orbits_iac.model.target import Target
from orbits_iac.steps.step import Step, kind_of
from typing import Any

async def preview(engine: Engine, step: Step[Any], target: Target | None) -> Plan:
    return Plan(Change(verb=Verb.UNKNOWN, kind=kind_of(type(step))))
