"""StackSets: one template as a stack in each of many accounts and regions, and how each of those stands to it.

What there is: self-managed sets, their instances in accounts that are named, updates of all or of some, and deletion,
which can leave the stacks. An operation is over when its call returns, and goes through its instances one after the
other; one that fails stops no other. As in AWS an instance is OUTDATED that the set's last template has not reached,
and INOPERABLE if its deletion has failed; its stack knows nothing of the set. Execution roles are not asked for.
"""

import itertools
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from .deletion import Deletion
from .direct import Direct
from .errors import CloudFormationError, ValidationError
from .paging import page
from .place import Place, Request
from .stacks import Stacks

Result = dict[str, Any]
_GIVEN = ("TemplateBody", "TemplateURL", "Parameters", "Capabilities", "Tags")
"""What a set hands on to its stacks."""


@dataclass
class Instance:
    """A stack of the set, in one account and region."""

    place: Place
    stack: str = ""  # its id
    status: str = "OUTDATED"
    reason: str = ""


@dataclass
class StackSet:
    """A set, what its stacks are made of, and its instances."""

    id: str
    name: str
    given: dict[str, Any]
    instances: dict[tuple[str, str], Instance] = field(default_factory=dict[tuple[str, str], Instance])
    operations: dict[str, Result] = field(default_factory=dict[str, Result])


