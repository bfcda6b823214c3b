"""Everything around one stack: its account's clients, what its template may refer to, the other stacks' exports."""

from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

from orbits_aws.offline.moto_state import role_exists

from .clients import Clients
from .errors import ValidationError
from .intrinsics import NO_VALUE, Scope
from .model import Goal, Stack
from .references import secret_value, ssm_value
from .resources.contract import Nesting, Site


@dataclass(frozen=True, kw_only=True)
class World:
    """What operations on stacks need of the offline AWS."""

    clients: Clients
    stacks: Callable[[str, str], Iterable[Stack]]
    """The living stacks of an account and region."""
    nesting: Callable[[], Nesting]
    """What works on stacks that are resources of others."""

    def acting_for(self, stack: Stack) -> AbstractContextManager[None]:
        """Make all calls inside the block in the stack's account."""
        return self.clients.acting_in(stack.account)

    def client_of(self, stack: Stack) -> Callable[[str], Any]:
        """The clients of services in a stack's region, to be called while acting for it."""
        return lambda service: self.clients.client(service, stack.region)

    def site(self, stack: Stack, logical_id: str, made: Callable[[str], None] = lambda _: None) -> Site:
        """Where the handler of a resource works."""
        return Site(
            account=stack.account,
            region=stack.region,
            stack_id=stack.id,
            stack_name=stack.name,
            logical_id=logical_id,
            client=self.client_of(stack),
            made=made,
            partition=partition(stack.region),
            stacks=self.nesting(),
        )

    def scope(self, stack: Stack, goal: Goal, known: "Known | None" = None) -> Scope:
        """What the values of a goal's template are resolved against; `known` answers for the resources."""
        place = partition(stack.region)
        pseudo = {
            "AWS::AccountId": stack.account,
            "AWS::NoValue": NO_VALUE,
            "AWS::NotificationARNs": list(goal.notification_arns),
            "AWS::Partition": place,
            "AWS::Region": stack.region,
            "AWS::StackId": stack.id,
            "AWS::StackName": stack.name,
            "AWS::URLSuffix": "amazonaws.com.cn" if place == "aws-cn" else "amazonaws.com",
        }
        return Scope(
            names={**{name: value.value for name, value in goal.parameters.items()}, **pseudo},
            mappings=goal.template.section("Mappings"),
            conditions=goal.template.section("Conditions"),
            secrets=frozenset(name for name, value in goal.parameters.items() if value.secret),
            lookups=_Lookups(self, stack, known or Known(stack)),
        )

    def exports(self, account: str, region: str) -> dict[str, tuple[Stack, str]]:
        """Every export of an account and region: its name, the stack it comes from, its value."""
        return {
            output.export: (stack, output.value)
            for stack in self.stacks(account, region)
            for output in stack.outputs
            if output.export
        }

    def ssm(self, stack: Stack) -> Callable[[str], str]:
        """A reader of the account's SSM parameters. It raises ValidationError for one that is not there."""

        def read(name: str) -> str:
            with self.acting_for(stack):
                return ssm_value(self.client_of(stack), name)

        return read


class Known:
    """What is known of a stack's resources while it is deployed: what stands now."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack

    def ref(self, logical_id: str) -> Any:
        """The physical id of a resource."""
        resource = self._stack.resources.get(logical_id)
        if resource is None:
            raise _unresolved(logical_id)
        return resource.physical_id

    def attribute(self, logical_id: str, name: str) -> Any:
        """An attribute of a resource."""
        resource = self._stack.resources.get(logical_id)
        if resource is None:
            raise _unresolved(logical_id)
        value: Any = resource.attributes
        for part in [name] if name in resource.attributes else name.split("."):
            value = value.get(part) if isinstance(value, Mapping) else None
        if value is None:
            raise ValidationError(
                f"Template error: resource {logical_id} does not support attribute type {name} in Fn::GetAtt"
            )
        return value


def _unresolved(logical_id: str) -> ValidationError:
    return ValidationError(
        f"Template format error: Unresolved resource dependencies [{logical_id}] in the Resources block of the template"
    )


class _Lookups:
    def __init__(self, world: World, stack: Stack, known: Known) -> None:
        self._world, self._stack, self._known = world, stack, known
        self.imports: set[str] = set()

    def ref(self, logical_id: str) -> Any:
        return self._known.ref(logical_id)

    def attribute(self, logical_id: str, name: str) -> Any:
        return self._known.attribute(logical_id, name)

    def imported(self, export: str) -> Any:
        found = self._world.exports(self._stack.account, self._stack.region).get(export)
        if found is None:
            raise ValidationError(f"No export named {export} found.")
        self.imports.add(export)
        return found[1]

    def dynamic(self, service: str, key: str) -> Any:
        client = self._world.client_of(self._stack)
        with self._world.acting_for(self._stack):
            match service:
                case "ssm" | "ssm-secure":
                    return ssm_value(client, key, secure=service == "ssm-secure")
                case "secretsmanager":
                    return secret_value(client, key)
                case _:
                    pass
        raise ValidationError(f"Invalid dynamic reference: {{{{resolve:{service}:{key}}}}}")

    def stack_output(self, argument: Mapping[str, Any]) -> Any:
        name, key = str(argument.get("StackName")), str(argument.get("OutputName"))
        region, role = str(argument.get("Region") or self._stack.region), argument.get("RoleArn")
        if role and not role_exists(str(role)):
            raise ValidationError(f"Role {role} is invalid or cannot be assumed")
        account = str(role).split(":")[4] if role else self._stack.account
        for stack in self._world.stacks(account, region):
            if name in (stack.name, stack.id):
                for output in stack.outputs:
                    if output.key == key:
                        return output.value
        raise ValidationError(f"Output {key} of stack {name} in {account} ({region}) does not exist")


def partition(region: str) -> str:
    """The partition that a region belongs to."""
    if region.startswith("cn-"):
        return "aws-cn"
    return "aws-us-gov" if region.startswith("us-gov-") else "aws"
