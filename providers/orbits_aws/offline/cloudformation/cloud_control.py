"""The Cloud Control API: single resources, made, read, changed and removed by the same handlers as those of stacks.

A request is carried out before it is answered; its answer still says IN_PROGRESS and GetResourceRequestStatus how it
ended, as callers of the service expect. Reading a type without a reader, and listing one without a lister, is an
UnsupportedActionException. Requests are kept until a reset.
"""

import json
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import ParamValidationError

from orbits_aws.offline.identify import Identity
from orbits_aws.offline.wire import Answer, Environ, error_answer, read_body

from .clients import Clients
from .desired import check_properties, replacing
from .errors import CloudFormationError
from .json_patch import Unpatchable, patched
from .model import Properties
from .resources import TYPES, ResourceType
from .resources.contract import Site, Unreadable
from .schemas import known, schema_of
from .work import handler_code, is_gone, reason_of
from .world import partition

Result = dict[str, Any]
Call = dict[str, Any]

_PAGE = 20


@dataclass(kw_only=True)
class _Request:
    """A mutating request and how it ended."""

    account: str
    region: str
    asked: Result
    operation: str
    token: str = field(default_factory=lambda: str(uuid.uuid4()))
    identifier: str | None = None
    model: str | None = None
    error: tuple[str, str] | None = None
    at: float = field(default_factory=time.time)

    def progress(self, *, ended: bool) -> Result:
        """The request as the API shows it, when it was asked or when it has ended."""
        status = "IN_PROGRESS" if not ended else "FAILED" if self.error else "SUCCESS"
        shown = {
            "TypeName": self.asked["TypeName"],
            "Identifier": self.identifier,
            "RequestToken": self.token,
            "Operation": self.operation,
            "OperationStatus": status,
            "EventTime": self.at,
            "ResourceModel": self.model if ended and self.operation != "DELETE" else None,
            "ErrorCode": self.error[0] if ended and self.error else None,
            "StatusMessage": self.error[1] if ended and self.error else None,
        }
        return {name: value for name, value in shown.items() if value is not None}


