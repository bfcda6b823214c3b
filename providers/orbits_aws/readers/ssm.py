"""AWS::SSM::Parameter."""

from collections.abc import Mapping
from typing import Any

from orbits_aws.errors import NotThere
from orbits_aws.readers.contract import Aws, Properties, Reader, given, tags_by_key
from orbits_iac.provider import Rules


def _parameter(aws: Aws, name: str, _recorded: Mapping[str, Any]) -> Properties | None:
    ssm = aws("ssm")
    named = {"Key": "Name", "Option": "Equals", "Values": [name]}
    about = next(ssm.items("describe_parameters", "Parameters", ParameterFilters=[named]), None)
    if about is None:
        return None
    try:
        value = ssm.get_parameter(Name=name)["Parameter"]["Value"]  # never decrypted: a template holds no secrets
        tags = ssm.list_tags_for_resource(ResourceType="Parameter", ResourceId=name)["TagList"]
    except NotThere:
        return None
    return given(
        {
            "AllowedPattern": about.get("AllowedPattern"),
            "DataType": about.get("DataType"),
            "Description": about.get("Description"),
            "Name": about["Name"],
            "Tags": {key: each for key, each in tags_by_key(tags).items() if not key.startswith("aws:")},
            "Tier": about.get("Tier"),
            "Type": about["Type"],
            "Value": value,
        }
    )


PARAMETER = Reader(
    type="AWS::SSM::Parameter",
    read=_parameter,
    covers=frozenset({"AllowedPattern", "DataType", "Description", "Name", "Tags", "Tier", "Type", "Value"}),
    rules=Rules(
        whole=True,
        filled=("Name",),
        defaults={
            "DataType": "text",
            "Tier": ("Standard", "Advanced", "Intelligent-Tiering"),  # by the account's own default
        },
    ),
    unread={"Policies": "Systems Manager gives them back in another form, and spent ones not at all"},
)
