"""What an account still has in a region that carries the tags of records: asked of the Resource Groups Tagging API."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from orbits_aws.clients import client
from orbits_aws.ownership import PROJECT, RECORD, marks_of
from orbits_iac.provider import RecordId, Tagged

if TYPE_CHECKING:
    from orbits_aws.targets import AwsTarget

_VALUES_A_FILTER = 20
_HOW = (
    "the Resource Groups Tagging API, which covers this region alone and not IAM, and may list for some minutes what "
    "was deleted"
)


def tagged(target: "AwsTarget", project: str, records: Sequence[RecordId]) -> Tagged:
    """What is tagged as of these records of the project: ARNs, each with its record."""
    api = client("resourcegroupstaggingapi", target)
    marks = [marks_of(project, " ".join(record)) for record in records]
    found: dict[str, str] = {}
    for start in range(0, len(marks), _VALUES_A_FILTER):
        some = marks[start : start + _VALUES_A_FILTER]
        filters = [{"Key": key, "Values": sorted({each[key] for each in some})} for key in (PROJECT, RECORD)]
        for one in api.items("get_resources", "ResourceTagMappingList", TagFilters=filters):
            found[one["ResourceARN"]] = {tag["Key"]: tag["Value"] for tag in one["Tags"]}[RECORD]
    return Tagged(things=tuple(f"{arn} (of {record})" for arn, record in sorted(found.items())), how=_HOW)
