"""Values go from one stack to another as outputs and fields, whatever account and region each is in."""

import json
from collections.abc import Callable

import aws_cdk as cdk
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sqs as sqs
from aws_cdk import aws_ssm as ssm

from orbits_aws import AwsTarget, OfflineAws
from orbits_cdk import CdkStack
from orbits_iac import Orbits, Outputs, Resource


class HubOutputs(Outputs):
    topic: str
    allowed: list[str]


class Hub(CdkStack[HubOutputs]):
    """One topic for all, which the accounts named may read."""

    accounts: list[str]

    def define_stack(self, stack: cdk.Stack) -> HubOutputs:
        topic = sns.Topic(stack, "News", display_name=f"for {len(self.accounts)}")
        return HubOutputs(topic=topic.topic_arn, allowed=self.accounts)


class SpokeOutputs(Outputs):
    queue: str


class Spoke(CdkStack[SpokeOutputs]):
    topic: str

    def define_stack(self, stack: cdk.Stack) -> SpokeOutputs:
        ssm.StringParameter(stack, "Topic", parameter_name="/news/topic", string_value=self.topic)
        return SpokeOutputs(queue=sqs.Queue(stack, "News").queue_arn)


class News(Resource[SpokeOutputs]):
    hub: AwsTarget
    spoke: AwsTarget

    def identity(self) -> str:
        return "news"

    async def define_update(self) -> SpokeOutputs:
        hub = await self.do("hub", Hub(accounts=[self.spoke.account]), target=self.hub)
        return await self.do("spoke", Spoke(topic=hub.topic), target=self.spoke)


async def test_a_value_crosses_accounts_and_regions(
    orbits: Orbits, aws: OfflineAws, member: Callable[[str], AwsTarget]
) -> None:
    hub = member("hub")
    spoke = AwsTarget(account=member("spoke").account, region="us-east-2")
    made = await orbits.run(News(hub=hub, spoke=spoke))
    assert made.queue.startswith(f"arn:aws:sqs:us-east-2:{spoke.account}:")
    parameters = aws.client("ssm", account="spoke", region="us-east-2")
    topic = parameters.get_parameter(Name="/news/topic")["Parameter"]["Value"]
    assert topic.startswith(f"arn:aws:sns:eu-west-1:{hub.account}:")
    stacks = aws.client("cloudformation", account="spoke", region="us-east-2")
    [stack] = stacks.describe_stacks()["Stacks"]
    template = stacks.get_template(StackName=stack["StackName"])["TemplateBody"]
    assert "Fn::ImportValue" not in json.dumps(template)
