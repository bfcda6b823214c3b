"""LogGroup: a log group of CloudWatch Logs."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal

from pydantic import Field

from orbits_aws.clients import client
from orbits_aws.errors import AwsRefused, NotReady, NotThere
from orbits_aws.ownership import owner_of
from orbits_aws.tagged import UNTIL_READY, Tags, as_changed, check_owner, owner, users_tags, wanted_tags
from orbits_aws.targets import AwsTarget
from orbits_iac import Managed, Options, Outputs, Retry
from orbits_iac.provider import Rules

Days = Literal[1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653]


class LogGroupOutputs(Outputs):
    """A log group as it is; what is a field of `LogGroup` too means the same."""

    name: str
    arn: str
    retention_days: int | None
    kms_key: str | None
    log_class: str
    tags: dict[str, str]
    owner: str | None


class LogGroup(Managed[LogGroupOutputs]):
    """A log group of this name in the target's account and region.

    A new name or class makes another one: what was logged is lost, so that has to be accepted by name. One of that name
    which another project made, or nobody, is refused; nobody's, such as one that a function has made for itself, is
    taken over with `adopt=True`.

    Attributes:
        retention_days: how long what was logged is kept; None: for ever.
        kms_key: ARN of a key of KMS; None: CloudWatch's own.
        log_class: `INFREQUENT_ACCESS` costs less and does less.

    """

    options = Options(stateful=True)
    compared_by: ClassVar[Rules] = Rules(named=("kms_key",))
    hook_retry: ClassVar[Retry] = UNTIL_READY
    name: str = Field(pattern=r"^[A-Za-z0-9_./#-]+$", max_length=512)
    retention_days: Days | None = None
    kms_key: str | None = None
    log_class: Literal["STANDARD", "INFREQUENT_ACCESS", "DELIVERY"] = "STANDARD"
    tags: Tags = {}

    def desired(self) -> Mapping[str, Any]:
        """The fields, and that it is ours."""
        return {**self.model_dump(), "owner": owner(self.execution)}

    def replaces(self, live: LogGroupOutputs, /) -> Sequence[str]:
        """A log group keeps its name and class."""
        return sorted({"name", "log_class"} & self.differing(live))

    def read(self, recorded: LogGroupOutputs | None, /) -> LogGroupOutputs | None:
        """The log group that was recorded, else the one of this name."""
        return self._found(recorded.name if recorded else self.name, known=recorded is not None)

    def adoptable(self) -> LogGroupOutputs | None:
        """The log group of this name, if it is ours or nobody's."""
        return self._found(self.name, known=True)

    def create(self) -> LogGroupOutputs:
        """Make it, unless it is there and is ours; then set how long it keeps what it has."""
        asked = {"kmsKeyId": self.kms_key} if self.kms_key else {}
        tags = wanted_tags(self.tags, self.execution)
        try:
            self._logs().create_log_group(logGroupName=self.name, logGroupClass=self.log_class, tags=tags, **asked)
        except AwsRefused as error:
            if error.code != "ResourceAlreadyExistsException":
                raise
        made = self.read(None)
        if made is None:
            raise NotReady(f"The log group {self.name} was made, and CloudWatch Logs does not know it yet.")
        return self.change(made)

    def change(self, live: LogGroupOutputs, /) -> LogGroupOutputs:
        """Set what differs."""
        differing, logs = self.differing(live), self._logs()
        if "retention_days" in differing and self.retention_days is not None:
            logs.put_retention_policy(logGroupName=self.name, retentionInDays=self.retention_days)
        elif "retention_days" in differing:
            logs.delete_retention_policy(logGroupName=self.name)
        if "kms_key" in differing and self.kms_key is not None:
            logs.associate_kms_key(logGroupName=self.name, kmsKeyId=self.kms_key)
        elif "kms_key" in differing:
            logs.disassociate_kms_key(logGroupName=self.name)
        if {"tags", "owner"} & differing:
            logs.tag_resource(resourceArn=live.arn, tags=wanted_tags(self.tags, self.execution))
        if gone := sorted(set(live.tags) - set(self.tags)):
            logs.untag_resource(resourceArn=live.arn, tagKeys=gone)
        return as_changed(self, live)

    def delete(self, live: LogGroupOutputs, /) -> None:
        """Delete it with all that was logged."""
        try:
            self._logs().delete_log_group(logGroupName=live.name)
        except NotThere:
            return

    def _found(self, name: str, *, known: bool) -> LogGroupOutputs | None:
        logs = self._logs()
        page = logs.describe_log_groups(logGroupNamePrefix=name)["logGroups"]  # by name: the shortest comes first
        found = next((group for group in page if group["logGroupName"] == name), None)
        if found is None:
            return None
        arn = str(found["arn"]).removesuffix(":*")  # which means the streams in it
        try:
            tags = logs.list_tags_for_resource(resourceArn=arn)["tags"]
        except NotThere:
            return None
        check_owner(self, f"The log group {name}", tags, known=known)
        return LogGroupOutputs(
            name=name,
            arn=arn,
            retention_days=found.get("retentionInDays"),
            kms_key=found.get("kmsKeyId"),
            log_class=found.get("logGroupClass", "STANDARD"),
            tags=users_tags(tags),
            owner=owner_of(tags),
        )

    def _logs(self) -> Any:
        return client("logs", self.execution.target(AwsTarget))
