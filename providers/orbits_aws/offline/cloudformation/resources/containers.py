"""Amazon ECR and ECS: repositories, clusters, task definitions, services."""

from collections.abc import Iterable
from contextlib import suppress
from typing import Any

from orbits_aws.offline.cloudformation.errors import ResourceGone

from .contract import Properties, Site
from .mapped import Mapped


class Repository(Mapped):
    """AWS::ECR::Repository."""

    type = "AWS::ECR::Repository"
    listing = ("ecr", "describe_repositories", "repositories[].repositoryName")
    service = "ecr"
    creating, deleting, reading = "CreateRepository", "DeleteRepository", "DescribeRepositories"
    changing = ("PutImageTagMutability", "PutImageScanningConfiguration", "PutLifecyclePolicy", "SetRepositoryPolicy")
    found_at = "repositories.0"
    named_by = "RepositoryName"
    longest, lower = 256, True
    keys = {"repositoryName": "{id}", "repositoryNames": "{id}"}
    renamed = {"RepositoryPolicyText": "policyText"}
    defaults = {"ImageTagMutability": "MUTABLE", "ImageScanningConfiguration": {"ScanOnPush": False}}
    attributes = {"Arn": "repositoryArn", "RepositoryUri": "repositoryUri"}

    def carried_out(self) -> frozenset[str]:
        """What the calls take, and whether images go along."""
        return super().carried_out() | {"EmptyOnDelete", "LifecyclePolicy"}

    def change(self, site: Site, physical_id: str, before: Properties, after: Properties, names: Iterable[str]) -> None:
        """Change the repository; policies that went are taken away."""
        left, ecr = set(names) - {"EmptyOnDelete"}, site.client("ecr")
        if "LifecyclePolicy" in left:
            left.remove("LifecyclePolicy")
            if text := (after.get("LifecyclePolicy") or {}).get("LifecyclePolicyText"):
                ecr.put_lifecycle_policy(repositoryName=physical_id, lifecyclePolicyText=text)
            else:
                with suppress(ecr.exceptions.LifecyclePolicyNotFoundException):
                    ecr.delete_lifecycle_policy(repositoryName=physical_id)
        if "RepositoryPolicyText" in left and not after.get("RepositoryPolicyText"):
            left.remove("RepositoryPolicyText")
            with suppress(ecr.exceptions.RepositoryPolicyNotFoundException):
                ecr.delete_repository_policy(repositoryName=physical_id)
        if left:
            super().change(site, physical_id, before, after, left)

    def delete(self, site: Site, physical_id: str, properties: Properties) -> None:
        """Remove it; with images in it only if it says so."""
        force = str(properties.get("EmptyOnDelete", False)).lower() == "true"
        site.client("ecr").delete_repository(repositoryName=physical_id, force=force)

    def read(self, site: Site, physical_id: str, properties: Properties) -> Properties | None:
        """The repository with its policies."""
        live = dict(super().read(site, physical_id, properties) or {})
        ecr = site.client("ecr")
        live |= {name: properties[name] for name in ("EmptyOnDelete",) if name in properties}
        live.pop("RepositoryPolicyText", None)
        with suppress(ecr.exceptions.RepositoryPolicyNotFoundException):
            live["RepositoryPolicyText"] = ecr.get_repository_policy(repositoryName=physical_id)["policyText"]
        with suppress(ecr.exceptions.LifecyclePolicyNotFoundException):
            text = ecr.get_lifecycle_policy(repositoryName=physical_id)["lifecyclePolicyText"]
            live["LifecyclePolicy"] = {"LifecyclePolicyText": text}
        return live


