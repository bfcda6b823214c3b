"""The trial tells what happens to a type, and types of every sort go through it."""

import pytest

from orbits_aws.offline import OfflineAws
from orbits_aws.offline.cloudformation.resources import TYPES
from orbits_aws.offline.types.trial import Sample, Trial, samples

MANAGEMENT = "123456789012"
SAMPLES = samples()
TRIED = (
    "AWS::EC2::SecurityGroup",
    "AWS::EC2::VPC",
    "AWS::Events::Rule",
    "AWS::Lambda::Alias",
    "AWS::SNS::Subscription",
)


@pytest.mark.parametrize("name", TRIED)
def test_a_type_is_made_changed_replaced_read_and_removed(running: OfflineAws, name: str) -> None:
    found = Trial(running, MANAGEMENT).run(SAMPLES[name])
    assert vars(found) == {
        "type": name,
        "created": "yes",
        "in_sync": "yes",
        "changed": "yes",
        "replaced": "yes",
        "removed": "yes",
    }


def test_a_change_that_no_call_carries_out_is_refused_with_type_and_property(running: OfflineAws) -> None:
    sample = Sample(
        type="AWS::Events::EventBus", properties={"Name": "bus", "Description": "one"}, change={"Description": "two"}
    )
    found = Trial(running, MANAGEMENT).run(sample)
    assert found.changed == "It: The offline AWS cannot change Description of AWS::Events::EventBus in place"
    assert found.removed == "yes"


@pytest.mark.parametrize(
    ("properties", "why"),
    [
        ({"EventSourceName": "x", "Policy": {}}, "property Policy of AWS::Events::EventBus"),
        ({"DeadLetterConfig": {"Queue": "x"}}, "AWS::Events::EventBus/DeadLetterConfig/Queue"),
    ],
)
def test_a_property_that_no_call_takes_is_refused_before_anything_is_made(
    aws: OfflineAws, properties: dict[str, object], why: str
) -> None:
    found = Trial(aws, MANAGEMENT).run(Sample(type="AWS::Events::EventBus", properties={"Name": "b", **properties}))
    assert found.created == f"It: The offline AWS does not carry out {why}"
    assert "CreateEventBus" not in aws.counts().get(MANAGEMENT, {}).get("events", {})


def test_every_sample_is_of_an_offered_type() -> None:
    assert set(SAMPLES) <= set(TYPES)
