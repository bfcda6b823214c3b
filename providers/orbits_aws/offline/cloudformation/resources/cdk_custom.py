"""The custom resources that CDK makes with functions of its own, carried out without running them.

The offline AWS runs no functions, so it has no custom resources. These few are known by what CDK calls them and by
their provider's function, and do what its code does. A resource of the same type with another provider is refused.
"""

from contextlib import suppress
from typing import Any, ClassVar

from botocore.exceptions import ClientError

from orbits_aws.offline.cloudformation.errors import NothingDone

from .contract import Made, Properties, ResourceType, Site, is_true


class _CdkProvided(ResourceType):
    """A custom resource whose provider is CDK's."""

    described: ClassVar[str] = ""
    """What the description of the provider's function begins with; empty if it has none."""

    def check(self, site: Site, properties: Properties) -> None:
        """Refuse a provider that is not CDK's."""
        function = site.client("lambda").get_function_configuration(FunctionName=properties["ServiceToken"])
        if self.described:
            known = str(function.get("Description", "")).startswith(self.described)
        else:
            known = str(function.get("Runtime", "")).startswith("nodejs") and int(function["Timeout"]) == 900
        if not known:
            name = function["FunctionName"]
            raise NothingDone(
                f"The offline AWS runs no functions: it has {self.type} with CDK's own provider, and {name} is not that"
            )


class AutoDeleteObjects(_CdkProvided):
    """Custom::S3AutoDeleteObjects: empties a bucket that is tagged for it when it goes."""

    type = "Custom::S3AutoDeleteObjects"
    supported = frozenset({"BucketName", "ServiceToken"})
    described = "Lambda function for auto-deleting objects in "

    def create(self, site: Site, properties: Properties) -> Made:
        self.check(site, properties)
        return Made(physical_id=site.name(128))

    def update(self, site: Site, physical_id: str, before: Properties, after: Properties) -> Made:
        if before.get("BucketName") != after["BucketName"]:
            self.delete(site, physical_id, before)
        return Made(physical_id=physical_id)

    def delete(self, site: Site, physical_id: str, properties: Properties) -> None:
        s3, bucket = site.client("s3"), properties["BucketName"]
        try:
            tags = s3.get_bucket_tagging(Bucket=bucket)["TagSet"]
        except ClientError as absent:
            if absent.response.get("Error", {}).get("Code") in ("NoSuchBucket", "NoSuchTagSet"):
                return
            raise
        if {"Key": "aws-cdk:auto-delete-objects", "Value": "true"} not in tags:
            return
        for page in s3.get_paginator("list_object_versions").paginate(Bucket=bucket):
            objects = [
                {"Key": one["Key"], "VersionId": one["VersionId"]}
                for one in [*page.get("Versions", []), *page.get("DeleteMarkers", [])]
            ]
            if objects:
                s3.delete_objects(Bucket=bucket, Delete={"Objects": objects})


class LogRetention(_CdkProvided):
    """Custom::LogRetention: makes a log group if it is missing, and sets how long it keeps what is logged."""

    type = "Custom::LogRetention"
    supported = frozenset(
        {"LogGroupName", "LogGroupRegion", "RemovalPolicy", "RetentionInDays", "SdkRetry", "ServiceToken"}
    )
    replaced_by = frozenset({"LogGroupName"})

    def create(self, site: Site, properties: Properties) -> Made:
        self.check(site, properties)
        return self.update(site, str(properties["LogGroupName"]), {}, properties)

    def update(self, site: Site, physical_id: str, before: Properties, after: Properties) -> Made:
        if str(after.get("LogGroupRegion", site.region)) != site.region:
            raise NothingDone(f"The offline AWS keeps {self.type} in the stack's region alone, {site.region}")
        logs = site.client("logs")
        with suppress(logs.exceptions.ResourceAlreadyExistsException):  # the function that logs there may have made it
            logs.create_log_group(logGroupName=physical_id)
        if days := after.get("RetentionInDays"):
            logs.put_retention_policy(logGroupName=physical_id, retentionInDays=int(days))
        else:
            logs.delete_retention_policy(logGroupName=physical_id)
        return Made(physical_id=physical_id, attributes={"LogGroupName": physical_id})

    def delete(self, site: Site, physical_id: str, properties: Properties) -> None:
        if properties.get("RemovalPolicy") == "destroy":
            site.client("logs").delete_log_group(logGroupName=physical_id)


