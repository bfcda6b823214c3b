"""CDK for Orbits: stacks synthesised in this process and deployed with change sets.

What belongs here: from constructs to a deployed stack, and from a deployed stack to what is live in it. Importing this
package imports no CDK: your own module does that, and Node starts only when a stack is really synthesised. For that
`orbits_cdk` has to be imported before `aws_cdk` is for the first time; the command line sees to it.
"""

from typing import TYPE_CHECKING, Any

from orbits_cdk.node import prepare

if TYPE_CHECKING:
    from orbits_cdk.errors import AssetGone, DeployFailed, StackBusy, StackError, StackStuck, SynthesisFailed
    from orbits_cdk.stack import CdkStack

__all__ = ["AssetGone", "CdkStack", "DeployFailed", "StackBusy", "StackError", "StackStuck", "SynthesisFailed"]

prepare()


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from orbits_cdk import errors, stack

    value = getattr(stack if name == "CdkStack" else errors, name)
    globals()[name] = value
    return value
