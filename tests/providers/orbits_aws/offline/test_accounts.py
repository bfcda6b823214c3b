"""Accounts: whose a call is, and that accounts know nothing of each other."""

from typing import Any

import boto3
import pytest

from orbits_aws.offline import OfflineAws

MANAGEMENT = "123456789012"


@pytest.fixture
def acme(aws: OfflineAws) -> str:
    organizations = aws.client("organizations", account=MANAGEMENT)
    made = organizations.create_account(Email="aws+acme@agency.example", AccountName="acme")
    return str(made["CreateAccountStatus"]["AccountId"])


def assumed(aws: OfflineAws, role: str, service: str) -> Any:
    answer = aws.client("sts", account=MANAGEMENT).assume_role(RoleArn=role, RoleSessionName="test")
    keys = answer["Credentials"]
    session = boto3.Session(keys["AccessKeyId"], keys["SecretAccessKey"], keys["SessionToken"], "eu-west-1")
    return session.client(service, endpoint_url=aws.endpoint_url)


def test_a_new_account_has_the_role_that_gives_access_to_it(aws: OfflineAws, acme: str) -> None:
    sts = assumed(aws, f"arn:aws:iam::{acme}:role/OrganizationAccountAccessRole", "sts")
    assert sts.get_caller_identity()["Account"] == acme


def test_accounts_are_found_by_name(aws: OfflineAws, acme: str) -> None:
    assert aws.account("acme") == acme
    aws.client("sqs", account="acme").create_queue(QueueName="orders")
    assert aws.client("sqs", account=acme).list_queues()["QueueUrls"] == [f"{aws.endpoint_url}/{acme}/orders"]
    assert aws.calls("sqs")[0].account == acme
    with pytest.raises(LookupError, match="no account of the organization in the offline AWS is called bolt"):
        aws.client("sqs", account="bolt")


def test_accounts_are_isolated(aws: OfflineAws, acme: str) -> None:
    inside = assumed(aws, f"arn:aws:iam::{acme}:role/OrganizationAccountAccessRole", "dynamodb")
    inside.create_table(
        TableName="orders",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    assert aws.client("dynamodb", account="acme").list_tables()["TableNames"] == ["orders"]
    assert aws.client("dynamodb", account=MANAGEMENT).list_tables()["TableNames"] == []


def test_a_role_that_does_not_exist_cannot_be_assumed(aws: OfflineAws, acme: str) -> None:
    sts = aws.client("sts", account=MANAGEMENT)
    role = f"arn:aws:iam::{acme}:role/Deployer"
    with pytest.raises(sts.exceptions.ClientError) as refused:
        sts.assume_role(RoleArn=role, RoleSessionName="test")
    assert refused.value.response["Error"]["Code"] == "AccessDenied"
    assert f"is not authorized to perform: sts:AssumeRole on resource: {role}" in str(refused.value)
    assert aws.calls("sts")[-1].error == "AccessDenied"


def test_a_key_of_twelve_digits_is_an_account_and_an_unknown_key_the_management_account(aws: OfflineAws) -> None:
    for key, account in (("444455556666", "444455556666"), ("AKIAUNKNOWN", MANAGEMENT)):
        session = boto3.Session(key, "secret", region_name="eu-west-1")
        sts = session.client("sts", endpoint_url=aws.endpoint_url)
        assert sts.get_caller_identity()["Account"] == account
