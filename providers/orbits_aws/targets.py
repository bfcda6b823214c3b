"""Where in AWS: the target that every class of this package needs."""

import re
from collections.abc import Sequence
from datetime import timedelta

from pydantic import field_validator, model_validator

from orbits_aws.regions import Region
from orbits_iac import Target
from orbits_iac.provider import Existing, RecordId, Tagged, UsageError

REGION, ROLE = "eu-west-1", "OrganizationAccountAccessRole"
"""What a target has unless it says otherwise."""

_ACCOUNT = re.compile(r"[0-9]{12}")
_ROLE_ARN = re.compile(r"arn:[\w-]+:iam::\d{12}:role/.+")
_SHORTEST, _CHAINED, _LONGEST = timedelta(minutes=15), timedelta(hours=1), timedelta(hours=12)


class AwsTarget(Target):
    """A region of an AWS account, reached by assuming a role there from the management credentials.

    The place is account and region; the role, and how it is assumed, may change without a record moving.

    Attributes:
        account: its id, of 12 digits.
        region: what it is called, as in eu-west-1.
        role: the name of the role in the account, with its path if it has one.
        via: ARNs of roles that are assumed first, one with the session of the other: a hub that the client trusts.
        external_id: what the role's trust policy asks for, where the account is somebody else's.
        source_identity: whom CloudTrail is to name through all roles; the trust policies have to allow
            sts:SetSourceIdentity.
        session_tags: tags of the session, for policies that go by them; the trust policy has to allow sts:TagSession.
        session: how long a session lasts: an hour, or longer where the role's MaxSessionDuration allows it. It is
            renewed before it ends, so that this limits no work.

    """

    account: str
    region: Region = REGION
    role: str = ROLE
    via: tuple[str, ...] = ()
    external_id: str | None = None
    source_identity: str | None = None
    session_tags: dict[str, str] = {}
    session: timedelta = _CHAINED

    def __hash__(self) -> int:
        """By value, as all targets: pydantic's own cannot, because of the tags."""
        return hash(self.model_dump_json())

    def place(self) -> str:
        """The account and the region."""
        return f"{self.account}/{self.region}"

    def realm(self) -> str:
        """The account, in whatever region and role."""
        return self.account

    def existing(self, like: Sequence[str], *, project: str) -> list[Existing]:
        """The CloudFormation stacks that are called so, but for those that others have in them."""
        from orbits_aws.existing import stacks_like

        return stacks_like(self, like, project)

    @classmethod
    def spread(cls, name: str, *, by: Target | None) -> list[Existing]:
        """The instances of a StackSet; without `by` it is the management account's."""
        from orbits_aws.existing import instances_of

        if not (by is None or isinstance(by, AwsTarget)):
            raise UsageError(f"the StackSet {name} is in an account of AWS, and no {type(by).__name__} is one")
        return instances_of(name, by)

    def tagged(self, project: str, records: Sequence[RecordId], /) -> Tagged:
        """What of the account and region is tagged so, by the Resource Groups Tagging API."""
        from orbits_aws.tag_inventory import tagged

        return tagged(self, project, records)

    @field_validator("account")
    @classmethod
    def _is_account(cls, account: str) -> str:
        if not _ACCOUNT.fullmatch(account):
            raise ValueError(f"{account!r} is no account's id: it has 12 digits, as in '111122223333'")
        return account

    @field_validator("via")
    @classmethod
    def _are_roles(cls, via: tuple[str, ...]) -> tuple[str, ...]:
        for arn in via:
            if not _ROLE_ARN.fullmatch(arn):
                raise ValueError(f"{arn!r} is not the ARN of a role: arn:aws:iam::123456789012:role/NAME")
        return via

    @model_validator(mode="after")
    def _can_last(self) -> "AwsTarget":
        longest = _CHAINED if self.via else _LONGEST
        if not _SHORTEST <= self.session <= longest:
            why = "a role that is reached through another lasts" if self.via else "a session lasts"
            raise ValueError(f"session={self.session}: {why} 15 minutes at least and {longest} at most")
        return self
