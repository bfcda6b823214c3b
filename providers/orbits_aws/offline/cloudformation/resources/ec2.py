"""Amazon EC2: networks."""

from collections.abc import Iterable, Mapping
from typing import Any

from orbits_aws.offline.cloudformation.clients import service_model
from orbits_aws.offline.cloudformation.errors import ResourceGone

from .contract import Made, Properties, ResourceType, Site, changed, set_properties
from .mapped import Mapped
from .shapes import written


class Ec2(Mapped):
    """A type of EC2: found by its id, tagged by its id, its tags among what is read."""

    service = "ec2"
    tag_target = "{id}"


class Vpc(Ec2):
    """AWS::EC2::VPC. Two settings are attributes, changed and read one by one."""

    type = "AWS::EC2::VPC"
    listing = ("ec2", "describe_vpcs", "Vpcs[].VpcId")
    creating, changing, deleting, reading = "CreateVpc", ("ModifyVpcAttribute",), "DeleteVpc", "DescribeVpcs"
    made_at, found_at = "Vpc.VpcId", "Vpcs.0"
    keys = {"VpcId": "{id}", "VpcIds": "{id}"}
    one_by_one = True
    defaults = {"EnableDnsSupport": True, "EnableDnsHostnames": False}
    ignored = frozenset({"VpcEncryptionControl"})

    def find(self, site: Site, physical_id: str, properties: Properties) -> Any:
        """The network with its attributes, and what was made along with it."""
        found = dict(super().find(site, physical_id, properties))
        ec2 = site.client("ec2")
        for name in self.defaults:
            attribute = name[:1].lower() + name[1:]
            found[name] = ec2.describe_vpc_attribute(VpcId=physical_id, Attribute=attribute)[name]["Value"]
        inside = [{"Name": "vpc-id", "Values": [physical_id]}]
        groups = ec2.describe_security_groups(Filters=[*inside, {"Name": "group-name", "Values": ["default"]}])
        acls = ec2.describe_network_acls(Filters=[*inside, {"Name": "default", "Values": ["true"]}])
        found["DefaultSecurityGroup"] = next((one["GroupId"] for one in groups["SecurityGroups"]), None)
        found["DefaultNetworkAcl"] = next((one["NetworkAclId"] for one in acls["NetworkAcls"]), None)
        found["CidrBlockAssociations"] = [one["AssociationId"] for one in found.get("CidrBlockAssociationSet", [])]
        found["Ipv6CidrBlocks"] = [one["Ipv6CidrBlock"] for one in found.get("Ipv6CidrBlockAssociationSet", [])]
        return found

    def read(self, site: Site, physical_id: str, properties: Properties) -> Properties | None:
        """The network with its attributes."""
        found = self.find(site, physical_id, properties)
        return {**(super().read(site, physical_id, properties) or {}), **{name: found[name] for name in self.defaults}}


class Subnet(Ec2):
    """AWS::EC2::Subnet."""

    type = "AWS::EC2::Subnet"
    listing = ("ec2", "describe_subnets", "Subnets[].SubnetId")
    creating, changing, deleting = "CreateSubnet", ("ModifySubnetAttribute",), "DeleteSubnet"
    reading = "DescribeSubnets"
    made_at, found_at = "Subnet.SubnetId", "Subnets.0"
    keys = {"SubnetId": "{id}", "SubnetIds": "{id}"}
    one_by_one = True
    defaults = {"MapPublicIpOnLaunch": False, "AssignIpv6AddressOnCreation": False, "EnableDns64": False}

    def find(self, site: Site, physical_id: str, properties: Properties) -> Any:
        """The subnet with its network list's association."""
        found = dict(super().find(site, physical_id, properties))
        filters = [{"Name": "association.subnet-id", "Values": [physical_id]}]
        for acl in site.client("ec2").describe_network_acls(Filters=filters)["NetworkAcls"]:
            for one in acl["Associations"]:
                if one["SubnetId"] == physical_id:
                    found["NetworkAclAssociationId"] = one["NetworkAclAssociationId"]
        found["Ipv6CidrBlocks"] = [one["Ipv6CidrBlock"] for one in found.get("Ipv6CidrBlockAssociationSet", [])]
        return found


class RouteTable(Ec2):
    """AWS::EC2::RouteTable."""

    type = "AWS::EC2::RouteTable"
    listing = ("ec2", "describe_route_tables", "RouteTables[].RouteTableId")
    creating, deleting, reading = "CreateRouteTable", "DeleteRouteTable", "DescribeRouteTables"
    made_at, found_at = "RouteTable.RouteTableId", "RouteTables.0"
    keys = {"RouteTableId": "{id}", "RouteTableIds": "{id}"}


