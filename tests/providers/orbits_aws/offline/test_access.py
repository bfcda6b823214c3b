"""Who may call: keys and sessions, regions, unready accounts, denials, and what belongs to another account."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest
import urllib3
from botocore.credentials import Credentials
from botocore.exceptions import ClientError

from orbits_aws.offline import OfflineAws

MANAGEMENT = "123456789012"
OTHER = "444455556666"
SHARED = "000000000000"
"""The account whose clients `Session` borrows."""


@pytest.fixture
def acme(aws: OfflineAws) -> str:
    organizations = aws.client("organizations", account=MANAGEMENT)
    made = organizations.create_account(Email="aws+acme@agency.example", AccountName="acme")
    return str(made["CreateAccountStatus"]["AccountId"])


class Session:
    """Clients with the keys of a role's session, or with any other keys.

    Clients take long to make: those of `aws` serve all sessions, each call signed with the keys of its own.
    """

    def __init__(self, aws: OfflineAws, keys: Any) -> None:
        self._aws, self.keys = aws, keys

    def client(self, service: str, region: str = "eu-west-1") -> Any:
        client = self._aws.client(service, account=SHARED, region=region)
        return Signed(client, Credentials(self.keys["AccessKeyId"], "x", self.keys.get("SessionToken")))


class Signed:
    """A client whose calls are signed with other keys than its own."""

    def __init__(self, client: Any, credentials: Credentials) -> None:
        self._client, self._credentials = client, credentials

    def __getattr__(self, operation: str) -> Any:
        def call(**arguments: Any) -> Any:
            self._client._request_signer._credentials = self._credentials
            return getattr(self._client, operation)(**arguments)

        return call


@pytest.fixture
def inside(aws: OfflineAws, acme: str) -> Session:
    """A session in acme."""
    role = f"arn:aws:iam::{acme}:role/OrganizationAccountAccessRole"
    answer = aws.client("sts", account=MANAGEMENT).assume_role(RoleArn=role, RoleSessionName="test")
    return Session(aws, answer["Credentials"])


def code(call: Any, **arguments: Any) -> str | None:
    """The error code of a call, None if it succeeded."""
    try:
        call(**arguments)
    except ClientError as failure:
        return str(cast("Any", failure.response)["Error"]["Code"])
    return None


EACH = {
    "sts": "get_caller_identity",
    "sqs": "list_queues",
    "s3": "list_buckets",
    "lambda": "list_functions",
    "ec2": "describe_vpcs",
    "cloudformation": "list_stacks",
}
"""A call of each protocol."""


def codes(session: Session, region: str = "eu-west-1") -> list[str | None]:
    return [code(getattr(session.client(service, region), operation)) for service, operation in EACH.items()]


UNKNOWN = [
    "InvalidClientTokenId",
    "UnrecognizedClientException",
    "InvalidAccessKeyId",
    "UnrecognizedClientException",
    "AuthFailure",
    "InvalidClientTokenId",
]


def test_keys_that_nobody_issued_are_refused_if_asked_for(aws: OfflineAws, inside: Session) -> None:
    unknown, strange, management = (
        Session(aws, {"AccessKeyId": key}) for key in ("AKIAUNKNOWN", "999999999999", MANAGEMENT)
    )
    assert codes(unknown) == codes(strange) == [None] * 6
    aws.settings(strict_keys=True)
    assert codes(unknown) == codes(strange) == UNKNOWN
    assert codes(management) == codes(inside) == [None] * 6
    iam = management.client("iam")
    iam.create_user(UserName="deployer")
    keys = iam.create_access_key(UserName="deployer")["AccessKey"]
    assert Session(aws, keys).client("sts").get_caller_identity()["Arn"].endswith(":user/deployer")
    iam.update_access_key(UserName="deployer", AccessKeyId=keys["AccessKeyId"], Status="Inactive")
    assert codes(Session(aws, keys)) == UNKNOWN
    iam.delete_access_key(UserName="deployer", AccessKeyId=keys["AccessKeyId"])
    assert codes(Session(aws, keys)) == UNKNOWN


def test_a_sessions_keys_need_its_token(aws: OfflineAws, inside: Session) -> None:
    keys = inside.keys
    assert codes(Session(aws, {**keys, "SessionToken": "another"})) == UNKNOWN
    assert codes(Session(aws, {**keys, "SessionToken": None})) == UNKNOWN


def test_sessions_end(aws: OfflineAws, inside: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    expired = ["ExpiredToken", "ExpiredTokenException", "ExpiredToken", "ExpiredTokenException", "RequestExpired"]
    assert codes(inside) == [None] * 6
    later = datetime.now(UTC) + timedelta(hours=1, seconds=1)
    with monkeypatch.context() as patch:
        patch.setattr(aws._server.cloud.access, "now", lambda: later)
        assert codes(inside) == [*expired, "ExpiredToken"]
    assert codes(inside) == [None] * 6
    aws.expire_sessions()
    assert codes(inside) == [*expired, "ExpiredToken"]


def test_regions_that_do_not_exist_or_are_not_enabled(aws: OfflineAws) -> None:
    here = Session(aws, {"AccessKeyId": MANAGEMENT})
    invalid, json_invalid = "SignatureDoesNotMatch", "InvalidSignatureException"
    assert codes(here, "eu-nowhere-1") == [
        invalid,
        json_invalid,
        "AuthorizationHeaderMalformed",
        json_invalid,
        "AuthFailure",
        invalid,
    ]
    assert codes(here, "af-south-1") == [None] * 6
    aws.settings(disabled_regions=["af-south-1"])
    assert codes(here, "af-south-1") == UNKNOWN
    assert codes(here) == [None] * 6


def test_a_new_account_is_not_ready_for_some_calls_or_until_told(aws: OfflineAws) -> None:
    aws.settings(unready={"cloudformation": 2, "lambda": None, "s3": 1, "ec2": 1})
    organizations = aws.client("organizations", account=MANAGEMENT)
    organizations.create_account(Email="aws+acme@agency.example", AccountName="acme")
    account = Session(aws, {"AccessKeyId": aws.account("acme")})
    subscription = "SubscriptionRequiredException"
    assert codes(account) == [None, None, "NotSignedUp", subscription, "OptInRequired", "OptInRequired"]
    assert codes(account) == [None, None, None, subscription, None, "OptInRequired"]
    assert codes(account) == [None, None, None, subscription, None, None]
    aws.ready("acme")
    assert codes(account) == codes(Session(aws, {"AccessKeyId": MANAGEMENT})) == [None] * 6


@pytest.mark.parametrize(
    ("denial", "inside_denied", "outside_denied"),
    [
        ({"service": "sqs", "operation": "List*"}, True, True),
        ({"service": "sqs", "operation": "Create*"}, False, False),
        ({"account": "acme"}, True, False),
        ({"role": "OrganizationAccount*"}, True, False),
        ({"role": "Deployer"}, False, False),
        ({"session": "test"}, True, False),
        ({"resource": "prefix-1"}, True, True),
        ({"resource": "prefix-2"}, False, False),
    ],
)
def test_calls_are_denied_by_rule(
    aws: OfflineAws, inside: Session, denial: dict[str, str], *, inside_denied: bool, outside_denied: bool
) -> None:
    aws.settings(denied=[denial])
    sessions = (inside, Session(aws, {"AccessKeyId": MANAGEMENT}))
    found = [code(one.client("sqs").list_queues, QueueNamePrefix="prefix-1") for one in sessions]
    assert found == ["AccessDeniedException" if denied else None for denied in (inside_denied, outside_denied)]


def test_a_denial_names_who_may_not_do_what(aws: OfflineAws, inside: Session, acme: str) -> None:
    aws.settings(denied=[{"role": "Organization*"}])
    expected = ["AccessDenied", "AccessDeniedException", "AccessDenied", "AccessDeniedException"]
    assert codes(inside) == [*expected, "UnauthorizedOperation", "AccessDenied"]
    caller = f"arn:aws:sts::{acme}:assumed-role/OrganizationAccountAccessRole/test"
    message = f"User: {caller} is not authorized to perform: sqs:ListQueues with an explicit deny"
    with pytest.raises(ClientError, match=message):
        inside.client("sqs").list_queues()
    aws.settings(denied=[])
    assert codes(inside) == [None] * 6


def allow(*principals: str, action: str = "*", resource: str = "*") -> str:
    statement = {"Effect": "Allow", "Principal": {"AWS": list(principals)}, "Action": action, "Resource": resource}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def test_a_bucket_of_another_account_is_refused_unless_its_policy_lets_one_in(
    aws: OfflineAws, inside: Session, acme: str
) -> None:
    owner, other = aws.client("s3", account=MANAGEMENT, region="us-east-1"), inside.client("s3")
    owner.create_bucket(Bucket="agency-assets")
    owner.put_object(Bucket="agency-assets", Key="a/b", Body=b"text")
    named: dict[str, Any] = {"Bucket": "agency-assets", "Key": "a/b"}
    assert code(other.head_bucket, Bucket="agency-assets") == "403"
    assert code(other.get_object, **named) == code(other.put_object, **named) == "AccessDenied"
    assert code(other.create_bucket, Bucket="agency-assets") in (
        "BucketAlreadyExists",
        "IllegalLocationConstraintException",
    )
    owner.put_bucket_policy(Bucket="agency-assets", Policy=allow(acme, action="s3:GetObject"))
    assert other.get_object(**named)["Body"].read() == b"text"
    assert code(other.put_object, **named) == "AccessDenied"
    assert code(owner.get_object, **named) is None


def test_a_buckets_policy_denies_its_own_account_too_and_is_read_with_its_conditions(aws: OfflineAws) -> None:
    s3 = aws.client("s3", account=MANAGEMENT, region="us-east-1")
    s3.create_bucket(Bucket="agency-assets")
    deny = {"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": "arn:aws:s3:::agency-assets/*"}
    encrypted = {"Condition": {"Bool": {"aws:SecureTransport": "false"}}}
    for statement, refused in (({**deny, **encrypted}, None), (deny, "AccessDenied")):
        s3.put_bucket_policy(Bucket="agency-assets", Policy=json.dumps({"Statement": [statement]}))
        assert code(s3.put_object, Bucket="agency-assets", Key="a", Body=b"text") == refused
    s3.put_bucket_policy(Bucket="agency-assets", Policy=allow("*", action="s3:GetObject"))
    url = f"{aws.endpoint_url}/agency-assets"
    assert urllib3.request("GET", f"{url}/a", retries=False).data == b"text"  # anyone may, unsigned
    s3.delete_bucket_policy(Bucket="agency-assets")
    assert urllib3.request("GET", f"{url}/a", retries=False).status == 403


def test_a_queue_of_another_account_is_refused_unless_its_policy_lets_one_in(
    aws: OfflineAws, inside: Session, acme: str
) -> None:
    owner, other = aws.client("sqs", account=MANAGEMENT), inside.client("sqs")
    url = owner.create_queue(QueueName="orders")["QueueUrl"]
    other.create_queue(QueueName="orders")  # one of its own, of the same name
    assert code(other.send_message, QueueUrl=url, MessageBody="x") == "AccessDenied"
    absent = code(other.get_queue_url, QueueName="orders", QueueOwnerAWSAccountId=MANAGEMENT)
    assert absent in ("QueueDoesNotExist", "AWS.SimpleQueueService.NonExistentQueue")
    owner.set_queue_attributes(QueueUrl=url, Attributes={"Policy": allow(acme, action="sqs:SendMessage")})
    other.send_message(QueueUrl=url, MessageBody="x")
    assert code(other.purge_queue, QueueUrl=url) == "AccessDenied"
    received = owner.receive_message(QueueUrl=url)["Messages"]
    assert [one["Body"] for one in received] == ["x"]


def test_topics_repositories_and_state_machines_of_another_account_are_refused(
    aws: OfflineAws, inside: Session, acme: str
) -> None:
    sns, other = aws.client("sns", account=MANAGEMENT), inside.client("sns")
    topic = sns.create_topic(Name="news")["TopicArn"]
    assert code(other.publish, TopicArn=topic, Message="x") == "AuthorizationError"
    policy = allow(acme, action="SNS:Publish")
    sns.set_topic_attributes(TopicArn=topic, AttributeName="Policy", AttributeValue=policy)
    assert code(other.publish, TopicArn=topic, Message="x") is None
    assert code(other.delete_topic, TopicArn=topic) == "AuthorizationError"
    assert code(sns.publish, TopicArn=topic, Message="x") is None
    aws.client("ecr", account=MANAGEMENT).create_repository(repositoryName="images")
    assert code(inside.client("ecr").describe_repositories, registryId=MANAGEMENT) == "AccessDeniedException"
    machine = f"arn:aws:states:eu-west-1:{MANAGEMENT}:stateMachine:nightly"
    assert code(inside.client("stepfunctions").delete_state_machine, stateMachineArn=machine) == "AccessDeniedException"


def test_temporary_keys_of_a_user_are_that_users_and_sessions_get_none(aws: OfflineAws, inside: Session) -> None:
    keys = aws.client("sts", account=OTHER).get_session_token()["Credentials"]
    assert Session(aws, keys).client("sts").get_caller_identity()["Account"] == OTHER
    assert code(inside.client("sts").get_session_token) == "AccessDenied"


def test_settings_change_one_by_one(aws: OfflineAws) -> None:
    aws.settings(polls=2)
    aws.settings(strict_keys=True)
    settings = aws._server.cloud.settings
    assert (settings.polls, settings.strict_keys) == (2, True)
    with pytest.raises(ValueError, match="denied"):
        aws.settings(denied=[{"service": "s3", "who": "me"}])
