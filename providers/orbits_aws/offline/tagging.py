"""The Resource Groups Tagging API: what is tagged in an account and region, CloudFormation's stacks included.

moto knows no stacks, gives buckets of all regions, and keeps its pages in what cannot be saved; so the three reading
operations are carried out here, from what moto's services hold, and tagging is left to moto. As on AWS, a stack's
resources have the tags that name it. Roles and users of IAM are not among what is found.
"""

import base64
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

from . import moto_state
from .identify import Identity
from .moto_state import Tagged
from .wire import Answer, Environ, error_answer, json_answer

Request = Mapping[str, Any]
_T = TypeVar("_T")
_KEYS_A_PAGE = 100


class Refused(Exception):
    """A request that is refused: the code and the message."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class Tagging:
    """The service; what carries out its calls in the gateway."""

    def __init__(self, moto: Callable[[Environ], Answer], stacks: Callable[[str, str], Iterable[Any]]) -> None:
        """`moto` carries out what is not for reading; `stacks` gives the living stacks of an account and region."""
        self._moto, self._stacks = moto, stacks

    def __call__(self, identity: Identity, environ: Environ) -> Answer:
        """Carry out one call."""
        request: Request = json.loads(environ["wsgi.input"].getvalue() or b"{}")
        try:
            match identity.operation:
                case "GetResources":
                    return json_answer(_resources(self._tagged(identity), request))
                case "GetTagKeys":
                    keys = sorted({key for one in self._tagged(identity) for key in one.tags})
                    return json_answer(_page("TagKeys", keys, request, _KEYS_A_PAGE))
                case "GetTagValues":
                    key = str(request.get("Key"))
                    values = sorted({one.tags[key] for one in self._tagged(identity) if key in one.tags})
                    return json_answer(_page("TagValues", values, request, _KEYS_A_PAGE))
                case _:
                    return self._moto(environ)
        except Refused as refused:
            return error_answer("json", refused.code, str(refused))

    def _tagged(self, identity: Identity) -> list[Tagged]:
        """Everything with a tag, by ARN."""
        stacks = list(self._stacks(identity.account, identity.region))
        owners = {arn: tags for stack in stacks for arn, tags in _owned(stack)}
        found = [Tagged(arn=stack.id, type="cloudformation:stack", tags=stack.tags) for stack in stacks]
        for one in moto_state.taggable(identity.account, identity.region):
            tags = {**one.tags, **owners.get(one.arn, {})}
            found.append(Tagged(arn=one.arn, type=one.type, tags=tags))
        return sorted((one for one in found if one.tags), key=lambda one: one.arn)


def _owned(stack: Any) -> Iterable[tuple[str, dict[str, str]]]:
    """The ARNs of a stack's resources, with the tags that CloudFormation gives them by itself."""
    for resource in stack.resources.values():
        tags = {
            "aws:cloudformation:logical-id": resource.logical_id,
            "aws:cloudformation:stack-id": stack.id,
            "aws:cloudformation:stack-name": stack.name,
        }
        arn = str(resource.attributes.get("Arn") or resource.physical_id).removesuffix(":*")
        if resource.type == "AWS::SSM::Parameter":
            name = resource.physical_id if resource.physical_id.startswith("/") else f"/{resource.physical_id}"
            arn = f"arn:aws:ssm:{stack.region}:{stack.account}:parameter{name}"
        if arn.startswith("arn:"):
            yield arn, tags


def _resources(tagged: list[Tagged], request: Request) -> Any:
    arns: list[str] = list(request.get("ResourceARNList") or ())
    types: list[str] = list(request.get("ResourceTypeFilters") or ())
    filters = list(request.get("TagFilters") or ())
    if arns and (types or filters or "ResourcesPerPage" in request or "PaginationToken" in request):
        message = "ResourceARNList can not be specified with other parameters"
        raise Refused("InvalidParameterException", message)
    size = int(request.get("ResourcesPerPage") or 50)
    if not 1 <= size <= 100 or len(filters) > 50:
        raise Refused("InvalidParameterException", "ResourcesPerPage has to be 1 to 100, TagFilters 50 at most")
    found = [
        {"ResourceARN": one.arn, "Tags": [{"Key": key, "Value": value} for key, value in sorted(one.tags.items())]}
        for one in tagged
        if (not arns or one.arn in arns)
        and (not types or one.type in types or one.type.partition(":")[0] in types)
        and all(_has(one, wanted) for wanted in filters)
    ]
    return _page("ResourceTagMappingList", found, request, size)


def _has(one: Tagged, wanted: Request) -> bool:
    key, values = wanted.get("Key"), wanted.get("Values")
    return key in one.tags and (not values or one.tags[str(key)] in values)


def _page(name: str, found: Sequence[_T], request: Request, size: int) -> dict[str, Any]:
    """A page, and the token of the next one: empty at the end, as AWS has it."""
    token = str(request.get("PaginationToken") or "")
    try:
        start = int(base64.b64decode(token, validate=True)) if token else 0
    except ValueError as unknown:
        message = "The PaginationToken is not valid: it was given out for another request, or is too old."
        raise Refused("PaginationTokenExpiredException", message) from unknown
    end = start + size
    following = base64.b64encode(str(end).encode()).decode() if end < len(found) else ""
    return {name: list(found[start:end]), "PaginationToken": following}