class SubnetRouteTableAssociation(Ec2):
    """AWS::EC2::SubnetRouteTableAssociation."""

    type = "AWS::EC2::SubnetRouteTableAssociation"
    creating, deleting = "AssociateRouteTable", "DisassociateRouteTable"
    made_at = "AssociationId"
    keys = {"AssociationId": "{id}"}
    attributes = {"Id": "{id}"}

    def read(self, site: Site, physical_id: str, properties: Properties) -> Properties | None:
        """The association, as its route table tells it."""
        filters = [{"Name": "association.route-table-association-id", "Values": [physical_id]}]
        for table in site.client("ec2").describe_route_tables(Filters=filters)["RouteTables"]:
            for one in table["Associations"]:
                if one["RouteTableAssociationId"] == physical_id:
                    return {"RouteTableId": table["RouteTableId"], "SubnetId": one["SubnetId"]}
        raise ResourceGone(physical_id)


class Route(Ec2):
    """AWS::EC2::Route."""

    type = "AWS::EC2::Route"
    creating, changing, deleting = "CreateRoute", ("ReplaceRoute",), "DeleteRoute"
    keys = {
        "RouteTableId": "{RouteTableId}",
        "DestinationCidrBlock": "{DestinationCidrBlock}",
        "DestinationIpv6CidrBlock": "{DestinationIpv6CidrBlock}",
        "DestinationPrefixListId": "{DestinationPrefixListId}",
    }

    def create(self, site: Site, properties: Properties) -> Made:
        """Make the route; its id is made of its table and where it leads."""
        self.call(site, self.creating, self.arguments(self.creating, properties))
        destination = _destination(properties)
        return Made(
            physical_id=f"{properties['RouteTableId']}|{destination}",
            attributes={"CidrBlock": destination},
        )

    def physical_id(self, identifier: Mapping[str, str]) -> str:
        """The id begins with the table, the identifier with where the route leads."""
        return f"{identifier['RouteTableId']}|{identifier['CidrBlock']}"

    def update(self, site: Site, physical_id: str, before: Properties, after: Properties) -> Made:
        """Lead the route to another target."""
        self.call(site, "ReplaceRoute", self.arguments("ReplaceRoute", after))
        return Made(physical_id=physical_id, attributes={"CidrBlock": _destination(after)})

    def read(self, site: Site, physical_id: str, properties: Properties) -> Properties | None:
        """The route, as its table tells it."""
        table, _, destination = physical_id.partition("|")
        [found] = site.client("ec2").describe_route_tables(RouteTableIds=[table])["RouteTables"]
        for route in found["Routes"]:
            if _destination(route) == destination:
                return {"RouteTableId": table, **{name: route[name] for name in self.carried_out() & set(route)}}
        raise ResourceGone(physical_id)


def _destination(route: Mapping[str, Any]) -> str:
    names = ("DestinationCidrBlock", "DestinationIpv6CidrBlock", "DestinationPrefixListId")
    return str(next((route[name] for name in names if route.get(name)), ""))


class InternetGateway(Ec2):
    """AWS::EC2::InternetGateway."""

    type = "AWS::EC2::InternetGateway"
    listing = ("ec2", "describe_internet_gateways", "InternetGateways[].InternetGatewayId")
    creating, deleting, reading = "CreateInternetGateway", "DeleteInternetGateway", "DescribeInternetGateways"
    made_at, found_at = "InternetGateway.InternetGatewayId", "InternetGateways.0"
    keys = {"InternetGatewayId": "{id}", "InternetGatewayIds": "{id}"}


class EgressOnlyInternetGateway(Ec2):
    """AWS::EC2::EgressOnlyInternetGateway."""

    type = "AWS::EC2::EgressOnlyInternetGateway"
    creating, deleting = "CreateEgressOnlyInternetGateway", "DeleteEgressOnlyInternetGateway"
    reading = "DescribeEgressOnlyInternetGateways"
    made_at = "EgressOnlyInternetGateway.EgressOnlyInternetGatewayId"
    found_at = "EgressOnlyInternetGateways.0"
    keys = {"EgressOnlyInternetGatewayId": "{id}", "EgressOnlyInternetGatewayIds": "{id}"}
    attributes = {"Id": "{id}"}
    unread = frozenset({"VpcId"})


