"""Amazon EC2: machines, what they are started from, their disks and network interfaces."""

from collections.abc import Iterable
from typing import Any

from orbits_aws.offline.cloudformation.clients import service_model
from orbits_aws.offline.cloudformation.errors import ResourceGone

from .contract import Made, Properties, Site, is_true, tag_list, tag_map
from .ec2 import Ec2
from .shapes import written


class Instance(Ec2):
    """AWS::EC2::Instance."""

    type = "AWS::EC2::Instance"
    creating, deleting, reading = "RunInstances", "TerminateInstances", "DescribeInstances"
    made_at, found_at = "Instances.0.InstanceId", "Reservations.0.Instances.0"
    keys = {"InstanceIds": "{id}", "InstanceId": "{id}"}
    attributes = {
        "AvailabilityZone": "AvailabilityZone",
        "InstanceId": "{id}",
        "PrivateDnsName": "PrivateDnsName",
        "PrivateIp": "PrivateIpAddress",
        "PublicDnsName": "PublicDnsName",
        "PublicIp": "PublicIpAddress",
        "VpcId": "VpcId",
    }
    ignored = frozenset({"CreditSpecification", "PropagateTagsToVolumeOnCreation", "SsmAssociations", "Volumes"})
    unread = frozenset(
        {"BlockDeviceMappings", "IamInstanceProfile", "LaunchTemplate", "Monitoring", "NetworkInterfaces", "UserData"}
    )

    def carried_out(self) -> frozenset[str]:
        """What RunInstances takes by name, and what it takes otherwise."""
        return super().carried_out() | {"AvailabilityZone", "SourceDestCheck", "Tenancy"}

    def besides(self, site: Site, properties: Properties) -> dict[str, Any]:
        """How many, and where: a zone and a tenancy are a placement."""
        names = {"AvailabilityZone": "AvailabilityZone", "Tenancy": "Tenancy"}
        placement = {names[name]: properties[name] for name in names if name in properties}
        return {"MinCount": 1, "MaxCount": 1, **({"Placement": placement} if placement else {})}

    def arguments(self, operation: str, properties: Properties) -> dict[str, Any]:
        """The properties; a profile is given by its name."""
        profile, monitoring = properties.get("IamInstanceProfile"), properties.get("Monitoring")
        given = {
            **properties,
            "IamInstanceProfile": {"Name": profile} if profile else None,
            "Monitoring": {"Enabled": monitoring} if monitoring is not None else None,
        }
        return super().arguments(operation, given)

    def change(self, site: Site, physical_id: str, before: Properties, after: Properties, names: Iterable[str]) -> None:
        """Change what a machine lets change: its type while it is stopped, its groups, its protection."""
        ec2 = site.client("ec2")
        for name in sorted(names):
            match name:
                case "AvailabilityZone" | "Tenancy" if not before:
                    pass
                case "InstanceType" if after.get(name):
                    ec2.stop_instances(InstanceIds=[physical_id])
                    ec2.modify_instance_attribute(InstanceId=physical_id, InstanceType={"Value": after[name]})
                    ec2.start_instances(InstanceIds=[physical_id])
                case "SecurityGroupIds" if after.get(name):
                    ec2.modify_instance_attribute(InstanceId=physical_id, Groups=list(after[name]))
                case "SourceDestCheck" | "DisableApiTermination":
                    value = is_true(after.get(name, name == "SourceDestCheck"))
                    ec2.modify_instance_attribute(InstanceId=physical_id, **{name: {"Value": value}})
                case _:
                    self.refuse([name])

    def find(self, site: Site, physical_id: str, properties: Properties) -> Any:
        """The machine; an ended one is still told of for an hour, and does not count."""
        found = super().find(site, physical_id, properties)
        if found["State"]["Name"] in ("terminated", "shutting-down"):
            raise ResourceGone(physical_id)
        groups = [group["GroupId"] for group in found.get("SecurityGroups", [])]
        return {**found, "SecurityGroupIds": groups, "AvailabilityZone": found["Placement"].get("AvailabilityZone")}

    def read(self, site: Site, physical_id: str, properties: Properties) -> Properties | None:
        """The machine with its zone and groups."""
        live = dict(super().read(site, physical_id, properties) or {})
        found = self.find(site, physical_id, properties)
        live |= {name: found[name] for name in ("AvailabilityZone", "SecurityGroupIds") if found.get(name)}
        return {**live, **{name: properties[name] for name in ("Tenancy",) if name in properties}}


