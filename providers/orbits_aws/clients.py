"""boto3 clients: one for a service and region in a process, whoever they act as.

A client costs about 70 ms and 5 MB, and there are thousands of accounts. So the clients are shared, and the
credentials of a call come from a context variable, which is set for the time of that call by the `AwsClient` that is
made for a target. Without it a call raises: nothing is ever done with the environment's credentials by accident.

Hooks use `client("sqs", self.execution.target(AwsTarget))`. Each method is boto3's own; what it raises is an AwsError.
"""

import os
import threading
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from functools import lru_cache
from typing import Any, ClassVar, Protocol

import boto3
import botocore.session
from botocore.config import Config
from botocore.credentials import CredentialProvider, CredentialResolver, Credentials, ReadOnlyCredentials
from botocore.exceptions import BotoCoreError, ClientError, ConfigParseError, ProfileNotFound
from botocore.parsers import ResponseParserError

from orbits_aws.assuming import assumption, not_assumed
from orbits_aws.credentials import Role, RoleSessions
from orbits_aws.errors import (
    WITHOUT_CREDENTIALS,
    AccessDenied,
    AccountUnusable,
    AwsError,
    AwsRefused,
    NoCredentials,
    NotLetIn,
    asks_for_the_account,
    is_stale,
    resource_of,
    translate,
)
from orbits_aws.governor import Governor, LocalRates
from orbits_aws.reach import unusable, why_not_let_in
from orbits_aws.retries import allow_each
from orbits_aws.settings import aws_settings
from orbits_aws.targets import AwsTarget
from orbits_iac.provider import Refused, current

_KEYS: ContextVar[ReadOnlyCredentials | None] = ContextVar("orbits_aws_keys", default=None)
_MANAGEMENT = "the management account"
_DEFAULT_REGION = "us-east-1"
_ATTEMPTS = 5
_LOCAL_REST = 0.01  # seconds
_LOCAL = ("http://localhost", "http://127.0.0.1")


def is_local() -> bool:
    """Whether AWS is an offline one on this machine, which may be asked as often as one likes."""
    return os.environ.get("AWS_ENDPOINT_URL", "").startswith(_LOCAL)


def _rates() -> LocalRates:
    """The rates that calls keep to: an offline AWS has no limits but those that are asked for."""
    return LocalRates(rest=_LOCAL_REST, published={}) if is_local() else LocalRates()


GOVERNOR = Governor(_rates())
"""What all calls of this process pass."""


class _CallersCredentials(Credentials):
    """What the shared clients sign with: the keys of whoever makes the call."""

    def get_frozen_credentials(self) -> ReadOnlyCredentials:
        keys = _KEYS.get()
        if keys is None:
            raise NoCredentials(
                "A shared AWS client was called without a target's credentials. Get it with client(service, target)."
            )
        return keys


class _Provider(CredentialProvider):
    METHOD = "orbits"

    def load(self) -> Credentials:
        return _CallersCredentials("none", "none", method=self.METHOD)


class AsWhom(Protocol):
    """Credentials of one role or user."""

    def keys(self) -> ReadOnlyCredentials:
        """The credentials, valid now."""
        ...

    def forget(self, keys: ReadOnlyCredentials) -> None:
        """Get new ones next time, unless there are newer ones than `keys`."""
        ...

    def unusable(self, region: str) -> AwsError | None:
        """Why nobody can do anything with them in a region, where that can be told: asked after a refusal."""
        ...


class AwsClient:
    """A boto3 client of one service in one region, acting as one target.

    Every operation is a method, as boto3 has it. `pages` goes through those of a list, `items` through what is in them.
    What is refused because the session is no longer valid is done once more with a new one: nothing was done. Where
    that is refused in the same way, the account is asked about.
    """

    def __init__(self, raw: Any, as_whom: AsWhom, *, service: str, account: str, region: str) -> None:
        self._raw = raw
        self._as_whom = as_whom
        self._service = service
        self._account = account
        self._region = region

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._raw, name)
        operation = self._raw.meta.method_to_api_mapping.get(name)
        if operation is None:
            return method
        return lambda **arguments: self._call(method, operation, arguments)

    def items(self, operation: str, key: str, **arguments: Any) -> Iterator[Any]:
        """Everything that a list operation returns under `key`, page by page."""
        for page in self.pages(operation, **arguments):
            yield from page.get(key, ())

    def pages(self, operation: str, **arguments: Any) -> Iterator[Any]:
        """The answers of a list operation, until there is no more."""
        token: dict[str, Any] = {}
        while True:
            page = getattr(self, operation)(**arguments, **token)
            yield page
            name = "Marker" if page.get("IsTruncated") else "NextToken"  # the former is IAM's
            name = "PaginationToken" if page.get("PaginationToken") else name  # that of the tagging API
            if not page.get(name):
                return
            token = {name: page[name]}

    def _call(self, method: Callable[..., Any], operation: str, arguments: dict[str, Any]) -> Any:
        try:
            keys = self._as_whom.keys()
            try:
                return _signed(keys, method, arguments)
            except ClientError as error:
                if not is_stale(error):
                    raise
                self._as_whom.forget(keys)
                return _signed(self._as_whom.keys(), method, arguments)
        except (ClientError, BotoCoreError, ResponseParserError) as error:
            if isinstance(error, ClientError) and asks_for_the_account(error):
                why = self._as_whom.unusable(self._region)
                if why is not None:
                    raise why from error
            model = self._raw.meta.service_model.operation_model(operation)
            raise translate(
                error,
                service=self._service,
                operation=operation,
                account=self._account,
                region=self._region,
                resource=resource_of(model, arguments),
            ) from error


