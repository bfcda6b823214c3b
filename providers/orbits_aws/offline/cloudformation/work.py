"""One resource of one stack: made, changed or removed, with the events that the service writes.

The deployment says in which order and what to do after a failure; here a handler is called, its errors become reasons,
and what exists is written into the stack as soon as it exists.
"""

import logging
import re
import uuid
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from .desired import as_text, check_properties, different, handler_of
from .errors import NothingDone, ResourceFailed, ResourceGone
from .model import Properties, Stack, StackResource
from .resources.contract import Made
from .world import World

_LOG = logging.getLogger(__name__)

_GONE = re.compile(r"404|.*(NotFound|NonExistent|NoSuch|DoesNotExist|UnknownResource).*")
"""The codes by which services say that a thing does not exist; few of them agree on one."""

_HANDLER_CODES = (
    ("AccessDenied", ("AccessDenied", "Unauthorized", "Forbidden")),
    ("Throttling", ("Throttl", "SlowDown", "RequestLimit", "TooManyRequests")),
    ("AlreadyExists", ("AlreadyExists", "EntityAlreadyExists", "BucketAlready", "ResourceInUse", "QueueNameExists")),
    ("NotFound", ("NotFound", "NoSuch", "NonExistent", "DoesNotExist")),
    ("ServiceLimitExceeded", ("LimitExceeded",)),
    ("InvalidRequest", ("Invalid", "Validation", "Malformed")),
    ("InternalFailure", ("Internal",)),
)


class Failed(Exception):
    """A resource of the stack failed: which one, doing what."""

    def __init__(self, logical_id: str, verb: str, reason: str) -> None:
        super().__init__(reason)
        self.logical_id, self.verb, self.reason = logical_id, verb, reason


def is_gone(failure: Exception) -> bool:
    """Whether an error says that the resource does not exist."""
    if isinstance(failure, ResourceGone):
        return True
    if not isinstance(failure, ClientError):
        return False
    error: Any = failure.response.get("Error", {})
    return _GONE.fullmatch(str(error.get("Code"))) is not None


def read_live(world: World, stack: Stack, resource: StackResource) -> Properties | None:
    """A resource's live properties; None if it does not exist. Raises Unreadable for a type without a reader."""
    try:
        return handler_of(resource.type).read(
            world.site(stack, resource.logical_id), resource.physical_id, resource.properties
        )
    except Exception as failure:
        if is_gone(failure):
            return None
        raise


def reason_of(failure: Exception) -> str:
    """The reason that a resource's event gives for an error."""
    if isinstance(failure, ClientError):
        return _service_reason(failure)
    if isinstance(failure, ResourceFailed):
        return str(failure)
    if isinstance(failure, BotoCoreError | ConnectionError):
        return f'Resource handler returned message: "{failure}" (HandlerErrorCode: NetworkFailure)'
    _LOG.error("a resource handler of the offline AWS failed", exc_info=failure)
    return f'Resource handler returned message: "{failure!r}" (HandlerErrorCode: InternalFailure)'


def handler_code(failure: Exception) -> str:
    """The handler error code that an error counts as."""
    if isinstance(failure, ClientError):
        code = str(failure.response.get("Error", {}).get("Code", ""))
        found = (name for name, parts in _HANDLER_CODES if any(part in code for part in parts))
        return next(found, "GeneralServiceException")
    if isinstance(failure, ResourceGone):
        return "NotFound"
    if isinstance(failure, ResourceFailed):
        return "InvalidRequest"
    return "NetworkFailure" if isinstance(failure, BotoCoreError | ConnectionError) else "InternalFailure"


def _service_reason(failure: ClientError) -> str:
    error: Any = failure.response.get("Error", {})
    metadata: Any = failure.response.get("ResponseMetadata", {})
    code = str(error.get("Code", ""))
    told = f"{error.get('Message', '')} ({code} on {failure.operation_name}, Status Code: "
    told += f"{metadata.get('HTTPStatusCode')}, Request ID: {metadata.get('RequestId', uuid.uuid4())})"
    token = f"RequestToken: {uuid.uuid4()}, HandlerErrorCode: {handler_code(failure)}"
    return f'Resource handler returned message: "{told}" ({token})'