class LaunchTemplate(Ec2):
    """AWS::EC2::LaunchTemplate. A change of its data is a new version."""

    type = "AWS::EC2::LaunchTemplate"
    creating, changing = "CreateLaunchTemplate", ("CreateLaunchTemplateVersion",)
    deleting, reading = "DeleteLaunchTemplate", "DescribeLaunchTemplates"
    made_at, found_at = "LaunchTemplate.LaunchTemplateId", "LaunchTemplates.0"
    named_by = "LaunchTemplateName"
    keys = {"LaunchTemplateId": "{id}", "LaunchTemplateIds": "{id}"}
    attributes = {"LaunchTemplateId": "{id}"}
    unread = frozenset({"LaunchTemplateData", "TagSpecifications", "VersionDescription"})

    def arguments(self, operation: str, properties: Properties) -> dict[str, Any]:
        """The properties; a new version of a template is named by its id alone."""
        found = super().arguments(operation, properties)
        return {name: found[name] for name in found if operation == self.creating or name != "LaunchTemplateName"}

    def made(self, site: Site, physical_id: str, properties: Properties, answer: Any = None, found: Any = None) -> Made:
        """The numbers of its versions are texts."""
        made = super().made(site, physical_id, properties, answer, found)
        return Made(physical_id=physical_id, attributes={name: str(value) for name, value in made.attributes.items()})

    def read(self, site: Site, physical_id: str, properties: Properties) -> Properties | None:
        """The template with the data of its newest version, as recorded if it is so."""
        live = dict(super().read(site, physical_id, properties) or {})
        answer = site.client("ec2").describe_launch_template_versions(
            LaunchTemplateId=physical_id, Versions=["$Latest"]
        )
        data = answer["LaunchTemplateVersions"][0]["LaunchTemplateData"]
        shape = service_model("ec2").shape_for("RequestLaunchTemplateData")
        given = properties.get("LaunchTemplateData")
        same = given is not None and written(given, shape, self.type).items() <= data.items()
        return {**live, "LaunchTemplateData": given if same else data}


class Volume(Ec2):
    """AWS::EC2::Volume."""

    type = "AWS::EC2::Volume"
    creating, changing, deleting, reading = "CreateVolume", ("ModifyVolume",), "DeleteVolume", "DescribeVolumes"
    made_at, found_at = "VolumeId", "Volumes.0"
    keys = {"VolumeId": "{id}", "VolumeIds": "{id}"}
    ignored = frozenset({"AutoEnableIO"})
    replaced_by = frozenset({"AvailabilityZone", "Encrypted", "KmsKeyId", "SnapshotId"})

    def keep_snapshot(self, site: Site, physical_id: str, properties: Properties) -> None:
        """Make a snapshot of the disk."""
        site.client("ec2").create_snapshot(VolumeId=physical_id)


class VolumeAttachment(Ec2):
    """AWS::EC2::VolumeAttachment."""

    type = "AWS::EC2::VolumeAttachment"
    creating, deleting = "AttachVolume", "DetachVolume"
    keys = {"VolumeId": "{VolumeId}", "InstanceId": "{InstanceId}"}

    def create(self, site: Site, properties: Properties) -> Made:
        """Attach the disk; the id tells disk and machine."""
        self.call(site, self.creating, self.arguments(self.creating, properties))
        return Made(physical_id=f"{properties['InstanceId']}|{properties['VolumeId']}")

    def update(self, site: Site, physical_id: str, before: Properties, after: Properties) -> Made:
        """Nothing of it changes in place."""
        return Made(physical_id=physical_id)

    def read(self, site: Site, physical_id: str, properties: Properties) -> Properties | None:
        """The attachment, as the disk tells it."""
        machine, _, disk = physical_id.partition("|")
        [found] = site.client("ec2").describe_volumes(VolumeIds=[disk])["Volumes"]
        for one in found["Attachments"]:
            if one["InstanceId"] == machine:
                return {name: one[name] for name in ("Device", "InstanceId", "VolumeId") if name in one}
        raise ResourceGone(physical_id)


