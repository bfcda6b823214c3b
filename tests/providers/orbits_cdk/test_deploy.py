"""Deploying and removing by change sets: from any state of the stack, and after a crash at any call."""

import json
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest

from orbits_aws import AwsTarget, OfflineAws, client
from orbits_cdk.deploy import advance
from orbits_cdk.errors import DeployFailed, StackStuck
from orbits_cdk.remove import Removed, Removing, Unwanted, advance_removal
from orbits_cdk.wanted import Deployed, Underway, Wanted
from orbits_iac.provider import Refused

TAGS = {"orbits:project": "tests", "orbits:record": "Site acme"}


def template(*queues: str, visibility: int = 30) -> dict[str, Any]:
    return {
        "Resources": {
            name: {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": name, "VisibilityTimeout": visibility}}
            for name in queues
        },
        "Outputs": {"First": {"Value": {"Ref": queues[0]}}},
    }


def wanted(of: dict[str, Any], *, token: str = "t1", attempt: int = 1, **more: Any) -> Wanted:
    return Wanted(
        stack="site",
        place="111111111111 (eu-west-1)",
        template=of,
        parameters={},
        tags=more.pop("tags", TAGS),
        token=token,
        attempt=attempt,
        **more,
    )


class Said:
    """What was told of the progress."""

    def __init__(self) -> None:
        self.messages: list[str] = []
        self.shares: list[float | None] = []

    def __call__(self, message: str, share: float | None) -> None:
        self.messages.append(message)
        self.shares.append(share)


def deploy(cfn: Any, what: Wanted, said: Callable[[str, float | None], None] | None = None) -> Deployed:
    """Go on until it is done, as the engine does."""
    underway = Underway()
    for _ in range(50):
        result = advance(cfn, what, underway, said or Said())
        if isinstance(result, Deployed):
            return result
        assert isinstance(result, Underway), result
        underway = result
    raise AssertionError(f"it never ended: {underway}")


def remove(cfn: Any, *, tags: dict[str, str] = TAGS) -> Removed:
    unwanted = Unwanted(stack="site", place="111111111111 (eu-west-1)", tags=tags, token=str(uuid4()))
    removing = Removing()
    for _ in range(50):
        result = advance_removal(cfn, unwanted, removing, Said())
        if isinstance(result, Removed):
            return result
        removing = result
    raise AssertionError(f"it never ended: {removing}")


@pytest.fixture
def cfn(acme: AwsTarget) -> Any:
    return client("cloudformation", acme)


@pytest.fixture
def raw(aws: OfflineAws, acme: AwsTarget) -> Any:
    """What somebody else uses."""
    return aws.client("cloudformation", account="acme")


def status(raw: Any) -> str:
    return str(raw.describe_stacks(StackName="site")["Stacks"][0]["StackStatus"])


def test_it_is_made_and_then_left_alone(cfn: Any, aws: OfflineAws) -> None:
    first = deploy(cfn, wanted(template("orders")))
    assert first.changed
    assert first.outputs["First"].endswith("/orders")
    before = len(aws.calls(writes=True))
    assert deploy(cfn, wanted(template("orders"), token="t2")) == Deployed(outputs=first.outputs, changed=False)
    assert len(aws.calls(writes=True)) == before


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"of": template("orders", visibility=60)}, id="a property"),
        pytest.param({"of": {**template("orders"), "Outputs": {}}}, id="outputs"),
        pytest.param({"of": template("orders"), "tags": {**TAGS, "orbits:record": "Site acme", "x": "1"}}, id="tags"),
    ],
)
def test_what_changed_is_deployed(cfn: Any, change: dict[str, Any]) -> None:
    deploy(cfn, wanted(template("orders")))
    assert deploy(cfn, wanted(token="t2", **change)).changed
    assert not deploy(cfn, wanted(token="t3", **change)).changed