def _signed(keys: ReadOnlyCredentials, method: Callable[..., Any], arguments: dict[str, Any]) -> Any:
    token = _KEYS.set(keys)
    try:
        return method(**arguments)
    finally:
        _KEYS.reset(token)


class _Ambient:
    """The management credentials: those of the environment or of the profile in orbits.toml."""

    def __init__(self, session: botocore.session.Session) -> None:
        self._session = session

    def keys(self) -> ReadOnlyCredentials:
        if (profile := _asks_for_mfa(self._session)) is not None:
            raise NoCredentials(
                f"The profile {profile} asks for an MFA code, and nobody is there to enter one. Give credentials that "
                f"need none: a role of the machine, or a session made beforehand (aws sts get-session-token, or aws "
                f"sso login)."
            )
        found = self._session.get_credentials()
        if found is None:
            raise NoCredentials(f"There are no AWS credentials. {WITHOUT_CREDENTIALS}.")
        return found.get_frozen_credentials()

    def forget(self, keys: ReadOnlyCredentials) -> None:
        """The chain of providers renews what it can by itself."""

    def unusable(self, region: str) -> AwsError | None:
        """Nobody can be asked."""


def _asks_for_mfa(session: botocore.session.Session) -> str | None:
    """The profile, of the one that is used and those it is based on, that asks for an MFA code."""
    profiles = session.full_config.get("profiles", {})
    name: str | None = session.profile or "default"
    seen: set[str] = set()
    while name is not None and name not in seen:
        seen.add(name)
        profile = profiles.get(name, {})
        if "mfa_serial" in profile:
            return name
        name = profile.get("source_profile")
    return None


class _AsRole:
    def __init__(self, sessions: RoleSessions, role: Role, unusable: Callable[[Role, str], AwsError | None]) -> None:
        self._sessions = sessions
        self._role = role
        self._unusable = unusable

    def keys(self) -> ReadOnlyCredentials:
        return self._sessions.keys(self._role)

    def forget(self, keys: ReadOnlyCredentials) -> None:
        self._sessions.forget(self._role, keys)

    def unusable(self, region: str) -> AwsError | None:
        return self._unusable(self._role, region)


class _Clients:
    """All clients of this process for one endpoint and one source of management credentials."""

    def __init__(self, profile: str | None, region: str | None) -> None:
        ambient = botocore.session.Session(profile=profile)
        self.region: str = region or ambient.get_config_variable("region") or _DEFAULT_REGION
        self._as_management = _Ambient(ambient)
        shared = botocore.session.Session(profile=profile)
        shared.register_component("credential_provider", CredentialResolver([_Provider()]))
        self._session = boto3.session.Session(botocore_session=shared)
        self._lock = threading.Lock()
        self._raw: dict[tuple[str, str, int], Any] = {}
        self.sessions = RoleSessions(self._assume)

    def of(self, service: str, target: AwsTarget, attempts: int) -> AwsClient:
        role = Role(
            arn=f"arn:{self.partition(target.region)}:iam::{target.account}:role/{target.role}",
            via=target.via,
            external_id=target.external_id,
            source_identity=target.source_identity,
            tags=tuple(sorted(target.session_tags.items())),
            seconds=round(target.session.total_seconds()),
        )
        return self._acting(role, service, target.region, attempts)

    def management(self, service: str, attempts: int) -> AwsClient:
        raw = self._client(service, self.region, attempts)
        return AwsClient(raw, self._as_management, service=service, account=_MANAGEMENT, region=self.region)

    def _acting(self, role: Role, service: str, region: str, attempts: int) -> AwsClient:
        raw = self._client(service, region, attempts)
        as_whom = _AsRole(self.sessions, role, self._unusable)
        return AwsClient(raw, as_whom, service=service, account=role.account, region=region)

    def _unusable(self, role: Role, region: str) -> AwsError | None:
        def account(home: str) -> AwsClient:
            return self._acting(role, "account", home, 1)

        return unusable(role.account, region, self.partition(region), account, self.management("organizations", 1))

    def _assume(self, role: Role, name: str) -> dict[str, Any]:
        before = role.before
        sts = (
            self.management("sts", _ATTEMPTS) if before is None else self._acting(before, "sts", self.region, _ATTEMPTS)
        )
        try:
            answer: dict[str, Any] = sts.assume_role(RoleSessionName=name, **assumption(role))
        except (AccountUnusable, NotLetIn) as error:  # of the role before: the way there is what is wrong
            words = f"{role.arn} is reached through {role.via[-1]}, which cannot be used: {error}"
            raise AccessDenied(words, code=error.code, said=error.said, account=role.account) from error.__cause__
        except AwsRefused as error:
            refused = not_assumed(role, error)
            if isinstance(refused, NotLetIn):
                raise why_not_let_in(self.management("organizations", 1), refused) from error
            raise refused from error
        return answer

    def partition(self, region: str) -> str:
        return str(self._session.get_partition_for_region(region))

    def _client(self, service: str, region: str, attempts: int) -> Any:
        key = (service, region, attempts)
        with self._lock:  # making a client is not thread-safe; using one is
            if key not in self._raw:
                raw = self._session.client(service, region_name=region, config=_config(attempts))
                GOVERNOR.attach(raw, service, region, _account)
                allow_each(raw, attempts, _account)
                self._raw[key] = raw
            return self._raw[key]