class CloudControl:
    """The service that the gateway calls."""

    def __init__(self, clients: Clients) -> None:
        self._clients = clients
        self._requests: list[_Request] = []
        self._operations: dict[str, Callable[[Identity, Call], Result]] = {
            "CreateResource": self._create,
            "DeleteResource": self._delete,
            "GetResource": self._get,
            "GetResourceRequestStatus": self._status,
            "ListResourceRequests": self._list_requests,
            "ListResources": self._list,
            "UpdateResource": self._update,
        }

    def __call__(self, identity: Identity, environ: Environ) -> Answer:
        """Carry out one call."""
        operation = self._operations.get(identity.operation)
        if operation is None:
            message = f"The offline AWS does not offer {identity.operation} of Cloud Control"
            return error_answer("json", "NotImplemented", message, 501)
        try:
            with self._clients.acting_in(identity.account):
                result = operation(identity, json.loads(read_body(environ) or b"{}"))
        except CloudFormationError as refused:
            return error_answer("json", refused.code, refused.message, refused.status)
        headers = (("Content-Type", "application/x-amz-json-1.0"), ("x-amzn-RequestId", str(uuid.uuid4())))
        return Answer(status=200, headers=headers, body=json.dumps(result, default=str).encode())

    def state(self) -> Any:
        """The requests, for `restore`."""
        return self._requests

    def restore(self, state: Any) -> None:
        """Know the requests that `state` gave."""
        self._requests = state

    def clear(self) -> None:
        """Forget the requests."""
        self._requests.clear()

    def _get(self, identity: Identity, call: Call) -> Result:
        handler = _handler(call)
        site = self._site(identity, handler)
        parts = _identifier_parts(handler, str(call["Identifier"]))
        described = {"Identifier": "|".join(parts.values()), "Properties": _text(self._read(site, handler, parts))}
        return {"TypeName": handler.type, "ResourceDescription": described}

    def _list(self, identity: Identity, call: Call) -> Result:
        handler = _handler(call)
        site = self._site(identity, handler)
        model = json.loads(call.get("ResourceModel") or "{}")
        try:
            found = sorted(handler.list(site, model))
        except Unreadable:
            raise _unsupported(handler, "LIST") from None
        except Exception as failure:
            raise _failed(failure) from failure
        start, size = int(call.get("NextToken") or 0), int(call.get("MaxResults") or _PAGE)
        described: list[Result] = []
        for identifier in found[start : start + size]:
            names = _identifier_names(handler)
            parts = dict(zip(names, identifier.split("|"), strict=False))
            described.append({"Identifier": identifier, "Properties": _text(parts)})
        result: Result = {"TypeName": handler.type, "ResourceDescriptions": described}
        return {**result, "NextToken": str(start + size)} if start + size < len(found) else result

    def _create(self, identity: Identity, call: Call) -> Result:
        handler = _handler(call)
        desired = _parsed(call["DesiredState"], "DesiredState")

        def work(request: _Request) -> None:
            check_properties(handler.type, desired)
            made = handler.create(self._site(identity, handler), desired)
            known_values = {**made.attributes, **desired}
            names = _identifier_names(handler)
            request.identifier = "|".join(
                str(known_values[name]) if name in known_values else made.physical_id for name in names
            )
            request.model = _text({**desired, **dict(zip(names, request.identifier.split("|"), strict=False))})

        return self._carry_out(identity, call, "CREATE", work)

    def _update(self, identity: Identity, call: Call) -> Result:
        handler = _handler(call)
        site = self._site(identity, handler)
        parts = _identifier_parts(handler, str(call["Identifier"]))
        before = self._read(site, handler, parts)
        try:
            after = patched(before, _parsed(call["PatchDocument"], "PatchDocument"))
        except Unpatchable as unfit:
            raise CloudFormationError("ValidationException", f"Invalid patch update: {unfit}") from unfit
        if fixed := replacing(handler.type, before, after):
            names = ", ".join(f"/properties/{name}" for name in sorted(fixed))
            message = f"Invalid patch update: createOnlyProperties [{names}] cannot be updated"
            raise CloudFormationError("ValidationException", message)

        def work(request: _Request) -> None:
            request.identifier = "|".join(parts.values())
            wanted = {name: value for name, value in after.items() if name not in _read_only(handler.type)}
            check_properties(handler.type, wanted)
            handler.update(site, handler.physical_id(parts), before, wanted)
            request.model = _text(after)

        return self._carry_out(identity, call, "UPDATE", work)

    def _delete(self, identity: Identity, call: Call) -> Result:
        handler = _handler(call)
        site = self._site(identity, handler)
        parts = _identifier_parts(handler, str(call["Identifier"]))

        def work(request: _Request) -> None:
            request.identifier = "|".join(parts.values())
            handler.delete(site, handler.physical_id(parts), self._known(site, handler, parts))

        return self._carry_out(identity, call, "DELETE", work)

    def _carry_out(self, identity: Identity, call: Call, operation: str, work: Callable[[_Request], None]) -> Result:
        token = call.get("ClientToken")
        for earlier in self._requests if token else ():
            same_place = (earlier.account, earlier.region) == (identity.account, identity.region)
            if same_place and earlier.asked.get("ClientToken") == token:
                if earlier.asked != call or earlier.operation != operation:
                    message = f"A request with client token {token} was made with other parameters"
                    raise CloudFormationError("ClientTokenConflictException", message)
                return {"ProgressEvent": earlier.progress(ended=False)}
        request = _Request(account=identity.account, region=identity.region, asked=call, operation=operation)
        try:
            work(request)
        except Exception as failure:  # noqa: BLE001 - whatever it is becomes the request's end, as with a stack's
            request.error = (handler_code(failure), reason_of(failure))
        self._requests.append(request)
        return {"ProgressEvent": request.progress(ended=False)}

    def _status(self, identity: Identity, call: Call) -> Result:
        for request in self._of(identity):
            if request.token == call["RequestToken"]:
                return {"ProgressEvent": request.progress(ended=True)}
        message = f"Request token {call['RequestToken']} was not found"
        raise CloudFormationError("RequestTokenNotFoundException", message)

    def _list_requests(self, identity: Identity, call: Call) -> Result:
        wanted = call.get("ResourceRequestStatusFilter") or {}
        shown = [request.progress(ended=True) for request in self._of(identity)[::-1]]
        return {
            "ResourceRequestStatusSummaries": [
                one
                for one in shown
                if one["Operation"] in wanted.get("Operations", [one["Operation"]])
                and one["OperationStatus"] in wanted.get("OperationStatuses", [one["OperationStatus"]])
            ]
        }

    def _of(self, identity: Identity) -> list[_Request]:
        return [one for one in self._requests if (one.account, one.region) == (identity.account, identity.region)]

    def _known(self, site: Site, handler: ResourceType, parts: dict[str, str]) -> Properties:
        """What a deletion is told of the resource: what can be read of it, at least what identifies it."""
        try:
            return self._read(site, handler, parts)
        except CloudFormationError as unread:
            if unread.code != "UnsupportedActionException":
                raise
            return parts

    def _read(self, site: Site, handler: ResourceType, parts: dict[str, str]) -> Properties:
        try:
            live = handler.read(site, handler.physical_id(parts), parts)
        except (KeyError, ParamValidationError, Unreadable):
            raise _unsupported(handler, "READ") from None  # it is read by more than its identifier
        except Exception as failure:
            if not is_gone(failure):
                raise _failed(failure) from failure
            live = None
        if live is None:
            shown = json.dumps({f"/properties/{name}": value for name, value in parts.items()})
            message = f"Resource of type '{handler.type}' with identifier '{shown}' was not found."
            raise CloudFormationError("ResourceNotFoundException", message)
        return {**parts, **live}

    def _site(self, identity: Identity, handler: ResourceType) -> Site:
        return Site(
            account=identity.account,
            region=identity.region,
            stack_id="",
            stack_name="cloudcontrol",
            logical_id=handler.type.rpartition("::")[2],
            client=lambda service: self._clients.client(service, identity.region),
            partition=partition(identity.region),
        )