def test_progress_counts_resources(cfn: Any, aws: OfflineAws) -> None:
    aws.settings(polls=3)
    said = Said()
    deploy(cfn, wanted(template("a", "b")), said)
    assert any(message.startswith("CREATE_IN_PROGRESS 1/2: ") for message in said.messages)
    assert 0.5 in said.shares


def test_a_failed_creation_is_cleared_by_the_next_deployment(cfn: Any, aws: OfflineAws, raw: Any) -> None:
    aws.fail("sqs", "CreateQueue", code="AccessDenied")
    with pytest.raises(DeployFailed, match=r"orders \(AWS::SQS::Queue\) CREATE_FAILED.*ROLLBACK_COMPLETE"):
        deploy(cfn, wanted(template("orders")))
    assert status(raw) == "ROLLBACK_COMPLETE"
    assert deploy(cfn, wanted(template("orders"), token="t2")).changed
    assert status(raw) == "CREATE_COMPLETE"


def test_a_failed_update_names_the_first_resource_that_failed(cfn: Any, aws: OfflineAws, raw: Any) -> None:
    deploy(cfn, wanted(template("orders")))
    aws.fail("sqs", "CreateQueue", code="AccessDenied", resource="sales")
    with pytest.raises(DeployFailed, match=r"^sales \(AWS::SQS::Queue\) CREATE_FAILED.*in 111111111111 \(eu-west-1\)"):
        deploy(cfn, wanted(template("orders", "sales"), token="t2"))
    assert status(raw) == "UPDATE_ROLLBACK_COMPLETE"
    assert deploy(cfn, wanted(template("orders", "sales"), token="t3")).changed


def test_another_attempt_with_the_same_token_tries_again(cfn: Any, aws: OfflineAws) -> None:
    deploy(cfn, wanted(template("orders")))
    aws.fail("sqs", "CreateQueue", code="AccessDenied", resource="sales")
    with pytest.raises(DeployFailed):
        deploy(cfn, wanted(template("orders", "sales"), token="t2"))
    assert deploy(cfn, wanted(template("orders", "sales"), token="t2", attempt=2)).changed


def test_somebody_elses_update_is_waited_for(cfn: Any, aws: OfflineAws, raw: Any) -> None:
    deploy(cfn, wanted(template("orders")))
    aws.settings(polls=2)
    tags = [{"Key": key, "Value": value} for key, value in TAGS.items()]
    raw.update_stack(StackName="site", TemplateBody=json.dumps(template("orders", visibility=5)), Tags=tags)
    said = Said()
    assert deploy(cfn, wanted(template("orders"), token="t2"), said).changed
    assert said.messages[0] == "waiting: site is UPDATE_IN_PROGRESS"


def test_a_stack_that_is_only_reviewed_is_made(cfn: Any, raw: Any) -> None:
    raw.create_change_set(
        StackName="site",
        ChangeSetName="by-hand",
        ChangeSetType="CREATE",
        TemplateBody=json.dumps(template("other")),
        Tags=[{"Key": key, "Value": value} for key, value in TAGS.items()],
    )
    assert status(raw) == "REVIEW_IN_PROGRESS"
    assert deploy(cfn, wanted(template("orders"))).changed


def test_a_template_that_is_refused_leaves_no_stack(cfn: Any, raw: Any) -> None:
    bad = {"Resources": {"X": {"Type": "AWS::No::Such"}}}
    with pytest.raises(Exception, match="AWS::No::Such"):
        deploy(cfn, wanted(bad))
    assert raw.describe_stacks()["Stacks"] == []


