"""Drift: what the live resources are, against what the stack's last deployment made of them.

As on AWS, only properties that the template (or the stack's tags) set are compared, and write-only ones are not. Types
without a reader are NOT_CHECKED and do not count.
"""

import json
import uuid
from collections.abc import Iterator, Mapping
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from .desired import as_text, handler_of, masked, properties_of
from .errors import ValidationError
from .intrinsics import text_of
from .model import Goal, Properties, Stack, StackResource, now
from .resources.contract import Unreadable
from .schemas import schema_of
from .work import read_live, reason_of
from .world import World

DRIFTED = ("MODIFIED", "DELETED")


def detect(world: World, stack: Stack, logical_ids: list[str] | None = None) -> str:
    """Look at the stack's resources, or at some of them; returns the id of the detection."""
    made = [name for name, resource in stack.resources.items() if resource.physical_id]
    wanted = made if logical_ids is None else logical_ids
    for name in wanted:
        if name not in stack.resources:
            raise ValidationError(f"Resources [{name}] do not exist in stack [{stack.name}]")
    with world.acting_for(stack):
        for name in wanted:
            stack.resources[name].drift = _look(world, stack, stack.resources[name])
    stack.drift_checked = now()
    statuses = {resource.drift["StackResourceDriftStatus"] for resource in stack.resources.values() if resource.drift}
    stack.drift_status = "DRIFTED" if statuses & set(DRIFTED) else "IN_SYNC"
    return str(uuid.uuid4())


def unknown(stack: Stack) -> list[str]:
    """The resources that could not be read when they were last looked at."""
    return [
        name
        for name, resource in stack.resources.items()
        if resource.drift and resource.drift["StackResourceDriftStatus"] == "UNKNOWN"
    ]


def drifted_count(stack: Stack) -> int:
    """How many resources differed when they were last looked at."""
    return sum(
        1
        for resource in stack.resources.values()
        if resource.drift and resource.drift["StackResourceDriftStatus"] in DRIFTED
    )


def live_properties(world: World, stack: Stack, goal: Goal) -> dict[str, Properties | None]:
    """What drift-aware change sets start from: for each readable resource, its live values of all that is set.

    A value that only looks different is given as it is recorded or wanted, so that it is no difference.
    """
    scope = world.scope(stack, goal)
    found: dict[str, Properties | None] = {}
    for name, resource in stack.resources.items():
        if resource.unmade:
            continue
        try:
            live = read_live(world, stack, resource)
        except Unreadable:
            continue
        if live is None:
            found[name] = None
            continue
        definition = goal.template.resources.get(name)
        try:
            wanted = properties_of(definition, goal, scope) if definition else {}
        except ValidationError:
            wanted = {}
        found[name] = as_set(resource, live, wanted)
    return found


def as_set(resource: StackResource, live: Properties, wanted: Properties) -> Properties:
    """The live values of what is recorded or wanted; one that only looks different as it is wanted or recorded."""
    unreadable = _write_only(resource.type)
    result: dict[str, Any] = {}
    for name in {*resource.properties, *wanted}:
        recorded = resource.properties.get(name)
        if name in unreadable:
            value = recorded
        else:
            value = live.get(name)
            for known in (wanted.get(name), recorded):
                if known is not None and not list(differences(known, value, "")):
                    value = known
                    break
        if value is not None:
            result[name] = value
    return result


def _look(world: World, stack: Stack, resource: StackResource) -> dict[str, Any]:
    expected = {name: value for name, value in resource.properties.items() if name not in _write_only(resource.type)}
    result: dict[str, Any] = {
        "StackId": stack.id,
        "LogicalResourceId": resource.logical_id,
        "PhysicalResourceId": resource.physical_id,
        "ResourceType": resource.type,
        "Timestamp": now(),
        "ExpectedProperties": as_text(masked(expected, resource)),
        "PropertyDifferences": [],
    }
    try:
        live = read_live(world, stack, resource)
    except Unreadable:
        return result | {"StackResourceDriftStatus": "NOT_CHECKED"}
    except (BotoCoreError, ClientError, ConnectionError) as failure:
        return result | {"StackResourceDriftStatus": "UNKNOWN", "DriftStatusReason": reason_of(failure)}
    if live is None:
        return result | {"StackResourceDriftStatus": "DELETED"}
    actual = {name: live[name] for name in expected if name in live}
    found = list(differences(expected, actual, ""))
    for difference in found:
        top = difference["PropertyPath"].split("/")[1]
        if resource.shown.get(top) != resource.properties.get(top):
            difference |= {"ExpectedValue": "****", "ActualValue": "****"}
    return result | {
        "ActualProperties": as_text(masked(actual, resource)),
        "PropertyDifferences": found,
        "StackResourceDriftStatus": "MODIFIED" if found else "IN_SYNC",
    }


def _write_only(type_name: str) -> set[str]:
    """The top-level properties that hold write-only ones, or that have no effect here: they are not compared."""
    schema = schema_of(type_name)
    return {*handler_of(type_name).ignored, *(path[0] for path in (schema.write_only if schema else ()))}


def differences(expected: Any, actual: Any, path: str) -> Iterator[dict[str, str]]:
    """Where an actual value is not what was expected: members not expected do not count, order in lists neither."""
    expected, actual = _plain(expected), _plain(actual)
    if isinstance(expected, Mapping) and isinstance(actual, Mapping):
        for name, value in expected.items():
            yield from differences(value, actual.get(name), f"{path}/{name}")
    elif isinstance(expected, list) and isinstance(actual, list):
        yield from _in_lists(expected, actual, path)
    elif actual is None and expected is not None:
        yield _difference("REMOVE", path, expected, None)
    elif (
        isinstance(expected, Mapping | list)
        or isinstance(actual, Mapping | list)
        or text_of(expected) != text_of(actual)
    ):
        yield _difference("NOT_EQUAL", path, expected, actual)


def _in_lists(expected: list[Any], actual: list[Any], path: str) -> Iterator[dict[str, str]]:
    left = list(enumerate(actual))
    missing: list[tuple[int, Any]] = []
    for index, value in enumerate(expected):
        match = next((item for item in left if not list(differences(value, item[1], ""))), None)
        if match is None:
            missing.append((index, value))
        else:
            left.remove(match)
    for (index, value), (_, other) in zip(missing, left, strict=False):
        yield from differences(value, other, f"{path}/{index}")
    for index, value in missing[len(left) :]:
        yield _difference("REMOVE", f"{path}/{index}", value, None)
    for index, value in left[len(missing) :]:
        yield _difference("ADD", f"{path}/{index}", None, value)


def _plain(value: Any) -> Any:
    if isinstance(value, str) and value[:1] in "{[":
        try:
            return json.loads(value)
        except ValueError:
            return value
    return value


def _difference(kind: str, path: str, expected: Any, actual: Any) -> dict[str, str]:
    def shown(value: Any) -> str:
        return "null" if value is None else value if isinstance(value, str) else as_text(value)

    return {
        "DifferenceType": kind,
        "PropertyPath": path,
        "ExpectedValue": shown(expected),
        "ActualValue": shown(actual),
    }