class VpnGateway(Ec2):
    """AWS::EC2::VPNGateway."""

    type = "AWS::EC2::VPNGateway"
    creating, deleting, reading = "CreateVpnGateway", "DeleteVpnGateway", "DescribeVpnGateways"
    made_at, found_at = "VpnGateway.VpnGatewayId", "VpnGateways.0"
    keys = {"VpnGatewayId": "{id}", "VpnGatewayIds": "{id}"}
    attributes = {"VPNGatewayId": "{id}"}

    def find(self, site: Site, physical_id: str, properties: Properties) -> Any:
        """The gateway; a deleted one is still told of, and does not count."""
        found = super().find(site, physical_id, properties)
        if found.get("State") in ("deleted", "deleting"):
            raise ResourceGone(physical_id)
        return found


class VpcGatewayAttachment(ResourceType):
    """AWS::EC2::VPCGatewayAttachment: an internet gateway's or a VPN gateway's attachment to a network."""

    type = "AWS::EC2::VPCGatewayAttachment"
    supported = frozenset({"InternetGatewayId", "VpcId", "VpnGatewayId"})

    def physical_id(self, identifier: Mapping[str, str]) -> str:
        return "|".join(identifier.values())

    def create(self, site: Site, properties: Properties) -> Made:
        ec2, vpc = site.client("ec2"), properties["VpcId"]
        if gateway := properties.get("InternetGatewayId"):
            ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
        if gateway := properties.get("VpnGatewayId"):
            ec2.attach_vpn_gateway(VpnGatewayId=gateway, VpcId=vpc)
        kind = "IGW" if properties.get("InternetGatewayId") else "VGW"
        return Made(physical_id=f"{kind}|{vpc}", attributes={"AttachmentType": kind})

    def update(self, site: Site, physical_id: str, before: Properties, after: Properties) -> Made:
        if changed(before, after):
            self.delete(site, physical_id, before)
            return self.create(site, after)
        return Made(physical_id=physical_id)

    def delete(self, site: Site, physical_id: str, properties: Properties) -> None:
        ec2, vpc = site.client("ec2"), properties["VpcId"]
        if gateway := properties.get("InternetGatewayId"):
            ec2.detach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
        if gateway := properties.get("VpnGatewayId"):
            ec2.detach_vpn_gateway(VpnGatewayId=gateway, VpcId=vpc)

    def read(self, site: Site, physical_id: str, properties: Properties) -> Properties | None:
        vpc = physical_id.rpartition("|")[2]
        filters = [{"Name": "attachment.vpc-id", "Values": [vpc]}]
        ec2 = site.client("ec2")
        internet = ec2.describe_internet_gateways(Filters=filters)["InternetGateways"]
        private = ec2.describe_vpn_gateways(Filters=filters)["VpnGateways"]
        if not internet and not private:
            raise ResourceGone(physical_id)
        return set_properties(
            VpcId=vpc,
            InternetGatewayId=internet[0]["InternetGatewayId"] if internet else None,
            VpnGatewayId=private[0]["VpnGatewayId"] if private else None,
        )


class Eip(Ec2):
    """AWS::EC2::EIP. Its physical id is the address."""

    type = "AWS::EC2::EIP"
    creating, deleting, reading = "AllocateAddress", "ReleaseAddress", "DescribeAddresses"
    made_at, found_at = "PublicIp", "Addresses.0"
    keys = {"PublicIps": "{id}"}
    tag_target = "{AllocationId}"

    def delete(self, site: Site, physical_id: str, properties: Properties) -> None:
        """Release the address by its allocation."""
        found = self.find(site, physical_id, properties)
        site.client("ec2").release_address(AllocationId=found["AllocationId"])


class NatGateway(Ec2):
    """AWS::EC2::NatGateway."""

    type = "AWS::EC2::NatGateway"
    creating, deleting, reading = "CreateNatGateway", "DeleteNatGateway", "DescribeNatGateways"
    made_at, found_at = "NatGateway.NatGatewayId", "NatGateways.0"
    keys = {"NatGatewayId": "{id}", "NatGatewayIds": "{id}"}

    def find(self, site: Site, physical_id: str, properties: Properties) -> Any:
        """The gateway; a deleted one is still told of for an hour, and does not count."""
        found = super().find(site, physical_id, properties)
        if found.get("State") in ("deleted", "deleting"):
            raise ResourceGone(physical_id)
        addresses = found.get("NatGatewayAddresses") or [{}]
        return {**found, **{name: addresses[0][name] for name in ("AllocationId",) if name in addresses[0]}}

    def read(self, site: Site, physical_id: str, properties: Properties) -> Properties | None:
        """The gateway with its allocation."""
        found = self.find(site, physical_id, properties)
        live = super().read(site, physical_id, properties) or {}
        return {**live, **set_properties(AllocationId=found.get("AllocationId"))}


