"""Secret: its value is written once for each value, never published, and outlives a deletion for a while."""

from dataclasses import replace

import pytest
from pydantic import SecretStr, ValidationError

from orbits_aws import AwsTarget, Generated, OfflineAws, Secret
from orbits_iac import ExecutionFailed, Orbits

from .things import Case, Client, Holder, by_key, held, it_lives, it_respects_owners, listed


def there(aws: Client) -> list[str]:
    found = aws("secretsmanager").list_secrets(IncludePlannedDeletion=True)["SecretList"]
    return [secret["Name"] for secret in found]


def secret(value: str = "hunter2-hunter2", *, name: str = "shop/database", days: int = 0, team: str = "shop") -> Secret:
    return Secret(name=name, value=SecretStr(value), recovery_days=days, tags={"team": team})


CASE = Case(
    first=secret(),
    changed=secret("another-value", team="sales"),
    other=secret(name="shop/other"),
    made_by="secretsmanager:CreateSecret",
    made_by_hand=lambda aws, tags: aws("secretsmanager").create_secret(
        Name="shop/database", SecretString="by hand", Description="by hand", Tags=listed(tags)
    ),
    spoilt=lambda aws: aws("secretsmanager").update_secret(SecretId="shop/database", Description="spoilt"),
    drifted={"description": '"spoilt"'},
    tags=lambda aws: by_key(aws("secretsmanager").describe_secret(SecretId="shop/database")["Tags"]),
    there=there,
)


@pytest.mark.usefixtures("quick")
async def test_it_lives(orbits: Orbits, aws: OfflineAws, acme: AwsTarget) -> None:
    await it_lives(CASE, orbits, aws, acme)


@pytest.mark.usefixtures("quick")
async def test_it_respects_owners(orbits: Orbits, aws: OfflineAws, acme: AwsTarget) -> None:
    await it_respects_owners(CASE, orbits, aws, acme)


LATER = replace(
    CASE,
    first=secret(days=7),
    changed=secret("another-value", days=7),
    other=Secret(name="shop/database", generate=Generated(length=20, punctuation=False)),
)


async def test_a_value_is_written_when_it_is_another_one_and_restored_with_its_secret(
    orbits: Orbits, aws: OfflineAws, acme: AwsTarget
) -> None:
    client = aws.client("secretsmanager", account="acme")

    def value() -> str:
        return str(client.get_secret_value(SecretId="shop/database")["SecretString"])

    await orbits.run(held(LATER), target=acme)
    assert value() == "hunter2-hunter2"
    row = await orbits.record(Secret, "Holder acme/thing").history()
    assert "hunter2" not in repr(row[0].outputs)
    await orbits.run(held(LATER, "changed"), target=acme)
    assert (value(), aws.calls("secretsmanager").count("secretsmanager:PutSecretValue")) == ("another-value", 1)

    await orbits.run(held(LATER, "other"), target=acme)
    generated = value()
    assert len(generated) == 20
    await orbits.run(held(LATER, "other"), target=acme)
    assert value() == generated

    await orbits.record(Holder, "acme").uninstall()
    assert "DeletedDate" in client.describe_secret(SecretId="shop/database")
    await orbits.run(held(LATER), target=acme)
    assert value() == "hunter2-hunter2"


async def test_one_that_somebody_else_has_deleted_is_not_restored(
    orbits: Orbits, aws: OfflineAws, acme: AwsTarget
) -> None:
    client = aws.client("secretsmanager", account="acme")
    client.create_secret(Name="shop/database", SecretString="theirs")
    client.delete_secret(SecretId="shop/database", RecoveryWindowInDays=7)
    with pytest.raises(ExecutionFailed, match=r"which can be restored until \d+-\d+-\d+, .*was not made by Orbits"):
        await orbits.run(held(LATER), target=acme)
    assert "DeletedDate" in client.describe_secret(SecretId="shop/database")


@pytest.mark.parametrize("days", [7, 3])
def test_what_fits_no_secret_is_refused(days: int) -> None:
    with pytest.raises(ValidationError, match=r"has a value, or says|for 7 to 30 days, or 0"):
        Secret(name="a", recovery_days=days, value=SecretStr("a") if days == 3 else None)
