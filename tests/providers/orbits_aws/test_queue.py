"""Queue: read first, made and changed only where it has to be, never somebody else's."""

import json
from typing import Any

import pytest
from pydantic import ValidationError

from orbits_aws import AwsTarget, OfflineAws, Queue
from orbits_aws.errors import AccessDenied
from orbits_iac import ExecutionFailed, Orbits, Outputs, Resource

from .things import Case, Client, it_lives, it_respects_owners


def url(aws: Client) -> str:
    return str(aws("sqs").get_queue_url(QueueName="orders")["QueueUrl"])


POLICY: Any = {"Statement": [{"Effect": "Deny", "Principal": "*", "Action": "sqs:PurgeQueue", "Resource": "*"}]}
CASE = Case(
    first=Queue(name="orders", tags={"team": "shop"}),
    changed=Queue(
        name="orders",
        visibility_timeout=60,
        kms_key="alias/aws/sqs",
        policy=POLICY,
        tags={"team": "sales"},
    ),
    other=Queue(name="orders.fifo", fifo=True, content_deduplication=True, high_throughput=True),
    made_by="sqs:CreateQueue",
    made_by_hand=lambda aws, tags: aws("sqs").create_queue(
        QueueName="orders", Attributes={"DelaySeconds": "7"}, tags=tags
    ),
    spoilt=lambda aws: aws("sqs").set_queue_attributes(QueueUrl=url(aws), Attributes={"DelaySeconds": "5"}),
    drifted={"delay": "5"},
    tags=lambda aws: aws("sqs").list_queue_tags(QueueUrl=url(aws))["Tags"],
    there=lambda aws: [one.rpartition("/")[2] for one in aws("sqs").list_queues().get("QueueUrls", [])],
)


class AppOutputs(Outputs):
    url: str
    visibility: int


class Redriven(Resource):
    """A queue whose messages go to another in the end."""

    receives: int = 3

    def identity(self) -> str:
        return "acme"

    async def define_update(self) -> None:
        dead = await self.do("dead", Queue(name="dead"))
        await self.do("orders", Queue(name="orders", dead_letter_arn=dead.arn, max_receives=self.receives))


class App(Resource[AppOutputs]):
    name: str = "orders"
    visibility: int = 30

    def identity(self) -> str:
        return "acme"

    async def define_update(self) -> AppOutputs:
        queue = await self.do("orders", Queue(name=self.name, visibility_timeout=self.visibility))
        return AppOutputs(url=queue.url, visibility=queue.visibility_timeout)


def attribute(aws: OfflineAws, url: str) -> str:
    found = aws.client("sqs", account="acme").get_queue_attributes(QueueUrl=url, AttributeNames=["VisibilityTimeout"])
    return str(found["Attributes"]["VisibilityTimeout"])


async def test_a_change_that_is_denied_leaves_the_queue_as_it_was(
    orbits: Orbits, aws: OfflineAws, acme: AwsTarget
) -> None:
    made = await orbits.run(App(), target=acme)
    aws.fail("sqs", "SetQueueAttributes", code="AccessDenied")
    with pytest.raises(ExecutionFailed) as failed:
        await orbits.run(App(visibility=60), target=acme)
    assert failed.value.caused_by(AccessDenied)
    assert failed.value.message.startswith(f"AccessDenied on sqs:SetQueueAttributes of {made.url} in {acme.account}")
    assert attribute(aws, made.url) == "30"


@pytest.mark.usefixtures("quick")
async def test_it_lives(orbits: Orbits, aws: OfflineAws, acme: AwsTarget) -> None:
    await it_lives(CASE, orbits, aws, acme)


@pytest.mark.usefixtures("quick")
async def test_it_respects_owners(orbits: Orbits, aws: OfflineAws, acme: AwsTarget) -> None:
    await it_respects_owners(CASE, orbits, aws, acme)


@pytest.mark.usefixtures("quick")
async def test_a_name_that_was_free_a_moment_ago_is_waited_for(
    orbits: Orbits, aws: OfflineAws, acme: AwsTarget
) -> None:
    aws.fail("sqs", "CreateQueue", code="AWS.SimpleQueueService.QueueDeletedRecently", times=6)
    await orbits.run(App(), target=acme)
    assert aws.calls("sqs").count("sqs:CreateQueue") == 7


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"name": "a", "fifo": True}, "ends with .fifo"),
        ({"name": "a.fifo"}, "ends with .fifo"),
        ({"name": "a", "high_throughput": True}, "are there for FIFO queues alone"),
    ],
)
def test_what_fits_no_queue_is_refused(fields: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        Queue.model_validate(fields)


async def test_where_messages_go_in_the_end_can_be_changed(orbits: Orbits, aws: OfflineAws, acme: AwsTarget) -> None:
    sqs = aws.client("sqs", account="acme")
    for receives in (3, 4):
        await orbits.run(Redriven(receives=receives), target=acme)
        url = sqs.get_queue_url(QueueName="orders")["QueueUrl"]
        found = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["RedrivePolicy"])["Attributes"]
        assert json.loads(found["RedrivePolicy"])["maxReceiveCount"] == receives
    before = len(aws.calls(writes=True))
    await orbits.run(Redriven(receives=4), target=acme)
    assert aws.calls(writes=True)[before:] == []
