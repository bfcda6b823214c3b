"""Bucket: an S3 bucket, private and encrypted, whose configurations are calls of their own."""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, Literal

from pydantic import Field

from orbits_aws.bucket_form import (
    CorsRule,
    LifecycleRule,
    cors_of,
    cors_rule,
    encryption,
    kms_key_of,
    lifecycle_of,
    lifecycle_rule,
)
from orbits_aws.clients import client, partition_of
from orbits_aws.errors import AwsRefused, NotReady, NotThere
from orbits_aws.ownership import owner_of
from orbits_aws.readers.contract import tags_by_key
from orbits_aws.readers.s3 import if_set
from orbits_aws.tagged import (
    UNTIL_READY,
    Document,
    Tags,
    as_changed,
    check_owner,
    made_whole,
    owner,
    poll,
    raise_if_new_principal,
    tag_list,
    users_tags,
    wanted_tags,
)
from orbits_aws.targets import AwsTarget
from orbits_iac import InProgress, Managed, Options, Outputs, Retry
from orbits_iac.provider import Refused, Rules

_OPEN = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")
_THERE = "BucketAlreadyOwnedByYou"
_PAGE = 1000

Ownership = Literal["BucketOwnerEnforced", "BucketOwnerPreferred", "ObjectWriter"]


class BucketOutputs(Outputs):
    """A bucket as it is; what is a field of `Bucket` too means the same.

    `block_public_access` is None where only a part of it is blocked.
    """

    name: str
    arn: str
    region: str
    versioning: bool
    kms_key: str | None
    block_public_access: bool | None
    object_ownership: str
    lifecycle: list[dict[str, Any]]
    cors: list[dict[str, Any]]
    policy: Document | None
    tags: dict[str, str]
    owner: str | None


