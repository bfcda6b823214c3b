"""Shared clients: each call with the credentials of its own target, and never with the environment's."""

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import ClassVar

import pytest

from orbits_aws import AwsTarget, OfflineAws, client, trusted
from orbits_aws.clients import forget_sessions, management_client
from orbits_aws.errors import AccessDenied, AnswerLost, AwsRefused, AwsUnavailable, NoCredentials, NotThere
from orbits_aws.settings import aws_settings
from orbits_iac.provider import Refused, UsageError


class Manager:
    uses_management: ClassVar[bool] = True


class Worker:
    uses_management: ClassVar[bool] = False


def test_targets_share_a_client_and_not_their_queues(acme: AwsTarget, member: Callable[[str], AwsTarget]) -> None:
    bolt = member("bolt")
    client("sqs", acme).create_queue(QueueName="orders")
    with pytest.raises(NotThere):
        client("sqs", bolt).get_queue_url(QueueName="orders")
    assert client("sqs", acme)._raw is client("sqs", bolt)._raw


def test_threads_act_as_their_own_target(member: Callable[[str], AwsTarget]) -> None:
    targets = [member(f"client{number}") for number in range(6)]

    def who(target: AwsTarget) -> tuple[str, str]:
        return target.account, str(client("sts", target).get_caller_identity()["Account"])

    with ThreadPoolExecutor(8) as pool:
        assert all(asked == got for asked, got in pool.map(who, targets * 8))


def test_a_role_that_is_not_there_is_named(aws: OfflineAws) -> None:
    with pytest.raises(AccessDenied, match="of arn:aws:iam::111111111111:role/Missing"):
        client("sqs", AwsTarget(account="111111111111", role="Missing")).list_queues()


def test_a_role_is_assumed_once(aws: OfflineAws, acme: AwsTarget) -> None:
    for _ in range(3):
        client("sqs", acme).list_queues()
    assert [str(call) for call in aws.calls("sts")] == ["sts:AssumeRole"]


def test_without_a_target_the_shared_client_raises_and_calls_nothing(aws: OfflineAws, acme: AwsTarget) -> None:
    raw = client("sqs", acme)._raw
    with pytest.raises(NoCredentials, match="without a target"):
        raw.list_queues()
    assert aws.calls("sqs") == []


def test_the_management_account_is_for_classes_that_say_so(aws: OfflineAws) -> None:
    assert management_client("sts", Manager()).get_caller_identity()["Account"] == "123456789012"
    with pytest.raises(Refused, match="Worker may not act in the management account"):
        management_client("sts", Worker())


def test_without_any_credentials_it_is_said_how_to_give_some(
    aws: OfflineAws, acme: AwsTarget, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    forget_sessions()
    with pytest.raises(NoCredentials, match="AWS_PROFILE"):
        client("sqs", acme).list_queues()


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ("[profile agency]\nrole_arn = r\nmfa_serial = m\n", "agency asks for an MFA code"),
        (
            "[profile agency]\nrole_arn = r\nsource_profile = ana\n[profile ana]\nmfa_serial = m\n",
            "ana asks for an MFA code",
        ),
        ("[profile other]\nregion = eu-west-1\n", "profile .agency. could not be found"),
        (
            "[profile agency]\nsso_region = r\nsso_start_url = https://x\nsso_account_id = 1\nsso_role_name = r\n",
            "aws sso login",
        ),
        ("[profile agency]\ncredential_process = false\n", "gives none"),
        ("[profile agency\n", "Unable to parse config file"),
    ],
)
def test_a_profile_that_gives_no_credentials_says_what_to_do(
    aws: OfflineAws, acme: AwsTarget, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, config: str, message: str
) -> None:
    (tmp_path / "config").write_text(config, encoding="utf-8")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_PROFILE", "agency")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(NoCredentials, match=message):
        client("sqs", acme).list_queues()


def test_a_role_behind_a_role_is_assumed_with_the_session_of_the_first(
    aws: OfflineAws, acme: AwsTarget, member: Callable[[str], AwsTarget]
) -> None:
    hub = member("hub")
    trust = {
        "Effect": "Allow",
        "Principal": {"AWS": f"arn:aws:iam::{hub.account}:root"},
        "Action": "sts:AssumeRole",
        "Condition": {"StringEquals": {"sts:ExternalId": "acme"}},
    }
    policy = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    aws.client("iam", account=acme.account).create_role(RoleName="Deploy", AssumeRolePolicyDocument=policy)
    way = {"role": "Deploy", "via": (f"arn:aws:iam::{hub.account}:role/{hub.role}",)}
    through = acme.model_copy(update={**way, "external_id": "acme"})
    assert client("sts", through).get_caller_identity()["Account"] == acme.account
    assert [call.account for call in aws.calls("sts") if call.operation == "AssumeRole"] == [
        "123456789012",
        hub.account,
    ]
    with pytest.raises(
        AccessDenied, match=f"does not trust arn:aws:iam::{hub.account}:role/.* asks for an external id"
    ):
        client("sts", acme.model_copy(update=way)).get_caller_identity()