class NetworkInterface(Ec2):
    """AWS::EC2::NetworkInterface."""

    type = "AWS::EC2::NetworkInterface"
    creating, changing = "CreateNetworkInterface", ("ModifyNetworkInterfaceAttribute",)
    deleting, reading = "DeleteNetworkInterface", "DescribeNetworkInterfaces"
    made_at, found_at = "NetworkInterface.NetworkInterfaceId", "NetworkInterfaces.0"
    keys = {"NetworkInterfaceId": "{id}", "NetworkInterfaceIds": "{id}"}
    renamed = {"GroupSet": "Groups"}
    attributes = {"Id": "{id}", "PrimaryPrivateIpAddress": "PrivateIpAddress"}
    one_by_one = True
    defaults = {"SourceDestCheck": True}
    unread = frozenset(
        {"GroupSet", "Ipv6Addresses", "PrivateIpAddresses", "SecondaryPrivateIpAddressCount", "SourceDestCheck"}
    )

    def read(self, site: Site, physical_id: str, properties: Properties) -> Properties | None:
        """The interface with its groups."""
        found = self.find(site, physical_id, properties)
        live = dict(super().read(site, physical_id, properties) or {})
        live["Tags"] = tag_list(tag_map({"Tags": found.get("TagSet", [])}))
        return {**live, "GroupSet": [group["GroupId"] for group in found.get("Groups", [])]}


class KeyPair(Ec2):
    """AWS::EC2::KeyPair. Its private part is not kept."""

    type = "AWS::EC2::KeyPair"
    creating, deleting, reading = "CreateKeyPair", "DeleteKeyPair", "DescribeKeyPairs"
    found_at = "KeyPairs.0"
    named_by = "KeyName"
    longest = 255
    keys = {"KeyName": "{id}", "KeyNames": "{id}"}
    tag_target = "{KeyPairId}"
    unread = frozenset({"KeyFormat"})


class SpotFleet(Ec2):
    """AWS::EC2::SpotFleet."""

    type = "AWS::EC2::SpotFleet"
    creating, changing = "RequestSpotFleet", ("ModifySpotFleetRequest",)
    deleting, reading = "CancelSpotFleetRequests", "DescribeSpotFleetRequests"
    made_at, found_at = "SpotFleetRequestId", "SpotFleetRequestConfigs.0"
    keys = {"SpotFleetRequestIds": "{id}", "SpotFleetRequestId": "{id}"}
    renamed = {"SpotFleetRequestConfigData": "SpotFleetRequestConfig"}
    attributes = {"Id": "{id}"}
    ignored = frozenset({"Tags"})
    unread = frozenset({"SpotFleetRequestConfigData"})

    def arguments(self, operation: str, properties: Properties) -> dict[str, Any]:
        """The request, with the strategy that it has by default."""
        data = {"AllocationStrategy": "lowestPrice", **properties["SpotFleetRequestConfigData"]}
        return super().arguments(operation, {**properties, "SpotFleetRequestConfigData": data})

    def change(self, site: Site, physical_id: str, before: Properties, after: Properties, names: Iterable[str]) -> None:
        """Change how many machines the fleet has; nothing else of it changes in place."""
        old, new = before["SpotFleetRequestConfigData"], after["SpotFleetRequestConfigData"]
        different = {name for name in {*old, *new} if old.get(name) != new.get(name)}
        self.refuse(f"SpotFleetRequestConfigData/{name}" for name in different - {"TargetCapacity"})
        site.client("ec2").modify_spot_fleet_request(
            SpotFleetRequestId=physical_id, TargetCapacity=int(new["TargetCapacity"])
        )

    def delete(self, site: Site, physical_id: str, properties: Properties) -> None:
        """Cancel the request and end its machines."""
        site.client("ec2").cancel_spot_fleet_requests(SpotFleetRequestIds=[physical_id], TerminateInstances=True)

    def read(self, site: Site, physical_id: str, properties: Properties) -> Properties | None:
        """The fleet; of what it was asked for, how many machines it has."""
        found = self.find(site, physical_id, properties)
        given = dict(properties.get("SpotFleetRequestConfigData") or {})
        target = found["SpotFleetRequestConfig"]["TargetCapacity"]
        return {"SpotFleetRequestConfigData": {**given, "TargetCapacity": target}}


HANDLERS = (
    Instance(),
    KeyPair(),
    LaunchTemplate(),
    NetworkInterface(),
    SpotFleet(),
    Volume(),
    VolumeAttachment(),
)