class Bucket(Managed[BucketOutputs]):
    """An S3 bucket of this name in the target's account and region; encrypted, and closed to the public.

    One of that name which another project made, or nobody, is refused; nobody's is taken over with `adopt=True`. A new
    name makes another bucket. Deleting one that has objects in it is refused, unless `empty_on_delete` is set.

    Attributes:
        name: unique among all buckets of AWS.
        versioning: whether overwritten and deleted objects are kept as versions. Once on, it can only be suspended.
        kms_key: id, ARN or alias of a key of KMS; None: S3's own key.
        block_public_access: whether nothing in it can be made public.
        object_ownership: whose the objects are that other accounts put in, and whether ACLs have a say.
        lifecycle: what becomes of objects with time.
        cors: which pages of other sites may use it from a browser.
        policy: who may do what with it.
        empty_on_delete: whether its objects, versions and delete markers may be deleted with it.

    """

    options = Options(stateful=True)
    compared_by: ClassVar[Rules] = Rules(
        keyed={"lifecycle": "name"}, named=("kms_key",), policies=("policy",), unordered=("cors.*.methods",)
    )
    hook_retry: ClassVar[Retry] = UNTIL_READY
    name: str = Field(pattern=r"^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$")
    versioning: bool = False
    kms_key: str | None = None
    block_public_access: bool = True
    object_ownership: Ownership = "BucketOwnerEnforced"
    lifecycle: list[LifecycleRule] = []
    cors: list[CorsRule] = []
    policy: Document | None = None
    tags: Tags = {}
    empty_on_delete: bool = False

    def desired(self) -> Mapping[str, Any]:
        """The fields, and that it is ours, in the target's region."""
        region = self.execution.target(AwsTarget).region
        wanted = {**self.model_dump(), "owner": owner(self.execution), "region": region}
        del wanted["empty_on_delete"]  # of which nothing is to be seen in the bucket
        return wanted

    def replaces(self, live: BucketOutputs, /) -> Sequence[str]:
        """A bucket cannot be renamed."""
        return sorted({"name"} & self.differing(live))

    def read(self, recorded: BucketOutputs | None, /) -> BucketOutputs | None:
        """The bucket that was recorded, else the one of this name."""
        return self._found(recorded.name if recorded else self.name, known=recorded is not None)

    def adoptable(self) -> BucketOutputs | None:
        """The bucket of this name, if it is ours or nobody's."""
        return self._found(self.name, known=True)

    def create(self) -> BucketOutputs:
        """Make it with its tags, then set the rest. One that is there is taken for what was made if its tags say so."""
        region = self.execution.target(AwsTarget).region
        configuration: dict[str, Any] = {"Tags": tag_list(wanted_tags(self.tags, self.execution))}
        if region != "us-east-1":
            configuration["LocationConstraint"] = region
        try:
            self._s3().create_bucket(Bucket=self.name, CreateBucketConfiguration=configuration)
        except AwsRefused as error:
            if error.code != _THERE:
                raise
        made = self.read(None)
        if made is None:
            raise NotReady(f"The bucket {self.name} was made, and S3 does not know it yet.")
        return made_whole(self.change, made, new="NoSuchBucket")

    def change(self, live: BucketOutputs, /) -> BucketOutputs:
        """Set what differs."""
        differing = self.differing(live)
        for field, put in self._puts().items():
            if field in differing or (field == "tags" and "owner" in differing):
                try:
                    put()
                except AwsRefused as error:
                    raise_if_new_principal(error)
                    raise
        return as_changed(self, live)

    def delete(self, live: BucketOutputs, /) -> InProgress[BucketOutputs] | None:
        """Delete it, and before that what is in it where that was asked for."""
        return self.gone(live)

    def gone(self, live: BucketOutputs, /) -> InProgress[BucketOutputs] | None:
        """Delete it; where there is something in it, delete a page of that, and say that there may be more."""
        try:
            self._s3().delete_bucket(Bucket=live.name, **self._ours())
        except NotThere:
            return None
        except AwsRefused as error:
            if error.code != "BucketNotEmpty":
                raise
            if not self.empty_on_delete:
                raise Refused(
                    f"The bucket {live.name} has objects in it, and is not deleted. Empty it first, or set "
                    f"empty_on_delete=True and update it, so that they go with it: {error}"
                ) from error
            self._empty_a_page(live)
            return InProgress(live, poll=poll(0.05))
        return None

    def _empty_a_page(self, live: BucketOutputs) -> None:
        page = self._s3().list_object_versions(Bucket=live.name, MaxKeys=_PAGE, **self._ours())
        found = [*page.get("Versions", ()), *page.get("DeleteMarkers", ())]
        if not found:
            return
        objects = [{"Key": one["Key"], "VersionId": one["VersionId"]} for one in found]
        answer = self._s3().delete_objects(Bucket=live.name, Delete={"Objects": objects, "Quiet": True}, **self._ours())
        if kept := answer.get("Errors"):
            first = kept[0]
            raise Refused(
                f"{len(kept)} objects of the bucket {live.name} could not be deleted, so that it stays: "
                f"{first.get('Key')}: {first.get('Code')}: {first.get('Message')}"
            )
        self.execution.progress(f"{len(objects)} versions and markers deleted from {live.name}")

    def _found(self, name: str, *, known: bool) -> BucketOutputs | None:
        s3, target = self._s3(), self.execution.target(AwsTarget)
        where: dict[str, Any] = {"Bucket": name, **self._ours()}
        try:
            head = s3.head_bucket(**where)
            tags = tags_by_key(if_set(lambda: s3.get_bucket_tagging(**where)["TagSet"]) or ())
            what = f"The bucket {name}"
            check_owner(self, what, tags, known=known)
            region = head.get("BucketRegion", target.region)
            if region != target.region:
                raise Refused(f"{what} is in {region}, not in {target.region}: give it another name, or that region")
            return self._outputs(where, tags)
        except NotThere:
            return None
        except AwsRefused as error:
            if error.code != "403":
                raise
            raise Refused(
                f"The bucket {name} is another account's, or {target.role} may not look at it: names are unique among "
                f"all accounts of AWS. Give it another name, or the role s3:ListBucket: {error}"
            ) from error

    def _outputs(self, where: Mapping[str, Any], tags: Mapping[str, str]) -> BucketOutputs:
        s3, target, name = self._s3(), self.execution.target(AwsTarget), where["Bucket"]
        encrypted = if_set(lambda: s3.get_bucket_encryption(**where)["ServerSideEncryptionConfiguration"])
        blocked = if_set(lambda: s3.get_public_access_block(**where)["PublicAccessBlockConfiguration"]) or {}
        owners = if_set(lambda: s3.get_bucket_ownership_controls(**where)["OwnershipControls"]["Rules"])
        lifecycle = if_set(lambda: s3.get_bucket_lifecycle_configuration(**where)["Rules"]) or ()
        cors = if_set(lambda: s3.get_bucket_cors(**where)["CORSRules"]) or ()
        policy = if_set(lambda: s3.get_bucket_policy(**where)["Policy"])
        parts = {bool(blocked.get(one)) for one in _OPEN}
        return BucketOutputs(
            name=name,
            arn=f"arn:{partition_of(target.region)}:s3:::{name}",
            region=target.region,
            versioning=s3.get_bucket_versioning(**where).get("Status") == "Enabled",
            kms_key=kms_key_of(encrypted) if encrypted else None,
            block_public_access=parts.pop() if len(parts) == 1 else None,
            object_ownership=owners[0]["ObjectOwnership"] if owners else "ObjectWriter",
            lifecycle=[lifecycle_of(rule) for rule in lifecycle],
            cors=[cors_of(rule) for rule in cors],
            policy=json.loads(policy) if policy else None,
            tags=users_tags(tags),
            owner=owner_of(tags),
        )

    def _puts(self) -> dict[str, Callable[[], object]]:
        """How each field is set, in the order in which they may be: what closes it comes first, the policy last."""
        s3, where = self._s3(), {"Bucket": self.name, **self._ours()}
        owned = {"Rules": [{"ObjectOwnership": self.object_ownership}]}
        lifecycle = {"Rules": [lifecycle_rule(rule) for rule in self.lifecycle]}
        cors = {"CORSRules": [cors_rule(rule) for rule in self.cors]}
        tags = {"TagSet": tag_list(wanted_tags(self.tags, self.execution))}
        status = {"Status": "Enabled" if self.versioning else "Suspended"}
        blocked = dict.fromkeys(_OPEN, self.block_public_access)
        return {
            "tags": lambda: s3.put_bucket_tagging(Tagging=tags, **where),
            "block_public_access": lambda: s3.put_public_access_block(PublicAccessBlockConfiguration=blocked, **where),
            "object_ownership": lambda: s3.put_bucket_ownership_controls(OwnershipControls=owned, **where),
            "kms_key": lambda: s3.put_bucket_encryption(
                ServerSideEncryptionConfiguration=encryption(self.kms_key), **where
            ),
            "versioning": lambda: s3.put_bucket_versioning(VersioningConfiguration=status, **where),
            "lifecycle": lambda: (
                s3.put_bucket_lifecycle_configuration(LifecycleConfiguration=lifecycle, **where)
                if self.lifecycle
                else s3.delete_bucket_lifecycle(**where)
            ),
            "cors": lambda: (
                s3.put_bucket_cors(CORSConfiguration=cors, **where) if self.cors else s3.delete_bucket_cors(**where)
            ),
            "policy": lambda: (
                s3.put_bucket_policy(Policy=json.dumps(self.policy), **where)
                if self.policy
                else s3.delete_bucket_policy(**where)
            ),
        }

    def _ours(self) -> dict[str, str]:
        """What makes S3 refuse a call about a bucket that another account has."""
        return {"ExpectedBucketOwner": self.execution.target(AwsTarget).account}

    def _s3(self) -> Any:
        return client("s3", self.execution.target(AwsTarget))
