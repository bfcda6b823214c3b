"""CloudFormation's own drift detection, for what nothing else can read.

One detection is asked for all such resources of a stack, and looked at until it has ended. It says IN_SYNC, MODIFIED
or DELETED of a resource; everything else it may say (NOT_CHECKED, UNKNOWN, UNSUPPORTED, or nothing) leaves the
resource unchecked. Only properties that the template sets are compared by it. Called by `live`; it writes nothing.
"""

import json
import re
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict

from orbits_aws.errors import AwsRefused
from orbits_aws.readers.service_managed import by_the_service
from orbits_iac.provider import Comparison, Difference, json_text

LONGEST = 240  # looks at one detection: at five seconds each, 20 minutes
_AT_ONCE = 200  # the most resources that one detection takes by name
_SAID = {
    "NOT_CHECKED": "CloudFormation does not detect the drift of this type",
    "UNSUPPORTED": "CloudFormation does not detect the drift of this type",
    "UNKNOWN": "CloudFormation could not find out",
}


class Left(BaseModel):
    """A resource that nothing else could read, and why; or what of it was not found, and may only not be given back."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    type: str
    why: str
    paths: tuple[str, ...] = ()  # nothing: all of it

    def unchecked(self, name: str, why: str) -> Comparison:
        """The resource of this name, or what is left of it, as unchecked."""
        places = [f"{name} {self.type} {path}" for path in self.paths] or [f"{name} {self.type}"]
        return Comparison(unchecked=tuple(f"{place}: {self.why}; {why}" for place in places))


class Detecting(BaseModel):
    """A detection that was asked for. Without an id, one of somebody else's has to end first."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    stack: str
    left: dict[str, Left]  # by logical id
    id: str = ""
    looks: int = 0


def begin(cfn: Any, detecting: Detecting) -> Detecting | Comparison:
    """Ask for the detection; a comparison where CloudFormation will not do it."""
    names = list(detecting.left)
    some = {"LogicalResourceIds": names} if len(names) <= _AT_ONCE else {}
    try:
        answer = cfn.detect_stack_drift(StackName=detecting.stack, **some)
    except AwsRefused as error:
        if "already in progress" in str(error):
            return detecting
        return _unchecked(detecting, f"CloudFormation refused to look: {error}")
    return detecting.model_copy(update={"id": answer["StackDriftDetectionId"]})


def go_on(cfn: Any, detecting: Detecting) -> Detecting | Comparison:
    """What the detection found, once it has ended."""
    if detecting.looks >= LONGEST:
        return _unchecked(detecting, "CloudFormation's detection did not end in time")
    detecting = detecting.model_copy(update={"looks": detecting.looks + 1})
    if not detecting.id:
        return begin(cfn, detecting)
    status = cfn.describe_stack_drift_detection_status(StackDriftDetectionId=detecting.id)
    if status["DetectionStatus"] == "DETECTION_IN_PROGRESS":
        return detecting
    drifts = {
        each["LogicalResourceId"]: each
        for each in cfn.items("describe_stack_resource_drifts", "StackResourceDrifts", StackName=detecting.stack)
    }
    failed = "" if status["DetectionStatus"] == "DETECTION_COMPLETE" else status.get("DetectionStatusReason", "")
    found = (_resource(name, left, drifts.get(name, {}), failed) for name, left in detecting.left.items())
    return Comparison().joined(*found)


def _resource(name: str, left: Left, drift: Mapping[str, Any], failed: str) -> Comparison:
    status = str(drift.get("StackResourceDriftStatus", "NOT_CHECKED"))
    if status == "DELETED":
        return Comparison(
            differences=(Difference(path="", recorded=json_text("there"), live="null", resource=name, type=left.type),),
            checked=1,
        )
    if status in {"IN_SYNC", "MODIFIED"}:
        return _judged(name, left, drift) if left.paths else _compared(name, left.type, drift)
    said = drift.get("DriftStatusReason") or failed
    why = _SAID.get(status, f"CloudFormation says {status}")
    return left.unchecked(name, f"{why}{f' ({said})' if said else ''}")


def _judged(name: str, left: Left, drift: Mapping[str, Any]) -> Comparison:
    """Whether what was not found is gone: so it is if CloudFormation, which reads it too, says so."""
    expected = json.loads(drift.get("ExpectedProperties") or "{}")
    known = tuple(path for path in left.paths if re.split(r"[.\[]", path)[0] in expected)
    rest = tuple(path for path in left.paths if path not in known)
    differences = _compared(name, left.type, drift).differences
    found = Comparison(
        differences=tuple(d for d in differences if any(_overlap(d.path, path) for path in known)), checked=len(known)
    )
    if not rest:
        return found
    return found.joined(left.model_copy(update={"paths": rest}).unchecked(name, "CloudFormation does not compare it"))


def _overlap(one: str, other: str) -> bool:
    return _is_within(one, other) or _is_within(other, one)


def _compared(name: str, kind: str, drift: Mapping[str, Any]) -> Comparison:
    expected = json.loads(drift.get("ExpectedProperties") or "{}")
    found = [_difference(name, kind, each) for each in drift.get("PropertyDifferences") or ()]
    whys = {
        path: why for path, why in by_the_service(kind).items() if any(_is_within(each.path, path) for each in found)
    }
    return Comparison(
        differences=tuple(each for each in found if not any(_is_within(each.path, path) for path in whys)),
        ignored=tuple(f"{name} {kind} {path}: {why}" for path, why in whys.items()),
        checked=len(expected) - len(whys),
    )


def _is_within(path: str, whole: str) -> bool:
    return path == whole or path.startswith((f"{whole}.", f"{whole}["))


def _difference(name: str, kind: str, found: Mapping[str, Any]) -> Difference:
    return Difference(
        path=_path(found["PropertyPath"]),
        recorded=_value(found, "ExpectedValue"),
        live=_value(found, "ActualValue"),
        resource=name,
        type=kind,
    )


def _path(pointer: str) -> str:
    """`/Tags/0/Value` as people write it: `Tags[0].Value`."""
    return re.sub(r"\.(\d+)(?=\.|$)", r"[\1]", pointer.removeprefix("/").replace("/", "."))


def _value(found: Mapping[str, Any], name: str) -> str:
    """A value as JSON: CloudFormation writes texts as they are, and all else as JSON."""
    text = str(found.get(name, "null"))
    try:
        json.loads(text)
    except ValueError:
        return json_text(text)
    return text


def _unchecked(detecting: Detecting, why: str) -> Comparison:
    return Comparison().joined(*(left.unchecked(name, why) for name, left in detecting.left.items()))
