"""What a synthesis is told of its account: looked up by reading, kept with the revision, shown, asked for again."""

import json
from pathlib import Path
from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_sqs as sqs
from aws_cdk import aws_ssm as ssm
from constructs import Construct

from orbits_aws import AwsTarget, OfflineAws, client
from orbits_cdk import CdkStack, SynthesisFailed
from orbits_cdk.lookups import look_up
from orbits_cdk.packing import Place
from orbits_iac import ExecutionFailed, Orbits, Outputs, Resource


class InsideOutputs(Outputs):
    network: str
    size: str
    zones: int


class Inside(CdkStack[InsideOutputs]):
    """A stack in the account's default network."""

    asked: str

    def context_version(self) -> str:
        return self.asked

    def define_stack(self, stack: cdk.Stack) -> InsideOutputs:
        network = ec2.Vpc.from_lookup(stack, "Network", is_default=True)
        size = ssm.StringParameter.value_from_lookup(stack, "/web/size")
        sqs.Queue(stack, "Jobs", queue_name=f"{network.vpc_id}-{size}")
        return InsideOutputs(network=network.vpc_id, size=size, zones=len(network.public_subnets))


class Own(cdk.Stack):
    def __init__(self, scope: Construct, id: str, **more: Any) -> None:  # noqa: A002
        super().__init__(scope, id, **more)
        size = ssm.StringParameter.value_from_lookup(self, "/web/size")
        sqs.Queue(self, "Jobs", queue_name=f"jobs-{size}")


class Made(CdkStack):
    bound: bool

    def make_stack(self, scope: Construct, id: str, /) -> cdk.Stack:  # noqa: A002
        return Own(scope, id, env=self.environment) if self.bound else Own(scope, id)


class App(Resource[InsideOutputs]):
    asked: str = ""

    def identity(self) -> str:
        return "acme"

    async def define_update(self) -> InsideOutputs:
        return await self.do("inside", Inside(asked=self.asked))


class Holder(Resource):
    bound: bool

    def identity(self) -> str:
        return "acme"

    async def define_update(self) -> None:
        await self.do("made", Made(bound=self.bound))


def put_size(aws: OfflineAws, value: str) -> None:
    aws.client("ssm", account="acme").put_parameter(Name="/web/size", Value=value, Type="String", Overwrite=True)


async def test_what_was_looked_up_is_kept_until_it_is_asked_for_again(
    orbits: Orbits, aws: OfflineAws, acme: AwsTarget
) -> None:
    put_size(aws, "small")
    [network] = aws.client("ec2", account="acme").describe_vpcs()["Vpcs"]
    before = len(aws.calls(writes=True))
    plan = await orbits.preview(App(), target=acme)
    [change] = plan.root.below
    assert f"vpc-provider {network['VpcId']} looked up on 20" in change.detail
    assert "ssm small looked up on 20" in change.detail
    assert len(aws.calls(writes=True)) == before

    made = await orbits.run(App(), target=acme)
    assert (made.network, made.size, made.zones) == (network["VpcId"], "small", 3)
    put_size(aws, "large")
    reads = len(aws.calls("ssm"))
    assert await orbits.run(App(), target=acme) == made
    assert len(aws.calls("ssm")) == reads, "what is kept is not looked up"
    assert (await orbits.run(App(asked="again"), target=acme)).size == "large"


async def test_the_projects_own_context_counts_first(
    orbits: Orbits, aws: OfflineAws, acme: AwsTarget, tmp_path: Path
) -> None:
    key = f"ssm:account={acme.account}:parameterName=/web/size:region=eu-west-1"
    (tmp_path / "cdk.context.json").write_text(json.dumps({key: "huge"}))
    assert (await orbits.run(App(), target=acme)).size == "huge"
    assert aws.calls("ssm") == []


async def test_a_stack_class_that_looks_things_up_is_given_its_environment(
    orbits: Orbits, aws: OfflineAws, acme: AwsTarget
) -> None:
    put_size(aws, "small")
    with pytest.raises(ExecutionFailed, match=r"give `env=self\.environment` to the stack that make_stack\(\) makes"):
        await orbits.run(Holder(bound=False), target=acme)
    await orbits.run(Holder(bound=True), target=acme)
    [url] = aws.client("sqs", account="acme").list_queues()["QueueUrls"]
    assert url.endswith("/jobs-small")


def asked(acme: AwsTarget, provider: str, **props: Any) -> Any:
    place = Place(kind="Inside", stack_name="inside", account=acme.account, region=acme.region, prefix="tests")
    where = {"account": acme.account, "region": acme.region}
    missing = {"key": f"{provider}:x", "provider": provider, "props": {**where, **props}}
    return look_up(lambda service: client(service, acme), missing, place)


