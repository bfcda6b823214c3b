"""AWS Batch: compute environments, job queues, job definitions."""

from typing import Any

from orbits_aws.offline.cloudformation.errors import ResourceGone

from .contract import Made, Properties, Site, changed
from .mapped import Mapped


class ComputeEnvironment(Mapped):
    """AWS::Batch::ComputeEnvironment. One is disabled before it is removed."""

    type = "AWS::Batch::ComputeEnvironment"
    service = "batch"
    creating, changing = "CreateComputeEnvironment", ("UpdateComputeEnvironment",)
    deleting, reading = "DeleteComputeEnvironment", "DescribeComputeEnvironments"
    made_at, found_at = "computeEnvironmentArn", "computeEnvironments.0"
    named_by = "ComputeEnvironmentName"
    keys = {"computeEnvironment": "{id}", "computeEnvironments": "{id}"}
    attributes = {"ComputeEnvironmentArn": "{id}"}
    tag_target = "{id}"
    ignored = frozenset({"ReplaceComputeEnvironment"})

    def delete(self, site: Site, physical_id: str, properties: Properties) -> None:
        """Disable it, then remove it."""
        site.client("batch").update_compute_environment(computeEnvironment=physical_id, state="DISABLED")
        super().delete(site, physical_id, properties)


class JobQueue(Mapped):
    """AWS::Batch::JobQueue. One is disabled before it is removed."""

    type = "AWS::Batch::JobQueue"
    service = "batch"
    creating, changing, deleting, reading = "CreateJobQueue", ("UpdateJobQueue",), "DeleteJobQueue", "DescribeJobQueues"
    made_at, found_at = "jobQueueArn", "jobQueues.0"
    named_by = "JobQueueName"
    keys = {"jobQueue": "{id}", "jobQueues": "{id}"}
    attributes = {"JobQueueArn": "{id}"}
    defaults = {"State": "ENABLED"}
    tag_target = "{id}"

    def besides(self, site: Site, properties: Properties) -> dict[str, str]:
        """The state that a queue begins with."""
        return {"state": "ENABLED"}

    def delete(self, site: Site, physical_id: str, properties: Properties) -> None:
        """Disable it, then remove it."""
        site.client("batch").update_job_queue(jobQueue=physical_id, state="DISABLED")
        super().delete(site, physical_id, properties)


class JobDefinition(Mapped):
    """AWS::Batch::JobDefinition. A change is a new revision, and the old one is deregistered."""

    type = "AWS::Batch::JobDefinition"
    service = "batch"
    creating, deleting, reading = "RegisterJobDefinition", "DeregisterJobDefinition", "DescribeJobDefinitions"
    made_at, found_at = "jobDefinitionArn", "jobDefinitions.0"
    named_by = "JobDefinitionName"
    keys = {"jobDefinition": "{id}", "jobDefinitions": "{id}"}
    attributes = {"JobDefinitionArn": "{id}"}
    tag_target = "{id}"
    ignored = frozenset({"ResourceRetentionPolicy"})
    unread = frozenset({"ContainerProperties", "NodeProperties"})

    def find(self, site: Site, physical_id: str, properties: Properties) -> Any:
        """The revision; a deregistered one is still told of, and does not count."""
        found = super().find(site, physical_id, properties)
        if found.get("status") == "INACTIVE":
            raise ResourceGone(physical_id)
        return found

    def update(self, site: Site, physical_id: str, before: Properties, after: Properties) -> Made:
        """Register a new revision under the same name."""
        if not changed(before, after) - self._tags():
            return super().update(site, physical_id, before, after)
        name = physical_id.rpartition("/")[2].partition(":")[0]
        made = self.create(site, {**after, "JobDefinitionName": name})
        self.delete(site, physical_id, before)
        return made


HANDLERS = (ComputeEnvironment(), JobDefinition(), JobQueue())
