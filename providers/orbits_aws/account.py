"""AwsAccount: a member account of the organization, made once, made ready for deployments, and kept."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Any, ClassVar, cast

from pydantic import field_validator

from orbits_aws import organization, units
from orbits_aws.account_look import Look, Whereabouts, differences_of
from orbits_aws.clients import is_local, management_client, member_client
from orbits_aws.errors import AwsError, AwsUnavailable
from orbits_aws.organization import Found, Request, Wanted
from orbits_aws.ownership import refuse_foreign, tags_of
from orbits_aws.readiness import PROBES, passes, what_is_missing
from orbits_aws.regions import Region
from orbits_aws.service_role import find_service_role, make_service_role
from orbits_aws.settings import aws_settings
from orbits_aws.tagged import tag_list
from orbits_aws.targets import REGION, ROLE, AwsTarget
from orbits_iac import Action, InProgress, Options, Outputs, Resource, Retry, Revision, Step, command
from orbits_iac.provider import Change, Difference, PropertyChange, Refused, Verb, hook, json_text, kind_of

_SETTLING = timedelta(hours=4)  # what AWS may take until a new account is there, and can be used
_AGAIN = Retry(attempts=5, delay=timedelta(seconds=2), on=(AwsUnavailable,))


class AccountOutputs(Outputs):
    """The account's id, and the target for what is deployed into it."""

    account: str
    target: AwsTarget


