"""Amazon EMR and AWS Data Pipeline: clusters, instance groups, security configurations, pipelines."""

from collections.abc import Iterable
from typing import Any

from orbits_aws.offline.cloudformation.errors import ResourceGone

from .contract import Made, Properties, Site
from .mapped import Mapped


class EmrCluster(Mapped):
    """AWS::EMR::Cluster. Its instance groups are told by their parts in it."""

    type = "AWS::EMR::Cluster"
    service = "emr"
    creating, deleting, reading = "RunJobFlow", "TerminateJobFlows", "DescribeCluster"
    made_at, found_at = "JobFlowId", "Cluster"
    labelled_by = "Name"
    keys = {"ClusterId": "{id}", "JobFlowIds": "{id}"}
    attributes = {"Id": "{id}", "MasterPublicDNS": "MasterPublicDnsName"}
    unread = frozenset(
        {"Instances", "JobFlowRole", "Steps", "BootstrapActions", "AdditionalInfo", "ManagedScalingPolicy"}
    )
    groups = ("MasterInstanceGroup", "CoreInstanceGroup", "TaskInstanceGroups")

    def arguments(self, operation: str, properties: Properties) -> dict[str, Any]:
        """The properties; the groups of machines as one list."""
        machines = dict(properties.get("Instances") or {})
        listed: list[dict[str, Any]] = []
        for name in self.groups:
            given = machines.pop(name, None) or []
            role = {"InstanceRole": name.removesuffix("s").removesuffix("InstanceGroup").upper()}
            listed.extend({**role, **group} for group in (given if isinstance(given, list) else [given]))
        if listed:
            machines["InstanceGroups"] = listed
        return super().arguments(operation, {**properties, "Instances": machines})

    def change(self, site: Site, physical_id: str, before: Properties, after: Properties, names: Iterable[str]) -> None:
        """Change who sees the cluster; nothing else of it changes in place."""
        self.refuse(set(names) - {"VisibleToAllUsers"})
        visible = str(after.get("VisibleToAllUsers", True)).lower() == "true"
        site.client("emr").set_visible_to_all_users(JobFlowIds=[physical_id], VisibleToAllUsers=visible)

    def find(self, site: Site, physical_id: str, properties: Properties) -> Any:
        """The cluster; an ended one is still told of, and does not count."""
        found = super().find(site, physical_id, properties)
        if found["Status"]["State"] in ("TERMINATED", "TERMINATING", "TERMINATED_WITH_ERRORS"):
            raise ResourceGone(physical_id)
        return found


class EmrInstanceGroup(Mapped):
    """AWS::EMR::InstanceGroupConfig. A group goes with its cluster; by itself it is emptied."""

    type = "AWS::EMR::InstanceGroupConfig"
    service = "emr"
    creating, deleting = "AddInstanceGroups", "ModifyInstanceGroups"
    made_at = "InstanceGroupIds.0"
    attributes = {"InstanceGroupId": "{id}"}
    parts = frozenset(
        {"BidPrice", "EbsConfiguration", "InstanceCount", "InstanceRole", "InstanceType", "Market", "Name"}
    )

    def carried_out(self) -> frozenset[str]:
        """The group's own properties and its cluster."""
        return self.parts | {"JobFlowId"}

    def arguments(self, operation: str, properties: Properties) -> dict[str, Any]:
        """The group as one of a list."""
        group = {name: properties[name] for name in self.parts if name in properties}
        return {
            "JobFlowId": properties["JobFlowId"],
            "InstanceGroups": [{**group, "InstanceCount": int(group["InstanceCount"])}],
        }

    def create(self, site: Site, properties: Properties) -> Made:
        """Add the group to its cluster."""
        emr, cluster = site.client("emr"), properties["JobFlowId"]
        known = {group["Id"] for group in emr.list_instance_groups(ClusterId=cluster)["InstanceGroups"]}
        self.call(site, self.creating, self.arguments(self.creating, properties))
        groups = emr.list_instance_groups(ClusterId=cluster)["InstanceGroups"]
        [name] = [str(group["Id"]) for group in groups if group["Id"] not in known]
        return Made(physical_id=name, attributes={"InstanceGroupId": name})

    def change(self, site: Site, physical_id: str, before: Properties, after: Properties, names: Iterable[str]) -> None:
        """Change how many machines the group has."""
        self.refuse(set(names) - {"InstanceCount"})
        self._resize(site, physical_id, int(after["InstanceCount"]))

    def delete(self, site: Site, physical_id: str, properties: Properties) -> None:
        """Take all machines away: the API has no call that removes a group."""
        self._resize(site, physical_id, 0)

    @staticmethod
    def _resize(site: Site, physical_id: str, count: int) -> None:
        group = {"InstanceGroupId": physical_id, "InstanceCount": count}
        site.client("emr").modify_instance_groups(InstanceGroups=[group])


class EmrSecurityConfiguration(Mapped):
    """AWS::EMR::SecurityConfiguration. Any change is a new one."""

    type = "AWS::EMR::SecurityConfiguration"
    service = "emr"
    creating, deleting, reading = (
        "CreateSecurityConfiguration",
        "DeleteSecurityConfiguration",
        "DescribeSecurityConfiguration",
    )
    named_by = "Name"
    keys = {"Name": "{id}"}


class Pipeline(Mapped):
    """AWS::DataPipeline::Pipeline. Its definition is put by a call of its own."""

    type = "AWS::DataPipeline::Pipeline"
    service = "datapipeline"
    creating, changing = "CreatePipeline", ("PutPipelineDefinition",)
    deleting, reading = "DeletePipeline", "GetPipelineDefinition"
    made_at = "pipelineId"
    keys = {"pipelineId": "{id}"}
    attributes = {"PipelineId": "{id}"}
    ignored = frozenset({"ParameterObjects", "ParameterValues", "PipelineTags"})
    unread = frozenset({"Description", "Name"})

    def carried_out(self) -> frozenset[str]:
        """What the calls take, and whether it runs."""
        return super().carried_out() | {"Activate"}

    def besides(self, site: Site, properties: Properties) -> dict[str, Any]:
        """What tells one request from another."""
        return {"uniqueId": site.name(64)}

    def change(self, site: Site, physical_id: str, before: Properties, after: Properties, names: Iterable[str]) -> None:
        """Put the definition, and let it run if it says so."""
        left = set(names) - {"Activate"}
        if left:
            super().change(site, physical_id, before, after, left)
        if str(after.get("Activate", True)).lower() == "true" and after.get("PipelineObjects"):
            site.client("datapipeline").activate_pipeline(pipelineId=physical_id)

    def read(self, site: Site, physical_id: str, properties: Properties) -> Properties | None:
        """The pipeline with its objects."""
        live = super().read(site, physical_id, properties) or {}
        return {**live, **{name: properties[name] for name in ("Activate",) if name in properties}}


HANDLERS = (EmrCluster(), EmrInstanceGroup(), EmrSecurityConfiguration(), Pipeline())