def test_a_rollback_that_fails_says_what_failed_first_and_what_to_do(cfn: Any, aws: OfflineAws, raw: Any) -> None:
    deploy(cfn, wanted(template("orders", "sales")))
    aws.fail("sqs", "SetQueueAttributes", code="AccessDenied", resource="sales")
    aws.fail("sqs", "SetQueueAttributes", code="InternalFailure", resource="orders", nth=2, times=None)
    with pytest.raises(StackStuck) as stuck:
        deploy(cfn, wanted(template("orders", "sales", visibility=60), token="t2"))
    assert str(stuck.value).startswith("sales (AWS::SQS::Queue) UPDATE_FAILED")
    assert "continue-update-rollback --stack-name site" in str(stuck.value)
    assert status(raw) == "UPDATE_ROLLBACK_FAILED"
    with pytest.raises(StackStuck, match="UPDATE_ROLLBACK_FAILED"):
        deploy(cfn, wanted(template("orders", "sales"), token="t3"))


def test_a_stack_of_nobody_is_refused(cfn: Any, raw: Any) -> None:
    raw.create_stack(StackName="site", TemplateBody=json.dumps(template("orders")))
    with pytest.raises(Refused, match="was not made by Orbits"):
        deploy(cfn, wanted(template("orders")))
    with pytest.raises(Refused, match="was not made by Orbits"):
        remove(cfn)
    assert status(raw) == "CREATE_COMPLETE"


def test_removing_what_is_not_there_is_fine(cfn: Any) -> None:
    assert remove(cfn) == Removed()


def test_what_is_retained_is_named(cfn: Any) -> None:
    kept = template("orders")
    kept["Resources"]["orders"]["DeletionPolicy"] = "Retain"
    deploy(cfn, wanted(kept))
    [line] = remove(cfn).kept
    assert line.startswith("AWS::SQS::Queue ")
    assert line.endswith("orders")


def test_a_stack_that_cannot_be_deleted_says_what_is_in_the_way(cfn: Any, aws: OfflineAws) -> None:
    deploy(cfn, wanted(template("orders")))
    aws.fail("sqs", "DeleteQueue", code="AccessDenied", times=None)
    with pytest.raises(StackStuck, match=r"DELETE_FAILED; orders \(AWS::SQS::Queue\).*Remove what stands in the way"):
        remove(cfn)
    aws.clear_faults()
    assert remove(cfn) == Removed()


class Died(Exception):
    """The process is no more: nothing that survives a failed call survives this."""


class Crashing:
    """A client that stops the caller at its n-th call: before it is made, or after it was answered."""

    def __init__(self, cfn: Any, at: int, *, answered: bool) -> None:
        self._cfn = cfn
        self._left = at
        self._answered = answered

    def __getattr__(self, name: str) -> Any:
        def call(*arguments: Any, **named: Any) -> Any:
            self._left -= 1
            if self._left == 0 and not self._answered:
                raise Died(f"before {name}")
            answer = getattr(self._cfn, name)(*arguments, **named)
            if self._left == 0:
                raise Died(f"after {name}")
            return answer

        return call


@pytest.mark.parametrize("answered", [False, True], ids=["before the call", "after the call"])
@pytest.mark.parametrize("kind", ["create", "update"])
def test_a_crash_at_any_call_ends_as_without_it(cfn: Any, raw: Any, kind: str, answered: bool) -> None:
    """The same call again, with the same token, finds what was begun and ends it."""
    crashes = 0
    for at in range(1, 10):
        if kind == "update":
            deploy(cfn, wanted(template("orders"), token=f"before-{at}"))
        what = wanted(template("orders", "sales"), token=f"t-{at}")
        crashed = False
        try:
            deploy(Crashing(cfn, at, answered=answered), what)
        except Died:
            crashed = True
        deployed = deploy(cfn, what)
        assert deployed.outputs["First"].endswith("/orders")
        assert status(raw) == f"{kind.upper()}_COMPLETE"
        began = [
            e for e in raw.describe_stack_events(StackName="site")["StackEvents"] if e["LogicalResourceId"] == "sales"
        ]
        assert [e["ResourceStatus"] for e in began].count("CREATE_COMPLETE") == 1, f"done twice after call {at}"
        remove(cfn)
        crashes += crashed
    assert crashes >= 5
