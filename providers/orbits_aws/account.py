"""AwsAccount: a member account of the organization, made once, made ready for deployments, and kept."""

from datetime import timedelta
from typing import Any, ClassVar

from orbits_aws import organization
from orbits_aws.clients import client, is_local, management_client
from orbits_aws.errors import AccessDenied, AwsUnavailable
from orbits_aws.service_role import find_service_role, make_service_role
from orbits_aws.settings import aws_settings
from orbits_aws.targets import AwsTarget
from orbits_iac import InProgress, Options, Outputs, Resource, Retry, Revision
from orbits_iac.provider import Change, Difference, Verb, hook, json_text

_SETTLING = timedelta(hours=4)  # what AWS may take until a new account can be used
_AGAIN = Retry(attempts=5, delay=timedelta(seconds=2))


class AccountOutputs(Outputs):
    """The account's id, and the target for what is deployed into it."""

    account: str
    target: AwsTarget


class AwsAccount(Resource[AccountOutputs]):
    """An AWS account of its own, in the organization of the management credentials; found or made by its e-mail.

    It is ready when its role can be assumed and CloudFormation's service role is in it. An account is never closed by
    an uninstall: what was in it stays readable, and AWS limits how many may be closed.
    """

    options = Options(stateful=True, retain=True)  # its uninstall keeps the account
    uses_management: ClassVar[bool] = True
    name: str
    email: str

    def identity(self) -> str:
        """The e-mail address, which AWS takes for one account only."""
        return self.email

    async def define_update(self) -> AccountOutputs:
        """Find it or make it, wait until it can be used, and see to the service role."""
        revision = self.execution.revision
        known = revision.outputs.account if revision else None
        found: str | None = await self.do("find", hook(self.find, known, returns=str | None, idempotent=True))
        account = await self._made() if found is None else found
        target = AwsTarget(account=account)
        ready: bool = await self.do(
            "reach",
            hook(self.reach, target, returns=bool, handle=AwsTarget, watch=self.reach, idempotent=True),
            timeout=timedelta(hours=1),
        )
        if not ready:
            await self.do("service-role", hook(self.service_role, target, idempotent=True, retry=_AGAIN))
        return AccountOutputs(account=account, target=target)

    async def define_cycle(self) -> None:
        """See that the account is still there and can be used."""
        revision = self.execution.revision
        if revision is None:
            return
        known = revision.outputs.account
        found: str | None = await self.do("find", hook(self.find, known, returns=str | None, idempotent=True))
        gone = Difference(path="account", recorded=json_text(known), live=json_text(found))
        await self.execution.looked(differences=() if found == known else (gone,), unchecked=(), checked=1)

    async def define_rollback(self, to: Revision[AccountOutputs]) -> AccountOutputs:
        """An account is what it was."""
        return to.outputs

    async def define_uninstall(self) -> None:
        """Keep the account, and say so."""
        self.execution.progress(f"the account {self.name} ({self.email}) is kept: close it in AWS Organizations")

    def define_preview(self, revision: Revision[AccountOutputs] | None) -> Change:
        """Whether the account would be made, found out by reading."""
        account = self.find(revision.outputs.account if revision else None)
        if account is not None:
            return Change(verb=Verb.UNCHANGED, kind="AwsAccount", identity=self.email, detail=account)
        return Change(
            verb=Verb.CREATE, kind="AwsAccount", identity=self.email, detail=f"a new account for {self.email}"
        )

    async def _made(self) -> str:
        create = hook(
            self.create, returns=str, handle=str, watch=self.created, on_interrupted=self.create, retry=_AGAIN
        )
        return str(await self.do("create", create))

    def find(self, known: str | None) -> str | None:
        """The account's id, if it is there; `known` is the recorded one."""
        organizations = self._organizations()
        found = organization.account_by_id(organizations, known) if known else None
        found = found or organization.account_by_email(organizations, self.email)
        if found is None:
            return None
        organization.refuse_unusable(found, self.email)
        return found.account

    def create(self) -> str | InProgress[str]:
        """Ask for the account, unless it is there or was asked for; also how an interrupted request is taken up."""
        request = organization.request_account(
            self._organizations(attempts=1), name=self.name, email=self.email, role=_role()
        )
        return _unless_under_way(request)

    def created(self, request: str, /) -> str | InProgress[str]:
        """Look how far the request is."""
        return _unless_under_way(organization.request_status(self._organizations(), request, self.email))

    def reach(self, target: AwsTarget, /) -> bool | InProgress[AwsTarget]:
        """Whether the service role is there, once the account's own role can be assumed at all."""
        try:
            client("sts", target).get_caller_identity()
            return find_service_role(client("iam", target), aws_settings().service_role) is not None
        except (AccessDenied, AwsUnavailable) as error:
            if isinstance(error, AccessDenied) and not self._is_new(target.account):
                raise
            self.execution.progress(f"waiting for the account {target.account} to be usable: {error}")
            return InProgress(target, poll=_poll())

    def service_role(self, target: AwsTarget) -> None:
        """Make CloudFormation's role in the account."""
        make_service_role(client("iam", target), aws_settings().service_role, project=self.execution.project)

    def _is_new(self, account: str) -> bool:
        """Whether the account may still be in the making: an older one that refuses lacks the role."""
        found = organization.account_by_id(self._organizations(), account)
        return found is None or found.joined is None or self.execution.now() - found.joined < _SETTLING

    def _organizations(self, attempts: int = 5) -> Any:
        return management_client("organizations", self, attempts=attempts)


def _role() -> str:
    return str(AwsTarget.model_fields["role"].default)


def _unless_under_way(request: organization.Request) -> str | InProgress[str]:
    return request.account if request.account is not None else InProgress(request.id, poll=_poll())


def _poll() -> timedelta:
    return timedelta(seconds=0.2 if is_local() else 10)
