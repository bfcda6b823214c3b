"""Parameter: one in the Parameter Store of Systems Manager."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal, Self

from pydantic import Field, SecretStr, model_validator

from orbits_aws.clients import client
from orbits_aws.errors import AwsRefused, NotReady, NotThere
from orbits_aws.ownership import owner_of
from orbits_aws.readers.contract import tags_by_key
from orbits_aws.tagged import UNTIL_READY, Tags, as_changed, check_owner, owner, tag_list, users_tags, wanted_tags
from orbits_aws.targets import AwsTarget
from orbits_iac import Managed, Outputs, Retry
from orbits_iac.provider import Rules

Tier = Literal["Standard", "Advanced", "Intelligent-Tiering"]
_WRITTEN_AT_ONCE = frozenset({"value", "values", "secret", "description", "kms_key", "tier", "allowed_pattern"})


class ParameterOutputs(Outputs):
    """A parameter as it is; what is a field of `Parameter` too means the same. `version` counts its values."""

    name: str
    arn: str
    type: str
    value: str | None
    values: list[str] | None
    secret: SecretStr | None
    version: int
    description: str
    tier: str
    kms_key: str | None
    allowed_pattern: str
    tags: dict[str, str]
    owner: str | None


class Parameter(Managed[ParameterOutputs]):
    """A parameter of this name: a text, a list of texts, or a secret, whichever of the three is given.

    A new name makes another one, as does another type, or a cheaper tier. One of that name which another project made,
    or nobody, is refused; nobody's is taken over with `adopt=True`.

    Attributes:
        name: such as `/shop/database/host`.
        value: a text.
        values: texts without commas.
        secret: a text that is kept encrypted; it is read back to be compared, so the role needs the key.
        tier: `Advanced` for what is longer than 4 KB.
        kms_key: of a secret, id, ARN or alias of a key of KMS; None: AWS's own for Systems Manager.
        allowed_pattern: a regular expression that values have to match.

    """

    compared_by: ClassVar[Rules] = Rules(named=("kms_key",), defaults={"kms_key": "alias/aws/ssm"})
    hook_retry: ClassVar[Retry] = UNTIL_READY
    name: str = Field(min_length=1, max_length=1011)
    value: str | None = Field(default=None, min_length=1)
    values: list[str] | None = Field(default=None, min_length=1)
    secret: SecretStr | None = Field(default=None, min_length=1)
    description: str = Field(default="", max_length=1024)
    tier: Tier = "Standard"
    kms_key: str | None = None
    allowed_pattern: str = Field(default="", max_length=1024)
    tags: Tags = {}

    @model_validator(mode="after")
    def _one_of_three(self) -> Self:
        if [self.value, self.values, self.secret].count(None) != 2:
            raise ValueError(f"the parameter {self.name} has exactly one of value, values and secret")
        if any("," in one for one in self.values or ()):
            raise ValueError(f"the parameter {self.name} is a list, and a comma ends each of its values")
        if self.kms_key is not None and self.secret is None:
            raise ValueError(f"the parameter {self.name} is no secret, and has no kms_key")
        return self

    def desired(self) -> Mapping[str, Any]:
        """The fields, the type that they make, and that it is ours."""
        wanted = {**self.model_dump(), "type": self._type(), "owner": owner(self.execution)}
        if self.tier == "Intelligent-Tiering":
            del wanted["tier"]  # AWS chooses one of the others
        return wanted

    def replaces(self, live: ParameterOutputs, /) -> Sequence[str]:
        """A parameter keeps its name and type, and never goes back to the standard tier."""
        cannot = {"name", "type"} | ({"tier"} if live.tier == "Advanced" else set())
        return sorted(cannot & self.differing(live))

    def read(self, recorded: ParameterOutputs | None, /) -> ParameterOutputs | None:
        """The parameter that was recorded, else the one of this name."""
        return self._found(recorded.name if recorded else self.name, known=recorded is not None)

    def adoptable(self) -> ParameterOutputs | None:
        """The parameter of this name, if it is ours or nobody's."""
        return self._found(self.name, known=True)

    def create(self) -> ParameterOutputs:
        """Make it, unless it is there and is ours."""
        tags = tag_list(wanted_tags(self.tags, self.execution))
        try:
            self._ssm().put_parameter(Overwrite=False, Tags=tags, **self._put())
        except AwsRefused as error:
            if error.code != "ParameterAlreadyExists":
                raise
        made = self.read(None)
        if made is None:
            raise NotReady(f"The parameter {self.name} was made, and Systems Manager does not know it yet.")
        return self.change(made) if self.differing(made) else made

    def change(self, live: ParameterOutputs, /) -> ParameterOutputs:
        """Write a new version if the value or what belongs to it differs; set the tags if they do."""
        now = self._found(live.name, known=True) or live  # the answer to an earlier attempt may have been lost
        differing = self.differing(now)
        ssm, version = self._ssm(), now.version
        if _WRITTEN_AT_ONCE & differing:
            version = ssm.put_parameter(Overwrite=True, **self._put())["Version"]
        which = {"ResourceType": "Parameter", "ResourceId": self.name}
        if {"tags", "owner"} & differing:
            ssm.add_tags_to_resource(Tags=tag_list(wanted_tags(self.tags, self.execution)), **which)
        if gone := sorted(set(now.tags) - set(self.tags)):
            ssm.remove_tags_from_resource(TagKeys=gone, **which)
        return as_changed(self, now).model_copy(update={"version": version})

    def delete(self, live: ParameterOutputs, /) -> None:
        """Delete it with its versions."""
        try:
            self._ssm().delete_parameter(Name=live.name)
        except NotThere:
            return

    def _type(self) -> str:
        return "StringList" if self.values is not None else "String" if self.secret is None else "SecureString"

    def _put(self) -> dict[str, Any]:
        """What a request to write it says; the description is always said, so that it can be taken away."""
        value = ",".join(self.values) if self.values is not None else self.value
        if self.secret is not None:
            value = self.secret.get_secret_value()
        asked = {
            "Name": self.name,
            "Value": value,
            "Type": self._type(),
            "Tier": self.tier,
            "Description": self.description,
            "AllowedPattern": self.allowed_pattern,
        }
        return {**asked, "KeyId": self.kms_key} if self.kms_key else asked

    def _found(self, name: str, *, known: bool) -> ParameterOutputs | None:
        ssm = self._ssm()
        try:
            found = ssm.get_parameter(Name=name, WithDecryption=True)["Parameter"]
            tags = tags_by_key(ssm.list_tags_for_resource(ResourceType="Parameter", ResourceId=name)["TagList"])
        except NotThere:
            return None
        except AwsRefused as error:
            if error.code != "InvalidResourceId":  # it was deleted between the two
                raise
            return None
        check_owner(self, f"The parameter {name}", tags, known=known)
        named = [{"Key": "Name", "Option": "Equals", "Values": [name]}]
        described: dict[str, Any] = next(ssm.items("describe_parameters", "Parameters", ParameterFilters=named), {})
        kind, value = found["Type"], found["Value"]
        return ParameterOutputs(
            name=name,
            arn=found["ARN"],
            type=kind,
            value=value if kind == "String" else None,
            values=value.split(",") if kind == "StringList" else None,
            secret=SecretStr(value) if kind == "SecureString" else None,
            version=found["Version"],
            description=described.get("Description", ""),
            tier=described.get("Tier", "Standard"),
            kms_key=described.get("KeyId") if kind == "SecureString" else None,
            allowed_pattern=described.get("AllowedPattern", ""),
            tags=users_tags(tags),
            owner=owner_of(tags),
        )

    def _ssm(self) -> Any:
        return client("ssm", self.execution.target(AwsTarget))
