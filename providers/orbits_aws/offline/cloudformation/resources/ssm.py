"""AWS Systems Manager: parameters and documents."""

from collections.abc import Iterable
from typing import Any

from orbits_aws.offline.cloudformation.errors import ResourceGone

from .contract import Made, Properties, ResourceType, Site, changed, retag, set_properties, tag_list, tag_map
from .mapped import Mapped


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
        return self._made(site, name, properties)

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
        return self._made(site, physical_id, after)

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
    def _made(site: Site, name: str, properties: Properties) -> Made:
        arn = site.arn("ssm", f"parameter/{name.removeprefix('/')}")
        return Made(physical_id=name, attributes={"Arn": arn, "Type": properties["Type"], "Value": properties["Value"]})


class Document(Mapped):
    """AWS::SSM::Document. A changed content is a new version, made the default one."""

    type = "AWS::SSM::Document"
    service = "ssm"
    creating, changing, deleting, reading = "CreateDocument", ("UpdateDocument",), "DeleteDocument", "DescribeDocument"
    found_at = "Document"
    named_by = "Name"
    keys = {"Name": "{id}"}
    ignored = frozenset({"UpdateMethod"})
    unread = frozenset({"Content"})
    tag_target = "{id}"

    def arguments(self, operation: str, properties: Properties) -> dict[str, Any]:
        """The properties; the service takes a content of JSON unless told otherwise."""
        return {"DocumentFormat": "JSON", **super().arguments(operation, properties)}

    def change(self, site: Site, physical_id: str, before: Properties, after: Properties, names: Iterable[str]) -> None:
        """Make a version of the new content, and make that the one that counts."""
        ssm, left = site.client("ssm"), set(names)
        if "Content" in left and not self.same(before, after):
            content = {**self.arguments("UpdateDocument", after), "Name": physical_id, "DocumentVersion": "$LATEST"}
            version = self._version_of(ssm, physical_id, content["Content"])
            if version is None:
                version = ssm.update_document(**content)["DocumentDescription"]["DocumentVersion"]
            ssm.update_document_default_version(Name=physical_id, DocumentVersion=version)
        self.refuse(left - {"Content"})

    @staticmethod
    def _version_of(ssm: Any, name: str, content: str) -> str | None:
        """The version that has a content already: the service refuses another one with it."""
        latest = int(ssm.describe_document(Name=name)["Document"]["LatestVersion"])
        for version in map(str, range(1, latest + 1)):
            if ssm.get_document(Name=name, DocumentVersion=version)["Content"] == content:
                return version
        return None

    @staticmethod
    def same(before: Properties, after: Properties) -> bool:
        """Whether the content is the same: the service refuses a version that is."""
        return bool(before.get("Content") == after.get("Content"))

    def read(self, site: Site, physical_id: str, properties: Properties) -> Properties | None:
        """The document with its content."""
        live = super().read(site, physical_id, properties) or {}
        return {**live, "Content": site.client("ssm").get_document(Name=physical_id)["Content"]}

    def _tagging(self, site: Site, operation: str, made: Made, properties: Properties, tags: Any) -> dict[str, Any]:
        """Tags of a document are put by its kind and name."""
        found = super()._tagging(site, operation, made, properties, tags)
        return {**found, "ResourceType": "Document", "ResourceId": made.physical_id}


HANDLERS = (Document(), Parameter())
