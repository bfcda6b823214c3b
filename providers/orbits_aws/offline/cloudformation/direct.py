"""CreateStack and UpdateStack: a stack deployed without a change set."""

from collections.abc import Mapping
from dataclasses import dataclass

from .changes import is_change
from .deploy import Deployment
from .errors import ValidationError
from .goals import policy_text
from .model import Goal, Stack
from .place import Place, Request
from .rollback import Options
from .stacks import Stacks


@dataclass(frozen=True)
class Direct:
    """The operations on all stacks."""

    stacks: Stacks

    def create(self, place: Place, request: Request) -> Stack:
        """CreateStack."""
        name, token = str(request["StackName"]), request.get("ClientRequestToken")
        existing = self.stacks.maybe(place, name)
        if existing is not None and self.stacks.repeated(existing, token, "create"):
            return existing
        if request.get("OnFailure") and request.get("DisableRollback") is not None:
            raise ValidationError("You can specify either DisableRollback or OnFailure, but not both")
        goal = self.stacks.goals.goal(place, None, request, name)
        policy = policy_text(self.stacks.goals, place, request, "StackPolicy")
        stack = self.stacks.add(place, name, "CREATE_IN_PROGRESS")
        stack.termination_protection = bool(request.get("EnableTerminationProtection", False))
        stack.timeout, stack.policy = request.get("TimeoutInMinutes"), policy
        stack.retain_except_on_create = bool(request.get("RetainExceptOnCreate", False))
        on_failure = request.get("OnFailure") or ("DO_NOTHING" if request.get("DisableRollback") else "ROLLBACK")
        options = Options(on_failure=str(on_failure), retain_except_on_create=stack.retain_except_on_create)
        with self.stacks.operation(stack, token, "create", "CREATE_STACK"):
            self.deploy_new(stack, goal, options)
        return stack

    def deploy_new(self, stack: Stack, goal: Goal, options: Options, imports: Mapping[str, str] | None = None) -> None:
        """The first deployment of a stack, inside an operation on it."""
        stack.disable_rollback = options.on_failure == "DO_NOTHING"
        stack.role_arn, stack.wanted = goal.role_arn, goal
        Deployment(self.stacks.world(), stack, goal, options, imports=imports).create()

    def update(self, place: Place, request: Request) -> Stack:
        """UpdateStack."""
        stack, token = self.stacks.find(place, str(request["StackName"])), request.get("ClientRequestToken")
        if self.stacks.repeated(stack, token, "update"):
            return stack
        self.stacks.check_updatable(stack)
        goal = self.stacks.goals.goal(place, stack, request, stack.name)
        policy = policy_text(self.stacks.goals, place, request, "StackPolicy")
        if not is_change(self.stacks.world(), stack, goal):
            raise ValidationError("No updates are to be performed.")
        stack.retain_except_on_create = bool(request.get("RetainExceptOnCreate", False))
        options = Options(
            on_failure="DO_NOTHING" if request.get("DisableRollback") else "ROLLBACK",
            retain_except_on_create=stack.retain_except_on_create,
            policy=policy_text(self.stacks.goals, place, request, "StackPolicyDuringUpdate"),
        )
        with self.stacks.operation(stack, token, "update", "UPDATE_STACK"):
            stack.disable_rollback = options.on_failure == "DO_NOTHING"
            Deployment(self.stacks.world(), stack, goal, options).update()
            stack.policy = policy or stack.policy
        return stack
