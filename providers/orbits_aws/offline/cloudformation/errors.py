"""What the service refuses, and how a resource fails.

CloudFormationError      an API call is refused: code, message, HTTP status
└── ValidationError      the code under which most is refused
    └── StackMissing     there is no such stack
ResourceFailed           a resource could not be made, changed or removed; the stack operation then fails
├── NothingDone          it was refused before anything was changed
└── ResourceGone         it no longer exists
"""


class CloudFormationError(Exception):
    """An API call that the service refuses."""

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.code, self.message, self.status = code, message, status


class ValidationError(CloudFormationError):
    """The code under which the service refuses most of what it refuses."""

    def __init__(self, message: str) -> None:
        super().__init__("ValidationError", message)


class StackMissing(ValidationError):
    """No stack by this name or id."""

    def __init__(self, name: str) -> None:
        super().__init__(f"Stack with id {name} does not exist")


class ResourceFailed(Exception):
    """A resource's handler failed; the text is the reason that the resource's event gives."""


class ResourceGone(ResourceFailed):
    """The resource does not exist any more."""


class NothingDone(ResourceFailed):
    """The change was refused before anything was changed, so there is nothing to bring back."""
