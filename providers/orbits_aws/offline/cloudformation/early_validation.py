"""What the service finds wrong with a change set before it can be executed: properties, and names that are taken.

The change set is then FAILED with a reason that names the check alone; which resource, where and why, DescribeEvents
tells. Nothing is written; a name is taken if the type's reader finds it in the account.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from botocore.exceptions import BotoCoreError, ClientError

from .changes import Changes, Planned
from .desired import fresh_resource, handler_of, properties_of
from .errors import ValidationError
from .imports import Imports
from .model import Finding, Goal, Stack
from .resources.contract import Unreadable
from .schemas import schema_of
from .template import ResourceDefinition
from .validation import problems
from .work import read_live
from .world import World

_PROPERTIES, _NAMES = "AWS::EarlyValidation::PropertyValidation", "AWS::EarlyValidation::ResourceExistenceCheck"


class Refused(ValidationError):
    """A change set that the early validation does not let pass."""

    def __init__(self, findings: list[Finding]) -> None:
        checks = dict.fromkeys(_NAMES if one.name == "NAME_CONFLICT_VALIDATION" else _PROPERTIES for one in findings)
        super().__init__(
            f"The following hook(s)/validation failed: [{', '.join(checks)}]. To troubleshoot Early Validation errors, "
            "use the DescribeEvents API for detailed failure information."
        )
        self.findings = findings


@dataclass(frozen=True)
class EarlyValidation:
    """The checks of one change set."""

    world: World
    stack: Stack
    goal: Goal

    def check(self, changes: Changes, imports: Imports) -> None:
        """Raise Refused if something is wrong with what is made or changed."""
        made = {one["ResourceChange"]["LogicalResourceId"]: one["ResourceChange"] for one in changes}
        unknown = {
            name
            for name, change in made.items()
            if change["Action"] in ("Add", "Import") or change.get("Replacement") == "True"
        }
        scope = self.world.scope(self.stack, self.goal, Planned(self.stack, unknown))
        findings: list[Finding] = []
        for name, change in made.items():
            if change["Action"] == "Remove":
                continue
            definition = self.goal.template.resources[name]
            findings += self._wrong(definition, dict(properties_of(definition, self.goal, scope)))
            if name in unknown and name not in imports:
                findings += self._taken(definition)
        if findings:
            raise Refused(findings)

    @staticmethod
    def _wrong(definition: ResourceDefinition, properties: dict[str, object]) -> Iterator[Finding]:
        for problem in problems(definition.type, properties):
            yield Finding(
                logical_id=definition.logical_id,
                type=definition.type,
                name="PROPERTY_VALIDATION",
                reason=problem.told,
                path="/".join(("/Resources", definition.logical_id, "Properties", *problem.path)),
            )

    def _taken(self, definition: ResourceDefinition) -> Iterator[Finding]:
        schema, named_by = schema_of(definition.type), handler_of(definition.type).named_by
        name = definition.properties.get(named_by or "")
        own = self.stack.resources.get(definition.logical_id)
        if own is not None and own.physical_id == name:
            return
        if schema is None or schema.identifier != ((named_by,),) or not isinstance(name, str) or "{{resolve" in name:
            return
        if self._exists(definition, name):
            yield Finding(
                logical_id=definition.logical_id,
                type=definition.type,
                name="NAME_CONFLICT_VALIDATION",
                reason=f"Resource of type '{definition.type}' with identifier '{name}' already exists.",
                path=f"/Resources/{definition.logical_id}/Properties/{named_by}",
            )

    def _exists(self, definition: ResourceDefinition, name: str) -> bool:
        resource = fresh_resource(definition, definition.properties, ("Delete", "Delete"))
        resource.physical_id = name
        try:
            return read_live(self.world, self.stack, resource) is not None
        except (BotoCoreError, ClientError, ConnectionError, Unreadable):
            return False  # what cannot be read is not known to exist: the deployment will tell
