"""What the corpus of drift is made of: stacks, and the hands of somebody who changes what is live behind their backs.

Nothing is changed back: what a case finds is what is new against the look before it. So no two cases of a stack change
the same property of the same resource, and what is deleted is not used by another case.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from orbits_aws import AwsTarget, OfflineAws, client
from orbits_cdk.deploy import advance
from orbits_cdk.live import Looking, StackLook, Where, look_at, look_on
from orbits_cdk.payload import StackPayload
from orbits_cdk.wanted import Deployed, Underway, Wanted, Withheld

TAGS = {"orbits:project": "tests", "orbits:record": "Site acme"}


class Hands:
    """A deployed stack, and whoever changes what is in it."""

    def __init__(self, aws: OfflineAws, target: AwsTarget, name: str, template: dict[str, Any]) -> None:
        self.aws = aws
        self.target = target
        self.payload = StackPayload(stack_name=name, region=target.region, template=template)
        self.deploy()
        resources = self.of("cloudformation").list_stack_resources(StackName=name)["StackResourceSummaries"]
        self.ids = {each["LogicalResourceId"]: each["PhysicalResourceId"] for each in resources}
        self.untouched = self.known = self.look()

    def deploy(self) -> None:
        wanted = Wanted(
            stack=self.payload.stack_name,
            place="here",
            template=self.payload.template,
            parameters={},
            tags=TAGS,
            token="make",
        )
        result: Underway | Withheld | Deployed = Underway()
        while isinstance(result, Underway):
            result = advance(client("cloudformation", self.target), wanted, result, lambda *_: None)

    def of(self, service: str) -> Any:
        return self._clients.setdefault(service, self.aws.client(service, account=self.target.account))

    @cached_property
    def _clients(self) -> dict[str, Any]:
        return {}

    def look(self) -> StackLook:
        """A look at the whole stack, to its end."""
        where = Where(account=self.target.account, region=self.target.region)
        found = look_at(self._client, self.payload, where, {})
        while isinstance(found, Looking):
            found = look_on(self._client, found)
        return found

    def _client(self, service: str) -> Any:
        return client(service, self.target)

    def news(self) -> list[str]:
        """What differs now and did not at the last look, as `Resource path`."""
        before, self.known = self.known, self.look()
        known = {(each.resource, each.path) for each in before.differences}
        return [
            f"{each.resource} {each.path}" for each in self.known.differences if (each.resource, each.path) not in known
        ]


@dataclass(frozen=True)
class Case:
    """Something that somebody does to a stack, and what a look has to find of it: nothing, where it means nothing."""

    name: str
    change: Callable[[Hands], object]
    found: list[str] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class Scene:
    """A template with the cases that are tried on it, what of it is not read, and how many calls reading takes.

    `calls` is the most that one look may make for a resource of a type, by the type.
    """

    name: str
    template: dict[str, Any]
    cases: tuple[Case, ...]
    unchecked: tuple[str, ...] = ()
    calls: dict[str, int]
