"""KeptStack: stands in for a stack whose class is gone, so that what the record has kept of it can still be used."""

from pydantic import ConfigDict

from orbits_cdk.context import NOTHING, Context
from orbits_cdk.outputs import StackOutputs
from orbits_cdk.payload import StackPayload
from orbits_cdk.stack import AnyStack
from orbits_iac.provider import Refused, kind_of


class KeptStack(AnyStack[StackOutputs | None]):
    """A stack that is known from its record alone: `class Site(KeptStack): ...` where there was a `class Site` once.

    It is brought back to any kept revision, looked at, and uninstalled, whatever its arguments were. It is not updated:
    what it would be made from is gone.
    """

    model_config = ConfigDict(extra="allow")

    def synthesise(self, kept: Context = NOTHING) -> StackPayload:
        """Refused: there is no code to make a template with."""
        del kept
        raise Refused(
            f"{kind_of(type(self))} is known from its record alone: roll it back, look at it or uninstall it. To "
            f"update it, give it a define_stack() again."
        )
