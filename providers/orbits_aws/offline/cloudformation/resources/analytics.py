"""AWS Glue, Amazon Athena, OpenSearch and Data Firehose: catalogues, queries, domains, delivery streams."""

from collections.abc import Iterable
from typing import Any

from .contract import Made, Properties, Site
from .mapped import Mapped


class GlueDatabase(Mapped):
    """AWS::Glue::Database. Its name stands in its input, or by itself."""

    type = "AWS::Glue::Database"
    listing = ("glue", "get_databases", "DatabaseList[].Name")
    service = "glue"
    creating, changing, deleting, reading = "CreateDatabase", ("UpdateDatabase",), "DeleteDatabase", "GetDatabase"
    found_at = "Database"
    keys = {"Name": "{id}"}
    unread = frozenset({"CatalogId", "DatabaseInput"})

    def carried_out(self) -> frozenset[str]:
        """What the calls take, and the name."""
        return super().carried_out() | {"DatabaseName"}

    def create(self, site: Site, properties: Properties) -> Made:
        """Make it under its name."""
        given: dict[str, Any] = dict(properties["DatabaseInput"])
        name = str(properties.get("DatabaseName") or given.get("Name") or site.name(255, lower=True))
        arguments = self.arguments(self.creating, {**properties, "DatabaseInput": {**given, "Name": name}})
        self.call(site, self.creating, arguments)
        return Made(physical_id=name)

    def change(self, site: Site, physical_id: str, before: Properties, after: Properties, names: Iterable[str]) -> None:
        """Hand over the input as it is to be."""
        given = {**after, "DatabaseInput": {**after["DatabaseInput"], "Name": physical_id}}
        self.call(site, "UpdateDatabase", {**self.arguments("UpdateDatabase", given), "Name": physical_id})

    def read(self, site: Site, physical_id: str, properties: Properties) -> Properties | None:
        """The database; its input as recorded, if the live one holds it."""
        found = self.find(site, physical_id, properties)
        given: dict[str, Any] = dict(properties.get("DatabaseInput") or {})
        live = {name: found[name] for name in (given or found) if name in found}
        kept = {name: properties[name] for name in ("CatalogId", "DatabaseName") if name in properties}
        return {**kept, "DatabaseInput": live}


class GlueTable(Mapped):
    """AWS::Glue::Table."""

    type = "AWS::Glue::Table"
    service = "glue"
    creating, changing, deleting, reading = "CreateTable", ("UpdateTable",), "DeleteTable", "GetTable"
    found_at = "Table"
    keys = {"DatabaseName": "{DatabaseName}", "Name": "{id}"}
    unread = frozenset({"CatalogId", "Name", "OpenTableFormatInput", "TableInput"})

    def create(self, site: Site, properties: Properties) -> Made:
        """Make it under its name."""
        given: dict[str, Any] = dict(properties["TableInput"])
        name = str(given.get("Name") or site.name(255, lower=True))
        self.call(
            site, self.creating, self.arguments(self.creating, {**properties, "TableInput": {**given, "Name": name}})
        )
        return Made(physical_id=name)

    def key(self, site: Site, operation: str, physical_id: str, properties: Properties) -> dict[str, Any]:
        """A table is named with its database; what is changed of it has its name inside."""
        found = super().key(site, operation, physical_id, properties)
        return {name: value for name, value in found.items() if operation != "UpdateTable" or name != "Name"}

    def read(self, site: Site, physical_id: str, properties: Properties) -> Properties | None:
        """The table; of its input what was given."""
        found = self.find(site, physical_id, properties)
        given: dict[str, Any] = dict(properties.get("TableInput") or {})
        live = {name: found[name] for name in (given or found) if name in found}
        kept = {name: properties[name] for name in ("CatalogId",) if name in properties}
        return {**kept, "DatabaseName": found["DatabaseName"], "TableInput": live}


class WorkGroup(Mapped):
    """AWS::Athena::WorkGroup."""

    type = "AWS::Athena::WorkGroup"
    service = "athena"
    creating, deleting, reading = "CreateWorkGroup", "DeleteWorkGroup", "GetWorkGroup"
    found_at = "WorkGroup"
    named_by = "Name"
    keys = {"WorkGroup": "{id}"}
    renamed = {"WorkGroupConfiguration": "Configuration"}
    tag_target = "arn:{partition}:athena:{region}:{account}:workgroup/{id}"
    ignored = frozenset({"RecursiveDeleteOption"})
    unread = frozenset({"WorkGroupConfiguration"})


class Domain(Mapped):
    """AWS::OpenSearchService::Domain."""

    type = "AWS::OpenSearchService::Domain"
    service = "opensearch"
    creating, changing, deleting, reading = "CreateDomain", ("UpdateDomainConfig",), "DeleteDomain", "DescribeDomain"
    found_at = "DomainStatus"
    named_by = "DomainName"
    longest, lower = 28, True
    keys = {"DomainName": "{id}"}
    attributes = {"Arn": "ARN", "DomainArn": "ARN", "DomainEndpoint": "Endpoint", "Id": "DomainId"}
    tagging = ("AddTags", "RemoveTags", "ListTags")
    tags_apart = True
    unread = frozenset({"AccessPolicies", "ClusterConfig"})


class DeliveryStream(Mapped):
    """AWS::KinesisFirehose::DeliveryStream. Where it delivers does not change in place."""

    type = "AWS::KinesisFirehose::DeliveryStream"
    service = "firehose"
    creating, deleting, reading = "CreateDeliveryStream", "DeleteDeliveryStream", "DescribeDeliveryStream"
    found_at = "DeliveryStreamDescription"
    named_by = "DeliveryStreamName"
    longest = 64
    keys = {"DeliveryStreamName": "{id}"}
    attributes = {"Arn": "DeliveryStreamARN"}
    tagging = ("TagDeliveryStream", "UntagDeliveryStream", "ListTagsForDeliveryStream")
    tag_target = "{id}"


HANDLERS = (DeliveryStream(), Domain(), GlueDatabase(), GlueTable(), WorkGroup())
