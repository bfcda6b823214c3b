"""Every state that a stack may be found in: brought back to a deployable one, or the one thing to do is said.

The table in docs/recover.md says the same; the states of deployments that only go well are in test_deploy.
"""

import json
from collections.abc import Callable
from typing import Any

import pytest

from orbits_aws import AwsTarget, OfflineAws, client
from orbits_aws.errors import AwsRefused
from orbits_cdk.cloudformation import StackEvent, cause, first_failure
from orbits_cdk.deploy import advance
from orbits_cdk.errors import DeployFailed, StackBusy, StackStuck
from orbits_cdk.plan import change_of
from orbits_cdk.remove import Removed
from orbits_cdk.wanted import Underway
from orbits_iac import ExecutionFailed, Orbits
from orbits_iac.model.states import State

from .given import Given, Holder, queue
from .test_deploy import TAGS, Said, deploy, remove, status, template, wanted

BOTH, ONE = template("orders", "sales"), template("orders")
AWS_TAGS = [{"Key": key, "Value": value} for key, value in TAGS.items()]


class Site:
    """A stack of ours, and what somebody else may do with it."""

    def __init__(self, aws: OfflineAws, target: AwsTarget) -> None:
        self.aws = aws
        self.cfn = client("cloudformation", target)
        self.raw = aws.client("cloudformation", account="acme")

    @property
    def status(self) -> str:
        return status(self.raw)

    def create(self, of: dict[str, Any] = ONE, **more: Any) -> None:
        self.raw.create_stack(StackName="site", TemplateBody=json.dumps(of), Tags=AWS_TAGS, **more)

    def update(self, of: dict[str, Any], **more: Any) -> None:
        self.raw.update_stack(StackName="site", TemplateBody=json.dumps(of), Tags=AWS_TAGS, **more)

    def fail(self, operation: str, resource: str, **which: Any) -> None:
        self.aws.fail("sqs", operation, code="AccessDenied", resource=resource, **which)


@pytest.fixture
def site(aws: OfflineAws, acme: AwsTarget) -> Site:
    return Site(aws, acme)


def deleted(site: Site) -> None:
    site.create()
    site.raw.delete_stack(StackName="site")


def rollback_complete(site: Site) -> None:
    site.fail("CreateQueue", "sales")
    site.create(BOTH)


def rollback_failed(site: Site) -> None:
    site.fail("CreateQueue", "sales")
    site.fail("DeleteQueue", "orders")
    site.create({"Resources": {**BOTH["Resources"], "sales": {**BOTH["Resources"]["sales"], "DependsOn": "orders"}}})


def update_rollback_complete(site: Site) -> None:
    site.create()
    site.fail("CreateQueue", "sales")
    site.update(BOTH)


def update_rollback_failed(site: Site) -> None:
    site.create(BOTH)
    site.fail("SetQueueAttributes", "sales")
    site.fail("SetQueueAttributes", "orders", nth=2)
    site.update(template("orders", "sales", visibility=60))


def create_failed_with_nothing(site: Site) -> None:
    site.fail("CreateQueue", "orders")
    site.create(OnFailure="DO_NOTHING")


def review(site: Site) -> None:
    for name in ("by-hand", "by-hand-too"):
        site.raw.create_change_set(
            StackName="site", ChangeSetName=name, ChangeSetType="CREATE", TemplateBody=json.dumps(BOTH), Tags=AWS_TAGS
        )


def stale_change_set(site: Site) -> None:
    site.create()
    site.raw.create_change_set(StackName="site", ChangeSetName="old", TemplateBody=json.dumps(BOTH), Tags=AWS_TAGS)


def being_updated(site: Site) -> None:
    site.create()
    site.aws.settings(polls=4)
    site.update(template("orders", visibility=5))


def being_deleted(site: Site) -> None:
    site.create(BOTH)
    site.aws.settings(polls=4)
    site.raw.delete_stack(StackName="site")


@pytest.mark.parametrize(
    ("make", "found", "told"),
    [
        (deleted, None, ""),
        (rollback_complete, "ROLLBACK_COMPLETE", "removing what is left of a creation that failed"),
        (rollback_failed, "ROLLBACK_FAILED", "removing what is left of a creation that failed"),
        (update_rollback_complete, "UPDATE_ROLLBACK_COMPLETE", ""),
        (update_rollback_failed, "UPDATE_ROLLBACK_FAILED", "going on with the rollback that failed"),
        (create_failed_with_nothing, "CREATE_FAILED", "removing what is left of a creation that failed"),
        (review, "REVIEW_IN_PROGRESS", ""),
        (stale_change_set, "CREATE_COMPLETE", ""),
        (being_updated, "UPDATE_IN_PROGRESS", "waiting: site is UPDATE_IN_PROGRESS"),
        (being_deleted, "DELETE_IN_PROGRESS", "waiting: site is DELETE_IN_PROGRESS"),
    ],
)
def test_it_is_brought_back_by_itself(site: Site, make: Callable[[Site], None], found: str | None, told: str) -> None:
    make(site)
    if found is not None:
        assert site.status == found
    said = Said()
    goal = template("orders", "sales", "late", visibility=90)
    assert deploy(site.cfn, wanted(goal), said).changed
    assert any(message.startswith(told) for message in said.messages) or not told
    assert site.status in {"CREATE_COMPLETE", "UPDATE_COMPLETE"}
    sqs = site.aws.client("sqs", account="acme")
    assert sorted(url.rpartition("/")[2] for url in sqs.list_queues()["QueueUrls"]) == ["late", "orders", "sales"]


