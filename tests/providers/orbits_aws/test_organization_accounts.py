"""OrganizationAccounts: who of the organization is a tenant, and that nobody is left out who was not meant to be."""

from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from orbits_aws import AwsTarget, OfflineAws, OrganizationAccounts, Queue
from orbits_aws.clients import AwsClient
from orbits_aws.testing import MANAGEMENT
from orbits_iac import Orbits, Resource
from orbits_iac.provider import UsageError
from orbits_tenants import FunctionSource, Rollout, Tenant, Tenants
from orbits_tenants.sources.source import read


class Organization:
    """The organization, as its management account changes it."""

    def __init__(self, aws: OfflineAws) -> None:
        self.aws = aws
        self.client: Any = aws.client("organizations", account=MANAGEMENT)
        self.root = self.client.list_roots()["Roots"][0]["Id"]

    def unit(self, name: str, *, within: str | None = None) -> str:
        """Make a unit; its id."""
        made = self.client.create_organizational_unit(ParentId=within or self.root, Name=name)
        return str(made["OrganizationalUnit"]["Id"])

    def account(self, name: str, within: str | None = None, **tags: str) -> str:
        """Make an account in a unit; its id."""
        listed = [{"Key": key.replace("_", ":"), "Value": value} for key, value in tags.items()]
        made = self.client.create_account(AccountName=name, Email=f"{name}@agency.example".lower(), Tags=listed)
        account = str(made["CreateAccountStatus"]["AccountId"])
        if within is not None:
            self.move(account, within)
        return account

    def move(self, account: str, to: str) -> None:
        """Move an account into a unit, unless it is there."""
        parent = self.client.list_parents(ChildId=account)["Parents"][0]["Id"]
        if parent != to:
            self.client.move_account(AccountId=account, SourceParentId=parent, DestinationParentId=to)


class Inbox(Resource):
    """What each client has, at the target that its tenant brings."""

    client: str

    def identity(self) -> str:
        return f"inbox-{self.client}"

    async def define_update(self) -> None:
        await self.do("queue", Queue(name="inbox"))


class Inboxes(Tenants[Inbox]):
    source = FunctionSource(OrganizationAccounts(units=["Clients"]))
    rollout = Rollout(waves=["100%"])

    def stack(self, tenant: Tenant) -> Inbox:
        return Inbox(client=tenant.id)


@pytest.fixture
def organization(aws: OfflineAws) -> Organization:
    return Organization(aws)


def tenants(**options: Any) -> Sequence[Tenant]:
    """The tenants that a source of accounts reads."""
    return read(FunctionSource(OrganizationAccounts(**options)))


def ids(**options: Any) -> list[str]:
    return [tenant.id for tenant in tenants(**options)]


def refusal(**options: Any) -> str:
    with pytest.raises(UsageError) as refused:
        tenants(**options)
    return str(refused.value)


def test_each_member_account_is_a_tenant_with_its_tags_its_unit_and_its_id(organization: Organization) -> None:
    small = organization.unit("Small", within=organization.unit("Clients"))
    bolt = organization.account("bolt", small, plan="large", unit="ours", orbits_project="tests")
    acme = organization.account("acme")
    assert tenants(region="eu-central-1", role="deploy") == (
        Tenant(
            id="acme",
            name="acme",
            labels={"account": acme, "account-status": "ACTIVE", "unit": "/"},
            targets=(AwsTarget(account=acme, region="eu-central-1", role="deploy"),),
        ),
        Tenant(
            id="bolt",
            name="bolt",
            labels={"plan": "large", "account": bolt, "account-status": "ACTIVE", "unit": "Clients/Small"},
            targets=(AwsTarget(account=bolt, region="eu-central-1", role="deploy"),),
        ),
    )
    assert tenants()[0].targets == (AwsTarget(account=acme),)


def test_units_choose_accounts_in_them_and_below(organization: Organization) -> None:
    clients, others = organization.unit("Clients"), organization.unit("Clients2")
    small = organization.unit("Small", within=clients)
    for name, unit in (("acme", clients), ("bolt", small), ("cafe", others), ("dodo", None)):
        organization.account(name, unit)
    assert ids(units=["Clients"]) == ["acme", "bolt"]
    assert ids(units=["/Clients/Small/", others]) == ["bolt", "cafe"]
    assert ids(units=["/"]) == ["acme", "bolt", "cafe", "dodo"]
    said = refusal(units=["Clients", "Client"])
    assert said == (
        "OrganizationAccounts(units=['Clients', 'Client']) cannot be read: Refused: The organization has no unit "
        "'Client'; there are: /, Clients, Clients2, Clients/Small"
    )
    assert "no unit ''" in refusal(units=[""])