def test_each_kind_of_value_is_found(aws: OfflineAws, acme: AwsTarget) -> None:
    assert asked(acme, "availability-zones") == ["eu-west-1a", "eu-west-1b", "eu-west-1c"]
    put_size(aws, "small")
    assert asked(acme, "ssm", parameterName="/web/size") == "small"
    key = aws.client("kms", account="acme").create_key()["KeyMetadata"]["KeyId"]
    aws.client("kms", account="acme").create_alias(AliasName="alias/web", TargetKeyId=key)
    assert asked(acme, "key-provider", aliasName="alias/web") == {"keyId": key}
    route53 = aws.client("route53", account="acme")
    zone = route53.create_hosted_zone(Name="shop.example", CallerReference="1")["HostedZone"]["Id"]
    found = asked(acme, "hosted-zone", domainName="shop.example")
    assert found == {"Id": zone.removeprefix("/hostedzone/"), "Name": "shop.example."}
    [group] = aws.client("ec2", account="acme").describe_security_groups()["SecurityGroups"]
    found = asked(acme, "security-group", securityGroupId=group["GroupId"])
    assert found == {"securityGroupId": group["GroupId"], "allowAllOutbound": False}, "not to IPv6"
    image = asked(acme, "ami", owners=["amazon"], filters={"name": ["amzn2-ami-hvm-2*"]})
    assert image.startswith("ami-")


def test_a_network_is_described_as_its_subnets_are(aws: OfflineAws, acme: AwsTarget) -> None:
    """By the tags that CDK gives them; else by what they reach, and are reached from."""
    raw = aws.client("ec2", account="acme")
    vpc = raw.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    raw.create_tags(Resources=[vpc], Tags=[{"Key": "Name", "Value": "web"}])
    subnets = {
        name: raw.create_subnet(VpcId=vpc, CidrBlock=f"10.0.{n}.0/24", AvailabilityZone="eu-west-1a")["Subnet"][
            "SubnetId"
        ]
        for n, name in enumerate(("open", "inner", "alone", "tagged"))
    }
    gateway = raw.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    raw.attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
    address = raw.allocate_address(Domain="vpc")["AllocationId"]
    nat = raw.create_nat_gateway(SubnetId=subnets["open"], AllocationId=address)["NatGateway"]["NatGatewayId"]
    for name, route in (("open", {"GatewayId": gateway}), ("inner", {"NatGatewayId": nat})):
        table = raw.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"]
        raw.associate_route_table(RouteTableId=table, SubnetId=subnets[name])
        raw.create_route(RouteTableId=table, DestinationCidrBlock="0.0.0.0/0", **route)
    tags = {"aws-cdk:subnet-name": "Data", "aws-cdk:subnet-type": "Isolated"}
    raw.create_tags(Resources=[subnets["tagged"]], Tags=[{"Key": k, "Value": v} for k, v in tags.items()])
    found = asked(acme, "vpc-provider", filter={"tag:Name": "web"}, returnAsymmetricSubnets=True)
    assert (found["vpcId"], found["vpcCidrBlock"], found["availabilityZones"]) == (vpc, "10.0.0.0/16", [])
    groups = {
        (group["type"], group["name"]): [s["subnetId"] for s in group["subnets"]] for group in found["subnetGroups"]
    }
    assert groups == {
        ("Public", "Public"): [subnets["open"]],
        ("Private", "Private"): [subnets["inner"]],
        ("Isolated", "Isolated"): [subnets["alone"]],
        ("Isolated", "Data"): [subnets["tagged"]],
    }


@pytest.mark.parametrize(
    ("provider", "props", "words"),
    [
        ("ssm", {"parameterName": "/none"}, "there is no parameter /none"),
        ("key-provider", {"aliasName": "alias/none"}, "no key with the alias alias/none"),
        ("hosted-zone", {"domainName": "a.example"}, "there are 0 public hosted zones called a.example"),
        ("ami", {"filters": {"name": ["none*"]}}, "no image fits"),
        ("vpc-provider", {"filter": {"tag:Name": "x"}, "returnAsymmetricSubnets": True}, "there are 0 VPCs with"),
        ("load-balancer", {}, "Put the value in cdk.context.json under 'load-balancer:x'"),
        ("ssm", {"parameterName": "/web/size", "account": "222222222222"}, "its own account and region alone"),
    ],
    ids=str,
)
def test_what_is_not_found_says_so(acme: AwsTarget, provider: str, props: dict[str, Any], words: str) -> None:
    with pytest.raises(SynthesisFailed, match=words):
        asked(acme, provider, **props)


def test_what_is_not_found_may_have_a_default(aws: OfflineAws, acme: AwsTarget) -> None:
    more = {"ignoreErrorOnMissingContext": True, "dummyValue": "none"}
    assert asked(acme, "ssm", parameterName="/none", **more) == "none"