@dataclass
class StackSets:
    """All sets, each of the account and region that it was made in."""

    stacks: Stacks
    direct: Direct
    _sets: dict[tuple[str, str, str], StackSet] = field(default_factory=dict[tuple[str, str, str], StackSet])

    def operations(self) -> dict[str, Callable[[Place, Request], Result]]:
        """The calls of the API that are about sets."""
        return {
            "CreateStackInstances": self._create_instances,
            "CreateStackSet": self._create,
            "DeleteStackInstances": self._delete_instances,
            "DescribeStackSetOperation": self._describe_operation,
            "ListStackInstances": self._list_instances,
            "UpdateStackSet": self._update,
        }

    def state(self) -> dict[tuple[str, str, str], StackSet]:
        """All sets, for `restore`."""
        return dict(self._sets)

    def restore(self, state: dict[tuple[str, str, str], StackSet]) -> None:
        """Have these sets besides those there are."""
        self._sets.update(state)

    def clear(self) -> None:
        """Forget all sets, without touching their stacks."""
        self._sets.clear()

    def _create(self, place: Place, request: Request) -> Result:
        name = str(request["StackSetName"])
        if request.get("PermissionModel") not in {None, "SELF_MANAGED"}:
            raise CloudFormationError("NotImplemented", "The offline AWS has self-managed StackSets alone", 501)
        if (place.account, place.region, name) in self._sets:
            raise CloudFormationError("NameAlreadyExistsException", f"StackSet {name} already exists", 409)
        self.stacks.goals.goal(place, None, request, name)  # a template that is wrong is refused here
        made = StackSet(id=f"{name}:{uuid.uuid4()}", name=name, given=_given(request))
        self._sets[place.account, place.region, name] = made
        return {"StackSetId": made.id}

    def _find(self, place: Place, request: Request) -> StackSet:
        name = str(request["StackSetName"])
        found = self._sets.get((place.account, place.region, name.partition(":")[0]))
        if found is None or name not in {found.name, found.id}:
            raise CloudFormationError("StackSetNotFoundException", f"StackSet {name} not found", 404)
        return found

    def _create_instances(self, place: Place, request: Request) -> Result:
        found = self._find(place, request)
        return self._operation(found, request, "CREATE", self._each(found, request, new=True), self._deploy)

    def _update(self, place: Place, request: Request) -> Result:
        found = self._find(place, request)
        found.given = {**found.given, **_given(request)}
        for instance in found.instances.values():
            if instance.status == "CURRENT":
                instance.status = "OUTDATED"
        return self._operation(found, request, "UPDATE", self._each(found, request), self._deploy)

    def _delete_instances(self, place: Place, request: Request) -> Result:
        found = self._find(place, request)
        delete = self._let_go if request["RetainStacks"] else self._delete
        return self._operation(found, request, "DELETE", self._each(found, request), delete)

    @staticmethod
    def _each(found: StackSet, request: Request, *, new: bool = False) -> list[Instance]:
        """The instances that a call means: those of the accounts and regions that it names, or all."""
        if request.get("DeploymentTargets"):
            raise CloudFormationError("NotImplemented", "The offline AWS has StackSets of named accounts alone", 501)
        accounts, regions = request.get("Accounts") or (), request.get("Regions") or ()
        if not accounts and not regions:
            return list(found.instances.values())
        meant = [(str(account), str(region)) for account, region in itertools.product(accounts, regions)]
        for key in meant if new else ():
            found.instances.setdefault(key, Instance(Place(account=key[0], region=key[1])))
        if gone := [key for key in meant if key not in found.instances]:
            raise ValidationError(f"StackSet {found.name} has no instance in {', '.join(map('/'.join, gone))}")
        return [found.instances[key] for key in meant]

    @staticmethod
    def _operation(
        found: StackSet,
        request: Request,
        action: str,
        instances: list[Instance],
        do: Callable[[StackSet, Instance], None],
    ) -> Result:
        id_ = str(request.get("OperationId") or uuid.uuid4())
        status = "SUCCEEDED"
        for instance in instances:
            try:
                do(found, instance)
            except CloudFormationError as refused:
                status = "FAILED"
                instance.reason = refused.message
                instance.status = "INOPERABLE" if action == "DELETE" else "OUTDATED"
        found.operations[id_] = {"OperationId": id_, "StackSetId": found.id, "Action": action, "Status": status}
        return {"OperationId": id_}

    def _deploy(self, found: StackSet, instance: Instance) -> None:
        """Bring a stack to what the set says. Raises CloudFormationError where it does not come there."""
        if instance.status == "INOPERABLE":
            return
        request = dict(found.given)
        if instance.stack:
            try:
                stack = self.direct.update(instance.place, request | {"StackName": instance.stack})
            except ValidationError as refused:
                if "No updates are to be performed" not in refused.message:
                    raise
                stack = self.stacks.find(instance.place, instance.stack)
        else:
            name = f"StackSet-{found.name}-{uuid.uuid4()}"
            stack = self.direct.create(instance.place, request | {"StackName": name})
            instance.stack = stack.id
        if stack.status not in {"CREATE_COMPLETE", "UPDATE_COMPLETE"}:
            raise ValidationError(f"ResourceLogicalId:{stack.name}, ResourceStatusReason:{stack.status}")
        instance.status, instance.reason = "CURRENT", ""

    def _delete(self, found: StackSet, instance: Instance) -> None:
        if instance.stack:
            Deletion(self.stacks).delete(instance.place, {"StackName": instance.stack})
            if self.stacks.maybe(instance.place, instance.stack) is not None:
                raise ValidationError(f"Stack {instance.stack} was not deleted")
        self._let_go(found, instance)

    @staticmethod
    def _let_go(found: StackSet, instance: Instance) -> None:
        del found.instances[instance.place.account, instance.place.region]

    def _describe_operation(self, place: Place, request: Request) -> Result:
        found, id_ = self._find(place, request), str(request["OperationId"])
        if id_ not in found.operations:
            raise CloudFormationError("OperationNotFoundException", f"Operation {id_} not found", 404)
        return {"StackSetOperation": found.operations[id_]}

    def _list_instances(self, place: Place, request: Request) -> Result:
        found = self._find(place, request)
        account, region = request.get("StackInstanceAccount"), request.get("StackInstanceRegion")
        meant = [
            one
            for one in found.instances.values()
            if account in {None, one.place.account} and region in {None, one.place.region}
        ]
        shown, token = page(meant, request)
        return {"Summaries": list(_views(found, shown)), "NextToken": token}


def _given(request: Request) -> dict[str, Any]:
    return {name: request[name] for name in _GIVEN if request.get(name)}


def _views(found: StackSet, instances: list[Instance]) -> Iterator[Result]:
    for one in instances:
        detailed = {"CURRENT": "SUCCEEDED", "INOPERABLE": "INOPERABLE"}.get(one.status, "FAILED")
        yield {
            "StackSetId": found.id,
            "Region": one.place.region,
            "Account": one.place.account,
            "StackId": one.stack or None,
            "Status": one.status,
            "StatusReason": one.reason or None,
            "StackInstanceStatus": {"DetailedStatus": detailed},
            "DriftStatus": "NOT_CHECKED",
        }
