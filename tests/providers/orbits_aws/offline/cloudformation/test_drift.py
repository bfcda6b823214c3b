"""Drift: found, told in detail, and brought back by a drift-aware change set."""

from typing import Any

import pytest

from orbits_aws.offline.cloudformation.drift import differences

MANAGEMENT = "123456789012"


@pytest.mark.parametrize(
    ("expected", "actual", "paths"),
    [
        ({"A": 1}, {"A": "1", "B": 2}, []),
        ({"A": True}, {"A": "true"}, []),
        ({"A": 1}, {"A": 2}, ["NOT_EQUAL /A"]),
        ({"A": 1}, {}, ["REMOVE /A"]),
        ({"A": {"B": 1}}, {"A": {"B": 2, "C": 3}}, ["NOT_EQUAL /A/B"]),
        ({"A": '{"b": 1}'}, {"A": {"b": 1}}, []),
        ({"A": [1, 2]}, {"A": [2, 1]}, []),
        ({"A": [1, 2]}, {"A": [2]}, ["REMOVE /A/0"]),
        ({"A": [1]}, {"A": [1, 2]}, ["ADD /A/1"]),
        ({"T": [{"Key": "a", "Value": 1}]}, {"T": [{"Key": "a", "Value": 2}]}, ["NOT_EQUAL /T/0/Value"]),
        ({"A": "x"}, {"A": {"y": 1}}, ["NOT_EQUAL /A"]),
    ],
)
def test_differences_are_those_that_mean_something(expected: Any, actual: Any, paths: list[str]) -> None:
    found = [f"{one['DifferenceType']} {one['PropertyPath']}" for one in differences(expected, actual, "")]
    assert found == paths


def test_what_cdk_deploys_is_in_sync(cfn: Any, service: Any, site: Any) -> None:
    for name, template in (("service", service), ("site", site)):
        cfn.deploy(name, template)
        drift = cfn.drift(name)
        assert {status for status, _ in drift.values()} == {"IN_SYNC"}, drift
        assert set(drift) == set(template["Resources"])
        assert cfn.stack(name)["DriftInformation"]["StackDriftStatus"] == "IN_SYNC"


def test_changes_behind_the_stacks_back_are_found_and_told(aws: Any, cfn: Any, service: Any, site: Any) -> None:
    cfn.deploy("service", service)
    cfn.deploy("site", site)
    outputs = cfn.outputs("service") | cfn.outputs("site")
    aws.client("sqs", account=MANAGEMENT).set_queue_attributes(
        QueueUrl=outputs["QueueUrl"], Attributes={"VisibilityTimeout": "5"}
    )
    aws.client("s3", account=MANAGEMENT).put_bucket_versioning(
        Bucket=outputs["BucketName"], VersioningConfiguration={"Status": "Suspended"}
    )
    detection = cfn.client.detect_stack_drift(StackName="service")["StackDriftDetectionId"]
    told = cfn.client.describe_stack_drift_detection_status(StackDriftDetectionId=detection)
    assert (told["DetectionStatus"], told["StackDriftStatus"], told["DriftedStackResourceCount"]) == (
        "DETECTION_COMPLETE",
        "DRIFTED",
        1,
    )
    [drift] = cfn.client.describe_stack_resource_drifts(
        StackName="service", StackResourceDriftStatusFilters=["MODIFIED", "DELETED"]
    )["StackResourceDrifts"]
    assert drift["PropertyDifferences"] == [
        {
            "DifferenceType": "NOT_EQUAL",
            "PropertyPath": "/VisibilityTimeout",
            "ExpectedValue": "45",
            "ActualValue": "5",
        }
    ]
    drifted = {name: found for name, found in cfn.drift("site").items() if found[0] != "IN_SYNC"}
    assert list(drifted.values()) == [("MODIFIED", ["/VersioningConfiguration/Status"])]


def queue(**properties: Any) -> dict[str, Any]:
    return {"Resources": {"Queue": {"Type": "AWS::SQS::Queue", "Properties": properties}}}


def set_visibility(aws: Any, url: str, seconds: str) -> None:
    aws.client("sqs", account=MANAGEMENT).set_queue_attributes(QueueUrl=url, Attributes={"VisibilityTimeout": seconds})


def visibility(aws: Any, url: str) -> str:
    live = aws.client("sqs", account=MANAGEMENT).get_queue_attributes(QueueUrl=url, AttributeNames=["All"])
    return str(live["Attributes"]["VisibilityTimeout"])


def test_the_same_template_again_brings_nothing_back_but_a_drift_aware_one_does(aws: Any, cfn: Any) -> None:
    cfn.deploy("shop", queue(VisibilityTimeout=45))
    url = cfn.physical_id("shop", "Queue")
    set_visibility(aws, url, "5")
    assert cfn.change_set("shop", queue(VisibilityTimeout=45))["Status"] == "FAILED"
    change_set = cfn.change_set("shop", queue(VisibilityTimeout=45), DeploymentMode="REVERT_DRIFT")
    [change] = [one["ResourceChange"] for one in change_set["Changes"]]
    assert (change["Action"], change["ResourceDriftStatus"], change["Replacement"]) == ("Modify", "MODIFIED", "False")
    assert change_set["DeploymentMode"] == "REVERT_DRIFT"
    cfn.client.execute_change_set(ChangeSetName=change_set["ChangeSetId"])
    assert cfn.stack("shop")["StackStatus"] == "UPDATE_COMPLETE"
    assert visibility(aws, url) == "45"
    assert cfn.drift("shop") == {"Queue": ("IN_SYNC", [])}
    assert cfn.change_set("shop", queue(VisibilityTimeout=45), DeploymentMode="REVERT_DRIFT")["Status"] == "FAILED"


