"""Bringing a stack to a goal: create, update and import; the way back from a failure is `rollback`'s.

What always holds: a creation that fails ends in ROLLBACK_COMPLETE with what it made removed; an update that fails ends
in UPDATE_ROLLBACK_COMPLETE with the old values in the live resources and what it made removed; the stack's goal and
outputs change only with success. What a rollback cannot do leaves ROLLBACK_FAILED or UPDATE_ROLLBACK_FAILED. An update
removes nothing before its cleanup, which is left to the caller (`Stack.remaining`), so that it can be taken back.
"""

from collections.abc import Mapping
from dataclasses import replace

from .desired import different, fresh_resource, handler_of, policy_of, properties_of, replacing, shown_of
from .errors import ValidationError
from .graph import in_order
from .intrinsics import Scope
from .model import STACK_TYPE, Goal, Properties, Remaining, Stack, StackResource, now
from .outputs import resolve_outputs
from .parameter_lookups import check_existing
from .removal import remove
from .rollback import Options, Rollback
from .stack_policy import denied
from .template import ResourceDefinition
from .work import Failed, Work
from .world import World


class Deployment:
    """One create or update of one stack."""

    def __init__(
        self,
        world: World,
        stack: Stack,
        goal: Goal,
        options: Options,
        live: Mapping[str, Properties | None] | None = None,
        imports: Mapping[str, str] | None = None,
    ) -> None:
        """What to do it with.

        `live`, given to bring drift back: what was read of resources; None for one that does not exist any more.
        `imports`: the existing resources to take into the stack, logical id to physical id.
        """
        self._world, self._stack, self._goal = world, stack, goal
        self._live, self._imports = live or {}, imports or {}
        self._work = Work(world, stack)
        self._unwanted: list[StackResource] = []
        self._cancelled: list[str] = []
        self._rollback = Rollback(world, stack, options)
        self._policy = options.policy or stack.policy

    def create(self) -> None:
        """Make everything; on failure, what the options say."""
        self._stack.record("CREATE_IN_PROGRESS", "User Initiated")
        try:
            self._apply()
        except Failed as failed:
            self._rollback.of_creation(self._told(failed, "create"))
            return
        self._stack.unfinished = None
        self._stack.record("CREATE_COMPLETE")

    def update(self) -> None:
        """Change what differs; on failure, go back. What is no longer wanted is removed by what remains to be done."""
        self._stack.updated = now()
        self._stack.record("UPDATE_IN_PROGRESS", "User Initiated")
        try:
            self._apply()
        except Failed as failed:
            self._rollback.of_update(self._told(failed, failed.verb))
            return
        self._stack.unfinished = self._stack.undo = None
        self._stack.record("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS")
        self._stack.remaining = Remaining(finish=self._finish, take_back=self._rollback.roll_back)

    def _finish(self) -> None:
        self._clean_up()
        self._stack.record("UPDATE_COMPLETE")

    def take_in(self) -> None:
        """Take the resources to import, and nothing else; on failure, let go of them."""
        self._stack.updated = now() if self._stack.goal else None
        self._stack.record("IMPORT_IN_PROGRESS", "User Initiated")
        try:
            self._apply()
        except Failed as failed:
            self._rollback.of_import(self._told(failed, "import"))
            return
        self._stack.record("IMPORT_COMPLETE")

    def _apply(self) -> None:
        self._stack.deploying = self._goal
        try:
            check_existing(self._world.client_of(self._stack), self._goal)
            self._bring_all()
        except ValidationError as failure:
            raise Failed(self._stack.name, "resolve", str(failure)) from failure

    def _bring_all(self) -> None:
        scope = self._world.scope(self._stack, self._goal)
        template = self._goal.template
        active = {
            name: definition
            for name, definition in template.resources.items()
            if definition.condition is None or scope.condition(definition.condition)
        }
        order = in_order({name: definition.depends_on for name, definition in active.items()})
        for index, name in enumerate(order):
            try:
                self._bring(active[name], scope)
            except Failed:
                self._cancel([active[other] for other in order[index + 1 :]], set(order[index:]), scope)
                raise
        outputs = resolve_outputs(self._world, self._stack, self._goal, scope)
        self._unwanted = [resource for name, resource in self._stack.resources.items() if name not in active]
        for resource in self._unwanted:
            self._refuse_denied(resource, "Delete")
        self._stack.outputs, self._stack.goal = outputs, self._goal
        self._stack.imports = frozenset(scope.lookups.imports)
        self._stack.role_arn = self._goal.role_arn or self._stack.role_arn

    def _cancel(self, left: list[ResourceDefinition], undone: set[str], scope: Scope) -> None:
        """Tell as cancelled what the service, which makes all at once that is free to be made, would have begun."""
        for definition in left:
            name = definition.logical_id
            if name in self._stack.resources or name in self._imports or definition.depends_on & undone:
                continue
            fresh = fresh_resource(definition, {}, policy_of(definition, scope))
            self._rollback.undo.made.append(name)
            self._stack.resources[name] = fresh
            self._stack.record("CREATE_IN_PROGRESS", resource=fresh)
            self._stack.record("CREATE_FAILED", "Resource creation cancelled", resource=fresh)
            self._cancelled.append(name)

    def _bring(self, definition: ResourceDefinition, scope: Scope) -> None:
        name = definition.logical_id
        existing = self._stack.resources.get(name)
        if existing is not None and existing.unmade:
            self._discard(existing)
            existing = None
        try:
            properties = properties_of(definition, self._goal, scope)
            shown = shown_of(definition, self._goal, scope, properties)
            policies = policy_of(definition, scope)
        except ValidationError as failure:
            verb = "update" if existing else "create"
            unresolved = existing or fresh_resource(definition, {}, ("Delete", "Delete"))
            self._stack.record(f"{verb.upper()}_FAILED", str(failure), resource=unresolved)
            raise Failed(name, verb, str(failure)) from failure
        fresh = fresh_resource(definition, properties, policies, shown)
        if existing is None and name in self._imports:
            self._rollback.undo.imported.append(name)
            own = properties_of(definition, replace(self._goal, tags={}), scope)
            self._work.take_in(fresh, self._imports[name], own)
        elif existing is None:
            if name not in self._rollback.undo.made:
                self._rollback.undo.made.append(name)
            self._stack.resources[name] = fresh
            self._work.create(fresh)
        else:
            self._change(existing, fresh)

    def _discard(self, failed: StackResource) -> None:
        """Remove what is left of a resource that an earlier operation failed to make, before it is made anew."""
        if failed.physical_id:
            self._work.delete(failed)
        self._rollback.undo.before.pop(failed.logical_id, None)

    def _change(self, existing: StackResource, fresh: StackResource) -> None:
        name, after = existing.logical_id, fresh.properties
        lost = name in self._live and self._live[name] is None
        before = self._live.get(name) or existing.properties
        existing.depends_on, existing.metadata = fresh.depends_on, fresh.metadata
        existing.deletion_policy = fresh.deletion_policy
        existing.update_replace_policy = fresh.update_replace_policy
        if not lost and existing.type == fresh.type and not different(before, after):
            return
        if name not in self._rollback.undo.touched and name in self._rollback.undo.before:
            self._rollback.undo.touched.append(name)
        if existing.type != fresh.type:
            raise Failed(name, "update", f"Update of resource type is not permitted. The new template modifies {name}")
        recreate = replacing(existing.type, before, after)
        self._refuse_denied(existing, "Replace" if recreate else "Modify")
        existing.shown = fresh.shown if not recreate else existing.shown
        if not lost and not recreate:
            self._work.update(existing, before, after)
            return
        if not lost:
            self._refuse_same_name(existing, after, recreate)
            self._stack.record(
                "UPDATE_IN_PROGRESS",
                "Requested update requires the creation of a new physical resource; hence creating one.",
                resource=existing,
            )
            if existing.physical_id != self._rollback.undo.before.get(name, existing).physical_id:
                self._rollback.undo.discarded.append(existing)
        else:
            self._rollback.undo.lost.add(name)
        self._work.create(fresh)

    def _refuse_denied(self, resource: StackResource, action: str) -> None:
        reason = denied(self._policy, action, resource.logical_id, resource.type)
        if reason is not None:
            self._stack.record("UPDATE_FAILED", reason, resource=resource)
            raise Failed(resource.logical_id, "update", reason)

    def _refuse_same_name(self, existing: StackResource, after: Properties, recreate: frozenset[str]) -> None:
        named_by = handler_of(existing.type).named_by
        if named_by and named_by not in recreate and after.get(named_by):
            reason = (
                f"CloudFormation cannot update a stack when a custom-named resource requires replacing. "
                f"Rename {after[named_by]} and update the stack again."
            )
            self._stack.record("UPDATE_FAILED", reason, resource=existing)
            raise Failed(existing.logical_id, "update", reason)

    def _clean_up(self) -> None:
        """Remove what the new template no longer has, and the old ones of what was replaced; nested stacks first."""
        for resource in self._stack.resources.values():
            if resource.type == STACK_TYPE:
                self._world.nesting().finish(self._world.site(self._stack, resource.logical_id), resource.physical_id)
        replaced = [
            old
            for name, old in self._rollback.undo.before.items()
            if name in self._stack.resources
            and name not in self._rollback.undo.lost
            and old.physical_id != self._stack.resources[name].physical_id
        ]
        discarded = self._rollback.undo.discarded
        old_ones = {id(resource) for resource in [*replaced, *discarded]}
        removal = remove(
            self._work,
            [*self._unwanted, *replaced, *discarded],
            lambda resource: resource.update_replace_policy if id(resource) in old_ones else resource.deletion_policy,
        )
        for resource in [*removal.gone, *removal.left]:
            if id(resource) not in old_ones:
                self._stack.resources.pop(resource.logical_id, None)

    def _told(self, failed: Failed, verb: str) -> str:
        if failed.verb == "resolve":
            return f"{failed.reason} "
        failures = {"create": list(self._cancelled)} if self._cancelled else {}
        failures.setdefault(verb, []).insert(0, failed.logical_id)
        return "".join(
            f"The following resource(s) failed to {what}: [{', '.join(names)}]. "
            for what, names in sorted(failures.items())
        )
