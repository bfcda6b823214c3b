"""CdkStack, held to what every provider's Resource has to do."""

import json
from collections.abc import Callable, Mapping
from tempfile import TemporaryDirectory
from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_sqs as sqs
from aws_cdk import aws_ssm as ssm

from orbits_aws import AwsTarget, OfflineAws
from orbits_cdk import CdkStack
from orbits_cdk.naming import stack_name
from orbits_iac import Outputs
from orbits_iac.testing import ProviderSuite, Subject

from .aws import PROJECT, AwsSubject, theirs


class OrdersOutputs(Outputs):
    url: str


class Orders(CdkStack[OrdersOutputs]):
    seconds: int = 30

    def define_stack(self, stack: cdk.Stack) -> OrdersOutputs:
        queue = sqs.Queue(stack, "Orders", queue_name="orders", visibility_timeout=cdk.Duration.seconds(self.seconds))
        ssm.StringParameter(stack, "Where", string_value=queue.queue_url)
        return OrdersOutputs(url=queue.queue_url)


NAME = stack_name(PROJECT, ("Orders", "Holder holder/it"))


def template() -> str:
    """What CDK makes of the stack, as somebody would deploy it without Orbits."""
    with TemporaryDirectory() as folder:
        app = cdk.App(analytics_reporting=False, outdir=folder)
        stack = cdk.Stack(app, "Orders", synthesizer=cdk.DefaultStackSynthesizer(generate_bootstrap_version_rule=False))
        made = Orders().define_stack(stack)
        cdk.CfnOutput(stack, "Url", value=made.url)
        return json.dumps(app.synth().get_stack_by_name("Orders").template)


class OrdersSubject(AwsSubject):
    refused = ("sqs", "SetQueueAttributes")
    refused_times = 1  # and not CloudFormation's way back too
    previews_write = True  # a change set, and its deletion

    def first(self) -> Orders:
        return Orders()

    def changed(self) -> Orders:
        return Orders(seconds=60)

    def by_hand(self) -> None:
        self.api("cloudformation").create_stack(StackName=NAME, TemplateBody=template())

    def stands(self) -> Any:
        stacks = self.api("cloudformation").describe_stacks()["Stacks"]
        return (
            {
                **{one["StackName"]: one["StackStatus"].endswith("_COMPLETE") for one in stacks},
                "change sets": sum(len(self._change_sets(one["StackName"])) for one in stacks),
                "queues": [self._seconds(url) for url in self._urls()],
                "parameters": len(self.api("ssm").describe_parameters()["Parameters"]),
            }
            if stacks or self._urls()
            else None
        )

    def drifts(self) -> Mapping[str, Callable[[], object]]:
        queue = self.api("sqs")
        return {
            "changed": lambda: queue.set_queue_attributes(
                QueueUrl=self._urls()[0], Attributes={"VisibilityTimeout": "5"}
            ),
            "a resource removed": lambda: queue.delete_queue(QueueUrl=self._urls()[0]),
        }

    def foreign(self) -> Mapping[str, Callable[[], object]]:
        tags = [{"Key": name, "Value": value} for name, value in theirs().items()]
        return {
            "nobody's": self.by_hand,
            "another project's": lambda: self.api("cloudformation").create_stack(
                StackName=NAME, TemplateBody=template(), Tags=tags
            ),
        }

    def _urls(self) -> list[str]:
        urls: list[str] = self.api("sqs").list_queues().get("QueueUrls", [])
        return urls

    def _seconds(self, url: str) -> Any:
        found = self.api("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["VisibilityTimeout"])
        return found["Attributes"]["VisibilityTimeout"]

    def _change_sets(self, stack: str) -> list[Any]:
        found: list[Any] = self.api("cloudformation").list_change_sets(StackName=stack)["Summaries"]
        return [one for one in found if one["ExecutionStatus"] == "AVAILABLE"]


@pytest.mark.usefixtures("node")
class TestCdkStack(ProviderSuite):
    @pytest.fixture
    def subject(self, aws: OfflineAws, acme: AwsTarget) -> Subject:
        return OrdersSubject(aws, acme)
