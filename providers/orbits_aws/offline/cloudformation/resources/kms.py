"""AWS KMS: keys and aliases."""

import json
from collections.abc import Iterable
from typing import Any

from orbits_aws.offline.cloudformation.errors import ResourceGone

from .contract import Properties, Site, is_true
from .mapped import Mapped


class Key(Mapped):
    """AWS::KMS::Key. Removing one schedules its deletion, as on AWS; it does not count from then on."""

    type = "AWS::KMS::Key"
    listing = ("kms", "list_keys", "Keys[].KeyId")
    service = "kms"
    creating, deleting, reading = "CreateKey", "ScheduleKeyDeletion", "DescribeKey"
    made_at, found_at = "KeyMetadata.KeyId", "KeyMetadata"
    keys = {"KeyId": "{id}"}
    renamed = {"KeyPolicy": "Policy"}
    replaced_by = frozenset({"KeySpec", "KeyUsage", "MultiRegion", "Origin"})
    ignored = frozenset({"BypassPolicyLockoutSafetyCheck", "RotationPeriodInDays"})
    tag_target = "{id}"

    def carried_out(self) -> frozenset[str]:
        """What CreateKey takes, and what has calls of its own."""
        return super().carried_out() | {"EnableKeyRotation", "Enabled", "PendingWindowInDays"}

    def change(self, site: Site, physical_id: str, before: Properties, after: Properties, names: Iterable[str]) -> None:
        """Change what changed, each by its call."""
        kms = site.client("kms")
        for name in names:
            match name:
                case "Description":
                    kms.update_key_description(KeyId=physical_id, Description=after.get(name, ""))
                case "Enabled" if is_true(after.get(name, True)):
                    kms.enable_key(KeyId=physical_id)
                case "Enabled":
                    kms.disable_key(KeyId=physical_id)
                case "EnableKeyRotation" if is_true(after.get(name, False)):
                    kms.enable_key_rotation(KeyId=physical_id)
                case "EnableKeyRotation":
                    kms.disable_key_rotation(KeyId=physical_id)
                case "KeyPolicy" if after.get(name):
                    policy = after[name]
                    text = policy if isinstance(policy, str) else json.dumps(policy)
                    kms.put_key_policy(KeyId=physical_id, PolicyName="default", Policy=text)
                case "PendingWindowInDays":
                    pass
                case _:
                    self.refuse([name])

    def delete(self, site: Site, physical_id: str, properties: Properties) -> None:
        """Schedule the deletion."""
        self.find(site, physical_id, properties)
        days = int(properties.get("PendingWindowInDays", 30))
        site.client("kms").schedule_key_deletion(KeyId=physical_id, PendingWindowInDays=days)

    def find(self, site: Site, physical_id: str, properties: Properties) -> Any:
        """The key with its policy and rotation."""
        found = super().find(site, physical_id, properties)
        if found["KeyState"] in ("PendingDeletion", "PendingReplicaDeletion"):
            raise ResourceGone(physical_id)
        return found

    def read(self, site: Site, physical_id: str, properties: Properties) -> Properties | None:
        """The key with its policy and rotation."""
        live = super().read(site, physical_id, properties) or {}
        kms = site.client("kms")
        policy = kms.get_key_policy(KeyId=physical_id, PolicyName="default")["Policy"]
        rotation = kms.get_key_rotation_status(KeyId=physical_id)["KeyRotationEnabled"]
        found = {**live, "KeyPolicy": json.loads(policy), "EnableKeyRotation": rotation}
        return {name: value for name, value in found.items() if name != "PendingWindowInDays"}


class Alias(Mapped):
    """AWS::KMS::Alias."""

    type = "AWS::KMS::Alias"
    listing = ("kms", "list_aliases", "Aliases[].AliasName")
    service = "kms"
    creating, changing, deleting = "CreateAlias", ("UpdateAlias",), "DeleteAlias"
    named_by = "AliasName"
    keys = {"AliasName": "{id}"}

    def read(self, site: Site, physical_id: str, properties: Properties) -> Properties | None:
        """The alias, as the list of all tells it; a key given by its ARN is read so."""
        pages = site.client("kms").get_paginator("list_aliases").paginate()
        for one in pages.search("Aliases[]"):
            if one["AliasName"] == physical_id:
                given = str(properties.get("TargetKeyId", ""))
                target = given if given.endswith(f"/{one['TargetKeyId']}") else one["TargetKeyId"]
                return {"AliasName": physical_id, "TargetKeyId": target}
        raise ResourceGone(physical_id)


HANDLERS = (Alias(), Key())
