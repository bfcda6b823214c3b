"""Emptying what a stack would not be deleted with: its buckets, and the log groups that its functions have made.

Done before a stack is deleted, only where its class says `empty_on_uninstall = True`. `advance_emptying` may be called
again at any point: it removes what it finds, a few thousand objects at a time, with all versions and delete markers.
"""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict

from orbits_aws.errors import AwsRefused, NotThere
from orbits_aws.ownership import refuse_foreign
from orbits_aws.readers import Aws
from orbits_cdk.cloudformation import find_stack, physical_ids, template_of
from orbits_cdk.stateful import deletion_policy
from orbits_cdk.wanted import Tell

_BUCKET = "AWS::S3::Bucket"
_FUNCTION = "AWS::Lambda::Function"
_GROUP = "AWS::Logs::LogGroup"
_BATCHES = 5  # of a thousand objects each, between two looks


class Emptying(BaseModel):
    """How far it is: what is still to be emptied."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    buckets: tuple[str, ...]
    log_groups: tuple[str, ...]
    removed: int = 0  # objects, versions and delete markers so far


class Emptied(BaseModel):
    """How many objects, versions and delete markers were removed."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    removed: int


def to_empty(cfn: Any, name: str, place: str, owner: Mapping[str, str]) -> Emptying:
    """What is to be emptied of a stack; nothing if it is gone. Raises Refused where the stack is not ours."""
    stack = find_stack(cfn, name)
    if stack is None:
        return Emptying(buckets=(), log_groups=())
    refuse_foreign(f"The stack {name} in {place}", stack.tags, owner)
    resources: Mapping[str, Any] = (template_of(cfn, stack.name) or {}).get("Resources", {})
    ids = physical_ids(cfn, stack.id)
    goes = {each: ids[each] for each in resources if each in ids and deletion_policy(resources[each]) == "Delete"}
    own = {ids[each] for each in resources if resources[each]["Type"] == _GROUP and each in ids}
    groups = [f"/aws/lambda/{physical}" for each, physical in goes.items() if resources[each]["Type"] == _FUNCTION]
    return Emptying(
        buckets=tuple(physical for each, physical in goes.items() if resources[each]["Type"] == _BUCKET),
        log_groups=tuple(group for group in groups if group not in own),
    )


def advance_emptying(aws: Aws, emptying: Emptying, tell: Tell) -> Emptied | Emptying:
    """Remove a few thousand objects; then the log groups. Raises AwsError, naming what could not be removed."""
    for _ in range(_BATCHES):
        if not emptying.buckets:
            break
        bucket, *others = emptying.buckets
        count = _remove_some(aws("s3"), bucket)
        left = emptying.buckets if count else tuple(others)
        emptying = emptying.model_copy(update={"buckets": left, "removed": emptying.removed + count})
    if emptying.buckets:
        tell(f"emptying {emptying.buckets[0]}: {emptying.removed:,} objects removed", None)
        return emptying
    for group in emptying.log_groups:
        try:
            aws("logs").delete_log_group(logGroupName=group)
        except NotThere:
            continue  # its function has never run, or it is gone already
    return Emptied(removed=emptying.removed)


def _remove_some(s3: Any, bucket: str) -> int:
    """Remove up to a thousand versions and delete markers; returns how many there were."""
    try:
        page = s3.list_object_versions(Bucket=bucket)
    except NotThere:
        return 0
    found = [*page.get("Versions", ()), *page.get("DeleteMarkers", ())]
    if not found:
        return 0
    objects = [{"Key": each["Key"], "VersionId": each["VersionId"]} for each in found]
    answer = s3.delete_objects(Bucket=bucket, Delete={"Objects": objects, "Quiet": True})
    failed = [f"{each['Key']}: {each.get('Message') or each.get('Code')}" for each in answer.get("Errors", ())]
    if failed:
        raise AwsRefused(
            f"{len(failed)} objects of the bucket {bucket} could not be removed, such as {failed[0]}. Remove what "
            f"holds them (a lock, a policy of the bucket), then uninstall it again."
        )
    return len(found)
