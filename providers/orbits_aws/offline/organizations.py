"""Organizations as AWS has it, around moto's: accounts that take their time, quotas, addresses that are taken, closing.

moto keeps the organization; here its answers are corrected. What a look shows unfolds over the set number of looks
(`account_polls`), as a stack's states do: until then a new account is in no list and a closed one is pending. Only the
management account may ask for more than what the organization is.
"""

import json
import time
import uuid
from collections.abc import Callable, Mapping
from threading import RLock
from typing import Any

from . import moto_state
from .identify import Identity
from .settings import Settings
from .wire import Answer, Environ, error_answer, json_answer

Request = Mapping[str, Any]
_PAGE = 20


class Refused(Exception):
    """A request that Organizations refuses: the code, the message and, where it has one, the reason."""

    def __init__(self, code: str, message: str, reason: str | None = None) -> None:
        super().__init__(message)
        self.code, self.reason = code, reason


class Organizations:
    """The service; what carries out its calls in the gateway."""

    def __init__(
        self, moto: Callable[[Environ], Answer], settings: Callable[[], Settings], made: Callable[[str], None]
    ) -> None:
        """`moto` carries a call out, `made` is told each account that is made."""
        self._moto, self._settings, self._made = moto, settings, made
        self._lock = RLock()
        self.clear()
        self._own: dict[str, Callable[[Request], Any]] = {
            "CreateAccount": self._create_account,
            "DescribeCreateAccountStatus": self._describe_status,
            "ListCreateAccountStatus": self._list_statuses,
        }
        self._checks: dict[str, Callable[[Request], None]] = {
            "CloseAccount": self._check_closing,
            "CreateOrganizationalUnit": _check_new_unit,
            "DeleteOrganizationalUnit": _check_empty,
            "DescribeAccount": self._check_shown,
            "MoveAccount": self._check_move,
            "UpdateOrganizationalUnit": _check_renamed,
        }

    def clear(self) -> None:
        """Forget what is under way."""
        with self._lock:
            self._creating: dict[str, int] = {}
            self._closing: dict[str, int] = {}
            self._failed: list[dict[str, Any]] = []

    def state(self) -> Any:
        """What is under way, for `restore`."""
        with self._lock:
            return dict(self._creating), dict(self._closing), list(self._failed)

    def restore(self, state: Any) -> None:
        """Have what `state` gave, and nothing else."""
        with self._lock:
            self._creating, self._closing, self._failed = state

    def __call__(self, identity: Identity, environ: Environ) -> Answer:
        """Carry out one call."""
        request: Request = json.loads(environ["wsgi.input"].getvalue() or b"{}")
        organization = moto_state.organization_of(identity.account)
        if organization is None or organization.master_account_id != moto_state.MANAGEMENT_ACCOUNT:
            return self._moto(environ)
        try:
            with self._lock:
                return self._answer(identity, request, environ)
        except Refused as refused:
            return _refusal(refused)

    def _answer(self, identity: Identity, request: Request, environ: Environ) -> Answer:
        operation = identity.operation
        if identity.account != moto_state.MANAGEMENT_ACCOUNT and operation != "DescribeOrganization":
            raise Refused("AccessDeniedException", "You don't have permissions to access this resource.")
        if own := self._own.get(operation):
            return json_answer(own(request))
        if check := self._checks.get(operation):
            check(request)
        if operation in ("DescribeAccount", "ListAccounts"):
            self._look(self._closing)
        answer = self._moto(environ)
        if operation == "CloseAccount":
            self._closed(str(request["AccountId"]))
        return self._without_hidden(answer) if operation.startswith("List") else answer

    def _create_account(self, request: Request) -> Any:
        organization, settings = moto_state.organization(), self._settings()
        accounts = list(organization.accounts)
        if settings.account_quota is not None and len(accounts) >= settings.account_quota:
            if not settings.account_polls:
                message = "You have exceeded the allowed number of AWS accounts."
                raise Refused("ConstraintViolationException", message, "ACCOUNT_NUMBER_LIMIT_EXCEEDED")
            return self._failing(request, "ACCOUNT_LIMIT_EXCEEDED")
        if any(str(account.email).lower() == str(request["Email"]).lower() for account in accounts):
            return self._failing(request, "EMAIL_ALREADY_EXISTS")
        status = organization.create_account(**request)["CreateAccountStatus"]
        self._made(str(status["AccountId"]))
        if settings.account_polls:
            self._creating[str(status["AccountId"])] = settings.account_polls
            _set_status(str(status["AccountId"]), "PENDING_ACTIVATION")
        return {"CreateAccountStatus": self._shown(status)}

    def _failing(self, request: Request, reason: str) -> Any:
        now = time.time()
        status = {
            "Id": f"car-{uuid.uuid4().hex}",
            "AccountName": request["AccountName"],
            "State": "FAILED",
            "RequestedTimestamp": now,
            "CompletedTimestamp": now,
            "FailureReason": reason,
        }
        self._failed.append(status)
        if polls := self._settings().account_polls:
            self._creating[str(status["Id"])] = polls
        return {"CreateAccountStatus": self._shown(status)}

    def _statuses(self) -> list[dict[str, Any]]:
        members = moto_state.organization().accounts[1:]
        return [account.create_account_status["CreateAccountStatus"] for account in members] + self._failed

    def _shown(self, status: dict[str, Any]) -> dict[str, Any]:
        """A status as callers see it: under way until it was looked at often enough."""
        if str(status.get("AccountId", status["Id"])) not in self._creating:
            return status
        names = ("Id", "AccountName", "RequestedTimestamp")
        return {"State": "IN_PROGRESS", **{name: status[name] for name in names}}

    def _describe_status(self, request: Request) -> Any:
        wanted = request["CreateAccountRequestId"]
        for status in self._statuses():
            if status["Id"] == wanted:
                self._look(self._creating, str(status.get("AccountId", wanted)))
                return {"CreateAccountStatus": self._shown(status)}
        message = "We can't find a create account request with the CreateAccountRequestId that you specified."
        raise Refused("CreateAccountStatusNotFoundException", message)

    def _list_statuses(self, request: Request) -> Any:
        self._look(self._creating)
        states = request.get("States") or ("IN_PROGRESS", "SUCCEEDED", "FAILED")
        found = [status for status in map(self._shown, self._statuses()) if status["State"] in states]
        start, size = int(request.get("NextToken") or 0), int(request.get("MaxResults") or _PAGE)
        more = {"NextToken": str(start + size)} if len(found) > start + size else {}
        return {"CreateAccountStatuses": found[start : start + size], **more}

    def _look(self, under_way: dict[str, int], only: str | None = None) -> None:
        """One more look at what is under way; what was looked at often enough has ended."""
        for name in [only] if only in under_way else [] if only else list(under_way):
            under_way[name] -= 1
            if under_way[name] < 0:
                del under_way[name]
                _set_status(name, "SUSPENDED" if under_way is self._closing else "ACTIVE")

    def _without_hidden(self, answer: Answer) -> Answer:
        if not self._creating or answer.status != 200:
            return answer
        content: dict[str, Any] = json.loads(answer.body)
        for name in ("Accounts", "Children"):
            if name in content:
                content[name] = [one for one in content[name] if one["Id"] not in self._creating]
        return json_answer(content)

    def _check_shown(self, request: Request) -> None:
        account = str(request.get("AccountId"))
        if account in self._creating or moto_state.member(account) is None:
            message = "You specified an account that doesn't exist."
            raise Refused("AccountNotFoundException", message)

    def _check_move(self, request: Request) -> None:
        self._check_shown(request)
        organization, account = moto_state.organization(), moto_state.member(str(request["AccountId"]))
        source, destination = request["SourceParentId"], request["DestinationParentId"]
        units = {unit.id for unit in organization.ou}
        if source not in units or account.parent_id != source:
            message = "We can't find a source root or OU with the ParentId that you specified."
            raise Refused("SourceParentNotFoundException", message)
        if destination not in units:
            message = "We can't find the destination container (a root or OU) with the ParentId that you specified."
            raise Refused("DestinationParentNotFoundException", message)
        if source == destination:
            raise Refused("DuplicateAccountException", "That account is already present in the specified destination.")

    def _check_closing(self, request: Request) -> None:
        self._check_shown(request)
        account, quota = moto_state.member(str(request["AccountId"])), self._settings().close_quota
        if account.id == moto_state.MANAGEMENT_ACCOUNT:
            message = "You can't close the management account of an organization."
            raise Refused("ConstraintViolationException", message, "CANNOT_CLOSE_MANAGEMENT_ACCOUNT")
        if account.status == "PENDING_CLOSURE":
            message = "The account is being closed already."
            raise Refused("ConflictException", message)
        closed = sum(one.status in ("PENDING_CLOSURE", "SUSPENDED") for one in moto_state.organization().accounts)
        if quota is not None and closed >= quota and account.status == "ACTIVE":
            message = "You have exceeded close account quota for the past 30 days."
            raise Refused("ConstraintViolationException", message, "CLOSE_ACCOUNT_QUOTA_EXCEEDED")

    def _closed(self, account: str) -> None:
        if polls := self._settings().account_polls:
            self._closing[account] = polls
            _set_status(account, "PENDING_CLOSURE")


