"""Table: a DynamoDB table, brought one change at a time to what it is to be, as DynamoDB demands."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from orbits_aws.clients import client
from orbits_aws.errors import AwsRefused, NotReady, NotThere
from orbits_aws.ownership import owner_of
from orbits_aws.readers.contract import tags_by_key
from orbits_aws.stepwise import bring_on
from orbits_aws.table_form import Index, Key, attributes, capacity_of, index, index_of, key_schema, keys_of, throughput
from orbits_aws.tagged import (
    UNTIL_READY,
    Tags,
    check_owner,
    owner,
    poll,
    tag_list,
    users_tags,
    wanted_tags,
)
from orbits_aws.targets import AwsTarget
from orbits_iac import InProgress, Managed, Options, Outputs, Retry
from orbits_iac.provider import Refused, Rules

Stream = Literal["NEW_IMAGE", "OLD_IMAGE", "NEW_AND_OLD_IMAGES", "KEYS_ONLY"]
_READY = "ACTIVE"
_BUSY = frozenset({"ResourceInUseException"})
_LATER = frozenset({"ContinuousBackupsUnavailableException", "LimitExceededException"})
_TTL_ONCE_AN_HOUR = "modified multiple times"


class TableOutputs(Outputs):
    """A table as it is; what is a field of `Table` too means the same. `stream_arn` is that of its latest stream."""

    name: str
    arn: str
    status: str
    partition_key: Key
    sort_key: Key | None
    read_capacity: int | None
    write_capacity: int | None
    indexes: list[Index]
    stream: str | None
    stream_arn: str | None
    expires_by: str | None
    point_in_time_recovery: bool
    deletion_protection: bool
    kms_key: str | None
    table_class: str
    tags: dict[str, str]
    owner: str | None


class Table(Managed[TableOutputs]):
    """A DynamoDB table of this name in the target's account and region; paid by request unless capacities are given.

    A new name or other keys make another table: what is in it is lost, so that has to be accepted by name. One of that
    name which another project made, or nobody, is refused; nobody's is taken over with `adopt=True`. An update is done
    when the table and its indexes can be used.

    Attributes:
        partition_key: `Key("id")`, or `Key("id", "N")`.
        read_capacity: units a second; given with `write_capacity` or not at all.
        indexes: global secondary indexes. They are removed and made one after the other; one whose keys or projection
            are others is removed and made anew.
        stream: what of a changed item its stream tells; None: it has no stream.
        expires_by: the attribute with the time (seconds since 1970) at which an item is deleted; None: they stay.
            DynamoDB takes one change of it an hour, which is waited for.
        point_in_time_recovery: whether it can be restored as it was at any second of the last 35 days.
        deletion_protection: whether DynamoDB refuses to delete it; taken away by an update of its own.
        kms_key: id or ARN of a key of KMS, not an alias, which DynamoDB does not tell; None: DynamoDB's own.

    """

    options = Options(stateful=True)
    compared_by: ClassVar[Rules] = Rules(
        keyed={"indexes": "name"}, unordered=("indexes.*.projected",), named=("kms_key",)
    )
    hook_retry: ClassVar[Retry] = UNTIL_READY
    name: str = Field(pattern=r"^[A-Za-z0-9_.-]+$", min_length=3, max_length=255)
    partition_key: Key
    sort_key: Key | None = None
    read_capacity: int | None = Field(default=None, ge=1)
    write_capacity: int | None = Field(default=None, ge=1)
    indexes: list[Index] = []
    stream: Stream | None = None
    expires_by: str | None = None
    point_in_time_recovery: bool = False
    deletion_protection: bool = False
    kms_key: str | None = Field(default=None, pattern=r"^(arn:[^/]+:key/.+|[0-9a-fA-F-]+|mrk-.+)$")
    table_class: Literal["STANDARD", "STANDARD_INFREQUENT_ACCESS"] = "STANDARD"
    tags: Tags = {}

    @model_validator(mode="after")
    def _fits(self) -> Self:
        capacities = [self.read_capacity, self.write_capacity]
        for one in self.indexes:
            capacities += [one.read_capacity, one.write_capacity]
        if len({capacity is None for capacity in capacities}) == 2:
            raise ValueError(f"the table {self.name} and its indexes have read and write capacities all, or none has")
        types: dict[str, str] = {}
        for key in self._keys(self.indexes):
            if types.setdefault(key.name, key.type) != key.type:
                raise ValueError(f"the table {self.name} has keys of {key.name} as {types[key.name]} and as {key.type}")
        return self

    def desired(self) -> Mapping[str, Any]:
        """The fields, that it can be used, and that it is ours."""
        return {**self.model_dump(), "status": _READY, "owner": owner(self.execution)}

    def replaces(self, live: TableOutputs, /) -> Sequence[str]:
        """A table keeps its name and keys."""
        return sorted({"name", "partition_key", "sort_key"} & self.differing(live))

    def read(self, recorded: TableOutputs | None, /) -> TableOutputs | None:
        """The table that was recorded, else the one of this name; none if it is being deleted."""
        return self._found(recorded.name if recorded else self.name, known=recorded is not None)

    def adoptable(self) -> TableOutputs | None:
        """The table of this name, if it is ours or nobody's."""
        return self._found(self.name, known=True)

    def create(self) -> TableOutputs | InProgress[TableOutputs]:
        """Ask for it, unless it is there and is ours."""
        asked: dict[str, Any] = {}
        if self.stream:
            asked["StreamSpecification"] = {"StreamEnabled": True, "StreamViewType": self.stream}
        if self.indexes:
            asked["GlobalSecondaryIndexes"] = [index(one) for one in self.indexes]
        if self.kms_key:
            asked["SSESpecification"] = self._encryption()
        try:
            self._dynamodb().create_table(
                TableName=self.name,
                AttributeDefinitions=attributes(self._keys(self.indexes)),
                KeySchema=key_schema(self.partition_key, self.sort_key),
                DeletionProtectionEnabled=self.deletion_protection,
                TableClass=self.table_class,
                Tags=tag_list(wanted_tags(self.tags, self.execution)),
                **self._billing(),
                **asked,
            )
        except AwsRefused as error:
            if error.code in _LATER:
                raise NotReady.because(error) from error
            if error.code not in _BUSY:
                raise
        made = self.read(None)
        if made is None:
            raise NotReady(f"The table {self.name} was made, and DynamoDB does not know it yet.")
        return self._brought_on(None, made)

    def change(self, live: TableOutputs, /) -> TableOutputs | InProgress[TableOutputs]:
        """Begin with what differs."""
        return self.settled(live)

    def settled(self, begun: TableOutputs, /) -> TableOutputs | InProgress[TableOutputs]:
        """Wait until the table can be changed, then change the next thing that differs, until nothing does."""
        live = self._found(begun.name, known=True)
        if live is None:
            raise NotThere(f"The table {begun.name} was being changed and is not there: somebody else deleted it.")
        return self._brought_on(begun, live)

    def delete(self, live: TableOutputs, /) -> InProgress[TableOutputs] | None:
        """Have it deleted with all that is in it."""
        if live.deletion_protection:
            raise Refused(
                f"The table {live.name} is protected from deletion. Set deletion_protection=False and update it first"
            )
        try:
            self._dynamodb().delete_table(TableName=live.name)
        except NotThere:
            return None
        except AwsRefused as error:
            if error.code not in _BUSY | _LATER:
                raise
            raise NotReady.because(error) from error  # it is being made, changed, or deleted already
        return InProgress(live, poll=poll(2))

    def gone(self, live: TableOutputs, /) -> InProgress[TableOutputs] | None:
        """Look whether it is gone."""
        return None if self._described(live.name) is None else InProgress(live, poll=poll(2))

    def _brought_on(self, begun: TableOutputs | None, live: TableOutputs) -> TableOutputs | InProgress[TableOutputs]:
        if live.status != _READY:
            self.execution.progress(f"the table {live.name} is {live.status}")
            return InProgress(begun or live, poll=poll(2))
        return bring_on(self, begun, live, self._changes(live), _later)

    def _changes(self, live: TableOutputs) -> Iterator[Callable[[], object]]:
        """The calls that bring it to what it is to be, in an order in which DynamoDB takes them one by one."""
        dynamodb, differing, which = self._dynamodb(), self.differing(live), {"TableName": self.name}

        def update(**what: Any) -> Callable[[], object]:
            return lambda: dynamodb.update_table(**which, **what)

        if {"tags", "owner"} & differing:
            yield lambda: self._tag(live)
        if "deletion_protection" in differing:
            yield update(DeletionProtectionEnabled=self.deletion_protection)
        if {"read_capacity", "write_capacity"} & differing:
            yield update(**self._billing(), **self._capacities_of_indexes(live))
        if "table_class" in differing:
            yield update(TableClass=self.table_class)
        if "kms_key" in differing:
            yield update(SSESpecification=self._encryption())
        if "stream" in differing and (live.stream or not self.stream):  # one of another view is ended first
            yield update(StreamSpecification={"StreamEnabled": False})
        elif "stream" in differing:
            yield update(StreamSpecification={"StreamEnabled": True, "StreamViewType": self.stream})
        if "indexes" in differing:
            yield from (update(**change) for change in self._changes_of_indexes(live))
        if "expires_by" in differing:
            name, enabled = live.expires_by or self.expires_by, live.expires_by is None
            to = {"Enabled": enabled, "AttributeName": name}
            yield lambda: dynamodb.update_time_to_live(TimeToLiveSpecification=to, **which)
        if "point_in_time_recovery" in differing:
            kept = {"PointInTimeRecoveryEnabled": self.point_in_time_recovery}
            yield lambda: dynamodb.update_continuous_backups(PointInTimeRecoverySpecification=kept, **which)

    def _changes_of_indexes(self, live: TableOutputs) -> Iterator[dict[str, Any]]:
        wanted, there = ({one.name: one for one in each} for each in (self.indexes, live.indexes))
        same = {name for name in wanted.keys() & there.keys() if _same_but_capacity(wanted[name], there[name])}
        for name in there.keys() - same:
            yield {"GlobalSecondaryIndexUpdates": [{"Delete": {"IndexName": name}}]}
        for name in sorted(wanted.keys() - there.keys()):
            new = wanted[name]
            yield {
                "AttributeDefinitions": attributes(self._keys([*live.indexes, new])),
                "GlobalSecondaryIndexUpdates": [{"Create": index(new)}],
            }
        if updates := self._capacities_of_indexes(live):
            yield updates

    def _capacities_of_indexes(self, live: TableOutputs) -> dict[str, Any]:
        """The indexes that are there, with the capacities that they are to have."""
        there = {one.name for one in live.indexes}
        updates = [
            {"Update": {"IndexName": one.name, **throughput(one.read_capacity, one.write_capacity)}}
            for one in self.indexes
            if one.name in there and one.read_capacity is not None
        ]
        return {"GlobalSecondaryIndexUpdates": updates} if updates else {}

    def _tag(self, live: TableOutputs) -> None:
        dynamodb = self._dynamodb()
        dynamodb.tag_resource(ResourceArn=live.arn, Tags=tag_list(wanted_tags(self.tags, self.execution)))
        if gone := sorted(set(live.tags) - set(self.tags)):
            dynamodb.untag_resource(ResourceArn=live.arn, TagKeys=gone)

    def _keys(self, indexes: Sequence[Index]) -> list[Key]:
        keys = [self.partition_key, self.sort_key]
        for one in indexes:
            keys += [one.partition_key, one.sort_key]
        return [key for key in keys if key is not None]

    def _billing(self) -> dict[str, Any]:
        given = throughput(self.read_capacity, self.write_capacity)
        return {"BillingMode": "PROVISIONED" if given else "PAY_PER_REQUEST", **given}

    def _encryption(self) -> dict[str, Any]:
        if self.kms_key is None:
            return {"Enabled": False}
        return {"Enabled": True, "SSEType": "KMS", "KMSMasterKeyId": self.kms_key}

    def _described(self, name: str) -> Mapping[str, Any] | None:
        try:
            found: Mapping[str, Any] = self._dynamodb().describe_table(TableName=name)["Table"]
        except NotThere:
            return None
        return found

    def _found(self, name: str, *, known: bool) -> TableOutputs | None:
        found = self._described(name)
        if found is None or found["TableStatus"] == "DELETING":
            return None
        dynamodb, ready = self._dynamodb(), found["TableStatus"] == _READY
        try:
            tags = tags_by_key(dynamodb.items("list_tags_of_resource", "Tags", ResourceArn=found["TableArn"]))
            check_owner(self, f"The table {name}", tags, known=known)
            expires = dynamodb.describe_time_to_live(TableName=name)["TimeToLiveDescription"] if ready else {}
            backups = dynamodb.describe_continuous_backups(TableName=name) if ready else {}
        except NotThere:
            return None
        types = {one["AttributeName"]: one["AttributeType"] for one in found["AttributeDefinitions"]}
        partition_key, sort_key = keys_of(found, types)
        by_request = found.get("BillingModeSummary", {}).get("BillingMode") == "PAY_PER_REQUEST"
        read, write = (None, None) if by_request else capacity_of(found)
        stream = found.get("StreamSpecification", {})
        encrypted = found.get("SSEDescription", {})
        recovery = backups.get("ContinuousBackupsDescription", {}).get("PointInTimeRecoveryDescription", {})
        return TableOutputs(
            name=name,
            arn=found["TableArn"],
            status=_status(found),
            partition_key=partition_key,
            sort_key=sort_key,
            read_capacity=read,
            write_capacity=write,
            indexes=[index_of(one, types, by_request=by_request) for one in found.get("GlobalSecondaryIndexes") or ()],
            stream=stream.get("StreamViewType") if stream.get("StreamEnabled") else None,
            stream_arn=found.get("LatestStreamArn"),
            expires_by=expires.get("AttributeName") if "ENABL" in expires.get("TimeToLiveStatus", "") else None,
            point_in_time_recovery=recovery.get("PointInTimeRecoveryStatus") == "ENABLED",
            deletion_protection=bool(found.get("DeletionProtectionEnabled")),
            kms_key=encrypted.get("KMSMasterKeyArn") if encrypted.get("Status") != "DISABLED" else None,
            table_class=found.get("TableClassSummary", {}).get("TableClass", "STANDARD"),
            tags=users_tags(tags),
            owner=owner_of(tags),
        )

    def _dynamodb(self) -> Any:
        return client("dynamodb", self.execution.target(AwsTarget))


def _later(error: AwsRefused) -> float | None:
    """DynamoDB makes one change of a table at a time, and one of when items expire an hour."""
    if _TTL_ONCE_AN_HOUR in str(error):
        return 300
    return 2 if error.code in _BUSY | _LATER else None


def _status(found: Mapping[str, Any]) -> str:
    """The table's status, or that of an index that cannot be used yet."""
    indexes = found.get("GlobalSecondaryIndexes") or ()
    busy = next((one for one in indexes if one.get("IndexStatus", _READY) != _READY), None)
    return str(found["TableStatus"]) if busy is None else f"{busy['IndexStatus']} {busy['IndexName']}"


def _same_but_capacity(one: Index, other: Index) -> bool:
    def form(index: Index) -> tuple[object, ...]:
        projected = index.projected if isinstance(index.projected, str) else tuple(sorted(index.projected))
        return index.partition_key, index.sort_key, projected

    return form(one) == form(other)
