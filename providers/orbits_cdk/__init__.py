"""CDK for Orbits: stacks synthesised in this process and deployed with change sets.

What belongs here: from constructs, or a cloud assembly that somebody has synthesised, to a deployed stack, and from a
deployed stack to what is live in it. Importing this package imports no CDK: your own module does that, and Node starts
only when a stack is really synthesised. For that `orbits_cdk` has to be imported before `aws_cdk` is; the command line
sees to it.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from orbits_cdk.node import prepare

if TYPE_CHECKING:
    from orbits_cdk.assembly_stack import AssemblyStack
    from orbits_cdk.cdk_stack import CdkStack
    from orbits_cdk.collect import Collected, collect_assets
    from orbits_cdk.errors import AssetGone, DeployFailed, NodeEnded, StackBusy, StackError, StackStuck, SynthesisFailed
    from orbits_cdk.imports import import_existing
    from orbits_cdk.kept_stack import KeptStack
    from orbits_cdk.outputs import StackOutputs

_HOME = {
    "AssemblyStack": "assembly_stack",
    "AssetGone": "errors",
    "CdkStack": "cdk_stack",
    "Collected": "collect",
    "DeployFailed": "errors",
    "KeptStack": "kept_stack",
    "NodeEnded": "errors",
    "StackBusy": "errors",
    "StackError": "errors",
    "StackOutputs": "outputs",
    "StackStuck": "errors",
    "SynthesisFailed": "errors",
    "collect_assets": "collect",
    "import_existing": "imports",
}

__all__ = [
    "AssemblyStack",
    "AssetGone",
    "CdkStack",
    "Collected",
    "DeployFailed",
    "KeptStack",
    "NodeEnded",
    "StackBusy",
    "StackError",
    "StackOutputs",
    "StackStuck",
    "SynthesisFailed",
    "collect_assets",
    "import_existing",
]

prepare()


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    globals()[name] = value
    return value