class RestrictDefaultSecurityGroup(_CdkProvided):
    """Custom::VpcRestrictDefaultSG: takes the rules of a network's default security group away."""

    type = "Custom::VpcRestrictDefaultSG"
    supported = frozenset({"Account", "DefaultSecurityGroupId", "ServiceToken"})
    described = "Lambda function for removing all inbound/outbound rules from the VPC default security group"

    def create(self, site: Site, properties: Properties) -> Made:
        self.check(site, properties)
        self._restrict(site, properties)
        return Made(physical_id=site.name(128))

    def update(self, site: Site, physical_id: str, before: Properties, after: Properties) -> Made:
        if before.get("DefaultSecurityGroupId") != after["DefaultSecurityGroupId"]:
            self.delete(site, physical_id, before)
            self._restrict(site, after)
        return Made(physical_id=physical_id)

    def delete(self, site: Site, physical_id: str, properties: Properties) -> None:
        ec2, group = site.client("ec2"), properties["DefaultSecurityGroupId"]
        [live] = ec2.describe_security_groups(GroupIds=[group])["SecurityGroups"]
        if not live["IpPermissions"]:
            ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=_within(group))
        if not live["IpPermissionsEgress"]:
            ec2.authorize_security_group_egress(GroupId=group, IpPermissions=_ANYWHERE)

    @staticmethod
    def _restrict(site: Site, properties: Properties) -> None:
        ec2, group = site.client("ec2"), properties["DefaultSecurityGroupId"]
        [live] = ec2.describe_security_groups(GroupIds=[group])["SecurityGroups"]
        if live["IpPermissions"]:
            ec2.revoke_security_group_ingress(GroupId=group, IpPermissions=live["IpPermissions"])
        if live["IpPermissionsEgress"]:
            ec2.revoke_security_group_egress(GroupId=group, IpPermissions=live["IpPermissionsEgress"])


_ANYWHERE = [{"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}]


def _within(group: str) -> list[dict[str, Any]]:
    return [{"IpProtocol": "-1", "UserIdGroupPairs": [{"GroupId": group}]}]


class BucketNotifications(_CdkProvided):
    """Custom::S3BucketNotifications: what a bucket made in the same stack tells, and whom."""

    type = "Custom::S3BucketNotifications"
    supported = frozenset(
        {"BucketName", "Managed", "NotificationConfiguration", "ServiceToken", "SkipDestinationValidation"}
    )
    replaced_by = frozenset({"BucketName"})
    described = 'AWS CloudFormation handler for "Custom::S3BucketNotifications" resources'

    def create(self, site: Site, properties: Properties) -> Made:
        self.check(site, properties)
        return self.update(site, site.name(128), {}, properties)

    def update(self, site: Site, physical_id: str, before: Properties, after: Properties) -> Made:
        if not is_true(after.get("Managed", True)):
            raise NothingDone(f"The offline AWS has {self.type} for buckets of the same stack alone")
        self._put(site, after, after["NotificationConfiguration"])
        return Made(physical_id=physical_id)

    def delete(self, site: Site, physical_id: str, properties: Properties) -> None:
        self._put(site, properties, {})

    @staticmethod
    def _put(site: Site, properties: Properties, configuration: Any) -> None:
        site.client("s3").put_bucket_notification_configuration(
            Bucket=properties["BucketName"], NotificationConfiguration=configuration, SkipDestinationValidation=True
        )


HANDLERS = (AutoDeleteObjects(), BucketNotifications(), LogRetention(), RestrictDefaultSecurityGroup())
