"""The way back: from a failed creation to nothing, from a failed update to what was there before.

What always holds: what the operation made is removed, unless its policy keeps it; what it changed has its old values
again, in the live resource too. What fails on the way is kept, so that the way can be gone on with.
"""

from dataclasses import dataclass

from .drift import as_set
from .model import Properties, Stack, StackResource, Undo, now
from .removal import remove
from .work import Failed, Work, read_live
from .world import World


@dataclass(frozen=True, kw_only=True)
class Options:
    """How an operation behaves when it fails."""

    on_failure: str = "ROLLBACK"
    """ROLLBACK, DELETE (creations alone) or DO_NOTHING."""
    retain_except_on_create: bool = False
    """Remove what was newly made in a rollback although its policy is Retain."""
    policy: str | None = None
    """The stack policy that stands in for the stack's own during an update."""


class Rollback:
    """The way back of one create or update of one stack."""

    def __init__(self, world: World, stack: Stack, options: Options) -> None:
        """To be made before the operation changes anything."""
        self._world, self._stack, self._options = world, stack, options
        self._work = Work(world, stack)
        self.undo = stack.undo or Undo(
            before={name: resource.copy() for name, resource in stack.resources.items()},
            goal=stack.goal,
            outputs=stack.outputs,
            imports=stack.imports,
            role_arn=stack.role_arn,
        )

    def of_creation(self, told: str) -> None:
        """What becomes of a creation that failed, by the options; `told` is why it failed."""
        if self._options.on_failure == "DO_NOTHING":
            self._stack.record("CREATE_FAILED", told)
            self._stack.unfinished = self.take_creation_back
        elif self._options.on_failure == "DELETE":
            self._stack.record("DELETE_IN_PROGRESS", f"{told}Delete requested by user.")
            self._take_back("DELETE_COMPLETE", "DELETE_FAILED")
            self._stack.deleted = now() if self._stack.status == "DELETE_COMPLETE" else None
        else:
            self.take_creation_back(told)

    def of_update(self, told: str) -> None:
        """What becomes of an update that failed, by the options; `told` is why it failed."""
        if self._options.on_failure == "DO_NOTHING":
            self._stack.record("UPDATE_FAILED", told)
            self._stack.unfinished, self._stack.undo = self.roll_back, self.undo
        else:
            self.roll_back(told)

    def of_import(self, told: str) -> None:
        """Let go of what was imported; `told` is why the import failed."""
        self._stack.record("IMPORT_ROLLBACK_IN_PROGRESS", told)
        self._let_go()
        self._restore_declarations()
        self._stack.record("IMPORT_ROLLBACK_COMPLETE")

    def _let_go(self) -> None:
        for name in reversed(self.undo.imported):
            resource = self._stack.resources.pop(name, None)
            if resource is not None:
                self._stack.record("IMPORT_ROLLBACK_IN_PROGRESS", resource=resource)
                self._stack.record("IMPORT_ROLLBACK_COMPLETE", resource=resource)
        self.undo.imported.clear()

    def take_creation_back(self, told: str = "", _: frozenset[str] = frozenset()) -> None:
        """Remove everything that a failed creation made."""
        self._stack.record("ROLLBACK_IN_PROGRESS", f"{told}Rollback requested by user.")
        self._take_back("ROLLBACK_COMPLETE", "ROLLBACK_FAILED")

    def _take_back(self, done: str, failed: str) -> None:
        """Remove everything that the creation made."""
        self._let_go()
        removal = remove(self._work, list(self._stack.resources.values()), self._policy_on_creation)
        for resource in removal.gone:
            self._stack.resources.pop(resource.logical_id, None)
            self._stack.removed[resource.logical_id] = resource
        if removal.failed:
            self._stack.record(failed, removal.reason)
        else:
            self._stack.record(done)

    def _policy_on_creation(self, resource: StackResource) -> str:
        return policy_on_creation(resource, retain=not self._options.retain_except_on_create)

    def roll_back(self, told: str = "", skipped: frozenset[str] = frozenset()) -> None:
        """Bring every resource back to what it was before the update, then remove what the update made.

        Those `skipped` are taken to be what they were, without looking. What fails can be continued.
        """
        self._stack.record("UPDATE_ROLLBACK_IN_PROGRESS", told or None)
        discarded = self.undo.discarded
        failures: list[str] = []
        for name in list(self.undo.touched):
            current, old = self._stack.resources[name], self.undo.before[name]
            if current.physical_id != old.physical_id:
                if current.physical_id:
                    discarded.append(current)
                self._stack.resources[name] = old
                self._stack.record("UPDATE_COMPLETE", resource=old)
            elif name in skipped:
                current.properties = old.properties
                self._stack.record("UPDATE_COMPLETE", "Resource update skipped", resource=current)
            else:
                changed, current.shown = current.properties, old.shown
                try:
                    self._work.update(current, self._found(current, old), old.properties)
                except Failed:
                    current.properties = changed
                    failures.append(name)
                    continue
            self.undo.touched.remove(name)
        if failures:
            names = ", ".join(failures)
            self._stack.record("UPDATE_ROLLBACK_FAILED", f"The following resource(s) failed to update: [{names}]. ")
            self._stack.unfinished, self._stack.undo = self.roll_back, self.undo
            return
        self._stack.unfinished = self._stack.undo = None
        self._restore_declarations()
        self._stack.record("UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS")
        self._let_go()
        made = [self._stack.resources.pop(name) for name in self.undo.made]
        remove(self._work, [*made, *discarded], self._policy_on_creation)
        self._stack.record("UPDATE_ROLLBACK_COMPLETE")

    def _found(self, current: StackResource, old: StackResource) -> Properties:
        """What a resource is to be brought back from: what it was made, or what is found if its update failed half-way.

        A plain value that was tried counts as tried even if it is not found: the service, too, writes the old one.
        """
        if not current.partial:
            return current.properties
        try:
            live = read_live(self._world, self._stack, current)
        except Exception:  # noqa: BLE001 - what cannot be read is taken to be what was tried
            return current.properties
        if live is None:
            return current.properties
        tried = {name: value for name, value in current.properties.items() if isinstance(value, str | int | float)}
        return {**as_set(current, live, old.properties), **tried}

    def _restore_declarations(self) -> None:
        self._stack.goal, self._stack.outputs = self.undo.goal, self.undo.outputs
        self._stack.imports, self._stack.role_arn = self.undo.imports, self.undo.role_arn
        for name, old in self.undo.before.items():
            current = self._stack.resources[name]
            current.depends_on, current.metadata = old.depends_on, old.metadata
            current.deletion_policy, current.update_replace_policy = old.deletion_policy, old.update_replace_policy


def policy_on_creation(resource: StackResource, *, retain: bool) -> str:
    """What becomes of a resource whose creation is taken back: it holds nothing yet, so only `Retain` may keep it."""
    return "Retain" if retain and resource.deletion_policy == "Retain" else "Delete"