def create_failed(site: Site) -> None:
    site.fail("CreateQueue", "sales")
    dependent = {**BOTH["Resources"]["sales"], "DependsOn": "orders"}
    site.create({"Resources": {**BOTH["Resources"], "sales": dependent}}, OnFailure="DO_NOTHING")


def update_failed(site: Site) -> None:
    site.create()
    site.fail("CreateQueue", "sales")
    site.update(BOTH, DisableRollback=True)


def delete_failed(site: Site) -> None:
    site.create()
    site.fail("DeleteQueue", "orders")
    site.raw.delete_stack(StackName="site")


def still_in_the_way(site: Site) -> None:
    update_rollback_failed(site)
    site.fail("SetQueueAttributes", "orders", times=None)


@pytest.mark.parametrize(
    ("make", "found", "todo"),
    [
        (create_failed, "CREATE_FAILED", "aws cloudformation delete-stack --stack-name site"),
        (update_failed, "UPDATE_FAILED", "aws cloudformation rollback-stack --stack-name site"),
        (delete_failed, "DELETE_FAILED", "uninstall it again"),
        (still_in_the_way, "UPDATE_ROLLBACK_FAILED", "Remove the cause, then do this again"),
    ],
)
def test_the_one_thing_to_do_is_said(site: Site, make: Callable[[Site], None], found: str, todo: str) -> None:
    make(site)
    assert site.status == found
    with pytest.raises(StackStuck) as stuck:
        deploy(site.cfn, wanted(BOTH))
    assert f"The stack site in 111111111111 (eu-west-1) is {found}; " in str(stuck.value)
    assert "What to do: " in str(stuck.value)
    assert todo in str(stuck.value)
    assert site.status == found, "nothing was skipped or forced"


def test_what_could_not_be_deleted_is_uninstalled_again(site: Site) -> None:
    delete_failed(site)
    assert remove(site.cfn) == Removed()


def test_a_failed_rollback_is_shown_before_it_is_gone_on_with(site: Site) -> None:
    update_rollback_failed(site)
    assert change_of(site.cfn, wanted(ONE), "Site").detail.endswith("its rollback, which failed, is gone on with first")
    assert site.status == "UPDATE_ROLLBACK_FAILED"


def test_a_protected_stack_says_how_it_is_let_go(site: Site) -> None:
    site.create(EnableTerminationProtection=True)
    with pytest.raises(StackStuck, match=r"protected against deletion.* --no-enable-termination-protection .*site"):
        remove(site.cfn)
    assert site.status == "CREATE_COMPLETE"


def test_what_the_stacks_policy_denies_says_how_it_is_set(site: Site) -> None:
    site.create()
    policy = {"Statement": [{"Effect": "Deny", "Action": "Update:*", "Principal": "*", "Resource": "*"}]}
    site.raw.set_stack_policy(StackName="site", StackPolicyBody=json.dumps(policy))
    with pytest.raises(DeployFailed, match=r"orders .*denied by stack policy.*set-stack-policy --stack-name site"):
        deploy(site.cfn, wanted(template("orders", visibility=60)))
    assert site.status == "UPDATE_ROLLBACK_COMPLETE"


