"""CloudFormation as it was: stale reads are answered by another one, which holds the stacks of that moment.

Used by the gateway, for faults of the kind `stale`.
"""

from collections.abc import Callable
from typing import Any

from orbits_aws.offline.freeze import freeze, thaw
from orbits_aws.offline.identify import Identity
from orbits_aws.offline.wire import Answer, Environ

_WORLD = "the world around the stacks"


class CloudFormationPast:
    """Keeps the stacks of one CloudFormation, and asks another one that holds them."""

    def __init__(self, present: Any, another: Callable[[], Any]) -> None:
        """`another` makes an empty CloudFormation of the same AWS."""
        self._present, self._another = present, another

    def keep(self) -> bytes:
        """All stacks and change sets, as they are now."""
        return freeze(self._present.state(), {_WORLD: self._present.world})

    def ask(self, before: bytes, identity: Identity, environ: Environ) -> Answer:
        """What was answered then."""
        past = self._another()
        past.restore(thaw(before, {_WORLD: past.world}))
        answer: Answer = past.api(identity, environ)
        return answer