class Cluster(Mapped):
    """AWS::ECS::Cluster."""

    type = "AWS::ECS::Cluster"
    listing = ("ecs", "list_clusters", "clusterArns[]")
    service = "ecs"
    creating, deleting, reading = "CreateCluster", "DeleteCluster", "DescribeClusters"
    changing = ("UpdateCluster", "PutClusterCapacityProviders")
    found_at = "clusters.0"
    named_by = "ClusterName"
    keys = {"cluster": "{id}", "clusters": "{id}"}
    renamed = {"ClusterSettings": "settings"}
    attributes = {"Arn": "clusterArn"}

    def list(self, site: Site, model: Properties) -> list[str]:
        """The names: clusters are listed by their ARNs."""
        return [arn.rpartition("/")[2] for arn in super().list(site, model)]

    def find(self, site: Site, physical_id: str, properties: Properties) -> Any:
        """The cluster with its settings; one that was removed is still told of, and does not count."""
        wanted = ["SETTINGS", "CONFIGURATIONS", "TAGS"]
        found = site.client("ecs").describe_clusters(clusters=[physical_id], include=wanted)["clusters"]
        if not found or found[0].get("status") == "INACTIVE":
            raise ResourceGone(physical_id)
        return found[0]


class TaskDefinition(Mapped):
    """AWS::ECS::TaskDefinition. A change of anything but its tags is a new revision."""

    type = "AWS::ECS::TaskDefinition"
    service = "ecs"
    creating, deleting, reading = "RegisterTaskDefinition", "DeregisterTaskDefinition", "DescribeTaskDefinition"
    made_at, found_at = "taskDefinition.taskDefinitionArn", "taskDefinition"
    named_by = "Family"
    longest = 255
    keys = {"taskDefinition": "{id}"}
    tag_target = "{id}"

    def find(self, site: Site, physical_id: str, properties: Properties) -> Any:
        """The revision with its tags; a deregistered one is still told of, and does not count."""
        answer = site.client("ecs").describe_task_definition(taskDefinition=physical_id, include=["TAGS"])
        if answer["taskDefinition"].get("status") == "INACTIVE":
            raise ResourceGone(physical_id)
        return answer["taskDefinition"]


class Service(Mapped):
    """AWS::ECS::Service. Removing one stops its tasks first."""

    type = "AWS::ECS::Service"
    service = "ecs"
    creating, changing, deleting, reading = "CreateService", ("UpdateService",), "DeleteService", "DescribeServices"
    made_at, found_at = "service.serviceArn", "services.0"
    named_by = "ServiceName"
    longest = 255
    keys = {"cluster": "{Cluster}", "service": "{tail}", "services": "{tail}"}
    renamed = {"PlacementStrategies": "placementStrategy", "Role": "roleArn"}
    defaults = {"DesiredCount": 1}
    replaced_by = frozenset({"LaunchType"})
    attributes = {"Name": "serviceName"}
    tag_target = "{id}"
    ignored = frozenset(
        {
            "AvailabilityZoneRebalancing",
            "DeploymentConfiguration",
            "EnableECSManagedTags",
            "EnableExecuteCommand",
            "ForceNewDeployment",
            "HealthCheckGracePeriodSeconds",
        }
    )
    unread = frozenset({"Cluster", "NetworkConfiguration"})

    def besides(self, site: Site, properties: Properties) -> dict[str, Any]:
        """As many tasks as the service starts by default."""
        return {"desiredCount": 1}

    def delete(self, site: Site, physical_id: str, properties: Properties) -> None:
        """Remove it, running tasks or not."""
        ecs, key = site.client("ecs"), self.key(site, "DeleteService", physical_id, properties)
        ecs.delete_service(**key, force=True)

    def find(self, site: Site, physical_id: str, properties: Properties) -> Any:
        """The service with its tags; one that was removed is still told of, and does not count."""
        key = self.key(site, "DescribeServices", physical_id, properties)
        found = site.client("ecs").describe_services(**key, include=["TAGS"])["services"]
        if not found or found[0].get("status") == "INACTIVE":
            raise ResourceGone(physical_id)
        return found[0]


HANDLERS = (Cluster(), Repository(), Service(), TaskDefinition())
