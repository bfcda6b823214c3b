"""The agency's stack on the offline AWS: what a team that wrote it would test."""

import json
from collections import Counter
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from orbits_aws import AwsAccount, OfflineAws
from orbits_iac import ExecutionFailed, Orbits
from orbits_iac.provider import Refused
from orbits_iac.testing.clock import Clock
from orbits_stacks.agency import Backend, Clients, Frontend, WebApp
from orbits_stacks.demo.cloud import Account
from orbits_tenants import TenantState


def effects(home: Path, step: str) -> list[dict[str, Any]]:
    """What steps of this name have done, by the log that they write."""
    lines = (home / "effects.jsonl").read_text().splitlines()
    return [effect for effect in map(json.loads, lines) if effect["step"] == step]


@pytest.fixture
def three_clients(aws: OfflineAws) -> None:
    """The list of clients, in the test's folder."""
    Path("clients.yaml").write_text("- acme\n- bolt\n- cafe\n")


async def test_a_failed_release_leaves_the_last_good_one(orbits: Orbits, aws: OfflineAws) -> None:
    await orbits.run(WebApp(client="acme", release="1"))
    aws.fail("s3", "PutBucketTagging", code="AccessDenied")
    with pytest.raises(ExecutionFailed) as failed:
        await orbits.run(WebApp(client="acme", release="2"))
    assert failed.value.path == ("frontend", "stack")
    assert failed.value.failure.account == f"{aws.account('acme')}/eu-west-1"
    webapp = orbits.record(WebApp, "acme")
    assert [r.argument["release"] for r in await webapp.history()] == ["1"]
    assert (await webapp.drift()).in_sync
    assert Account(aws, "acme").releases() == ("1", "1")


async def test_a_second_run_writes_nothing(orbits: Orbits, aws: OfflineAws, clock: Clock) -> None:
    await orbits.run(WebApp(client="acme", release="1"))
    before = len(aws.calls(writes=True))
    await orbits.run(WebApp(client="acme", release="1"))
    assert len(aws.calls(writes=True)) == before
    bucket = (await orbits.record(Frontend, "acme").outputs()).bucket
    aws.client("s3", account="acme").put_bucket_versioning(
        Bucket=bucket, VersioningConfiguration={"Status": "Suspended"}
    )
    assert not (await orbits.record(WebApp, "acme").drift()).in_sync
    await clock.advance(timedelta(hours=6))
    assert Account(aws, "acme").versioning() == "Enabled"
    assert (await orbits.record(WebApp, "acme").drift()).in_sync


async def test_after_a_migration_a_failed_release_is_held_forward_only(
    orbits: Orbits, aws: OfflineAws, agency_home: Path
) -> None:
    await orbits.run(WebApp(client="acme", release="2"))
    aws.fail("s3", "PutBucketTagging", code="AccessDenied", times=2)
    for release, live in (("3", ("3", "2")), ("3.1", ("3.1", "2"))):
        with pytest.raises(ExecutionFailed) as failed:
            await orbits.run(WebApp(client="acme", release=release))
        assert failed.value.failure.no_return == ("backend.migrate",)
        assert Account(aws, "acme").releases() == live
    await orbits.run(WebApp(client="acme", release="3.2"))
    assert (await orbits.record(WebApp, "acme").row()).held is None
    assert Account(aws, "acme").releases() == ("3.2", "3.2")
    assert [effect["what"] for effect in effects(agency_home, "migrate")].count("0003_invoices") == 1


async def test_a_first_release_that_fails_leaves_only_what_is_retained(orbits: Orbits, aws: OfflineAws) -> None:
    aws.fail("sqs", "CreateQueue", code="AccessDenied")
    with pytest.raises(ExecutionFailed) as failed:
        await orbits.run(WebApp(client="acme", release="1"))
    assert failed.value.path == ("backend", "stack")
    acme = Account(aws, "acme")
    assert not any(acme.left().values())
    await orbits.run(WebApp(client="acme", release="1"))
    assert acme.releases() == ("1", "1")
    assert aws.calls("organizations").count("organizations:CreateAccount") == 1


async def test_services_share_an_account_and_clients_share_a_repository(
    orbits: Orbits, aws: OfflineAws, agency_home: Path, three_clients: None
) -> None:
    report = await orbits.run(Clients(release="1"))
    assert {one.state for one in report.tenants.values()} == {TenantState.UPDATED}
    assert aws.calls("organizations").count("organizations:CreateAccount") == 3
    assert Counter(effect["what"] for effect in effects(agency_home, "git")) == {"backend": 1, "frontend": 1}
    outputs = [await orbits.record(AwsAccount, f"aws+{client}@agency.example").outputs() for client in report.tenants]
    assert len({one.account for one in outputs}) == 3
    assert [one.account for one in report.tenants.values()] == [f"{one.account}/eu-west-1" for one in outputs]


async def test_one_client_that_fails_is_told_of_and_the_others_go_on(
    orbits: Orbits, aws: OfflineAws, agency_home: Path, three_clients: None, capsys: pytest.CaptureFixture[str]
) -> None:
    await orbits.run(Clients(release="1"))
    aws.fail("s3", "PutBucketTagging", code="AccessDenied", account="cafe")
    report = await orbits.run(Clients(release="2"))
    assert report.exit_code() == 4
    assert {client: Account(aws, client).releases() for client in report.tenants} == {
        "acme": ("2", "2"),
        "bolt": ("2", "2"),
        "cafe": ("1", "1"),
    }
    told = (agency_home / "notifications.log").read_text()
    assert told.startswith(f"release 2: cafe ({aws.account('cafe')}/eu-west-1) failed: frontend.stack: DeployFailed")
    assert told.endswith("back at revision 1\n")
    assert "release 2: cafe" in capsys.readouterr().err


async def test_what_is_uninstalled_leaves_its_account_and_repository(orbits: Orbits, aws: OfflineAws) -> None:
    await orbits.run(WebApp(client="acme", release="1"))
    await orbits.record(WebApp, "acme").uninstall(accept_loss=["BackStack Backend acme/stack"])
    acme = Account(aws, "acme")
    assert not any(acme.left().values())
    assert sorted(acme.roles()) == ["OrganizationAccountAccessRole", "orbits-cloudformation"]
    with pytest.raises(Refused, match="nothing of it stands"):
        await orbits.record(Backend, "acme").outputs()
    await orbits.run(WebApp(client="acme", release="2"))
    assert acme.releases() == ("2", "2")
