"""What goes wrong with stacks.

StackError
├── SynthesisFailed   also Permanent: define_stack, or what it made, is wrong; the message shows the user's line
├── AssetGone         also Permanent: a file that the template names is neither in the bucket nor on this machine
├── DeployFailed      CloudFormation could not do it, and has gone back to what was
├── StackStuck        also Permanent: the stack is in a state that a person has to bring it out of
├── NodeEnded         CDK's Node process ended while it was at it; the next attempt has a new one
└── StackBusy         somebody else is deploying it
"""

from orbits_iac import Error, Permanent


class StackError(Error):
    """What all errors about stacks have in common."""


class SynthesisFailed(StackError, Permanent):
    """The template could not be made."""


class AssetGone(StackError, Permanent):
    """A file that the template names is no longer there: a revision that needs it cannot be deployed."""


class DeployFailed(StackError):
    """CloudFormation could not carry it out."""


class StackStuck(StackError, Permanent):
    """The stack is in a state that CloudFormation does not leave by itself; the message says the one thing to do."""


class NodeEnded(StackError):
    """CDK's Node process ended by itself while a stack was synthesised."""


class StackBusy(StackError):
    """Somebody else began to change the stack in between."""
