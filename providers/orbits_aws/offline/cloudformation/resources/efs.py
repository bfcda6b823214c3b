"""Amazon EFS: file systems, mount targets, access points."""

import json
from collections.abc import Iterable
from typing import Any

from .contract import Properties, Site
from .mapped import Mapped


class FileSystem(Mapped):
    """AWS::EFS::FileSystem. Its policies and lifecycle are put by calls of their own."""

    type = "AWS::EFS::FileSystem"
    listing = ("efs", "describe_file_systems", "FileSystems[].FileSystemId")
    service = "efs"
    creating, changing = "CreateFileSystem", ("UpdateFileSystem",)
    deleting, reading = "DeleteFileSystem", "DescribeFileSystems"
    made_at, found_at = "FileSystemId", "FileSystems.0"
    keys = {"FileSystemId": "{id}", "ResourceId": "{id}"}
    renamed = {"FileSystemTags": "Tags"}
    defaults = {"ThroughputMode": "bursting"}
    attributes = {"Arn": "FileSystemArn"}
    tag_target = "{id}"
    ignored = frozenset({"BackupPolicy", "BypassPolicyLockoutSafetyCheck"})
    unread = frozenset({"FileSystemProtection", "ReplicationConfiguration"})
    policies = frozenset({"FileSystemPolicy", "LifecyclePolicies"})

    def carried_out(self) -> frozenset[str]:
        """What the calls take, and the policies."""
        return super().carried_out() | self.policies

    def change(self, site: Site, physical_id: str, before: Properties, after: Properties, names: Iterable[str]) -> None:
        """Put the policies, and change the rest as any type."""
        efs, left = site.client("efs"), set(names)
        if "LifecyclePolicies" in left:
            rules = after.get("LifecyclePolicies", [])
            efs.put_lifecycle_configuration(FileSystemId=physical_id, LifecyclePolicies=rules)
        if "FileSystemPolicy" in left and after.get("FileSystemPolicy"):
            text = json.dumps(after["FileSystemPolicy"])
            efs.put_file_system_policy(FileSystemId=physical_id, Policy=text)
        elif "FileSystemPolicy" in left:
            efs.delete_file_system_policy(FileSystemId=physical_id)
        if left := left - self.policies:
            super().change(site, physical_id, before, after, left)

    def read(self, site: Site, physical_id: str, properties: Properties) -> Properties | None:
        """The file system with those of its policies that it was given."""
        live = dict(super().read(site, physical_id, properties) or {})
        efs = site.client("efs")
        if "LifecyclePolicies" in properties:
            answer = efs.describe_lifecycle_configuration(FileSystemId=physical_id)
            live["LifecyclePolicies"] = answer["LifecyclePolicies"]
        if "FileSystemPolicy" in properties:
            text = efs.describe_file_system_policy(FileSystemId=physical_id)["Policy"]
            live["FileSystemPolicy"] = json.loads(text)
        return live


class MountTarget(Mapped):
    """AWS::EFS::MountTarget."""

    type = "AWS::EFS::MountTarget"
    service = "efs"
    creating, changing = "CreateMountTarget", ("ModifyMountTargetSecurityGroups",)
    deleting, reading = "DeleteMountTarget", "DescribeMountTargets"
    made_at, found_at = "MountTargetId", "MountTargets.0"
    keys = {"MountTargetId": "{id}"}
    attributes = {"Id": "{id}"}

    def read(self, site: Site, physical_id: str, properties: Properties) -> Properties | None:
        """The target with its security groups."""
        live: dict[str, Any] = dict(super().read(site, physical_id, properties) or {})
        answer = site.client("efs").describe_mount_target_security_groups(MountTargetId=physical_id)
        return {**live, "SecurityGroups": answer["SecurityGroups"]}


class AccessPoint(Mapped):
    """AWS::EFS::AccessPoint."""

    type = "AWS::EFS::AccessPoint"
    service = "efs"
    creating, deleting, reading = "CreateAccessPoint", "DeleteAccessPoint", "DescribeAccessPoints"
    made_at, found_at = "AccessPointId", "AccessPoints.0"
    keys = {"AccessPointId": "{id}"}
    renamed = {"AccessPointTags": "Tags"}
    attributes = {"Arn": "AccessPointArn"}
    tag_target = "{id}"


HANDLERS = (AccessPoint(), FileSystem(), MountTarget())