def _set_status(account: str, status: str) -> None:
    found = moto_state.member(account)
    if found is not None:  # a request that failed has none
        found.status = found.state = status


def _check_new_unit(request: Request) -> None:
    units = moto_state.organization().ou
    if request["ParentId"] not in {unit.id for unit in units}:
        message = "We can't find a root or OU with the ParentId that you specified."
        raise Refused("ParentNotFoundException", message)
    _check_name(request["Name"], request["ParentId"], None)


def _check_renamed(request: Request) -> None:
    for unit in moto_state.organization().ou:
        if unit.id == request["OrganizationalUnitId"] and "Name" in request:
            _check_name(request["Name"], unit.parent_id, unit.id)


def _check_name(name: str, parent: str, itself: str | None) -> None:
    for unit in moto_state.organization().ou:
        if (unit.name, unit.parent_id) == (name, parent) and unit.id != itself:
            raise Refused("DuplicateOrganizationalUnitException", "An OU with the same name already exists.")


def _check_empty(request: Request) -> None:
    organization, unit = moto_state.organization(), request["OrganizationalUnitId"]
    if any(one.parent_id == unit for one in [*organization.accounts, *organization.ou]):
        message = (
            "The specified OU is not empty. Move all accounts to another root or to other OUs, remove all child OUs, "
        )
        raise Refused("OrganizationalUnitNotEmptyException", message + "and try the operation again.")


def _refusal(refused: Refused) -> Answer:
    answer = error_answer("json", refused.code, str(refused))
    if refused.reason is None:
        return answer
    body = json.dumps({**json.loads(answer.body), "Reason": refused.reason}).encode()
    return Answer(status=answer.status, headers=answer.headers, body=body)
