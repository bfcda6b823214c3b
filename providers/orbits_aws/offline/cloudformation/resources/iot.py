"""AWS IoT: things, their types and groups, policies, role aliases, job templates."""

from collections.abc import Iterable

from .contract import Properties, Site
from .mapped import Mapped


class BillingGroup(Mapped):
    """AWS::IoT::BillingGroup."""

    type = "AWS::IoT::BillingGroup"
    service = "iot"
    creating, changing = "CreateBillingGroup", ("UpdateBillingGroup",)
    deleting, reading = "DeleteBillingGroup", "DescribeBillingGroup"
    named_by = "BillingGroupName"
    keys = {"billingGroupName": "{id}"}
    attributes = {"Arn": "billingGroupArn", "Id": "billingGroupId"}
    ignored = frozenset({"Tags"})


class JobTemplate(Mapped):
    """AWS::IoT::JobTemplate. Any change is a new one."""

    type = "AWS::IoT::JobTemplate"
    service = "iot"
    creating, deleting, reading = "CreateJobTemplate", "DeleteJobTemplate", "DescribeJobTemplate"
    named_by = "JobTemplateId"
    keys = {"jobTemplateId": "{id}"}
    attributes = {"Arn": "jobTemplateArn"}
    ignored = frozenset({"Tags"})


class Policy(Mapped):
    """AWS::IoT::Policy. A changed document is a new version, and the old one is removed."""

    type = "AWS::IoT::Policy"
    service = "iot"
    creating, deleting, reading = "CreatePolicy", "DeletePolicy", "GetPolicy"
    named_by = "PolicyName"
    keys = {"policyName": "{id}"}
    attributes = {"Arn": "policyArn", "Id": "{id}"}
    ignored = frozenset({"Tags"})

    def change(self, site: Site, physical_id: str, before: Properties, after: Properties, names: Iterable[str]) -> None:
        """Make the document the default version, and remove the one that was."""
        self.refuse(set(names) - {"PolicyDocument"})
        iot = site.client("iot")
        old = iot.get_policy(policyName=physical_id)["defaultVersionId"]
        document = self.arguments(self.creating, after)["policyDocument"]
        iot.create_policy_version(policyName=physical_id, policyDocument=document, setAsDefault=True)
        iot.delete_policy_version(policyName=physical_id, policyVersionId=old)


class RoleAlias(Mapped):
    """AWS::IoT::RoleAlias."""

    type = "AWS::IoT::RoleAlias"
    service = "iot"
    creating, changing, deleting, reading = (
        "CreateRoleAlias",
        ("UpdateRoleAlias",),
        "DeleteRoleAlias",
        "DescribeRoleAlias",
    )
    found_at = "roleAliasDescription"
    named_by = "RoleAlias"
    keys = {"roleAlias": "{id}"}
    attributes = {"RoleAliasArn": "roleAliasArn"}
    defaults = {"CredentialDurationSeconds": 3600}
    ignored = frozenset({"Tags"})


class Thing(Mapped):
    """AWS::IoT::Thing."""

    type = "AWS::IoT::Thing"
    service = "iot"
    creating, changing, deleting, reading = "CreateThing", ("UpdateThing",), "DeleteThing", "DescribeThing"
    named_by = "ThingName"
    keys = {"thingName": "{id}"}
    attributes = {"Arn": "thingArn", "Id": "thingId"}
    unread = frozenset({"AttributePayload"})

    def read(self, site: Site, physical_id: str, properties: Properties) -> Properties | None:
        """The thing with its attributes."""
        found = self.find(site, physical_id, properties)
        live = super().read(site, physical_id, properties) or {}
        return {**live, "AttributePayload": {"Attributes": found.get("attributes", {})}}


class ThingType(Mapped):
    """AWS::IoT::ThingType."""

    type = "AWS::IoT::ThingType"
    service = "iot"
    creating, deleting, reading = "CreateThingType", "DeleteThingType", "DescribeThingType"
    named_by = "ThingTypeName"
    keys = {"thingTypeName": "{id}"}
    attributes = {"Arn": "thingTypeArn", "Id": "thingTypeId"}
    ignored = frozenset({"Tags"})


HANDLERS = (BillingGroup(), JobTemplate(), Policy(), RoleAlias(), Thing(), ThingType())