@pytest.mark.parametrize(("service", "operation"), [("sqs", "list_queues"), ("s3", "list_buckets")])
def test_a_session_that_is_over_is_replaced_and_the_call_made_again(
    aws: OfflineAws, acme: AwsTarget, service: str, operation: str
) -> None:
    getattr(client(service, acme), operation)()
    aws.expire_sessions()
    getattr(client(service, acme), operation)()
    assert [str(call) for call in aws.calls("sts")] == ["sts:AssumeRole", "sts:AssumeRole"]


def test_access_denied_says_who_what_and_where(aws: OfflineAws, acme: AwsTarget) -> None:
    aws.fail("sqs", "SetQueueAttributes", code="AccessDenied")
    with pytest.raises(AccessDenied) as denied:
        client("sqs", acme).set_queue_attributes(QueueUrl="http://q", Attributes={"VisibilityTimeout": "5"})
    assert str(denied.value).startswith(
        f"AccessDenied on sqs:SetQueueAttributes of http://q in {acme.account} (eu-west-1)"
    )
    assert denied.value.__cause__ is not None


@pytest.mark.parametrize(
    ("code", "status", "kind"),
    [
        ("ThrottlingException", 400, AwsUnavailable),
        ("ServiceUnavailable", 503, AwsUnavailable),
        ("InternalFailure", 500, AwsUnavailable),
        ("InvalidParameterValue", 400, AwsRefused),
        ("AWS.SimpleQueueService.NonExistentQueue", 400, NotThere),
    ],
)
def test_errors_are_worth_another_attempt_or_not(
    aws: OfflineAws, acme: AwsTarget, quick: None, code: str, status: int, kind: type[Exception]
) -> None:
    aws.fail("sqs", "ListQueues", code=code, status=status, times=None)
    with pytest.raises(kind) as raised:
        client("sqs", acme).list_queues()
    assert type(raised.value) is kind


def test_an_account_whose_calls_all_fail_takes_no_repetitions_from_another(
    aws: OfflineAws, acme: AwsTarget, member: Callable[[str], AwsTarget], quick: None
) -> None:
    """botocore allows a client so many; the clients are shared."""
    bolt = member("bolt")
    aws.fail("sqs", "ListQueues", code="InternalFailure", account=acme.account, times=None)
    attempts = []
    for _ in range(12):
        before = len(aws.calls("sqs"))
        with pytest.raises(AwsUnavailable):
            client("sqs", acme).list_queues()
        attempts.append(len(aws.calls("sqs")) - before)
    assert (attempts[0], attempts[-1]) == (5, 1)
    aws.fail("sqs", "ListQueues", code="InternalFailure", account=bolt.account, times=2)
    client("sqs", bolt).list_queues()


def test_a_lost_answer_is_told_apart(aws: OfflineAws, acme: AwsTarget) -> None:
    aws.lose_answer("sqs", "CreateQueue", times=None)
    with pytest.raises(AnswerLost, match="not known"):
        client("sqs", acme, attempts=1).create_queue(QueueName="orders")


def test_lists_are_read_page_by_page(acme: AwsTarget) -> None:
    accounts = management_client("organizations", Manager()).items("list_accounts", "Accounts", MaxResults=1)
    assert {each["Name"] for each in accounts} >= {"acme"}


def test_settings_come_from_the_nearest_orbits_toml(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "orbits.toml").write_text('[aws]\nprofile = "agency"\n', encoding="utf-8")
    (tmp_path / "below").mkdir()
    monkeypatch.chdir(tmp_path / "below")
    assert aws_settings().profile == "agency"
    assert aws_settings().service_role == "orbits-cloudformation"


@pytest.mark.parametrize(
    ("text", "message"), [("[aws]\nprofle = 'x'\n", r"\[aws\]: profle"), ("[aws\n", "not valid TOML")]
)
def test_wrong_settings_name_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, message: str) -> None:
    (tmp_path / "orbits.toml").write_text(text, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match=message) as wrong:
        aws_settings()
    assert str(tmp_path / "orbits.toml") in str(wrong.value)


def test_lists_are_gone_through_page_by_page_whatever_they_call_their_pages(acme: AwsTarget) -> None:
    iam, ssm = client("iam", acme), client("ssm", acme)
    iam.create_role(RoleName="api", AssumeRolePolicyDocument=json.dumps(trusted("lambda.amazonaws.com")))
    allowed = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [allowed]})
    names = ["a", "b", "c"]
    for name in names:
        iam.put_role_policy(RoleName="api", PolicyName=name, PolicyDocument=document)
        ssm.put_parameter(Name=name, Value="x", Type="String")
    assert sorted(iam.items("list_role_policies", "PolicyNames", RoleName="api", MaxItems=2)) == names
    assert sorted(one["Name"] for one in ssm.items("describe_parameters", "Parameters", MaxResults=1)) == names
