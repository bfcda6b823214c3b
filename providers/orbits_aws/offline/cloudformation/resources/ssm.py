"""AWS Systems Manager: parameters."""

from typing import Any

from orbits_aws.offline.cloudformation.errors import ResourceGone

from .contract import Made, Properties, ResourceType, Site, changed, retag, set_properties, tag_list, tag_map


class Parameter(ResourceType):
    """AWS::SSM::Parameter. Its tags are a map."""

    type = "AWS::SSM::Parameter"
    listing = ("ssm", "describe_parameters", "Parameters[].Name")
    supported = frozenset({"AllowedPattern", "DataType", "Description", "Name", "Tags", "Tier", "Type", "Value"})
    named_by = "Name"

    def create(self, site: Site, properties: Properties) -> Made:
        name = str(properties.get("Name") or site.name(255))
        tags = set_properties(Tags=tag_list(tag_map(properties)))
        site.client("ssm").put_parameter(Name=name, **self._arguments(properties), **tags)
        site.made(name)
        return self._made(name, properties)

    def update(self, site: Site, physical_id: str, before: Properties, after: Properties) -> Made:
        ssm = site.client("ssm")
        if changed(before, after) - {"Tags"}:
            ssm.put_parameter(Name=physical_id, Overwrite=True, **self._arguments(after))
        kind = {"ResourceType": "Parameter", "ResourceId": physical_id}
        retag(
            before,
            after,
            lambda tags: ssm.add_tags_to_resource(**kind, Tags=tag_list(tags)),
            lambda keys: ssm.remove_tags_from_resource(**kind, TagKeys=keys),
        )
        return self._made(physical_id, after)

    def delete(self, site: Site, physical_id: str, properties: Properties) -> None:
        site.client("ssm").delete_parameter(Name=physical_id)

    def read(self, site: Site, physical_id: str, properties: Properties) -> Properties:
        ssm = site.client("ssm")
        found = ssm.describe_parameters(ParameterFilters=[{"Key": "Name", "Values": [physical_id]}])["Parameters"]
        if not found:
            raise ResourceGone(physical_id)
        live = ssm.get_parameter(Name=physical_id)["Parameter"]
        tags = ssm.list_tags_for_resource(ResourceType="Parameter", ResourceId=physical_id)["TagList"]
        return {
            "Name": physical_id,
            "Tags": {tag["Key"]: tag["Value"] for tag in tags},
            "Type": live["Type"],
            "Value": live["Value"],
            "DataType": live.get("DataType", "text"),
        }

    @staticmethod
    def _arguments(properties: Properties) -> dict[str, Any]:
        return set_properties(
            Value=str(properties["Value"]),
            Type=properties["Type"],
            Description=properties.get("Description"),
            AllowedPattern=properties.get("AllowedPattern"),
            DataType=properties.get("DataType"),
            Tier=properties.get("Tier"),
        )

    @staticmethod
    def _made(name: str, properties: Properties) -> Made:
        return Made(physical_id=name, attributes={"Type": properties["Type"], "Value": properties["Value"]})


HANDLERS = (Parameter(),)