def _handler(call: Call) -> ResourceType:
    name = str(call.get("TypeName"))
    if not known(name):
        raise CloudFormationError("TypeNotFoundException", f"The type '{name}' cannot be found.")
    if name not in TYPES:
        message = f"Resource type {name} is not supported. AWS has it, the offline AWS does not"
        raise CloudFormationError("UnsupportedActionException", message)
    return TYPES[name]


def _unsupported(handler: ResourceType, action: str) -> CloudFormationError:
    message = f"Resource type {handler.type} does not support {action} action"
    return CloudFormationError("UnsupportedActionException", message)


def _failed(failure: Exception) -> CloudFormationError:
    code = handler_code(failure)
    names = {"AccessDenied": "AccessDeniedException", "Throttling": "ThrottlingException"}
    return CloudFormationError(names.get(code, "GeneralServiceException"), reason_of(failure))


def _identifier_names(handler: ResourceType) -> list[str]:
    schema = schema_of(handler.type)
    return [path[-1] for path in schema.identifier] if schema else []


def _identifier_parts(handler: ResourceType, identifier: str) -> dict[str, str]:
    """An identifier by its names: written as values with `|` between, or as JSON."""
    names = _identifier_names(handler)
    if identifier.startswith("{"):
        given = _parsed(identifier, "Identifier")
        values = [str(given.get(name, given.get(f"/properties/{name}", ""))) for name in names]
    else:
        values = identifier.split("|", len(names) - 1) if len(names) > 1 else [identifier]
    if len(values) != len(names) or not all(values):
        message = f"Identifier {identifier} is not valid for identifier [{', '.join(names)}]"
        raise CloudFormationError("ValidationException", message)
    return dict(zip(names, values, strict=True))


def _read_only(type_name: str) -> set[str]:
    schema = schema_of(type_name)
    return {path[0] for path in schema.read_only if len(path) == 1} if schema else set()


def _parsed(text: Any, name: str) -> Any:
    try:
        return json.loads(str(text))
    except ValueError as invalid:
        raise CloudFormationError("InvalidRequestException", f"{name} is not valid JSON: {invalid}") from invalid


def _text(properties: Properties) -> str:
    return json.dumps(properties, default=str)