def _account() -> str:
    """The account that the call of this thread is made for."""
    keys = _KEYS.get()
    return (keys.account_id if keys is not None else None) or _MANAGEMENT


def _config(attempts: int) -> Config:
    return Config(
        account_id_endpoint_mode="disabled",
        connect_timeout=10,
        max_pool_connections=64,
        read_timeout=60,
        retries={"mode": "standard", "total_max_attempts": attempts},
        user_agent_extra="orbits-iac",
    )


@lru_cache(maxsize=8)
def _clients_for(profile: str | None, region: str | None, _environment: tuple[str | None, ...]) -> _Clients:
    try:
        return _Clients(profile, region)
    except (ConfigParseError, ProfileNotFound) as error:
        raise NoCredentials(f"{error}. {WITHOUT_CREDENTIALS}.") from error


_ENVIRONMENT = (
    "AWS_ACCESS_KEY_ID",
    "AWS_CONFIG_FILE",
    "AWS_DEFAULT_REGION",
    "AWS_ENDPOINT_URL",
    "AWS_PROFILE",
    "AWS_REGION",
    "AWS_SESSION_TOKEN",
    "AWS_SHARED_CREDENTIALS_FILE",
)


def _clients() -> _Clients:
    """The clients for the environment as it is now: tests point AWS_ENDPOINT_URL from one offline AWS to the next."""
    settings = aws_settings()
    return _clients_for(settings.profile, settings.region, tuple(os.environ.get(name) for name in _ENVIRONMENT))


def client(service: str, target: AwsTarget, *, attempts: int = _ATTEMPTS) -> Any:
    """A client of `service` in the target's account and region, acting as the target's role.

    `attempts` is how often a call is made before its error is raised; 1 for what must not be done twice. In a hook of
    a tenant's step, a target that the step was not given is `Refused`.
    """
    if (execution := current()) is not None:
        execution.admit(target)
    return _clients().of(service, target, attempts)


class UsesManagement(Protocol):
    """A step, or a list, that says that it acts in the management account, by a class variable."""

    uses_management: ClassVar[bool]


def management_client(service: str, step: UsesManagement, *, attempts: int = _ATTEMPTS) -> Any:
    """A client of `service` in the management account, for what has a class that says `uses_management = True`."""
    _refuse_others(step)
    return _clients().management(service, attempts)


def _refuse_others(step: UsesManagement) -> None:
    if getattr(type(step), "uses_management", False) is not True:
        raise Refused(
            f"{type(step).__name__} may not act in the management account: only a class that says "
            f"`uses_management: ClassVar[bool] = True` may. Give it a target instead."
        )


def member_client(service: str, step: UsesManagement, target: AwsTarget) -> Any:
    """A client in an account that a step makes or looks at, whose class says `uses_management = True`."""
    _refuse_others(step)
    return _clients().of(service, target, _ATTEMPTS)


def partition_of(region: str) -> str:
    """The partition that a region is in: `aws`, `aws-cn`, ..."""
    return _clients().partition(region)


def forget_sessions() -> None:
    """Forget who was assumed: for tests that go back to an earlier state of an AWS, which may not know them."""
    _clients().sessions.clear()


def forget_rates() -> None:
    """Forget how often may be asked: for tests that go from one AWS to another."""
    GOVERNOR.rates = _rates()