class Work:
    """The work on the resources of one stack."""

    def __init__(self, world: World, stack: Stack) -> None:
        self._world, self._stack = world, stack

    def create(self, resource: StackResource) -> None:
        """Make a resource and put it into the stack under its logical id. Raises Failed."""

        def made(physical_id: str) -> None:
            resource.physical_id = physical_id
            self._stack.resources[resource.logical_id] = resource
            self._stack.record("CREATE_IN_PROGRESS", "Resource creation Initiated", resource=resource)

        self._stack.record("CREATE_IN_PROGRESS", resource=resource, properties=as_text(resource.shown))
        try:
            check_properties(resource.type, resource.properties, resource.logical_id)
            site = self._world.site(self._stack, resource.logical_id, made)
            result = handler_of(resource.type).create(site, resource.properties)
        except Exception as failure:
            reason = reason_of(failure)
            self._stack.record("CREATE_FAILED", reason, resource=resource)
            raise Failed(resource.logical_id, "create", reason) from failure
        if not resource.physical_id:
            made(result.physical_id)
        resource.attributes = result.attributes
        self._stack.record("CREATE_COMPLETE", resource=resource)

    def take_in(self, resource: StackResource, physical_id: str, own: Properties) -> None:
        """Take an existing resource into the stack, then give it the stack's tags. Raises Failed.

        `own` are its properties without the stack's tags.
        """
        tagged = resource.properties
        resource.physical_id, resource.properties = physical_id, own
        self._stack.record("IMPORT_IN_PROGRESS", "Resource import started.", resource=resource)
        try:
            check_properties(resource.type, own, resource.logical_id)
            site = self._world.site(self._stack, resource.logical_id)
            result = handler_of(resource.type).take_in(site, physical_id, own)
        except Exception as failure:
            reason = self._missing(resource) if is_gone(failure) else reason_of(failure)
            self._stack.record("IMPORT_FAILED", reason, resource=resource)
            raise Failed(resource.logical_id, "import", reason) from failure
        resource.physical_id, resource.attributes = result.physical_id, result.attributes
        self._stack.resources[resource.logical_id] = resource
        self._stack.record("IMPORT_COMPLETE", "Resource import completed.", resource=resource)
        self.update(resource, own, tagged, "Apply stack-level tags to imported resource if applicable.")

    def update(self, resource: StackResource, before: Properties, after: Properties, reason: str | None = None) -> None:
        """Change a resource in place. Raises Failed; the resource then counts as changed in part."""
        self._stack.record("UPDATE_IN_PROGRESS", reason, resource=resource, properties=as_text(resource.shown))
        result = Made(physical_id=resource.physical_id, attributes=resource.attributes)
        try:
            if different(before, after):
                check_properties(resource.type, after, resource.logical_id)
                site = self._world.site(self._stack, resource.logical_id)
                result = handler_of(resource.type).update(site, resource.physical_id, before, after)
        except Exception as failure:
            if not isinstance(failure, NothingDone):
                resource.properties = after
            reason = self._missing(resource) if is_gone(failure) and self._is_absent(resource) else reason_of(failure)
            resource.partial = not isinstance(failure, NothingDone)
            self._stack.record("UPDATE_FAILED", reason, resource=resource)
            raise Failed(resource.logical_id, "update", reason) from failure
        resource.properties, resource.partial = after, False
        resource.physical_id = result.physical_id
        resource.attributes = {**resource.attributes, **result.attributes}
        self._stack.record("UPDATE_COMPLETE", resource=resource)

    def delete(self, resource: StackResource, *, snapshot: bool = False) -> None:
        """Remove a resource, keeping a snapshot of it if asked for; one gone counts as removed. Raises Failed."""
        self._stack.record("DELETE_IN_PROGRESS", resource=resource)
        try:
            if resource.physical_id:
                site = self._world.site(self._stack, resource.logical_id)
                handler = handler_of(resource.type)
                if snapshot:
                    handler.keep_snapshot(site, resource.physical_id, resource.properties)
                handler.delete(site, resource.physical_id, resource.properties)
        except Exception as failure:
            if not is_gone(failure) or self._is_there(resource):
                reason = reason_of(failure)
                self._stack.record("DELETE_FAILED", reason, resource=resource)
                raise Failed(resource.logical_id, "delete", reason) from failure
        self._stack.record("DELETE_COMPLETE", resource=resource)

    def keep(self, resource: StackResource) -> None:
        """Leave a resource to its owner, as its policy says."""
        self._stack.record("DELETE_SKIPPED", resource=resource)

    def _is_absent(self, resource: StackResource) -> bool:
        try:
            return read_live(self._world, self._stack, resource) is None
        except Exception:  # noqa: BLE001 - what cannot be read is not known to be absent
            return False

    def _is_there(self, resource: StackResource) -> bool:
        """Whether a resource can be read: what was not found may be something that it needs."""
        try:
            return read_live(self._world, self._stack, resource) is not None
        except Exception:  # noqa: BLE001 - what cannot be read is as the failure said
            return False

    @staticmethod
    def _missing(resource: StackResource) -> str:
        return (
            f"Resource of type '{resource.type}' with identifier '{resource.physical_id}' was not found. "
            "(HandlerErrorCode: NotFound)"
        )
