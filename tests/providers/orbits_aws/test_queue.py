"""Queue: read first, made and changed only where it has to be, never somebody else's."""

import pytest

from orbits_aws import AwsTarget, OfflineAws, Queue, QueueOutputs
from orbits_aws.errors import AccessDenied
from orbits_iac import ExecutionFailed, Orbits, Outputs, Resource
from orbits_iac.provider import Refused


class AppOutputs(Outputs):
    url: str
    visibility: int


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


async def test_a_queue_is_made_with_tags_of_project_and_record(
    orbits: Orbits, aws: OfflineAws, acme: AwsTarget
) -> None:
    made = await orbits.run(App(), target=acme)
    tags = aws.client("sqs", account="acme").list_queue_tags(QueueUrl=made.url)["Tags"]
    assert tags["orbits:project"] == "tests"
    assert tags["orbits:record"].startswith("Queue ")
    assert attribute(aws, made.url) == "30"


async def test_a_second_time_only_reads(orbits: Orbits, aws: OfflineAws, acme: AwsTarget) -> None:
    await orbits.run(App(), target=acme)
    before = len(aws.calls(writes=True))
    await orbits.run(App(), target=acme)
    assert len(aws.calls(writes=True)) == before


async def test_what_differs_is_changed(orbits: Orbits, aws: OfflineAws, acme: AwsTarget) -> None:
    first = await orbits.run(App(), target=acme)
    second = await orbits.run(App(visibility=60), target=acme)
    assert (second.url, second.visibility, attribute(aws, second.url)) == (first.url, 60, "60")


async def test_a_change_that_is_denied_leaves_the_queue_as_it_was(
    orbits: Orbits, aws: OfflineAws, acme: AwsTarget
) -> None:
    made = await orbits.run(App(), target=acme)
    aws.fail("sqs", "SetQueueAttributes", code="AccessDenied")
    with pytest.raises(ExecutionFailed) as failed:
        await orbits.run(App(visibility=60), target=acme)
    assert failed.value.caused_by(AccessDenied)
    assert failed.value.message.startswith(f"AccessDenied on sqs:SetQueueAttributes in {acme.account} (eu-west-1)")
    assert attribute(aws, made.url) == "30"


async def test_drift_is_found_and_brought_back(orbits: Orbits, aws: OfflineAws, acme: AwsTarget) -> None:
    made = await orbits.run(App(), target=acme)
    aws.client("sqs", account="acme").set_queue_attributes(QueueUrl=made.url, Attributes={"VisibilityTimeout": "5"})
    app = orbits.record(App, "acme")
    [(_, difference)] = (await app.drift()).drifted
    assert (difference.path, difference.recorded, difference.live) == ("visibility_timeout", "30", "5")
    assert (await app.cycle(on_drift="remediate")).in_sync
    assert attribute(aws, made.url) == "30"


async def test_a_lost_answer_makes_no_second_queue(orbits: Orbits, aws: OfflineAws, acme: AwsTarget) -> None:
    aws.lose_answer("sqs", "CreateQueue", times=None)
    with pytest.raises(ExecutionFailed):
        await orbits.run(App(), target=acme)
    aws.clear_faults()
    await orbits.run(App(), target=acme)
    assert len(aws.client("sqs", account="acme").list_queues()["QueueUrls"]) == 1


@pytest.mark.parametrize(
    ("tags", "message"),
    [
        ({}, "was not made by Orbits"),
        ({"orbits:project": "other", "orbits:record": "Queue bolt/orders"}, "Queue bolt/orders of the project other"),
    ],
)
async def test_a_queue_that_is_not_ours_is_left_alone(
    orbits: Orbits, aws: OfflineAws, acme: AwsTarget, tags: dict[str, str], message: str
) -> None:
    sqs = aws.client("sqs", account="acme")
    url = sqs.create_queue(QueueName="orders", Attributes={"VisibilityTimeout": "7"}, tags=tags)["QueueUrl"]
    with pytest.raises(ExecutionFailed, match=message) as failed:
        await orbits.run(App(), target=acme)
    assert failed.value.caused_by(Refused)
    assert attribute(aws, url) == "7"


async def test_another_name_is_another_queue(orbits: Orbits, aws: OfflineAws, acme: AwsTarget) -> None:
    await orbits.run(App(), target=acme)
    made = await orbits.run(App(name="sales"), target=acme)
    assert aws.client("sqs", account="acme").list_queues()["QueueUrls"] == [made.url]


async def test_nothing_is_left_after_an_uninstall(orbits: Orbits, aws: OfflineAws, acme: AwsTarget) -> None:
    await orbits.run(App(), target=acme)
    await orbits.record(App, "acme").uninstall()
    assert aws.client("sqs", account="acme").list_queues().get("QueueUrls", []) == []


def test_outputs_can_be_read_as_they_are_declared() -> None:
    assert {"url", "visibility_timeout"} <= set(QueueOutputs.model_fields)
