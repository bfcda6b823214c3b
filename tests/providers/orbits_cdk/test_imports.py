"""Resources that exist are taken into a stack, with its first deployment or later, and nothing of them is lost."""

from typing import Any

import pytest

from orbits_aws import AwsTarget, OfflineAws, client
from orbits_cdk.errors import DeployFailed
from orbits_cdk.imports import MARK, import_template, to_import
from orbits_cdk.plan import change_of
from orbits_cdk.wanted import Deployed
from orbits_iac import Orbits
from orbits_iac.provider import Refused, Verb

from .given import Given, Holder, queue, table
from .test_deploy import Crashing, Died, deploy, wanted


def imported(name: str = "orders", **more: Any) -> dict[str, Any]:
    """A table that exists under this name."""
    return table(name, DeletionPolicy="Retain", Metadata={MARK: {"TableName": f"{name}-id"}}, **more)


def of(**resources: Any) -> dict[str, Any]:
    return {"Resources": resources, "Outputs": {"First": {"Value": {"Ref": next(iter(resources))}}}}


class Account:
    """The account, with a table of somebody's in it."""

    def __init__(self, aws: OfflineAws, target: AwsTarget) -> None:
        self.aws = aws
        self.cfn = client("cloudformation", target)
        self.raw = aws.client("cloudformation", account="acme")
        self.dynamodb = aws.client("dynamodb", account="acme")
        definition = table("orders")["Properties"]
        self.dynamodb.create_table(**definition)
        self.dynamodb.put_item(TableName="orders-id", Item={"id": {"S": "1"}})

    @property
    def items(self) -> int:
        return len(self.dynamodb.scan(TableName="orders-id")["Items"])

    def resources(self, name: str = "site") -> dict[str, str]:
        found = self.raw.list_stack_resources(StackName=name)["StackResourceSummaries"]
        return {each["LogicalResourceId"]: each["PhysicalResourceId"] for each in found}


@pytest.fixture
def account(aws: OfflineAws, acme: AwsTarget) -> Account:
    return Account(aws, acme)


def test_what_exists_is_taken_in_with_the_first_deployment(account: Account) -> None:
    goal = of(Orders=imported(), Jobs=queue("jobs"))
    assert deploy(account.cfn, wanted(goal)).outputs == {"First": "orders-id"}
    assert account.resources()["Orders"] == "orders-id"
    assert set(account.resources()) == {"Orders", "Jobs"}
    assert account.items == 1
    assert not deploy(account.cfn, wanted(goal, token="t2")).changed


def test_what_exists_is_taken_in_later_and_changed_as_any_other_is(account: Account) -> None:
    deploy(account.cfn, wanted(of(Jobs=queue("jobs"))))
    reads = {"Type": "AWS::SSM::Parameter", "Properties": {"Type": "String", "Name": "p", "Value": {"Ref": "Orders"}}}
    goal = of(Jobs=queue("jobs", visibility=60), Orders=imported(), Reads=reads)
    goal["Resources"]["Orders"]["DeletionPolicy"] = "Delete"
    stack = change_of(account.cfn, wanted(goal), "Site")
    assert stack.detail == "2 to create, 1 to change; 1 of them imported"
    [orders] = [one for one in stack.below if one.ref == "Orders"]
    assert (orders.verb, orders.detail) == (Verb.CREATE, "orders-id is imported")
    assert deploy(account.cfn, wanted(goal, token="t2")).changed
    assert set(account.resources()) == {"Orders", "Jobs", "Reads"}
    assert account.items == 1
    template = account.raw.get_template(StackName="site")["TemplateBody"]
    assert template["Resources"]["Orders"]["DeletionPolicy"] == "Delete"


def test_what_does_not_exist_is_said_and_leaves_nothing(account: Account) -> None:
    goal = of(Orders=imported("others"))
    with pytest.raises(DeployFailed, match=r"others-id\] does not exist"):
        deploy(account.cfn, wanted(goal))
    assert account.raw.describe_stacks()["Stacks"] == []


@pytest.mark.parametrize("answered", [False, True], ids=["before the call", "after the call"])
def test_a_crash_at_any_call_imports_once(account: Account, answered: bool) -> None:
    goal = of(Orders=imported(), Jobs=queue("jobs"))
    crashes = 0
    for at in range(2, 12):
        what = wanted(goal, token=f"t-{at}")
        try:
            deploy(Crashing(account.cfn, at, answered=answered), what)
        except Died:
            crashes += 1
        assert isinstance(deploy(account.cfn, what), Deployed)
        assert set(account.resources()) == {"Orders", "Jobs"}
        assert account.items == 1
        account.raw.delete_stack(StackName="site")
        assert account.items == 1
    assert crashes >= 7


async def test_an_update_that_fails_after_the_import_leaves_what_was_imported(
    orbits: Orbits, account: Account, acme: AwsTarget
) -> None:
    account.aws.fail("sqs", "CreateQueue", code="AccessDenied", resource="jobs")
    goal = {"Orders": {**imported(), "DeletionPolicy": "Delete"}, "Jobs": queue("jobs")}
    with pytest.raises(Exception, match="Jobs"):
        await orbits.run(Holder(resources=goal), target=acme)
    assert account.items == 1
    assert account.raw.describe_stacks()["Stacks"] == []
    await orbits.run(Holder(resources=goal), target=acme)
    assert (await orbits.record(Given, "Holder acme/site").drift()).in_sync


def test_without_a_deletion_policy_it_is_refused() -> None:
    bare = imported()
    del bare["DeletionPolicy"]
    with pytest.raises(Refused, match=r"Orders .* has no DeletionPolicy.* apply_removal_policy"):
        to_import(of(Orders=bare), None)


def test_one_that_needs_what_is_not_there_yet_is_refused() -> None:
    needs = imported(Properties={"TableName": {"Fn::Join": ["-", [{"Ref": "Jobs"}, {"Ref": "AWS::Region"}]]}})
    goal = of(Orders=needs, Jobs=queue("jobs"))
    with pytest.raises(Refused, match="Orders is to be imported and needs Jobs, which is not there yet"):
        import_template(goal, None, {"Orders": {}})
    assert (
        import_template(goal, of(Jobs=queue("jobs")), {"Orders": {}})["Resources"]["Orders"]["DeletionPolicy"]
        == "Retain"
    )
