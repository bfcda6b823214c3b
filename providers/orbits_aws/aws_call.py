"""AwsCall: any operation of AWS as a durable step, for what nothing else here is there for."""

import base64
import difflib
import hashlib
from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache
from typing import Any
from uuid import UUID

import botocore.session
from botocore import xform_name
from botocore.exceptions import UnknownServiceError
from botocore.waiter import WaiterModel
from pydantic import BaseModel, ConfigDict, JsonValue, SecretStr

from orbits_aws.clients import client
from orbits_aws.errors import AwsError, AwsRefused, AwsUnavailable
from orbits_aws.tagged import poll
from orbits_aws.targets import AwsTarget
from orbits_iac import Action, InProgress
from orbits_iac.provider import Interrupted, UsageError

_READS = ("BatchGet", "Describe", "Get", "Head", "List", "Lookup", "Query", "Scan", "Search")
Answer = dict[str, JsonValue]


class Until(BaseModel):
    """What is waited for after a call: a waiter that boto3 has, or that a value in an answer is one of some.

    Attributes:
        waiter: boto3's name of it, such as `table_exists`; or
        operation: what is asked every few seconds, such as `GetQueryExecution`;
        path: where in its answer the value is, such as `QueryExecution.Status.State`, or `Clusters.0.Status`;
        values: it is done when the value is one of these,
        failures: and has failed when it is one of these.
        parameters: of what is asked, beside those of the call itself that it takes too.
        answers: parameters of what is asked that stand in the call's answer: each to the path of it there.
        every: seconds between two looks; by default as the waiter has it, else 5.

    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    waiter: str | None = None
    operation: str | None = None
    path: str = ""
    values: list[JsonValue] = []
    failures: list[JsonValue] = []
    parameters: dict[str, JsonValue] = {}
    answers: dict[str, str] = {}
    every: float | None = None


class AwsCall(Action[Answer, Answer]):
    """Calls an operation, and waits for what comes of it; the result is the answer, or that of the last look.

    What only reads, or takes a token, is done again after a crash and a lost answer: the token is the execution's own.
    What does neither is called once; if nobody knows whether it was carried out, that is said. `repeatable=True` says
    that it may be called twice all the same. Answers are recorded: one with a secret in it is better not asked for.

    Attributes:
        service: boto3's name of it, such as `sns`.
        operation: such as `CreateTopic`, or `create_topic`.
        parameters: as boto3 takes them.
        secret_parameters: those that are secret.
        token_parameter: the parameter that makes a repeated request the first one, where boto3 does not know of it.
        until: what is waited for.

    """

    service: str
    operation: str
    parameters: dict[str, JsonValue] = {}
    secret_parameters: dict[str, SecretStr] = {}
    token_parameter: str | None = None
    until: Until | None = None
    repeatable: bool = False

    def check_inputs(self) -> None:
        """Raise `UsageError` if AWS has no such operation, waiter or parameter."""
        model = _operation(self.service, self.operation)
        taken = set(model.input_shape.members) if model.input_shape else set[str]()
        for name in (*self.parameters, *self.secret_parameters, *filter(None, [self.token_parameter])):
            if name not in taken:
                raise UsageError(f"{self.service}:{model.name} takes no {name}.{_like(name, taken)}")
        if self.until is not None:
            _look(self.service, self.until)

    def main(self) -> Answer | InProgress[Answer]:
        """Call it."""
        self.check_inputs()
        attempts = 5 if self._may_be_repeated() else 1
        api = client(self.service, self.execution.target(AwsTarget), attempts=attempts)
        answer: Answer = _plain(_method(api, self.service, self.operation)(**self._asked()))
        return answer if self.until is None else InProgress(answer, poll=poll(1))

    def watch(self, handle: Answer, /) -> Answer | InProgress[Answer]:
        """Look whether what is waited for has come."""
        until = self.until or Until()
        look = _look(self.service, until)
        taken = _operation(self.service, look.operation).input_shape
        own = {name: value for name, value in self.parameters.items() if taken and name in taken.members}
        asked = {**own, **until.parameters, **{name: _at(handle, path) for name, path in until.answers.items()}}
        method = _method(client(self.service, self.execution.target(AwsTarget)), self.service, look.operation)
        try:
            answer = method(**asked)
        except AwsUnavailable as error:
            self.execution.progress(f"it cannot be looked at: {error}")
            return InProgress(handle, poll=poll(look.every))
        except AwsError as error:
            answer = {"Error": {"Code": error.code, "Message": str(error)}}
            state = look.state(answer)
            if state is None:
                raise
        else:
            state = look.state(answer)
        if state == "failure":
            raise AwsRefused(f"{self.service}:{self.operation} was answered, and then failed: {_plain(answer)}")
        if state == "success":
            told: Answer = _plain(answer)
            return told
        return InProgress(handle, poll=poll(look.every))

    def on_interrupted(self) -> Answer | InProgress[Answer]:
        """Call it again where that is the same call; otherwise nobody knows whether it was carried out."""
        if self._may_be_repeated():
            return self.main()
        raise Interrupted(
            f"{self.service}:{self.operation} was being called when the process died, and nobody knows whether it was "
            f"carried out: it takes no token. Look, and say repeatable=True if it may be called twice"
        )

    def _may_be_repeated(self) -> bool:
        name = _operation(self.service, self.operation).name
        return self.repeatable or name.startswith(_READS) or self._token_parameter() is not None

    def _token_parameter(self) -> str | None:
        if self.token_parameter is not None:
            return self.token_parameter
        known = _operation(self.service, self.operation).idempotent_members
        return known[0] if known and known[0] not in self.parameters else None

    def _asked(self) -> dict[str, Any]:
        asked: dict[str, Any] = dict(self.parameters)
        asked.update({name: value.get_secret_value() for name, value in self.secret_parameters.items()})
        name = self._token_parameter()
        if name is not None:
            asked[name] = str(UUID(bytes=hashlib.sha256(self.execution.token.encode()).digest()[:16]))
        return asked


class _Look:
    """What is asked while one waits, and what its answers mean."""

    def __init__(self, until: Until, waiter: Any) -> None:
        self._until, self._waiter = until, waiter
        self.operation: str = until.operation or (waiter.operation if waiter else "")
        self.every = until.every if until.every is not None else float(waiter.delay if waiter else 5)

    def state(self, answer: Mapping[str, Any]) -> str | None:
        """`success`, `failure` or `retry`; None where an error means nothing that is waited for."""
        if self._waiter is not None:
            found = next((one.state for one in self._waiter.acceptors if one.matcher_func(answer)), None)
            return None if found is None and "Error" in answer else str(found or "retry")
        if "Error" in answer:
            return None
        value = _at(answer, self._until.path)
        if value in self._until.failures:
            return "failure"
        return "success" if value in self._until.values else "retry"


def _look(service: str, until: Until) -> _Look:
    """What `until` says; `UsageError` where it says nothing that there is."""
    if (until.waiter is None) == (until.operation is None) or (until.operation and not (until.path and until.values)):
        raise UsageError("Until has a waiter; or an operation, a path in its answer, and the values waited for")
    if until.operation is not None:
        return _Look(until, None)
    waiters = _waiters(service)
    names = {xform_name(name): name for name in waiters.waiter_names}
    if until.waiter not in names:
        raise UsageError(f"{service} has no waiter {until.waiter}.{_like(str(until.waiter), set(names))}")
    return _Look(until, waiters.get_waiter(names[until.waiter]))


@lru_cache(maxsize=1)
def _botocore() -> Any:
    return botocore.session.Session()


@lru_cache(maxsize=64)
def _service(name: str) -> Any:
    try:
        return _botocore().get_service_model(name)
    except UnknownServiceError as error:
        known = set(_botocore().get_available_services())
        raise UsageError(f"AWS has no service {name}.{_like(name, known)}") from error


@lru_cache(maxsize=64)
def _waiters(service: str) -> WaiterModel:
    try:
        model: WaiterModel = _botocore().get_waiter_model(service)
    except (ValueError, UnknownServiceError):
        return WaiterModel({"version": 2, "waiters": {}})
    return model


def _operation(service: str, name: str) -> Any:
    """botocore's model of an operation, by its name or by boto3's."""
    model = _service(service)
    names = {xform_name(each): each for each in model.operation_names}
    found = name if name in model.operation_names else names.get(name)
    if found is None:
        known = set(names) if name.islower() else set(model.operation_names)
        raise UsageError(f"{service} has no operation {name}.{_like(name, known)}")
    return model.operation_model(found)


def _method(api: Any, service: str, operation: str) -> Any:
    return getattr(api, xform_name(_operation(service, operation).name))


def _like(name: str, known: set[str]) -> str:
    """What may have been meant."""
    close = difflib.get_close_matches(name, sorted(known), n=3)
    return f" Did you mean {', '.join(close)}?" if close else ""


def _at(answer: Any, path: str) -> Any:
    """The value at a path of names and positions; None where there is none."""
    for part in path.split("."):
        if isinstance(answer, list) and part.isdecimal() and int(part) < len(answer):
            answer = answer[int(part)]
        else:
            answer = answer.get(part) if isinstance(answer, Mapping) else None
    return answer


def _plain(value: Any) -> Any:
    """An answer in JSON's own types: bytes as text or else in base 64, times in ISO 8601, bodies read."""
    if isinstance(value, Mapping):
        return {str(name): _plain(each) for name, each in value.items() if name != "ResponseMetadata"}
    if isinstance(value, (list, tuple)):
        return [_plain(each) for each in value]
    if isinstance(value, datetime):
        return value.isoformat()
    if hasattr(value, "read"):
        return _plain(value.read())
    if isinstance(value, bytes):
        try:
            return value.decode()
        except UnicodeDecodeError:
            return base64.b64encode(value).decode()
    return value
