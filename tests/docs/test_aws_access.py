"""docs/aws-access.md: its policies allow what Orbits calls, its targets and settings are taken as they stand."""

import json
import re
import sys
import tomllib
from fnmatch import fnmatchcase
from importlib import import_module
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from orbits_aws import AwsAccount, OfflineAws, client, testing
from orbits_aws.settings import AwsSettings
from orbits_iac import Orbits, Resource
from tests.live.course import go

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "aws-access.md").read_text()
MANAGEMENT, TRUST, MEMBER = (json.loads(text) for text in re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL))
EMAIL = "aws+acme@agency.example"

ACTIONS = {
    "cloudcontrol": "cloudformation:{operation}",
    "lambda:Invoke": "lambda:InvokeFunction",
    "s3:DeleteObjects": "s3:DeleteObject",
    "s3:GetBucketEncryption": "s3:GetEncryptionConfiguration",
    "s3:GetBucketLifecycleConfiguration": "s3:GetLifecycleConfiguration",
    "s3:GetPublicAccessBlock": "s3:GetBucketPublicAccessBlock",
    "s3:HeadBucket": "s3:ListBucket",
    "s3:HeadObject": "s3:GetObject",
    "s3:ListBuckets": "s3:ListAllMyBuckets",
    "s3:ListObjectVersions": "s3:ListBucketVersions",
    "s3:ListObjectsV2": "s3:ListBucket",
    "s3:PutBucketEncryption": "s3:PutEncryptionConfiguration",
    "s3:PutBucketLifecycleConfiguration": "s3:PutLifecycleConfiguration",
    "s3:PutPublicAccessBlock": "s3:PutBucketPublicAccessBlock",
}
"""Operations whose IAM action has another name (Service Authorization Reference)."""


def action_of(service: str, operation: str) -> str:
    """The IAM action that a call needs."""
    name = f"{service}:{operation}"
    return ACTIONS.get(name) or ACTIONS.get(service, name).format(operation=operation)


def allows(policy: dict[str, Any], action: str) -> bool:
    """Whether a policy allows an action, on some resource."""
    for statement in policy["Statement"]:
        actions = statement["Action"] if isinstance(statement["Action"], list) else [statement["Action"]]
        if any(fnmatchcase(action.lower(), pattern.lower()) for pattern in actions):
            return True
    return False


@pytest.fixture(scope="module", autouse=True)
def _begun(node: None) -> None:
    """CDK's Node process is begun before any of them."""


@pytest.fixture
def page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The page's programs, as one module."""
    file = tmp_path / "aws_access_page.py"
    file.write_text("\n\n".join(re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)), encoding="utf-8")
    spec = spec_from_file_location("aws_access_page", file)
    assert spec is not None
    assert spec.loader is not None
    made = module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "aws_access_page", made)
    spec.loader.exec_module(made)
    return made


class Adopting(Resource):
    """Has an account that somebody made by hand."""

    def identity(self) -> str:
        return "acme"

    async def define_update(self) -> None:
        account = AwsAccount(name="acme", email=EMAIL, unit="Clients/Small", make_unit=True, close_on_uninstall=True)
        await self.do("account", account, adopt=True)


async def test_what_orbits_calls_is_what_the_policies_allow(orbits: Orbits, aws: OfflineAws) -> None:
    """In an account that is made, one that is adopted and closed, and through the course of the live suite."""
    made = await orbits.run(AwsAccount(name="sandbox", email="aws+sandbox@agency.example"))
    await go(orbits, made.target)
    by_hand = aws.client("organizations", account=testing.MANAGEMENT)
    by_hand.create_account(AccountName="acme", Email=EMAIL)
    await orbits.run(Adopting())
    await orbits.record(AwsAccount, EMAIL).cycle(on_drift="remediate")
    await orbits.record(Adopting, "acme").uninstall()
    await orbits.record(AwsAccount, EMAIL).uninstall(accept_loss=[EMAIL])
    calls = [call for call in aws.calls(origin="outside") if call.operation != "GetCallerIdentity"]
    called = {(call.account == testing.MANAGEMENT, action_of(call.service, call.operation)) for call in calls}
    denied = {(there, action) for there, action in called if not allows(MANAGEMENT if there else MEMBER, action)}
    assert denied == set()
    assert {action for there, action in called if there} > {"organizations:CloseAccount", "organizations:TagResource"}
    assert {action for there, action in called if not there} > {"cloudformation:ExecuteChangeSet", "ssm:PutParameter"}