class VpcEndpoint(Ec2):
    """AWS::EC2::VPCEndpoint. Tables, subnets and groups are added and removed by their difference."""

    type = "AWS::EC2::VPCEndpoint"
    creating, changing, deleting = "CreateVpcEndpoint", ("ModifyVpcEndpoint",), "DeleteVpcEndpoints"
    reading = "DescribeVpcEndpoints"
    made_at, found_at = "VpcEndpoint.VpcEndpointId", "VpcEndpoints.0"
    keys = {"VpcEndpointId": "{id}", "VpcEndpointIds": "{id}"}
    attributes = {"Id": "{id}"}
    unread = frozenset({"SecurityGroupIds"})

    def besides(self, site: Site, properties: Properties) -> dict[str, Any]:
        """The kind of endpoint that it is by default."""
        return {"VpcEndpointType": "Gateway"}

    def change(self, site: Site, physical_id: str, before: Properties, after: Properties, names: Iterable[str]) -> None:
        """Add and remove tables, groups and subnets; the rest as any type."""
        left = set(names)
        arguments: dict[str, Any] = {}
        for name in left & {"RouteTableIds", "SecurityGroupIds", "SubnetIds"}:
            old, new = before.get(name) or [], after.get(name) or []
            arguments |= set_properties(
                **{f"Add{name}": [one for one in new if one not in old]},
                **{f"Remove{name}": [one for one in old if one not in new]},
            )
            left.remove(name)
        if left:
            super().change(site, physical_id, before, after, left)
        if arguments:
            site.client("ec2").modify_vpc_endpoint(VpcEndpointId=physical_id, **arguments)

    def delete(self, site: Site, physical_id: str, properties: Properties) -> None:
        """Take it out of its tables, then remove it: moto looks for routes in them that it did not make."""
        if tables := self.find(site, physical_id, properties).get("RouteTableIds"):
            site.client("ec2").modify_vpc_endpoint(VpcEndpointId=physical_id, RemoveRouteTableIds=tables)
        super().delete(site, physical_id, properties)

    def find(self, site: Site, physical_id: str, properties: Properties) -> Any:
        """The endpoint; a deleted one is still told of, and does not count."""
        found = super().find(site, physical_id, properties)
        if str(found.get("State")).lower() in ("deleted", "deleting"):
            raise ResourceGone(physical_id)
        return found


class FlowLog(Ec2):
    """AWS::EC2::FlowLog."""

    type = "AWS::EC2::FlowLog"
    creating, deleting, reading = "CreateFlowLogs", "DeleteFlowLogs", "DescribeFlowLogs"
    made_at, found_at = "FlowLogIds.0", "FlowLogs.0"
    keys = {"FlowLogIds": "{id}"}
    renamed = {"ResourceId": "ResourceIds"}
    attributes = {"Id": "{id}"}
    unread = frozenset({"ResourceType"})


class VpcPeeringConnection(Ec2):
    """AWS::EC2::VPCPeeringConnection: accepted at once where both networks are the account's."""

    type = "AWS::EC2::VPCPeeringConnection"
    creating, deleting, reading = (
        "CreateVpcPeeringConnection",
        "DeleteVpcPeeringConnection",
        "DescribeVpcPeeringConnections",
    )
    made_at, found_at = "VpcPeeringConnection.VpcPeeringConnectionId", "VpcPeeringConnections.0"
    keys = {"VpcPeeringConnectionId": "{id}", "VpcPeeringConnectionIds": "{id}"}
    attributes = {"Id": "{id}"}
    unread = frozenset({"PeerOwnerId", "PeerRegion", "PeerVpcId", "VpcId"})
    ignored = frozenset({"AssumeRoleRegion", "PeerRoleArn"})

    def create(self, site: Site, properties: Properties) -> Made:
        """Ask for the connection, and accept it."""
        made = super().create(site, properties)
        if str(properties.get("PeerOwnerId", site.account)) == site.account and not properties.get("PeerRegion"):
            site.client("ec2").accept_vpc_peering_connection(VpcPeeringConnectionId=made.physical_id)
        return made

    def find(self, site: Site, physical_id: str, properties: Properties) -> Any:
        """The connection; a deleted one is still told of, and does not count."""
        found = super().find(site, physical_id, properties)
        if found.get("Status", {}).get("Code") in ("deleted", "deleting"):
            raise ResourceGone(physical_id)
        return found