def test_tags_choose_accounts_and_name_them(organization: Organization) -> None:
    organization.account("Acme GmbH", client="acme", plan="large")
    organization.account("Bolt Ltd", client="bolt", plan="small")
    assert ids(id_tag="client") == ["acme", "bolt"]
    assert ids(id_tag="client", tags={"plan": "large"}) == ["acme"]
    assert "has a tag plam; there are: client, plan" in refusal(tags={"plam": "large"})
    assert "is meant by OrganizationAccounts(tags={'plan': 'huge'})" in refusal(tags={"plan": "huge"})
    assert "is called 'Acme GmbH', and a tenant cannot be: give the accounts a tag" in refusal()


def test_an_account_that_cannot_be_a_tenant_is_refused_and_not_left_out(organization: Organization) -> None:
    organization.account("acme", client="acme")
    bolt = organization.account("bolt")
    assert f"The account {bolt} (bolt, in /) has no tag client, which is to be its tenant's id" in refusal(
        id_tag="client"
    )
    cafe = organization.account("cafe", client="the cafe")
    organization.client.tag_resource(ResourceId=bolt, Tags=[{"Key": "client", "Value": "bolt"}])
    assert f"{cafe} (cafe, in /) has 'the cafe', which no tenant can be called, as its tag" in refusal(id_tag="client")
    organization.client.tag_resource(ResourceId=cafe, Tags=[{"Key": "client", "Value": "acme"}])
    assert f"and {cafe} would both be the tenant 'acme'" in refusal(id_tag="client")


def test_a_closed_account_says_so_and_does_not_vanish(organization: Organization, aws: OfflineAws) -> None:
    for name in ("acme", "bolt", "cafe"):
        organization.account(name)
    organization.client.close_account(AccountId=aws.account("bolt"))
    aws.settings(account_polls=9)
    organization.client.close_account(AccountId=aws.account("cafe"))
    assert [(tenant.id, tenant.labels["account-status"]) for tenant in tenants()] == [
        ("acme", "ACTIVE"),
        ("bolt", "SUSPENDED"),
        ("cafe", "PENDING_CLOSURE"),
    ]


def test_several_pages_are_read_whole(organization: Organization) -> None:
    clients = organization.unit("Clients")
    names = [f"t{number:02}" for number in range(21)]
    for name in names:
        organization.account(name, clients)
    assert ids(units=["Clients"]) == names


@pytest.mark.parametrize("times", [1, 3])
def test_an_account_that_is_moved_while_the_list_is_read_is_not_left_out(
    organization: Organization, monkeypatch: pytest.MonkeyPatch, times: int
) -> None:
    """From a unit that is looked at later into the root, which was looked at, it would be in neither."""
    clients = organization.unit("Clients")
    acme = organization.account("acme")
    items, left = AwsClient.items, times

    def moved(self: AwsClient, operation: str, key: str, **arguments: Any) -> Iterator[Any]:
        nonlocal left
        parent = arguments.get("ParentId")
        if operation == "list_accounts_for_parent" and left:
            organization.move(acme, organization.root if parent == clients else clients)
            left -= parent == clients
        return items(self, operation, key, **arguments)

    monkeypatch.setattr(AwsClient, "items", moved)
    if times == 1:
        assert [(tenant.id, tenant.labels["unit"]) for tenant in tenants()] == [("acme", "/")]
    else:
        assert "AwsUnavailable: The accounts of the organization were moved while they were read, 3 times" in refusal()


def test_what_is_denied_says_which_call_and_who_made_it(organization: Organization, aws: OfflineAws) -> None:
    acme = organization.account("acme")
    aws.fail("organizations", "ListTagsForResource", code="AccessDeniedException", times=None)
    said = refusal()
    assert said.startswith(
        "OrganizationAccounts() cannot be read: AccessDenied: AccessDeniedException on organizations:"
    )
    assert f"organizations:ListTagsForResource of {acme} in the management account" in said
    assert said.endswith("asked, who needs organizations:Describe* and organizations:List*")


def test_who_is_no_management_account_is_told_so(
    aws: OfflineAws, organization: Organization, monkeypatch: pytest.MonkeyPatch
) -> None:
    acme = organization.account("acme")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", acme)
    assert f"arn:aws:iam::{acme}:user/administrator asked, who needs organizations:" in refusal()


async def test_a_fleet_is_rolled_out_into_the_accounts_of_a_unit(
    organization: Organization, aws: OfflineAws, orbits: Orbits
) -> None:
    clients = organization.unit("Clients")
    for name, unit in (("acme", clients), ("bolt", clients), ("cafe", None)):
        organization.account(name, unit)
    report = await orbits.run(Inboxes())
    assert list(report.tenants) == ["acme", "bolt"]
    made = [
        len(aws.client("sqs", account=name).list_queues().get("QueueUrls", ())) for name in ("acme", "bolt", "cafe")
    ]
    assert made == [1, 1, 0]


def test_units_are_a_list() -> None:
    with pytest.raises(
        UsageError, match=r"OrganizationAccounts\(units='Clients'\): give a list, as in units=\['Clients'\]"
    ):
        OrganizationAccounts(units="Clients")
    with pytest.raises(UsageError, match=r"OrganizationAccounts\(region=\.\.\.\): 'eu_west_1' is no region"):
        OrganizationAccounts(region="eu_west_1")