async def test_a_rollback_that_failed_is_gone_on_with_on_the_way_back(
    orbits: Orbits, site: Site, acme: AwsTarget
) -> None:
    """The update fails, CloudFormation cannot go back for a moment, and Orbits goes back all the same."""
    before = {"Orders": queue("orders"), "Sales": queue("sales")}
    await orbits.run(Holder(resources=before), target=acme)
    site.fail("SetQueueAttributes", "sales")
    site.fail("SetQueueAttributes", "orders", nth=2)
    after = {
        "Orders": queue("orders", visibility=60),
        "Sales": {**queue("sales", visibility=60), "DependsOn": "Orders"},
    }
    with pytest.raises(ExecutionFailed, match="Sales") as failed:
        await orbits.run(Holder(resources=after), target=acme)
    assert failed.value.failure.state is State.REVERTED
    [stack] = site.raw.describe_stacks()["Stacks"]
    assert stack["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"
    assert (await orbits.record(Given, "Holder acme/site").drift()).in_sync


@pytest.mark.parametrize("operation", ["CreateChangeSet", "ExecuteChangeSet", "DeleteStack"])
def test_a_role_that_is_gone_says_what_to_make(site: Site, operation: str) -> None:
    site.create()
    message = "Role arn:aws:iam::111111111111:role/gone is invalid or cannot be assumed"
    site.aws.fail("cloudformation", operation, code="ValidationError", message=message)
    with pytest.raises(StackStuck, match=r"role/gone is invalid.* service_role, then do this again"):
        remove(site.cfn) if operation == "DeleteStack" else deploy(site.cfn, wanted(BOTH))


def test_a_new_role_takes_the_place_of_one_that_is_gone(site: Site) -> None:
    site.create()
    iam = site.aws.client("iam", account="acme")
    arn = iam.create_role(RoleName="new", AssumeRolePolicyDocument="{}")["Role"]["Arn"]
    deploy(site.cfn, wanted(BOTH, role=lambda: arn))
    assert site.raw.describe_stacks(StackName="site")["Stacks"][0]["RoleARN"] == arn


def test_somebody_who_deploys_right_after_is_noticed(site: Site) -> None:
    site.create()
    what = wanted(BOTH)
    underway = Underway()
    while underway.phase != "executing":
        result = advance(site.cfn, what, underway, Said())
        assert isinstance(result, Underway)
        underway = result
    deploy(site.cfn, wanted(template("theirs"), token="theirs"))
    with pytest.raises(StackBusy, match="somebody else deployed it right after"):
        advance(site.cfn, what, underway, Said())
    assert deploy(site.cfn, wanted(BOTH, attempt=2)).changed


def test_a_change_set_of_ours_that_was_made_and_not_executed_is_executed(site: Site) -> None:
    site.create()
    what = wanted(BOTH)
    site.raw.create_change_set(
        StackName="site", ChangeSetName=what.change_set, TemplateBody=json.dumps(BOTH), Tags=AWS_TAGS
    )
    assert deploy(site.cfn, what).changed


class Obsolete:
    """A client for which somebody else has executed another change set in between."""

    def __init__(self, cfn: Any) -> None:
        self._cfn = cfn

    def __getattr__(self, name: str) -> Any:
        return getattr(self._cfn, name)

    def describe_change_set(self, **arguments: Any) -> Any:
        return {**self._cfn.describe_change_set(**arguments), "ExecutionStatus": "OBSOLETE"}


def test_a_change_set_that_no_longer_holds_is_made_anew_by_the_next_attempt(site: Site) -> None:
    site.create()
    with pytest.raises(StackBusy, match="no longer holds"):
        deploy(Obsolete(site.cfn), wanted(BOTH))
    assert site.raw.list_change_sets(StackName="site")["Summaries"] == []
    assert deploy(site.cfn, wanted(BOTH, attempt=2)).changed


def test_one_that_was_deleted_while_it_was_deployed_says_so(site: Site) -> None:
    site.create()
    site.aws.settings(polls=3)

    def delete(message: str, _: float | None) -> None:
        if message.startswith("UPDATE_IN_PROGRESS"):
            site.aws.settings(polls=0)
            while site.status.endswith("_IN_PROGRESS"):
                pass
            site.raw.delete_stack(StackName="site")

    with pytest.raises(DeployFailed, match="was deleted while it was deployed"):
        deploy(site.cfn, wanted(BOTH), delete)


def event(name: str, kind: str, physical: str, state: str, *, stack: str = "arn:root") -> StackEvent:
    return StackEvent(
        logical_id=name, physical_id=physical, type=kind, status=state, reason="no", token="", stack_id=stack
    )


class Nested:
    """CloudFormation with the events of a nested stack."""

    def items(self, operation: str, key: str, *, StackName: str) -> list[dict[str, str]]:  # noqa: N803 - boto3's
        assert (operation, key, StackName) == ("describe_stack_events", "StackEvents", "arn:nested")
        return [
            {
                "StackId": "arn:nested",
                "LogicalResourceId": "Table",
                "PhysicalResourceId": "t",
                "ResourceType": "AWS::DynamoDB::Table",
                "ResourceStatus": "UPDATE_FAILED",
                "ResourceStatusReason": "it is locked",
            }
        ]


def test_the_cause_within_a_nested_stack_is_named() -> None:
    kind = "AWS::CloudFormation::Stack"
    events = [event("site", kind, "arn:root", "UPDATE_IN_PROGRESS"), event("Data", kind, "arn:nested", "UPDATE_FAILED")]
    assert str(cause(Nested(), first_failure, events)) == "Table (AWS::DynamoDB::Table) UPDATE_FAILED: it is locked"


def test_what_is_refused_for_another_reason_stays_as_cloudformation_says_it(site: Site) -> None:
    site.create()
    site.aws.fail("cloudformation", "DeleteStack", code="ValidationError", message="Export x is in use by other")
    with pytest.raises(AwsRefused, match="Export x is in use by other"):
        remove(site.cfn)