class TransitGateway(Ec2):
    """AWS::EC2::TransitGateway. All but the description are options."""

    type = "AWS::EC2::TransitGateway"
    creating, changing, deleting = "CreateTransitGateway", ("ModifyTransitGateway",), "DeleteTransitGateway"
    reading = "DescribeTransitGateways"
    made_at, found_at = "TransitGateway.TransitGatewayId", "TransitGateways.0"
    keys = {"TransitGatewayId": "{id}", "TransitGatewayIds": "{id}"}
    defaults = {"Description": ""}
    attributes = {"Id": "{id}"}
    options = frozenset(
        {
            "AmazonSideAsn",
            "AutoAcceptSharedAttachments",
            "DefaultRouteTableAssociation",
            "DefaultRouteTablePropagation",
            "DnsSupport",
            "MulticastSupport",
            "TransitGatewayCidrBlocks",
            "VpnEcmpSupport",
        }
    )

    def carried_out(self) -> frozenset[str]:
        """The description, the tags and the options."""
        return super().carried_out() | self.options

    def arguments(self, operation: str, properties: Properties) -> dict[str, Any]:
        """The description, and the options as one argument."""
        shape = service_model("ec2").operation_model(operation).input_shape.members["Options"]
        options = {name: properties[name] for name in self.options if properties.get(name) is not None}
        return {
            **super().arguments(operation, properties),
            **set_properties(Options=written(options, shape, self.type) if options else None),
        }

    def change(self, site: Site, physical_id: str, before: Properties, after: Properties, names: Iterable[str]) -> None:
        """Change the description and those options that can change."""
        if not before:
            return
        gone = {name for name in names if name not in after and name != "Description"}
        self.refuse(gone | (set(names) & {"TransitGatewayCidrBlocks"}))
        given = {name: after.get(name, "") for name in names}
        arguments = self.arguments("ModifyTransitGateway", given)
        site.client("ec2").modify_transit_gateway(TransitGatewayId=physical_id, **arguments)

    def read(self, site: Site, physical_id: str, properties: Properties) -> Properties | None:
        """The description, the tags and the options."""
        found = self.find(site, physical_id, properties)
        live = super().read(site, physical_id, properties) or {}
        return {**live, **{name: found["Options"][name] for name in self.options & set(found.get("Options") or {})}}

    def find(self, site: Site, physical_id: str, properties: Properties) -> Any:
        """The gateway; a deleted one is still told of, and does not count."""
        found = super().find(site, physical_id, properties)
        if found.get("State") in ("deleted", "deleting"):
            raise ResourceGone(physical_id)
        return found


class VpcCidrBlock(Ec2):
    """AWS::EC2::VPCCidrBlock."""

    type = "AWS::EC2::VPCCidrBlock"
    creating, deleting = "AssociateVpcCidrBlock", "DisassociateVpcCidrBlock"
    keys = {"AssociationId": "{id}"}
    attributes = {"Id": "{id}"}

    def create(self, site: Site, properties: Properties) -> Made:
        """Associate the block; the answer names it by what kind of block it is."""
        answer = self.call(site, self.creating, self.arguments(self.creating, properties))
        association = answer.get("CidrBlockAssociation") or answer["Ipv6CidrBlockAssociation"]
        return Made(physical_id=association["AssociationId"], attributes={"Id": association["AssociationId"]})


class NetworkAcl(Ec2):
    """AWS::EC2::NetworkAcl."""

    type = "AWS::EC2::NetworkAcl"
    creating, deleting, reading = "CreateNetworkAcl", "DeleteNetworkAcl", "DescribeNetworkAcls"
    made_at, found_at = "NetworkAcl.NetworkAclId", "NetworkAcls.0"
    keys = {"NetworkAclId": "{id}", "NetworkAclIds": "{id}"}
    attributes = {"Id": "{id}"}


HANDLERS = (
    EgressOnlyInternetGateway(),
    Eip(),
    FlowLog(),
    InternetGateway(),
    NatGateway(),
    NetworkAcl(),
    Route(),
    RouteTable(),
    Subnet(),
    SubnetRouteTableAssociation(),
    TransitGateway(),
    Vpc(),
    VpcCidrBlock(),
    VpcEndpoint(),
    VpcGatewayAttachment(),
    VpcPeeringConnection(),
    VpnGateway(),
)
