"""AssemblyStack: a stack of a synthesised cloud assembly, so that apps in TypeScript, Java or Go can be deployed.

The folder is what `cdk synth` leaves (`cdk.out`); CDK and Node are not needed where it is deployed.
"""

from pathlib import Path
from typing import Generic

from typing_extensions import TypeVar

from orbits_aws.settings import project_folder
from orbits_cdk.assembly import missing_context, read_stack
from orbits_cdk.context import NOTHING, Context
from orbits_cdk.errors import SynthesisFailed
from orbits_cdk.outputs import StackOutputs, with_outputs
from orbits_cdk.packing import pack
from orbits_cdk.payload import StackPayload
from orbits_cdk.stack import AnyStack
from orbits_iac import Outputs
from orbits_iac.provider import result_type

A = TypeVar("A", bound=Outputs | None, default=StackOutputs)


class AssemblyStack(AnyStack[A], Generic[A]):
    """One stack of a cloud assembly: `AssemblyStack(folder="web/cdk.out", stack="Web")`.

    Its outputs are what the template calls them, as text. A subclass types them, and is a kind of its own: in
    `class Web(AssemblyStack[WebOutputs])`, the field `bucket_name` takes the output `BucketName`.

    Attributes:
        folder: where the assembly is; a relative one is seen from the project's folder.
        stack: the stack's name, id or path (`Stage/Stack`); not needed where there is one only.
        parameters: values for the template's parameters.

    """

    folder: str
    stack: str | None = None
    parameters: dict[str, str] = {}

    def synthesise(self, kept: Context = NOTHING) -> StackPayload:
        """Read the assembly, which has its context in it."""
        folder = project_folder() / Path(self.folder)
        missing = missing_context(folder)
        if missing:
            wanted = ", ".join(str(each.get("key", each.get("provider"))) for each in missing)
            raise SynthesisFailed(
                f"{folder} was synthesised without what it has to look up in the account: {wanted}. Run `cdk synth` "
                f"with credentials that may read there, and keep the cdk.context.json that it writes."
            )
        payload = pack(read_stack(folder, self.stack), self._synthesised_for(), self.parameters)
        return with_outputs(payload, result_type(type(self)))
