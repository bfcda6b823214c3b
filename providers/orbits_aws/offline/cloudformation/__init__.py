"""CloudFormation as AWS documents it, in place of moto's.

The pure part reads: templates (`template`, `template_checks`, `parameters`, `rules`, `intrinsics`, `graph`), the types'
schemas (`schemas`, `validation`), what a goal means and changes (`desired`, `changes`, `property_changes`), what is
allowed and shown (`stack_policy`, `view`, `paging`). What looks things up: `goals`, `imports`, `references`,
`parameter_lookups`, `early_validation`. What changes things: `direct`, `change_sets`, `deletion` and `recovery` (the
operations, on the `stacks`; `nested` those on stacks in stacks, `stack_sets` those in many accounts), `deploy`,
`rollback` and `removal` (the order and the way back), `work` (one resource), `resources` (the types). `api` is the
face, `cloud_control` that of single resources, `clients` the hands. It knows AWS only through API calls made by way of
the gateway, so it would run against another simulation as well.
"""

from collections.abc import Callable
from typing import Any

from orbits_aws.offline.gateway import Gateway

from .api import Api
from .change_sets import ChangeSets
from .clients import Clients
from .cloud_control import CloudControl
from .direct import Direct
from .goals import Goals
from .nested import Nesting
from .past import CloudFormationPast
from .place import Place
from .stack_sets import StackSets
from .stacks import Stacks
from .template_url import object_reader
from .world import World

__all__ = ["CloudFormation", "CloudFormationPast"]


class CloudFormation:
    """The service with all its stacks."""

    def __init__(self, gateway: Gateway, endpoint_url: Callable[[], str]) -> None:
        """`endpoint_url` is where the offline AWS listens: resources name it in their URLs."""
        clients = Clients(gateway=gateway, endpoint_url=endpoint_url)
        self._stacks = Stacks(
            world=lambda: self.world, goals=Goals(world=lambda: self.world, read_object=object_reader(clients))
        )
        self.world = World(
            clients=clients,
            stacks=lambda account, region: self._stacks.living(Place(account=account, region=region)),
            nesting=lambda: nesting,
        )
        direct = Direct(self._stacks)
        nesting = Nesting(self._stacks, direct)
        self._change_sets = ChangeSets(stacks=self._stacks, direct=direct, nesting=nesting)
        self._stack_sets = StackSets(self._stacks, direct)
        self.api = Api(self.world, self._stacks, direct, self._change_sets, self._stack_sets)
        self.cloud_control = CloudControl(clients)

    @property
    def polls(self) -> int:
        """How many DescribeStacks show an operation as going on."""
        return self._stacks.polls

    @polls.setter
    def polls(self, number: int) -> None:
        self._stacks.polls = number

    def state(self) -> tuple[Any, ...]:
        """All stacks, change sets, Cloud Control's requests and StackSets, for `restore`."""
        return self._stacks.state(), self._change_sets.state(), self.cloud_control.state(), self._stack_sets.state()

    def restore(self, state: tuple[Any, ...]) -> None:
        """Hold what `state` gave, and nothing else."""
        self.clear()
        self._stacks.restore(state[0])
        self._change_sets.restore(state[1])
        self.cloud_control.restore(state[2])
        for sets in state[3:]:  # what was kept before there were any has none
            self._stack_sets.restore(sets)

    def clear(self) -> None:
        """Forget all stacks, without touching their resources."""
        self._stacks.clear()
        self._change_sets.clear()
        self._stack_sets.clear()
        self.api.clear()
        self.cloud_control.clear()