class AwsAccount(Resource[AccountOutputs]):
    """An AWS account of its own, in the organization of the management credentials; found or made by its e-mail.

    It is ready when its role can be assumed, its region is enabled, its `services` answer, CloudFormation's service
    role is in it, and `define_baseline` is done. One that is there and was not made by this project has to be adopted.

    Attributes:
        name: what it is called in AWS; only said when it is made.
        email: its address, which AWS takes for one account only.
        unit: the unit of the organization that it is kept in, by id or by the names from the root: `Clients/Small`.
        make_unit: whether what is not there of that path is made.
        region: the region of the target that it publishes; enabled if AWS leaves it off at first.
        role: the role in it that the management account assumes.
        services: the services that have to answer before it counts as usable.
        close_on_uninstall: whether an uninstall of the account itself closes it, which has to be accepted by name. That
            of what uses it never does, and otherwise it is kept: what was in it stays readable, and AWS limits how many
            may be closed.

    """

    options = Options(stateful=True, retain=True)  # its uninstall keeps the account
    uses_management: ClassVar[bool] = True
    name: str
    email: str
    unit: str | None = None
    make_unit: bool = False
    region: Region = REGION
    role: str = ROLE
    services: tuple[str, ...] = ("cloudformation", "s3")
    close_on_uninstall: bool = False

    @field_validator("services")
    @classmethod
    def _can_be_asked(cls, services: tuple[str, ...]) -> tuple[str, ...]:
        if unknown := sorted(set(services) - set(PROBES)):
            raise ValueError(f"{', '.join(unknown)} cannot be waited for; these can: {', '.join(sorted(PROBES))}")
        return services

    def identity(self) -> str:
        """The e-mail address, which AWS takes for one account only, whatever its case."""
        return self.email.lower()

    async def define_baseline(self, account: AccountOutputs) -> None:
        """What every account is to have before anything is deployed into it: override it in a class of your own.

        Steps are done with `target=account.target`, and are this account's children: cycled, rolled back and
        uninstalled with it.
        """

    async def define_adopt(self) -> AccountOutputs | None:
        """The account of this address, though nobody knows who made it."""
        found: str | None = await self.do("adopt", hook(self.standing, returns=str | None, idempotent=True))
        return None if found is None else self._outputs(found)

    async def define_rebuild(self) -> AccountOutputs | None:
        """The account of this address, if it is tagged as this record's, and what of its baseline is a Resource."""
        found: str | None = await self.do("find", hook(self.find, None, returns=str | None, idempotent=True))
        if found is None:
            return None
        made = self._outputs(found)
        await self._baseline(made)
        return made

    async def define_update(self) -> AccountOutputs:
        """Find it or make it, put it in its unit, wait until it can be used, and give it what it needs."""
        found: str | None = await self.do("find", hook(self.find, self._known(), returns=str | None, idempotent=True))
        account = await self._made() if found is None else found
        await self.do("claim", hook(self.claim, account, found is not None, idempotent=True, retry=_AGAIN))
        made = self._outputs(account)
        await self._placed(made.account, self.unit)
        await self._ready(made)
        await self._baseline(made)
        return made

    async def define_cycle(self) -> None:
        """See that the account is there, in its unit and with its service role; bring that back if it is asked for."""
        known = self._known()
        if known is None:
            return
        found = await self._look("look", known)
        there = not {"account", "status"} & {difference.path for difference in found}  # nobody can bring those back
        if found and there and self.execution.on_drift == "remediate":
            await self._placed(known, self.unit)
            await self._ready(self._outputs(known))
            left = {difference.path for difference in await self._look("look again", known)}
            found = [replace(difference, remediated=difference.path not in left) for difference in found]
        await self.execution.looked(differences=found, unchecked=(), checked=3)
        await self.execution.cycle_children()

    async def define_rollback(self, to: Revision[AccountOutputs]) -> AccountOutputs:
        """An account is what it was; it goes back into its unit of then, and its baseline to what it was."""
        await self._placed(to.outputs.account, cast("str | None", to.argument.get("unit")))
        await self.execution.restore_children(to)
        return to.outputs

    async def define_uninstall(self) -> None:
        """Uninstall the baseline; keep the account, or close it if that is asked for and accepted."""
        known = self._known()
        if self.close_on_uninstall and known is not None:
            self.execution.allow_loss(f"the account {known} ({self.email}) would be closed with all that is in it")
        await self.execution.uninstall_children()
        if self.close_on_uninstall and known is not None:
            closing = hook(self.close, known, returns=bool, handle=str, watch=self.close, idempotent=True, retry=_AGAIN)
            await self.do("close", closing, timeout=_SETTLING)
            self.execution.progress(f"the account {known} is closed; AWS keeps its address {self.email} taken")
        else:
            self.execution.progress(f"the account {self.name} ({self.email}) is kept: close it in AWS Organizations")

    def define_inventory(self, revision: Revision[AccountOutputs]) -> Step[str | None]:
        """Whether the account is closed: it is kept, unless that was asked for."""
        return self.look_for_remains(revision.outputs.account)

    @command
    async def look_for_remains(self, account: str) -> str | None:
        """What there is of the account; None if it is closed, or being closed."""
        found: str | None = await self.do("look", hook(self.left_of, account, returns=str | None, idempotent=True))
        return found

    def define_preview(self, revision: Revision[AccountOutputs] | None) -> Change:
        """Whether the account would be made or moved, found out by reading."""
        may_adopt, known = self.execution.may_adopt, revision.outputs.account if revision else None
        account = self.standing() if may_adopt else self.find(known)
        change = partial(Change, kind=kind_of(type(self)), identity=self.identity())
        if account is None:
            return change(verb=Verb.CREATE, detail=f"a new account for {self.email}")
        whereabouts = None if self.unit is None else self.where(account, self.unit)
        if whereabouts is None or whereabouts.unit == whereabouts.wanted:
            return change(verb=Verb.UNCHANGED, detail=account)
        moved = PropertyChange(path="unit", before=json_text(whereabouts.path), after=json_text(self.unit))
        return change(verb=Verb.UPDATE, detail=account, properties=(moved,))

    async def _baseline(self, made: AccountOutputs) -> None:
        self.execution.opens(made.target)
        await self.define_baseline(made)

    async def _made(self) -> str:
        create = hook(
            self.create, returns=str, handle=str, watch=self.created, on_interrupted=self.create, retry=_AGAIN
        )
        return str(await self.do("create", create, timeout=_SETTLING))

    async def _placed(self, account: str, unit: str | None) -> None:
        """Move the account into the unit, unless it is there or any will do."""
        if unit is None:
            return
        found: Whereabouts = await self.do(
            "unit", hook(self.where, account, unit, returns=Whereabouts, idempotent=True)
        )
        wanted = found.wanted
        if wanted is None and not self.make_unit:
            raise Refused(
                f"The organization has no unit {unit} for the account {account}: make it there, name one by its path "
                f"from the root (Clients/Small) or its id, or say make_unit=True"
            )
        if wanted is None:
            wanted = str(
                await self.do("make-unit", hook(self.made_unit, unit, returns=str, idempotent=True, retry=_AGAIN))
            )
        if wanted != found.unit:
            back = MoveAwsAccount(account=account, unit=found.unit)
            await self.do("move", MoveAwsAccount(account=account, unit=wanted), undo=back)

    async def _ready(self, made: AccountOutputs) -> None:
        """Wait until the account can be used, and see to the service role."""
        services = self.services if self._known() is None else ()
        reach = hook(
            self.reach, made.target, services, returns=bool, handle=AwsTarget, watch=self.reaching, idempotent=True
        )
        if not await self.do("reach", reach, timeout=_SETTLING):
            await self.do("service-role", hook(self.service_role, made.target, idempotent=True, retry=_AGAIN))

    async def _look(self, ref: str, known: str) -> Sequence[Difference]:
        look: Look = await self.do(ref, hook(self.look, known, returns=Look, idempotent=True))
        return tuple(differences_of(look, known, self.unit, aws_settings().service_role))

    # What touches the world: each runs as an Action of its own.

    def standing(self) -> str | None:
        """The account of this address, if it is ours or nobody's."""
        return self._usable(None, adopting=True)

    def find(self, known: str | None) -> str | None:
        """The account's id, if it is there; `known` is the recorded one. One that is not ours is refused."""
        return self._usable(known, adopting=False)

    def claim(self, account: str, found: bool) -> None:  # noqa: FBT001 - a hook's arguments are recorded by position
        """Tag the account as this record's, where it was adopted or taken over.

        One that was not found but made carries the tags: without them it is of somebody else's request.
        """
        organizations = self._organizations()
        tags, ours = organization.tags_of_account(organizations, account), tags_of(self.execution)
        refuse_foreign(f"The account {account} ({self.email})", tags, ours, known=found)
        if any(tags.get(name) != value for name, value in ours.items()):
            organizations.tag_resource(ResourceId=account, Tags=tag_list(ours))

    def create(self) -> str | InProgress[str]:
        """Ask for the account, unless it is there or was asked for; also how an interrupted request is taken up."""
        return _unless_under_way(organization.request_account(self._organizations(attempts=1), self._wanted()))

    def created(self, request: str, /) -> str | InProgress[str]:
        """Look how far the request is; one that was for another address of the same name is not ours: ask again."""
        status = organization.request_status(self._organizations(), request, self._wanted())
        return self.create() if status is None else _unless_under_way(status)

    def left_of(self, account: str) -> str | None:
        """What there is of the account, for people; None if it is closed, or being closed."""
        found = organization.account_by_id(self._organizations(), account)
        if found is None:
            return f"the organization has no account {account} any more: it is closed, or somebody else's"
        if found.status in {"CLOSED", "PENDING_CLOSURE", "SUSPENDED"}:
            return None
        return f"the account {account} ({found.email}) is {found.status}: close it in AWS Organizations if it is to go"

    def where(self, account: str, unit: str) -> Whereabouts:
        """Which unit the account is in."""
        organizations = self._organizations()
        now = units.parent_of(organizations, account)
        return Whereabouts(
            unit=now, path=units.path_of(organizations, now), wanted=units.find_unit(organizations, unit)
        )

    def made_unit(self, unit: str) -> str:
        """Make what is not there on the path to the unit."""
        return units.make_unit(self._organizations(), unit)

    def reach(self, target: AwsTarget, services: tuple[str, ...], /) -> bool | InProgress[AwsTarget]:
        """Whether the service role is there, once the account can be used at all."""
        try:
            missing = what_is_missing(partial(self._at, target), target.region, services)
            if missing is None:
                return find_service_role(member_client("iam", self, target), aws_settings()) is not None
        except AwsError as error:
            if not passes(error, is_new=partial(self._is_new, target.account)):
                raise
            missing = str(error)
        self.execution.progress(f"waiting for the account {target.account} to be usable: {missing}")
        return InProgress(target, poll=_poll())

    def reaching(
        self, target: AwsTarget, _first: AwsTarget, services: tuple[str, ...], /
    ) -> bool | InProgress[AwsTarget]:
        """Look again."""
        return self.reach(target, services)

    def service_role(self, target: AwsTarget) -> None:
        """Make CloudFormation's role in the account."""
        make_service_role(member_client("iam", self, target), aws_settings(), project=self.execution.project)

    def look(self, known: str) -> Look:
        """What is live of the account, by reading."""
        found = self._found(self._organizations(), known)
        if found is None or found.status != "ACTIVE":
            return Look(account=None if found is None else found.account, status="" if found is None else found.status)
        role = find_service_role(member_client("iam", self, self._outputs(found.account).target), aws_settings())
        return Look(
            account=found.account,
            status=found.status,
            whereabouts=None if self.unit is None else self.where(found.account, self.unit),
            service_role=role is not None,
        )

    def close(self, account: str, /) -> bool | InProgress[str]:
        """Close the account; AWS takes some minutes."""
        if organization.close_account(self._organizations(), account):
            return True
        return InProgress(account, poll=_poll())

    def _usable(self, known: str | None, *, adopting: bool) -> str | None:
        organizations = self._organizations()
        found = self._found(organizations, known)
        if found is None:
            return None
        organization.refuse_unusable(found)
        if found.account != known:
            tags = organization.tags_of_account(organizations, found.account)
            what = f"The account {found.account} ({self.email})"
            refuse_foreign(what, tags, tags_of(self.execution), known=adopting)
        return found.account

    def _found(self, organizations: Any, known: str | None) -> Found | None:
        found = organization.account_by_id(organizations, known) if known else None
        return found or organization.account_by_email(organizations, self.email)

    def _known(self) -> str | None:
        revision = self.execution.revision
        return revision.outputs.account if revision else None

    def _outputs(self, account: str) -> AccountOutputs:
        return AccountOutputs(account=account, target=AwsTarget(account=account, region=self.region, role=self.role))

    def _wanted(self) -> Wanted:
        return Wanted(name=self.name, email=self.email, role=self.role, tags=tags_of(self.execution))

    def _is_new(self, account: str) -> bool:
        """Whether the account may still be in the making: an older one that refuses lacks the role."""
        found = organization.account_by_id(self._organizations(), account)
        return found is None or found.joined is None or self.execution.now() - found.joined < _SETTLING

    def _at(self, target: AwsTarget, service: str, region: str) -> Any:
        return member_client(service, self, target.model_copy(update={"region": region}))

    def _organizations(self, attempts: int = 5) -> Any:
        return management_client("organizations", self, attempts=attempts)


class MoveAwsAccount(Action):
    """Moves an account into a unit, both by their ids. A class of its own, because an undo is found by its kind."""

    options = Options(idempotent=True, retry=_AGAIN)
    uses_management: ClassVar[bool] = True
    account: str
    unit: str

    def main(self) -> None:
        """Move it, unless it is there."""
        units.move_account(management_client("organizations", self), self.account, self.unit)


def _unless_under_way(request: Request) -> str | InProgress[str]:
    return request.account if request.account is not None else InProgress(request.id, poll=_poll())


def _poll() -> timedelta:
    return timedelta(seconds=0.2 if is_local() else 10)
