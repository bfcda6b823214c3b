"""Change sets: what a stack would become, kept until it is executed or deleted.

What always holds: a change set is found by its id, or by the name together with its stack; executing one deletes the
stack's others; one without changes is FAILED and cannot be executed; a CREATE change set makes its stack in
REVIEW_IN_PROGRESS, where further CREATE change sets are accepted until the first one is executed.
"""

import uuid
from dataclasses import dataclass, field
from threading import RLock

from botocore.exceptions import BotoCoreError, ClientError

from .changes import changes_to, is_change
from .deploy import Deployment
from .direct import Direct
from .drift import live_properties
from .early_validation import EarlyValidation, Refused
from .errors import CloudFormationError, StackMissing, ValidationError
from .imports import check_import, existing_by_name, imports_of
from .model import ChangeSet, Goal, Stack
from .nested import Nesting
from .nested_change_sets import NO_CHANGES, NestedChangeSets
from .parameter_lookups import check_existing
from .place import Place, Request
from .rollback import Options
from .stacks import Stacks
from .work import reason_of

_DONE = frozenset({"CREATE_COMPLETE", "IMPORT_COMPLETE", "UPDATE_COMPLETE", "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS"})


@dataclass
class ChangeSets:
    """The change sets of all stacks."""

    stacks: Stacks
    direct: Direct
    nesting: Nesting
    _by_key: dict[tuple[str, str], ChangeSet] = field(default_factory=dict[tuple[str, str], ChangeSet])
    _lock: RLock = field(default_factory=RLock)

    def clear(self) -> None:
        """Forget all change sets."""
        with self._lock:
            self._by_key.clear()

    def state(self) -> dict[tuple[str, str], ChangeSet]:
        """All change sets by their stack's id and name, for `restore`."""
        with self._lock:
            return dict(self._by_key)

    def restore(self, state: dict[tuple[str, str], ChangeSet]) -> None:
        """Have these change sets besides those there are."""
        with self._lock:
            self._by_key.update(state)

    def of(self, stack: Stack) -> list[ChangeSet]:
        """The change sets of a stack, oldest first."""
        with self._lock:
            return [change_set for (stack_id, _), change_set in self._by_key.items() if stack_id == stack.id]

    def find(self, place: Place, request: Request) -> ChangeSet:
        """The change set that a request names. Raises CloudFormationError."""
        name = str(request["ChangeSetName"])
        with self._lock:
            if name.startswith("arn:"):
                found = next((one for one in self._by_key.values() if one.id == name), None)
            else:
                if not request.get("StackName"):
                    raise ValidationError("StackName must be specified if ChangeSetName is not specified as an ARN.")
                try:
                    stack = self.stacks.find(place, str(request["StackName"]))
                except StackMissing:
                    raise CloudFormationError(
                        "ChangeSetNotFound", f"Stack [{request['StackName']}] does not exist", 404
                    ) from None
                found = self._by_key.get((stack.id, name))
        if found is None or (found.stack.deleted is not None and not found.stack.unfolding):
            raise CloudFormationError("ChangeSetNotFound", f"ChangeSet [{name}] does not exist", 404)
        return found

    def create(self, place: Place, request: Request) -> ChangeSet:
        """CreateChangeSet."""
        kind = str(request.get("ChangeSetType") or "UPDATE")
        if request.get("OnStackFailure") == "DELETE" and kind != "CREATE":
            raise ValidationError("OnStackFailure DELETE can be used with change sets of type CREATE alone")
        _check_mode(kind, request.get("DeploymentMode"))
        name, change_set_name = str(request["StackName"]), str(request["ChangeSetName"])
        stack = self.stacks.maybe(place, name)
        repeated = self._by_key.get((stack.id, change_set_name)) if stack is not None else None
        if repeated is not None and repeated.token is not None and repeated.token == request.get("ClientToken"):
            return repeated
        self._check(stack, kind, name, change_set_name)
        goal = self.stacks.goals.goal(place, stack, request, name)
        asked = request.get("ResourcesToImport") or []
        if asked and kind != "IMPORT":
            raise ValidationError("ResourcesToImport can be specified only for change sets of type IMPORT")
        imports = imports_of(goal.template, asked, stack) if kind == "IMPORT" else {}
        change_set = self._make(place, stack or self.stacks.in_review(place, name), goal, kind, request)
        change_set.imports = imports
        self._judge(change_set)
        nested = self._judge_nested(change_set)
        with self._lock:
            self._check(change_set.stack, kind, name, change_set_name)
            for one in (change_set, *nested):
                self._by_key[one.stack.id, one.name] = one
        return change_set

    def _judge_nested(self, change_set: ChangeSet) -> list[ChangeSet]:
        made: list[ChangeSet] = []
        if change_set.includes_nested and change_set.status == "CREATE_COMPLETE":
            try:
                with self.stacks.world().acting_for(change_set.stack):
                    made.extend(self._nested.of(change_set))
            except CloudFormationError as refused:
                change_set.status, change_set.execution_status = "FAILED", "UNAVAILABLE"
                change_set.reason = refused.message
        return made

    @property
    def _nested(self) -> NestedChangeSets:
        return NestedChangeSets(self.nesting, self._judge)

    def _check(self, stack: Stack | None, kind: str, name: str, change_set: str) -> None:
        if kind == "CREATE":
            if stack is not None and stack.status != "REVIEW_IN_PROGRESS":
                raise ValidationError(
                    f"Stack [{name}] already exists and cannot be created again with the changeSet [{change_set}]."
                )
        elif stack is None:
            if kind == "UPDATE":
                raise ValidationError(f"Stack [{name}] does not exist")
        elif kind == "UPDATE" or stack.status != "REVIEW_IN_PROGRESS":
            self.stacks.check_updatable(stack)
        if stack is not None and (stack.id, change_set) in self._by_key:
            raise CloudFormationError(
                "AlreadyExistsException",
                f"ChangeSet {change_set} cannot be created due to a "
                "mismatch with existing attribute: it already exists",
            )

    def _make(self, place: Place, stack: Stack, goal: Goal, kind: str, request: Request) -> ChangeSet:
        return ChangeSet(
            id=f"{place.prefix}:changeSet/{request['ChangeSetName']}/{uuid.uuid4()}",
            name=str(request["ChangeSetName"]),
            type=kind,
            stack=stack,
            goal=goal,
            status="CREATE_COMPLETE",
            execution_status="AVAILABLE",
            description=request.get("Description"),
            on_stack_failure=request.get("OnStackFailure"),
            reverts_drift=request.get("DeploymentMode") is not None,
            token=request.get("ClientToken"),
            validates=not request.get("DisableValidation", False),
            imports_existing=bool(request.get("ImportExistingResources", False)),
            includes_nested=bool(request.get("IncludeNestedStacks", False)),
        )

    def _judge(self, change_set: ChangeSet) -> None:
        """Find out what a change set changes; one that could not be executed is FAILED, with the reason."""
        try:
            self._fill(change_set)
        except (BotoCoreError, ClientError, ConnectionError, ValidationError) as failure:
            change_set.status, change_set.execution_status = "FAILED", "UNAVAILABLE"
            change_set.reason = failure.message if isinstance(failure, ValidationError) else reason_of(failure)
            change_set.findings = failure.findings if isinstance(failure, Refused) else []

    def _fill(self, change_set: ChangeSet) -> None:
        world, stack = self.stacks.world(), change_set.stack
        with world.acting_for(stack):
            check_existing(world.client_of(stack), change_set.goal)
            live = live_properties(world, stack, change_set.goal) if change_set.reverts_drift else None
            if change_set.imports_existing:
                change_set.imports = existing_by_name(world, stack, change_set.goal)
            change_set.changes = changes_to(world, stack, change_set.goal, live, change_set.imports)
            if change_set.type == "IMPORT":
                check_import(world, stack, change_set.goal, change_set.imports, change_set.changes)
            if change_set.validates:
                EarlyValidation(world, stack, change_set.goal).check(change_set.changes, change_set.imports)
            if not is_change(world, stack, change_set.goal, change_set.changes):
                change_set.status, change_set.execution_status = "FAILED", "UNAVAILABLE"
                change_set.reason = NO_CHANGES

    def execute(self, place: Place, request: Request) -> None:
        """ExecuteChangeSet. Repeated with its token, it does nothing."""
        change_set = self.find(place, request)
        stack, token = change_set.stack, request.get("ClientRequestToken")
        if self.stacks.repeated(stack, token, change_set.id):
            return
        self._nested.refuse_alone(change_set, "executed")
        if change_set.on_stack_failure and request.get("DisableRollback") is not None:
            raise ValidationError("DisableRollback cannot be specified for a change set that has OnStackFailure")
        if change_set.execution_status != "AVAILABLE":
            shown = change_set.status if change_set.status == "FAILED" else change_set.execution_status
            raise CloudFormationError(
                "InvalidChangeSetStatus",
                f"ChangeSet [{change_set.id}] cannot be executed in its current status of [{shown}]",
            )
        kind = "CREATE_STACK" if change_set.type == "CREATE" else "UPDATE_STACK"
        with self.stacks.operation(stack, token, change_set.id, kind):
            self._claim(change_set)
            self._deploy(change_set, request)
            for one in self._with_nested(change_set):
                one.execution_status = "EXECUTE_COMPLETE" if one.stack.status in _DONE else "EXECUTE_FAILED"

    def _with_nested(self, root: ChangeSet) -> list[ChangeSet]:
        with self._lock:
            return [one for one in self._by_key.values() if one.root is root]

    def _claim(self, change_set: ChangeSet) -> None:
        with self._lock:
            if change_set.execution_status != "AVAILABLE":
                raise CloudFormationError(
                    "InvalidChangeSetStatus",
                    f"ChangeSet [{change_set.id}] cannot be executed in its current status of "
                    f"[{change_set.execution_status}]",
                )
            change_set.execution_status = "EXECUTE_IN_PROGRESS"
            for other in self.of(change_set.stack):
                if other.root is not change_set:
                    self._remove(other.root)

    def _deploy(self, change_set: ChangeSet, request: Request) -> None:
        stack, goal, world = change_set.stack, change_set.goal, self.stacks.world()
        on_failure = change_set.on_stack_failure or "ROLLBACK"
        if request.get("DisableRollback"):
            on_failure = "DO_NOTHING"
        options = Options(
            on_failure=on_failure, retain_except_on_create=bool(request.get("RetainExceptOnCreate", False))
        )
        stack.change_set_id = change_set.id
        if change_set.type == "CREATE":
            self.direct.deploy_new(stack, goal, options, change_set.imports)
            return
        live = live_properties(world, stack, goal) if change_set.reverts_drift else None
        deployment = Deployment(world, stack, goal, options, live, change_set.imports)
        if change_set.type == "IMPORT":
            stack.wanted = stack.wanted or goal
            deployment.take_in()
        else:
            deployment.update()

    def delete(self, place: Place, request: Request) -> None:
        """DeleteChangeSet; one that does not exist is deleted already."""
        try:
            change_set = self.find(place, request)
        except CloudFormationError as missing:
            if missing.code == "ChangeSetNotFound":
                return
            raise
        self._nested.refuse_alone(change_set, "deleted")
        with self._lock:
            self._remove(change_set)

    def _remove(self, root: ChangeSet) -> None:
        for one in self._with_nested(root):
            self._by_key.pop((one.stack.id, one.name), None)
            self._nested.forget_stack(one.stack)


def _check_mode(kind: str, mode: object) -> None:
    if mode not in (None, "REVERT_DRIFT"):
        raise ValidationError(f"Value '{mode}' at 'deploymentMode' failed to satisfy constraint: [REVERT_DRIFT]")
    if mode is not None and kind == "CREATE":
        raise ValidationError("DeploymentMode REVERT_DRIFT can only be used with change sets of type UPDATE")