def test_what_was_deleted_behind_the_stacks_back_is_made_again(aws: Any, cfn: Any) -> None:
    cfn.deploy("shop", queue(VisibilityTimeout=45))
    old = cfn.physical_id("shop", "Queue")
    aws.client("sqs", account=MANAGEMENT).delete_queue(QueueUrl=old)
    assert cfn.drift("shop") == {"Queue": ("DELETED", [])}
    stack = cfn.deploy("shop", queue(VisibilityTimeout=45), DeploymentMode="REVERT_DRIFT")
    assert stack["StackStatus"] == "UPDATE_COMPLETE"
    assert cfn.physical_id("shop", "Queue") != old
    assert cfn.drift("shop") == {"Queue": ("IN_SYNC", [])}


def test_an_update_of_what_was_deleted_fails_and_says_so(aws: Any, cfn: Any) -> None:
    cfn.deploy("shop", queue(VisibilityTimeout=45))
    aws.client("sqs", account=MANAGEMENT).delete_queue(QueueUrl=cfn.physical_id("shop", "Queue"))
    stack = cfn.deploy("shop", queue(VisibilityTimeout=50))
    assert stack["StackStatus"] == "UPDATE_ROLLBACK_FAILED"
    assert "was not found" in cfn.reasons("shop")["Queue"]


def test_a_rollback_restores_the_templates_values_not_the_live_ones(aws: Any, cfn: Any) -> None:
    template = queue(VisibilityTimeout=45)
    cfn.deploy("shop", template)
    url = cfn.physical_id("shop", "Queue")
    set_visibility(aws, url, "5")
    aws.fail("sqs", "SetQueueAttributes", code="AccessDenied")
    assert cfn.deploy("shop", queue(VisibilityTimeout=50))["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"
    assert visibility(aws, url) == "45"


def test_a_drift_aware_change_set_that_fails_goes_back(aws: Any, cfn: Any) -> None:
    cfn.deploy("shop", queue(VisibilityTimeout=45))
    set_visibility(aws, cfn.physical_id("shop", "Queue"), "5")
    aws.fail("sqs", "SetQueueAttributes", code="AccessDenied", origin="cloudformation")
    stack = cfn.deploy("shop", queue(VisibilityTimeout=45), DeploymentMode="REVERT_DRIFT")
    assert stack["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"


def test_one_resource_can_be_looked_at(aws: Any, cfn: Any) -> None:
    cfn.deploy("shop", queue(VisibilityTimeout=45))
    set_visibility(aws, cfn.physical_id("shop", "Queue"), "5")
    found = cfn.client.detect_stack_resource_drift(StackName="shop", LogicalResourceId="Queue")["StackResourceDrift"]
    assert found["StackResourceDriftStatus"] == "MODIFIED"
    assert cfn.stack("shop")["DriftInformation"]["StackDriftStatus"] == "DRIFTED"


def test_types_without_a_reader_are_not_checked_and_do_not_count(cfn: Any) -> None:
    cfn.deploy("shop", {"Resources": {"Handle": {"Type": "AWS::CloudFormation::WaitConditionHandle"}}})
    assert cfn.drift("shop") == {}
    resource = cfn.client.describe_stack_resource(StackName="shop", LogicalResourceId="Handle")
    assert resource["StackResourceDetail"]["DriftInformation"]["StackResourceDriftStatus"] == "NOT_CHECKED"


def test_what_could_not_be_read_is_unknown_and_told(aws: Any, cfn: Any) -> None:
    cfn.deploy("shop", queue(VisibilityTimeout=45))
    aws.fail("sqs", "GetQueueAttributes", code="AccessDenied", origin="cloudformation", times=2)
    detection = cfn.client.detect_stack_drift(StackName="shop")["StackDriftDetectionId"]
    told = cfn.client.describe_stack_drift_detection_status(StackDriftDetectionId=detection)
    assert (told["DetectionStatus"], told["DetectionStatusReason"]) == (
        "DETECTION_FAILED",
        "Failed to detect drift on resources [Queue]",
    )
    [found] = cfn.client.describe_stack_resource_drifts(StackName="shop")["StackResourceDrifts"]
    assert found["StackResourceDriftStatus"] == "UNKNOWN"
    change_set = cfn.change_set("shop", queue(VisibilityTimeout=45), DeploymentMode="REVERT_DRIFT")
    assert (change_set["Status"], "AccessDenied" in change_set["StatusReason"]) == ("FAILED", True)
    [event] = cfn.client.describe_events(ChangeSetName=change_set["ChangeSetId"])["OperationEvents"]
    assert (event["OperationStatus"], event["ResourceStatusReason"]) == ("FAILED", change_set["StatusReason"])
