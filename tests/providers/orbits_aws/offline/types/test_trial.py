"""The trial tells what happens to a type, and types of every sort go through it."""

import json
import re
from pathlib import Path

import pytest

from orbits_aws.offline import OfflineAws
from orbits_aws.offline.cloudformation.resources import TYPES
from orbits_aws.offline.cloudformation.resources.mapped import FORGOTTEN
from orbits_aws.offline.types.forgotten import all_forgotten
from orbits_aws.offline.types.table import ELSEWHERE, page, row, rows_of
from orbits_aws.offline.types.trial import Sample, Trial, samples

MANAGEMENT = "123456789012"
SAMPLES = samples()
PAGE = (Path(__file__).parents[5] / "docs" / "offline-types.md").read_text(encoding="utf-8")
TRIED = (
    "AWS::AutoScaling::AutoScalingGroup",
    "AWS::EC2::SecurityGroup",
    "AWS::EC2::VPC",
    "AWS::Events::Rule",
    "AWS::IAM::User",
    "AWS::KMS::Key",
    "AWS::Lambda::Alias",
    "AWS::RDS::DBSubnetGroup",
    "AWS::Route53::RecordSet",
    "AWS::SNS::Subscription",
    "AWS::SecretsManager::Secret",
)


@pytest.mark.parametrize("name", TRIED)
def test_a_type_does_what_the_page_says(running: OfflineAws, name: str) -> None:
    """`python -m orbits_aws.offline.types` writes the page; another moto, or another handler, may change it."""
    assert row(SAMPLES[name], Trial(running, MANAGEMENT).run(SAMPLES[name])) in PAGE.splitlines()


def test_the_page_tells_of_every_type_and_of_every_property_that_is_not_carried_out() -> None:
    rows = rows_of(PAGE)
    assert set(rows) == set(TYPES)
    assert page(rows) == PAGE
    broken = [text for text in rows.values() if re.search("no: |not tried|MODIFIED|left: ", text)]
    assert broken == []


def test_a_change_that_no_call_carries_out_is_refused_with_type_and_property(running: OfflineAws) -> None:
    sample = Sample(
        type="AWS::Events::EventBus", properties={"Name": "bus", "Description": "one"}, change={"Description": "two"}
    )
    found = Trial(running, MANAGEMENT).run(sample)
    assert found.changed == "It: The offline AWS cannot change Description of AWS::Events::EventBus in place"
    assert found.removed == "yes"


FAILED = "Properties validation failed for resource It with message:"


@pytest.mark.parametrize(
    ("properties", "why"),
    [
        (
            {"EventSourceName": "x", "Policy": {}},
            "The offline AWS does not carry out property Policy of AWS::Events::EventBus",
        ),
        (
            {"DeadLetterConfig": {"Queue": "x"}},
            f"{FAILED}\n#/DeadLetterConfig: extraneous key [Queue] is not permitted",
        ),
    ],
)
def test_a_property_that_no_call_takes_is_refused_before_anything_is_made(
    aws: OfflineAws, properties: dict[str, object], why: str
) -> None:
    found = Trial(aws, MANAGEMENT).run(Sample(type="AWS::Events::EventBus", properties={"Name": "b", **properties}))
    assert found.created == f"It: {why}"
    assert "CreateEventBus" not in aws.counts().get(MANAGEMENT, {}).get("events", {})


def test_what_moto_takes_and_forgets_is_refused() -> None:
    """The table beside the handlers is what this moto's code says; `python -m orbits_aws.offline.types` makes it."""
    assert all_forgotten() == json.loads(FORGOTTEN.read_text(encoding="utf-8"))
    stream = TYPES["AWS::Kinesis::Stream"].carried_out()
    assert "MaxRecordSizeInKiB" not in stream
    assert "ShardCount" in stream


def test_a_secret_is_made_up_as_its_rule_says(aws: OfflineAws) -> None:
    Trial(aws, MANAGEMENT).make(SAMPLES["AWS::SecretsManager::Secret"])
    client = aws.client("secretsmanager", account=MANAGEMENT)
    [secret] = client.list_secrets()["SecretList"]
    value = json.loads(client.get_secret_value(SecretId=secret["ARN"])["SecretString"])
    assert (value["username"], len(value["password"])) == ("admin", 20)


def test_every_type_has_a_sample() -> None:
    assert set(SAMPLES) | set(ELSEWHERE) == set(TYPES)
