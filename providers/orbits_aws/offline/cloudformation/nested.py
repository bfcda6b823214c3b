"""Nested stacks: a stack that is made, changed and removed as a resource of another, its parent.

What always holds: a nested stack that cannot be made stays CREATE_FAILED until its parent removes it; one that cannot
be changed goes back by itself, and the parent after it; one that was changed waits with its cleanup until the parent
cleans up, and goes back if the parent does. It is called by the handler of AWS::CloudFormation::Stack, inside an
operation on the parent.
"""

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from .changes import is_change
from .deletion import Deletion
from .deploy import Deployment
from .direct import Direct
from .errors import CloudFormationError, ResourceFailed, ResourceGone
from .intrinsics import text_of
from .model import Goal, Stack
from .outputs import refuse_used
from .place import Place
from .resources.contract import Properties, Site
from .rollback import Options
from .stacks import Stacks

Nested = tuple[str, dict[str, str]]
"""The id and the outputs of a nested stack."""


@dataclass(frozen=True)
class Nesting:
    """What the handler of AWS::CloudFormation::Stack calls."""

    stacks: Stacks
    direct: Direct

    def create(self, site: Site, properties: Properties) -> Nested:
        """Make a nested stack. Raises ResourceFailed."""
        parent = self._parent(site)
        goal = self._goal(parent, None, properties)
        child = self.stacks.nested_as(parent, site.logical_id)
        if child is None or child.status != "REVIEW_IN_PROGRESS":
            child = self.add(parent, site, "CREATE_IN_PROGRESS")
        child.timeout = properties.get("TimeoutInMinutes") and int(properties["TimeoutInMinutes"])
        site.made(child.id)
        options = Options(on_failure="DO_NOTHING", retain_except_on_create=parent.retain_except_on_create)
        with self._alone(child, parent):
            self.direct.deploy_new(child, goal, options)
        child.disable_rollback = parent.disable_rollback
        if child.status != "CREATE_COMPLETE":
            raise ResourceFailed(f"Embedded stack {child.id} was not successfully created: {child.reason}")
        return _outputs(child)

    def add(self, parent: Stack, site: Site, status: str) -> Stack:
        """A new stack that is nested in `parent`."""
        child = self.stacks.add(Place(account=site.account, region=site.region), site.name(128), status)
        child.parent_id, child.root_id = parent.id, parent.root_id or parent.id
        child.logical_id = site.logical_id
        return child

    def update(self, site: Site, stack_id: str, properties: Properties) -> Nested:
        """Change a nested stack, or take back what its parent changed. Raises ResourceFailed."""
        parent, child = self._parent(site), self._child(site, stack_id)
        with self._alone(child, parent):
            if parent.status.startswith("UPDATE_ROLLBACK"):
                self._go_back(parent, child)
            else:
                self._go_on(parent, child, properties)
        return _outputs(child)

    def _go_on(self, parent: Stack, child: Stack, properties: Properties) -> None:
        child.finish()
        try:
            self.stacks.check_updatable(child)
        except CloudFormationError as refused:
            raise ResourceFailed(refused.message) from refused
        goal = self._goal(parent, child, properties)
        if not is_change(self.stacks.world(), child, goal):
            return
        options = Options(retain_except_on_create=parent.retain_except_on_create)
        Deployment(self.stacks.world(), child, goal, options).update()
        if child.remaining is None:
            raise _not_updated(child)

    def _go_back(self, parent: Stack, child: Stack) -> None:
        remaining, child.remaining = child.remaining, None
        if remaining is not None:
            remaining.take_back("")
        elif child.status == "UPDATE_ROLLBACK_FAILED" and child.unfinished is not None:
            root = self.stacks.root_of(parent)
            names = (f"{child.name}.", f"{child.logical_id}.")
            child.unfinished("", frozenset(name.partition(".")[2] for name in root.skipping if name.startswith(names)))
        if child.status == "UPDATE_ROLLBACK_FAILED":
            raise _not_updated(child)

    def finish(self, site: Site, stack_id: str) -> None:
        """Let a nested stack clean up after an update, which its parent has come through."""
        child = self.stacks.maybe(Place(account=site.account, region=site.region), stack_id)
        if child is not None and child.remaining is not None:
            with self._alone(child, self._parent(site)):
                child.finish()

    def delete(self, site: Site, stack_id: str) -> None:
        """Remove a nested stack with all it has. Raises ResourceFailed."""
        parent, child = self._parent(site), self._child(site, stack_id)
        exports = {output.export for output in child.outputs if output.export}
        with self._alone(child, parent) as work:
            child.finish()
            try:
                refuse_used(self.stacks.world(), child, exports, "deleted")
            except CloudFormationError as refused:
                raise ResourceFailed(refused.message) from refused
            Deletion.remove_all(child, work, made_anew="ROLLBACK" in parent.status)
        if child.status != "DELETE_COMPLETE":
            raise ResourceFailed(f"Embedded stack {child.id} was not successfully deleted: {child.reason}")

    def _goal(self, parent: Stack, child: Stack | None, properties: Properties) -> Goal:
        if parent.deploying is None:
            raise ResourceFailed(f"Stack {parent.id} is not being deployed")
        try:
            return self.goal(parent, parent.deploying, child, properties)
        except CloudFormationError as refused:
            raise ResourceFailed(refused.message) from refused

    def goal(self, parent: Stack, within: Goal, child: Stack | None, properties: Properties) -> Goal:
        """What a nested stack is to be in a parent that is to be as `within`. Raises CloudFormationError."""
        parameters: Mapping[str, Any] = properties.get("Parameters") or {}
        request = {
            "TemplateURL": properties.get("TemplateURL"),
            "Parameters": [
                {
                    "ParameterKey": key,
                    "ParameterValue": ",".join(map(text_of, value)) if isinstance(value, list) else text_of(value),
                }
                for key, value in parameters.items()
            ],
            "Tags": properties.get("Tags") or [],
            "NotificationARNs": properties.get("NotificationARNs") or [],
            "Capabilities": within.capabilities,
            "RoleARN": within.role_arn,
        }
        place = Place(account=parent.account, region=parent.region)
        return self.stacks.goals.goal(place, child, request, parent.name)

    def _parent(self, site: Site) -> Stack:
        return self.stacks.find(Place(account=site.account, region=site.region), site.stack_id)

    def _child(self, site: Site, stack_id: str) -> Stack:
        child = self.stacks.maybe(Place(account=site.account, region=site.region), stack_id)
        if child is None:
            raise ResourceGone(f"Stack with id {stack_id} does not exist")
        return child

    @contextmanager
    def _alone(self, child: Stack, parent: Stack) -> Generator[Any]:
        try:
            with self.stacks.alone(child) as work:
                child.begin(parent.operations[-1].type, parent.token)
                child.window = 0
                yield work
        except CloudFormationError as refused:
            raise ResourceFailed(refused.message) from refused


def _not_updated(child: Stack) -> ResourceFailed:
    status = "UPDATE_ROLLBACK_FAILED" if child.status == "UPDATE_ROLLBACK_FAILED" else "UPDATE_ROLLBACK_IN_PROGRESS"
    reason = next(
        (event.reason for event in reversed(child.events) if event.physical_id == child.id and event.reason), None
    )
    return ResourceFailed(
        f"Embedded stack {child.id} was not successfully updated. Currently in {status} with reason: {reason}"
    )


def _outputs(child: Stack) -> Nested:
    return child.id, {output.key: output.value for output in child.outputs}
