"""Secret: one in Secrets Manager, whose value is given or made there, and is never published."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, model_validator

from orbits_aws.clients import client
from orbits_aws.errors import AwsRefused, NotReady, NotThere
from orbits_aws.ownership import owner_of
from orbits_aws.readers.contract import tags_by_key
from orbits_aws.tagged import UNTIL_READY, Tags, as_changed, check_owner, owner, tag_list, users_tags, wanted_tags
from orbits_aws.targets import AwsTarget
from orbits_iac import Managed, Outputs, Retry
from orbits_iac.provider import Rules

_THERE = frozenset({"ResourceExistsException", "InvalidRequestException"})


class Generated(BaseModel):
    """How a value is made: `length` characters of those that are not excluded."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    length: int = Field(default=32, ge=4, le=4096)
    exclude: str = ""
    punctuation: bool = True


class SecretOutputs(Outputs):
    """A secret as it is, without its value; what is a field of `Secret` too means the same.

    `generate` is how its value was made, as far as that is known.
    """

    name: str
    arn: str
    version: str
    generate: Generated | None
    description: str
    kms_key: str | None
    tags: dict[str, str]
    owner: str | None


class Secret(Managed[SecretOutputs]):
    """A secret of this name, with a value that is given, or that Secrets Manager makes once.

    A value that is given is written when it is another one than before; whether somebody has changed it there is not
    looked at. A generated one is made again only if `generate` changes. Deleting it takes `recovery_days`, within which
    it can be restored, and making it again restores it. One of that name which another project made, or nobody, is
    refused; nobody's is taken over with `adopt=True`, with the value that it has if that is to be generated.

    Attributes:
        value: the value; or
        generate: how it is made.
        kms_key: id, ARN or alias of a key of KMS; None: AWS's own for Secrets Manager.
        recovery_days: from 7 to 30, or 0 for none: it is gone at once.

    """

    compared_by: ClassVar[Rules] = Rules(named=("kms_key",), defaults={"kms_key": "alias/aws/secretsmanager"})
    hook_retry: ClassVar[Retry] = UNTIL_READY
    name: str = Field(pattern=r"^[A-Za-z0-9/_+=.@-]+$", max_length=512)
    value: SecretStr | None = None
    generate: Generated | None = None
    description: str = Field(default="", max_length=2048)
    kms_key: str | None = None
    recovery_days: int = Field(default=30, ge=0, le=30)
    tags: Tags = {}

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if (self.value is None) == (self.generate is None):
            raise ValueError(f"the secret {self.name} has a value, or says how to generate one")
        if 0 < self.recovery_days < 7:
            raise ValueError(f"the secret {self.name} can be recovered for 7 to 30 days, or 0")
        return self

    def desired(self) -> Mapping[str, Any]:
        """The fields, and that it is ours."""
        wanted = {**self.model_dump(), "owner": owner(self.execution)}
        del wanted["recovery_days"]  # of which nothing is to be seen in the secret
        if self.value is None:
            del wanted["value"]
        return wanted

    def replaces(self, live: SecretOutputs, /) -> Sequence[str]:
        """A secret cannot be renamed."""
        return sorted({"name"} & self.differing(live))

    def read(self, recorded: SecretOutputs | None, /) -> SecretOutputs | None:
        """The secret that was recorded, else the one of this name; none if it is to be deleted."""
        if recorded is None:
            return self._found(self.name, self.generate, known=False)
        return self._found(recorded.arn, recorded.generate, known=True)

    def adoptable(self) -> SecretOutputs | None:
        """The secret of this name, if it is ours or nobody's."""
        return self._found(self.name, self.generate, known=True)

    def create(self) -> SecretOutputs:
        """Make it, or restore the one that is to be deleted. The token makes a repeated request the same one."""
        asked: dict[str, Any] = {"KmsKeyId": self.kms_key} if self.kms_key else {}
        try:
            self._secrets().create_secret(
                Name=self.name,
                ClientRequestToken=self._token(),
                SecretString=self._new_value(),
                Description=self.description,
                Tags=tag_list(wanted_tags(self.tags, self.execution)),
                **asked,
            )
        except AwsRefused as error:
            if error.code not in _THERE or not self._restored():
                raise
        made = self.read(None)
        if made is None:
            raise NotReady(f"The secret {self.name} was made, and Secrets Manager does not know it yet.")
        return self.change(made)

    def change(self, live: SecretOutputs, /) -> SecretOutputs:
        """Write the value if it is another one, and what else differs."""
        differing, secrets, which = self.differing(live), self._secrets(), {"SecretId": live.arn}
        version = live.version
        if "generate" in differing or (self.value is not None and self.value.get_secret_value() != self._value(live)):
            answer = secrets.put_secret_value(SecretString=self._new_value(), ClientRequestToken=self._token(), **which)
            version = answer["VersionId"]
        if {"description", "kms_key"} & differing:
            key = self.kms_key or "alias/aws/secretsmanager"
            secrets.update_secret(Description=self.description, KmsKeyId=key, **which)
        if {"tags", "owner"} & differing:
            secrets.tag_resource(Tags=tag_list(wanted_tags(self.tags, self.execution)), **which)
        if gone := sorted(set(live.tags) - set(self.tags)):
            secrets.untag_resource(TagKeys=gone, **which)
        return as_changed(self, live).model_copy(update={"version": version})

    def delete(self, live: SecretOutputs, /) -> None:
        """Have it deleted once the days in which it can be recovered are over."""
        days = self.recovery_days
        how: dict[str, Any] = {"RecoveryWindowInDays": days} if days else {"ForceDeleteWithoutRecovery": True}
        try:
            self._secrets().delete_secret(SecretId=live.arn, **how)
        except NotThere:
            return
        except AwsRefused:
            if self._described(live.arn) is not None:
                raise  # otherwise it is to be deleted already

    def _put(self, live: SecretOutputs) -> str:
        """Write a new version, once for the token; its id is the token."""
        token = self._token()
        try:
            self._secrets().put_secret_value(
                SecretId=live.arn, SecretString=self._new_value(), ClientRequestToken=token
            )
        except AwsRefused as error:
            if error.code != "ResourceExistsException":  # it was written, with another generated value
                raise
        return token

    def _new_value(self) -> str:
        if self.value is not None:
            return self.value.get_secret_value()
        how = self.generate or Generated()
        made = self._secrets().get_random_password(
            PasswordLength=how.length, ExcludeCharacters=how.exclude, ExcludePunctuation=not how.punctuation
        )
        return str(made["RandomPassword"])

    def _value(self, live: SecretOutputs) -> str | None:
        """The value that it has; None where it never got one, or has bytes."""
        try:
            value = self._secrets().get_secret_value(SecretId=live.arn).get("SecretString")
        except NotThere:
            return None
        return None if value is None else str(value)

    def _restored(self) -> bool:
        """Restore the secret of this name if it is ours and is to be deleted; whether it is there then."""
        try:
            found = self._secrets().describe_secret(SecretId=self.name)
        except NotThere:
            return False
        until = found.get("DeletedDate")
        to_be_deleted = "" if until is None else f", which can be restored until {until:%Y-%m-%d}"
        check_owner(self, f"The secret {self.name}{to_be_deleted},", tags_by_key(found.get("Tags", ())), known=False)
        if until is not None:
            self._secrets().restore_secret(SecretId=self.name)
        return True

    def _described(self, which: str) -> Mapping[str, Any] | None:
        try:
            found: Mapping[str, Any] = self._secrets().describe_secret(SecretId=which)
        except NotThere:
            return None
        return None if "DeletedDate" in found else found

    def _found(self, which: str, generate: Generated | None, *, known: bool) -> SecretOutputs | None:
        found = self._described(which)
        if found is None:
            return None
        name, tags = str(found["Name"]), tags_by_key(found.get("Tags", ()))
        check_owner(self, f"The secret {name}", tags, known=known)
        stages = found.get("VersionIdsToStages", {})
        return SecretOutputs(
            name=name,
            arn=found["ARN"],
            version=next((version for version, names in stages.items() if "AWSCURRENT" in names), ""),
            generate=generate,
            description=found.get("Description", ""),
            kms_key=found.get("KmsKeyId"),
            tags=users_tags(tags),
            owner=owner_of(tags),
        )

    def _token(self) -> str:
        """The execution's token in the form that the service takes: 32 to 64 characters."""
        return self.execution.token[:64].ljust(32, "-")

    def _secrets(self) -> Any:
        return client("secretsmanager", self.execution.target(AwsTarget))