@pytest.mark.parametrize(
    ("policy", "action"),
    [
        (MANAGEMENT, "organizations:RemoveAccountFromOrganization"),
        (MANAGEMENT, "iam:CreateUser"),
        (MEMBER, "iam:CreateUser"),
        (MEMBER, "ec2:RunInstances"),
        (MEMBER, "organizations:LeaveOrganization"),
    ],
)
def test_what_orbits_does_not_call_is_not_allowed(policy: dict[str, Any], action: str) -> None:
    assert not allows(policy, action)


async def test_an_account_of_the_page_is_in_its_unit_with_its_baseline(
    orbits: Orbits, aws: OfflineAws, page: ModuleType
) -> None:
    made = await orbits.run(page.account_of("acme"))
    groups = aws.client("logs", account=made.account, region="eu-central-1").describe_log_groups()["logGroups"]
    assert [group["logGroupName"] for group in groups] == ["/agency/alarms"]
    organizations = aws.client("organizations", account=testing.MANAGEMENT)
    [parent] = organizations.list_parents(ChildId=made.account)["Parents"]
    unit = organizations.describe_organizational_unit(OrganizationalUnitId=parent["Id"])["OrganizationalUnit"]
    assert unit["Name"] == "Small"


def test_the_role_of_somebody_else_is_entered_with_its_external_id(aws: OfflineAws, page: ModuleType) -> None:
    made = aws.client("organizations", account=testing.MANAGEMENT).create_account(AccountName="a", Email="a@b.example")
    account = made["CreateAccountStatus"]["AccountId"]
    iam = aws.client("iam", account=account)
    iam.create_role(RoleName="Deploy", AssumeRolePolicyDocument=json.dumps(TRUST))
    there = page.acme.model_copy(update={"account": account})
    assert client("sts", there).get_caller_identity()["Account"] == account
    assert page.through_a_hub.via == ("arn:aws:iam::444455556666:role/Hub",)
    assert page.known_by_name.session_tags == {"client": "acme"}


def test_the_settings_are_taken() -> None:
    tables = [tomllib.loads(text)["aws"] for text in re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)]
    profile, role = (AwsSettings.model_validate(table) for table in tables)
    assert profile.profile == "agency"
    assert role.service_role_policies == ("PowerUserAccess", "IAMFullAccess")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({}, "ORBITS_LIVE_ACCOUNT has to be the number of a sandbox account"),
        ({"ORBITS_LIVE_ACCOUNT": "111122223333"}, 'ORBITS_LIVE_CONFIRM="deploy into 111122223333"'),
        (
            {"ORBITS_LIVE_ACCOUNT": "111122223333", "ORBITS_LIVE_CONFIRM": "deploy into 111111111111"},
            'ORBITS_LIVE_CONFIRM="deploy into 111122223333"',
        ),
    ],
)
def test_the_live_suite_does_not_run_by_accident(
    monkeypatch: pytest.MonkeyPatch, given: dict[str, str], said: str
) -> None:
    for name in ("ORBITS_LIVE_ACCOUNT", "ORBITS_LIVE_CONFIRM"):
        monkeypatch.delenv(name, raising=False)
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(pytest.exit.Exception, match=said):
        import_module("tests.live.live_suite")


def test_the_live_suite_is_collected_by_nobody() -> None:
    assert not list((ROOT / "tests" / "live").glob("test_*.py"))
    assert "make test-live" in PAGE
